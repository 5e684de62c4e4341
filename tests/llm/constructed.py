"""Tensors and Fisher information made up for figures, and a small study with its parts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bitlaw.llm.fisher import Fisher
from bitlaw.llm.models import Part, WeightTensor
from bitlaw.llm.statistics import TensorStatistics, tensor_statistics
from bitlaw.llm.study import run_study
from bitlaw.llm.study_config import Allocation, Study
from bitlaw.llm.study_parts import StudyParts, keep_text_fisher
from bitlaw.llm.study_results import Results
from bitlaw.llm.workload import Workload, open_workload
from bitlaw.paper_figures.model_results import ModelResults
from bitlaw.paper_figures.model_study import ModelStudy
from bitlaw.theory import parse_format

NONE = ModelResults("some/model", "t", 2, 8, ())
EMBEDDING, QUERY, DOWN = "embed.weight", "layers.{}.attn.q_proj.weight", "layers.{}.mlp.down_proj.weight"
NAMES: dict[str, Part] = {
    EMBEDDING: "embedding",
    **{text.format(layer): "decoder" for layer in range(3) for text in (QUERY, DOWN)},
    "lm_head.weight": "head",
}
SHAPE = (24, 64)


def weights(name: str, part: Part, generator: torch.Generator) -> TensorStatistics:
    return tensor_statistics(WeightTensor(name, nn.Parameter(torch.randn(SHAPE, generator=generator)), part))


def information(seed: int, targets: Any = "sampled") -> Fisher:
    generator = torch.Generator().manual_seed(seed)
    values = {name: torch.rand(SHAPE, generator=generator) * 4**place for place, name in enumerate(NAMES)}
    return Fisher(values, 100, targets)


@cache
def statistics() -> dict[str, TensorStatistics]:
    generator = torch.Generator().manual_seed(0)
    return {name: weights(name, part, generator) for name, part in NAMES.items()}


def made() -> ModelStudy:
    """A study without runs, whose tensors grow fourfold in information from one to the next."""
    return ModelStudy(NONE, StudyParts(statistics(), information(1), information(2, "text")))


def with_parts(study: ModelStudy, **changes: Any) -> ModelStudy:
    assert isinstance(study.parts, StudyParts)
    return replace(study, parts=replace(study.parts, **changes))


def real_study(model: Path, folder: Path) -> ModelStudy:
    """Two formats on all tensors, a budget by each rule, and both kinds of Fisher information."""
    workload = Workload(sequences=4, length=24, batch=4, device="cpu")
    parts: Any = ("embedding", "decoder", "head")
    formats = {text: parse_format(text) for text in ("q4_0", "int3,scale=absmax:float32,outliers=1%")}
    allocations = (
        Allocation("all", parts),
        Allocation("least", parts, bits=4.0),
        Allocation("published rule", parts, bits=3.9, rule="published"),
    )
    keep_text_fisher(open_workload(str(model), workload), folder / "work")
    with Results(folder / "r.sqlite") as results:
        study = Study((str(model),), formats, allocations, workload)
        assert not run_study(study, results, folder / "work").failures
    return ModelStudy.open(folder / "r.sqlite", folder / "work")
