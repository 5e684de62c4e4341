"""Figures that compare formats on a model show the numbers of its runs, and say which runs they lack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bitlaw.llm.study import run_study
from bitlaw.llm.study_config import Allocation, Study
from bitlaw.llm.study_results import RUN_COLUMNS, TENSOR_COLUMNS, Results
from bitlaw.llm.workload import Workload
from bitlaw.paper_figures import (
    model_alternatives,
    model_block_size,
    model_element_formats,
    model_moment_matching,
    model_rotations,
    model_scale_bits,
    model_signmax,
)
from bitlaw.paper_figures.model_figures import MODEL_FIGURES
from bitlaw.paper_figures.model_panels import Compared
from bitlaw.paper_figures.model_results import ModelResults
from bitlaw.paper_figures.model_runs import NotInStudy, RunResult
from bitlaw.paper_figures.model_study import ModelStudy
from bitlaw.theory import parse_format

MODULES = (
    model_block_size,
    model_scale_bits,
    model_moment_matching,
    model_element_formats,
    model_alternatives,
    model_signmax,
    model_rotations,
)
each = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])


def study_of(formats: tuple[str, ...], **changes: dict[str, Any]) -> ModelStudy:
    """Runs whose numbers are all different; `changes` are of a format's row."""
    runs, tensors = [], []
    numbers = count(1)
    for text in formats:
        specification = str(parse_format(text))
        k = next(numbers)
        row: dict[str, Any] = dict.fromkeys(RUN_COLUMNS, 1.0)
        row |= {"model": "m", "text": "t", "sequences": 2, "length": 8, "allocation": "all", "format": text}
        row |= {
            "weights": "w",
            "tokens": "t",
            "code": "c",
            "fingerprint": str(k),
            "specification": specification,
        }
        row |= {"bits": 3 + k / 64, "predicted_bits": 3 + k / 32, "kl": 1 / k, "kl_lower": 0.9 / k}
        row |= {
            "kl_upper": 1.2 / k,
            "predicted_kl": 1.1 / k,
            "scale_bits": 1 / k,
            "r": 0.5 / k,
            "predicted_r": 0.4 / k,
        }
        runs.append(row | changes.get(text, {}))
        tensors.append(
            dict.fromkeys(TENSOR_COLUMNS, 1.0)
            | {"fingerprint": str(k), "name": "w", "part": "decoder", "format": specification}
        )
    return ModelStudy(ModelResults.from_rows(runs, tensors))


def expected(run: RunResult) -> tuple[float, ...]:
    """Scaled numbers of a run."""
    assert run.kl_lower is not None
    assert run.kl_upper is not None
    gain, told = 2**run.bits, 2**run.predicted_bits
    kl = (run.kl * gain**2, run.kl_lower * gain**2, run.kl_upper * gain**2, run.predicted_kl * told**2)
    return run.bits, *kl, run.r * gain, run.predicted_r * told


def shown(one: Compared) -> tuple[float, ...]:
    kl, r = one.kl, one.r
    assert r.measured == r.lower == r.upper
    return one.bits, kl.measured, kl.lower, kl.upper, kl.predicted, r.measured, r.predicted


def places(module: ModuleType, data: Any) -> Iterator[tuple[str, Compared]]:
    """Format that a figure should show at each of its places, and what it shows there."""
    if hasattr(module, "SERIES"):
        for name, rows in module.SERIES.items():
            yield from ((text, data.series[name][row]) for row, text in rows.items())
    else:
        for name, curve in module.CURVES.items():
            yield from ((text, data.curves[name][place]) for place, text in curve.items())
        for name, text in getattr(module, "LEVELS", {}).items():
            yield text, data.levels[name]


@pytest.mark.parametrize("module", [module for module in MODULES if module is not model_alternatives])
def test_every_place_of_a_figure_shows_the_run_of_its_format(module: ModuleType) -> None:
    study = study_of(module.FORMATS)
    runs = {run.name: run for run in study.results.runs}
    found = list(places(module, module.compute(study)))
    assert [text for text, _ in found if text not in module.FORMATS] == []
    assert {text for text, _ in found} == set(module.FORMATS)
    for text, one in found:
        assert one.name == text
        assert shown(one) == pytest.approx(expected(runs[text]), rel=1e-12)


def test_blocks_of_whole_rows_are_left_out() -> None:
    curve = model_block_size.CURVES["cube root, absmax"]
    bits = {text: {"scale_bits": max(16 / size, 16 / 256)} for size, text in curve.items()}
    row = {model_block_size.LEVELS["cube root, row absmax"]: {"scale_bits": 16 / 256}}
    data = model_block_size.compute(study_of(model_block_size.FORMATS, **bits, **row))
    assert list(data.curves["cube root, absmax"]) == [16, 32, 64, 128]
    model_block_size.draw(data).canvas.draw()


@each
def test_a_change_of_one_run_is_seen(module: ModuleType) -> None:
    text = module.FORMATS[-1]
    before = module.compute(study_of(module.FORMATS))
    after = module.compute(study_of(module.FORMATS, **{text: {"kl": 5.0, "kl_upper": 6.0}}))
    assert replace(before, results=after.results) != after
    if module is not model_alternatives:
        changed = [
            name
            for (name, one), (_, other) in zip(places(module, before), places(module, after), strict=True)
            if one != other
        ]
        assert changed == [text]


@each
def test_missing_runs_are_named(module: ModuleType) -> None:
    needed = model_alternatives.LINE if module is model_alternatives else module.FORMATS
    with pytest.raises(NotInStudy, match=f"no runs of .*and {len(needed) - 3} more"):
        module.compute(study_of(("q8_0", "q5_1")))
    most = tuple(text for text in module.FORMATS if text != needed[1])
    with pytest.raises(NotInStudy) as missing:
        module.compute(study_of(most))
    assert str(missing.value) == f"the study has no runs of {needed[1]}"


