"""Figures of KL against bits: scaled, by compression and scaling, and with bits spread over tensors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitlaw.llm.study import run_study
from bitlaw.llm.study_results import Results
from bitlaw.llm.workload import Workload
from bitlaw.paper_figures import model_allocation, model_compression, model_scaled_kl
from bitlaw.paper_figures.model_figures import MODEL_FIGURES, draw_model_figures, figure_studies
from bitlaw.paper_figures.model_formats import BLOCK, CODED, OUTLIERS, TENSOR
from bitlaw.paper_figures.model_results import ModelResults
from bitlaw.paper_figures.model_runs import NotInStudy, RunResult, TensorResult
from bitlaw.paper_figures.model_study import ModelStudy
from bitlaw.theory import parse_format


def run(text: str, bits: float, kl: float, *, allocation: str = "all", tensors: int = 1) -> RunResult:
    """A run of one tensor, or of two in different formats."""
    specification = " | ".join(str(parse_format(one)) for one in text.split(" | "))
    told = TensorResult("w", "decoder", specification, 8, 1.0, bits, bits, None, 0.1, 1.0, 0.1, kl)
    return RunResult(
        name=text,
        specification=specification,
        allocation=allocation,
        bits=bits,
        predicted_bits=bits,
        element_bits=bits,
        scale_bits=0.0,
        outlier_bits=0.0,
        codebook_bits=0.0,
        predicted_r=0.1,
        r=0.1,
        predicted_kl=kl,
        kl=kl,
        kl_lower=0.9 * kl,
        kl_upper=1.2 * kl,
        top_kl=kl,
        loss=3.0,
        loss_change=kl,
        loss_change_lower=None,
        loss_change_upper=None,
        reference_loss=3.0,
        same_top=0.9,
        tensors=tuple(
            replace(told, name=f"w{k}", format=specification if k == 0 else "q8_0") for k in range(tensors)
        ),
    )


def study(*runs: RunResult) -> ModelStudy:
    return ModelStudy(ModelResults("m", "t", 4, 8, runs))


def test_scaled_kl_of_a_family_that_gains_six_decibels_a_bit_is_level() -> None:
    runs = [run(text, bits, 3.0 * 4.0**-bits) for text, bits in zip(BLOCK, (3.25, 4.25, 5.25), strict=False)]
    data = model_scaled_kl.compute(study(*runs, run(CODED[0], 2.5, 0.1)))
    assert [point.x for point in data.points] == [3.25, 4.25, 5.25]
    for point in data.points:
        assert (point.y, point.lower, point.upper) == pytest.approx((3.0, 2.7, 3.6), rel=1e-12)
    assert {point.family for point in data.points} == {"block scale"}


def test_scaled_kl_needs_two_widths_of_a_family() -> None:
    with pytest.raises(NotInStudy, match="no runs of cbrt3:normal"):
        model_scaled_kl.compute(study(run(BLOCK[0], 3.25, 0.1), run(CODED[0], 2.5, 0.1)))


def test_compression_shows_the_ways_of_scaling_that_have_two_curves() -> None:
    tensor = [run(text, width, 4.0**-width) for width, text in enumerate(TENSOR, 3)]
    coded = [run(text, width - 0.2, 4.0**-width) for width, text in enumerate(CODED, 3)]
    block = [run(text, width, 4.0**-width) for width, text in enumerate(BLOCK, 3)]
    data = model_compression.compute(study(*tensor, *coded, *block, run(OUTLIERS[0], 3.1, 0.01)))
    (scaling,) = data.scalings
    assert scaling.name == "tensor scale"
    assert list(scaling.curves) == ["fixed length", "entropy-coded"]
    assert [(p.x, p.y) for p in scaling.curves["entropy-coded"]] == [
        (width - 0.2, 4.0**-width) for width in (3, 4, 5, 6)
    ]
    figure = model_compression.draw(data)
    assert [axes.get_title() for axes in figure.axes] == ["tensor scale", ""]
    with pytest.raises(NotInStudy):
        model_compression.compute(study(*tensor, *block))


def allocated(bits: float, kl: float, name: str) -> RunResult:
    return run(" | ".join(BLOCK), bits, kl, allocation=name, tensors=2)


def test_spread_bits_are_compared_with_one_format_at_equal_bits() -> None:
    uniform = [
        run(text, bits, kl) for text, bits, kl in zip(BLOCK, (3, 4, 6), (0.1, 0.02, 0.001), strict=False)
    ]
    others = (
        allocated(3.5, 0.03, "least KL at 3.5 bits"),
        allocated(3.0, 0.09, "published rule at 3 bits"),
        allocated(7.0, 0.0005, "published rule at 7 bits"),
        run(BLOCK[0], 5.0, 0.01, allocation="ends in 5 bits", tensors=2),
        run(TENSOR[0], 5.0, 0.02, allocation="ends in 6 bits", tensors=2),
    )
    data = model_allocation.compute(study(*uniform, *others))
    assert {label: [point.x for point in points] for label, points in data.curves.items()} == {
        "one format for all": [3, 4, 6],
        "ends in more bits": [5.0],
        "published rule": [3.0, 7.0],
        "least predicted KL": [3.5],
    }
    assert [point.y for point in data.relative["one format for all"]] == pytest.approx([1, 1, 1])
    (least,) = data.relative["least predicted KL"]
    assert least.y == pytest.approx(0.03 / np.sqrt(0.1 * 0.02))
    assert (least.lower, least.upper) == pytest.approx((0.9 * least.y, 1.2 * least.y))
    assert [(point.x, point.y) for point in data.relative["published rule"]] == [(3.0, pytest.approx(0.9))]
    assert data.relative["ends in more bits"][0].y == pytest.approx(0.01 / np.sqrt(0.02 * 0.001))


def test_spread_bits_need_a_budget_and_the_formats_it_chooses_from() -> None:
    with pytest.raises(NotInStudy, match="no runs at a budget of bits"):
        model_allocation.compute(study(run(BLOCK[0], 3, 0.1), run(BLOCK[1], 4, 0.02)))
    with pytest.raises(NotInStudy, match="in one format for all of those that its budgets choose from"):
        model_allocation.compute(study(run(BLOCK[0], 3, 0.1), allocated(3.5, 0.03, "a")))


def test_the_figure_of_spread_bits_asks_for_its_runs_alone() -> None:
    studies = figure_studies(["m"], names=["model_allocation"])
    runs = [one for part in studies for one in part.runs("m")]
    assert len(runs) == len(model_allocation.FORMATS) + 10 + 3
    budgets = [one for one in runs if one.allocation.bits is not None]
    assert {len(one.formats) for one in budgets} == {len(model_allocation.FORMATS)}
    assert {one.allocation.rule for one in budgets} == {"least", "published"}
    widths = [(one.format_name, str(one.allocation.ends)) for one in runs if one.allocation.ends is not None]
    assert [(name[:5], ends[:5]) for name, ends in widths] == [
        ("cbrt2", "cbrt4"),
        ("cbrt3", "cbrt5"),
        ("cbrt4", "cbrt6"),
    ]


def test_a_study_of_spread_bits_is_drawn(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uniform, *others = model_allocation.ALLOCATIONS
    kept = [one for one in others if one.bits in (None, 3.25)]
    monkeypatch.setattr(model_allocation, "FORMATS", model_allocation.FORMATS[:3])
    monkeypatch.setattr(model_allocation, "ALLOCATIONS", (uniform, *kept[:3]))
    workload = Workload(sequences=4, length=16, batch=4, device="cpu")
    with Results(tmp_path / "r.sqlite") as results:
        for part in figure_studies([str(tiny_folder)], workload, ["model_allocation"]):
            assert not run_study(part, results, tmp_path / "work").failures
    found = ModelStudy.open(tmp_path / "r.sqlite", tmp_path / "work")
    data = model_allocation.compute(found)
    assert {label: len(points) for label, points in data.curves.items()} == {
        "one format for all": 3,
        "ends in more bits": 1,
        "published rule": 1,
        "least predicted KL": 1,
    }
    figure = model_allocation.draw(data)
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)
    (drawn,) = draw_model_figures(found, tmp_path, ["model_allocation"])
    assert len(drawn.files) == 2


def test_figures_against_bits_are_registered() -> None:
    for module in (model_scaled_kl, model_compression, model_allocation):
        assert module in MODEL_FIGURES.values()
