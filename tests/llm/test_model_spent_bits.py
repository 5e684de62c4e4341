"""Figures of the bits that tensors get, and of what the bits of each format are spent on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bitlaw.llm import fisher_bits
from bitlaw.llm.study_results import RUN_COLUMNS, TENSOR_COLUMNS
from bitlaw.paper_figures import model_allocated_bits, model_bits_per_element
from bitlaw.paper_figures.model_results import ModelResults
from bitlaw.paper_figures.model_runs import NotInStudy
from bitlaw.paper_figures.model_study import ModelStudy
from bitlaw.theory import parse_format

from .constructed import NAMES, NONE, made


def test_without_a_run_the_bits_are_the_least_predicted() -> None:
    made_up = made()
    data = model_allocated_bits.compute(made_up)
    assert made_up.parts is not None
    assert not data.measured
    assert data.mean <= model_allocated_bits.BUDGET
    assert np.mean(list(data.least.values())) == pytest.approx(data.mean)  # tensors are of one size
    assert data.published == fisher_bits(made_up.parts.statistics, made_up.parts.fisher, data.mean)
    # Information grows fourfold from tensor to tensor: a bit more by the rule, no bit fewer by the choice.
    by_rule, chosen = list(data.published.values()), list(data.least.values())
    assert np.diff(by_rule) == pytest.approx([1.0] * (len(NAMES) - 1), abs=0.2)
    assert chosen == sorted(chosen)


def test_a_run_at_a_budget_is_shown_with_its_measured_bits(whole_study: ModelStudy) -> None:
    data = model_allocated_bits.compute(whole_study)
    (run,) = [run for run in whole_study.results.runs if run.allocation == "least"]
    assert whole_study.parts is not None
    assert data.measured
    assert data.least == {tensor.name: tensor.bits for tensor in run.tensors}
    assert data.mean == run.bits
    assert data.published == fisher_bits(whole_study.parts.statistics, whole_study.parts.fisher, run.bits)
    texts = {text.get_text() for text in model_allocated_bits.draw(data).legends[0].get_texts()}
    assert {"mean", "embedding", "query", "down"} <= texts


def test_runs_by_the_published_rule_are_not_shown_as_the_least(whole_study: ModelStudy) -> None:
    kept = tuple(run for run in whole_study.results.runs if run.allocation != "least")
    assert any("published" in run.allocation for run in kept)
    assert not model_allocated_bits.compute(
        replace(whole_study, results=replace(whole_study.results, runs=kept))
    ).measured


def test_bars_are_the_parts_of_the_runs(whole_study: ModelStudy) -> None:
    data = model_bits_per_element.compute(whole_study)
    runs = {run.name: run for run in whole_study.results.uniform}
    assert {bar.name for bar in data.bars} == set(runs)
    for bar in data.bars:
        run = runs[bar.name]
        values = [run.element_bits, run.scale_bits, run.outlier_bits, run.codebook_bits]
        assert list(bar.parts.values()) == values
        assert sum(values) == pytest.approx(run.predicted_bits, rel=1e-9)
        assert (bar.measured, bar.kl, bar.kl_upper) == (run.bits, run.kl, run.kl_upper)
    assert [bar.label for bar in data.bars] == ["int3, tensor, 1% outliers", "q4_0"]
    left = model_bits_per_element.draw(data).axes[0]
    ends = [patch.get_x() + patch.get_width() for patch in left.patches]
    assert ends[-len(data.bars) :] == pytest.approx([runs[bar.name].predicted_bits for bar in data.bars])


def rows(formats: tuple[str, ...]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    runs, tensors = [], []
    for place, text in enumerate(formats):
        about = {"model": "m", "text": "t", "weights": "w", "tokens": "t", "code": "c", "allocation": "all"}
        about |= {"fingerprint": str(place), "format": text, "specification": str(parse_format(text))}
        runs.append(dict.fromkeys(RUN_COLUMNS, 1.0) | about | {"bits": 9.0 - place / 8, "kl_lower": None})
        own = {"fingerprint": str(place), "format": about["specification"]}
        tensors.append(dict.fromkeys(TENSOR_COLUMNS, 1.0) | own)
    return runs, tensors


def test_a_large_study_shows_the_formats_of_other_figures() -> None:
    more = tuple(f"int{width},block={size}" for width in range(2, 8) for size in (8, 16, 32, 64))
    large = ModelStudy(ModelResults.from_rows(*rows((*model_bits_per_element.FORMATS, *more))))
    bars = model_bits_per_element.compute(large).bars
    assert {bar.name for bar in bars} == set(model_bits_per_element.FORMATS)
    assert [bar.measured for bar in bars] == sorted(bar.measured for bar in bars)
    assert len({bar.label for bar in bars}) == len(bars), "no two rows have one label"
    small = ModelStudy(ModelResults.from_rows(*rows(more)))
    assert {bar.name for bar in model_bits_per_element.compute(small).bars} == set(more)
    assert all(bar.kl_lower == bar.kl for bar in bars), "no interval is none"
    with pytest.raises(NotInStudy, match="no run with one format for all tensors"):
        model_bits_per_element.compute(ModelStudy(NONE))


def test_parts_of_another_model_are_not_shown_beside_the_runs(whole_study: ModelStudy) -> None:
    with pytest.raises(NotInStudy, match="of another model than the runs"):
        model_allocated_bits.compute(replace(whole_study, parts=made().parts))
