"""Studies on the small model, rows as they are stored, and a small model with experts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bitlaw.llm.study import Outcome, run_study
from bitlaw.llm.study_config import Allocation, Study
from bitlaw.llm.study_results import RUN_COLUMNS, TENSOR_COLUMNS, Results
from bitlaw.llm.workload import Workload
from bitlaw.theory import parse_format

ROOT = Path(__file__).parents[2]
FORMATS = {
    "int4": "int4,block=channel,scale=absmax:float16",
    "int3_g32": "int3_g32",
    "e2m1": "e2m1,block=channel,scale=absmax:float16",
}
WORKLOAD = Workload(sequences=6, length=24, batch=3, device="cpu")


def small(model: Path, *names: str, allocations: tuple[Allocation, ...] = (Allocation(),)) -> Study:
    formats = {name: parse_format(FORMATS[name]) for name in names or FORMATS}
    return Study((str(model),), formats, allocations, WORKLOAD)


def carry_out(study: Study, folder: Path, **options: Any) -> tuple[Outcome, list[dict[str, Any]]]:
    with Results(folder / "results.sqlite") as results:
        return run_study(study, results, folder / "work", **options), results.rows()


def row(fingerprint: str = "a") -> dict[str, Any]:
    return dict.fromkeys(RUN_COLUMNS) | {"fingerprint": fingerprint, "warnings": ["one"], "kl": 0.25}


def tensor(name: str = "w") -> dict[str, Any]:
    return dict.fromkeys(TENSOR_COLUMNS) | {"name": name}


def save_mixtral(folder: Path, layers: int) -> None:
    """Write a Mixtral of a few thousand weights, whose three experts a layer lie one by one on file."""
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_local_experts=3,
    )
    MixtralForCausalLM(config).save_pretrained(folder)