def test_alternatives_of_the_line_itself_are_at_one() -> None:
    # Bits of a name are those of one of the line's formats, then between two, then beyond the last.
    line = {
        text: {
            "bits": bits,
            "kl": 4.0**-bits,
            "predicted_kl": 8.0**-bits,
            "r": 2.0**-bits,
            "predicted_r": 3.0**-bits,
        }
        for text, bits in zip(model_alternatives.LINE, (3.25, 4.25, 5.25, 6.25, 8.25), strict=True)
    }
    names = {"nf4": 4.25, "q5_0": 5.5, "q8_0": 8.5, "mxfp4": 3.0}
    same = {
        name: {
            "bits": bits,
            "kl": 2 * 4.0**-bits,
            "kl_lower": 4.0**-bits,
            "kl_upper": 3 * 4.0**-bits,
            "predicted_kl": 3 * 8.0**-bits,
            "r": 5 * 2.0**-bits,
            "predicted_r": 7 * 3.0**-bits,
        }
        for name, bits in names.items()
    }
    data = model_alternatives.compute(study_of((*model_alternatives.LINE, *names), **line, **same))
    assert set(data.over_line) == set(names)
    for name, one in data.over_line.items():
        assert shown(one) == pytest.approx((names[name], 2, 1, 3, 3, 5, 7), rel=1e-12)


def test_the_line_goes_on_beyond_its_ends_as_its_last_pieces() -> None:
    # A bit halves the KL up to 6.25 bits, and quarters it from there on.
    line = zip(model_alternatives.LINE, (3.25, 4.25, 5.25, 6.25, 8.25), (3, 4, 5, 6, 10), strict=True)
    changes = {text: {"bits": bits, "kl": 2.0**-power} for text, bits, power in line}
    powers = {"mxfp4": (3.0, 2.75), "nf4": (4.5, 4.25), "q5_0": (7.25, 8), "q8_0": (8.5, 10.5)}
    changes |= {name: {"bits": bits, "kl": 1.0} for name, (bits, _) in powers.items()}
    data = model_alternatives.compute(study_of((*model_alternatives.LINE, *powers), **changes))
    for name, (_, power) in powers.items():
        assert data.over_line[name].kl.measured == pytest.approx(2**power, rel=1e-12)


def test_alternatives_are_those_that_the_study_has_with_the_best_first() -> None:
    formats = (*model_alternatives.LINE, "nf4", "sf4", "q4_0")
    study = study_of(
        formats, nf4={"bits": 4.0, "kl": 3.0}, sf4={"bits": 4.0, "kl": 1.0}, q4_0={"bits": 4.0, "kl": 2.0}
    )
    assert list(model_alternatives.compute(study).over_line) == ["sf4", "q4_0", "nf4"]
    with pytest.raises(NotInStudy, match="no runs of nf4, mxfp4, nvfp4 and"):
        model_alternatives.compute(study_of(model_alternatives.LINE))


@each
def test_figures_are_drawn_with_both_quantities_labelled(module: ModuleType) -> None:
    figure = module.draw(module.compute(study_of(module.FORMATS)))
    left, right = figure.axes
    assert "KL divergence" in left.get_ylabel() + left.get_xlabel()
    assert "R" in right.get_ylabel() + right.get_xlabel()
    assert "m, 2 sequences of 8 tokens, 95% intervals" in figure.get_suptitle()
    assert "predicted" in {text.get_text() for text in figure.legends[0].get_texts()}
    assert left.containers, "KL has intervals"


@each
def test_a_run_without_an_interval_is_drawn(module: ModuleType) -> None:
    bare = {text: {"kl_lower": None, "kl_upper": None} for text in module.FORMATS}
    data = module.compute(study_of(module.FORMATS, **bare))
    assert all(one.kl.lower == one.kl.measured == one.kl.upper for one in compared_of(data))
    module.draw(data).canvas.draw()


def compared_of(data: Any) -> list[Compared]:
    """All numbers that the data of a figure hold."""
    found: list[Compared] = []
    held = [value for value in vars(data).values() if isinstance(value, dict)]
    while held:
        value = held.pop()
        for member in value.values():
            (found if isinstance(member, Compared) else held).append(member)
    assert found
    return found


def test_the_figures_are_registered() -> None:
    assert set(MODULES) <= set(MODEL_FIGURES.values())


def test_numbers_of_a_figure_are_those_of_a_study(tiny_folder: Path, tmp_path: Path) -> None:
    formats = {text: parse_format(text) for text in model_scale_bits.FORMATS}
    workload = Workload(sequences=4, length=24, batch=4, device="cpu")
    allocation = Allocation("all", ("embedding", "decoder", "head"))
    with Results(tmp_path / "r.sqlite") as results:
        outcome = run_study(
            Study((str(tiny_folder),), formats, (allocation,), workload), results, tmp_path / "work"
        )
        rows = {row["format"]: row for row in results.rows()}
    assert not outcome.failures
    data = model_scale_bits.compute(ModelStudy.open(tmp_path / "r.sqlite"))
    assert len(rows) == len(compared_of(data)) == 12
    for text, one in places(model_scale_bits, data):
        row = rows[text]
        factor = 4.0 ** row["bits"]
        assert one.kl.measured == pytest.approx(row["kl"] * factor, rel=1e-12)
        assert one.kl.upper == pytest.approx(row["kl_upper"] * factor, rel=1e-12)
        assert one.r.measured == pytest.approx(row["r"] * 2 ** row["bits"], rel=1e-12)
        assert one.r.predicted == pytest.approx(one.r.measured, rel=0.1)
    model_scale_bits.draw(data).canvas.draw()
