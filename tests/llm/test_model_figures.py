"""Figures of a model hold the numbers of its audits, and can be drawn again without it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bitlaw.llm.audit import audit, model_statistics
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.models import LanguageModel
from bitlaw.llm.quantise import assign, quantised
from bitlaw.llm.reference import build_reference
from bitlaw.llm.text import Sequences
from bitlaw.paper_figures.model_figures import (
    DEFAULT_FORMATS,
    MODEL_FIGURES,
    draw_model_figures,
    render_model_figures,
)
from bitlaw.paper_figures.model_results import FAMILIES, ModelResults, family_of, measure_model
from bitlaw.theory import parse_format

FORMATS = ("nf4", "int3,scale=absmax:float32", "int4,block=channel,scale=absmax:float16,outliers=1%")
PARTS = ("embedding", "decoder", "head")


@pytest.fixture(scope="module")
def results(tiny: LanguageModel, sequences: Sequences) -> ModelResults:
    return measure_model(tiny, FORMATS, sequences=sequences)


def test_numbers_are_those_of_the_audit(
    results: ModelResults, tiny: LanguageModel, sequences: Sequences
) -> None:
    reference = build_reference(tiny, sequences)
    fisher = fisher_information(tiny, sequences)
    assignment = assign(tiny.model, parse_format(FORMATS[1]), parts=PARTS)
    found = audit(tiny, assignment, reference, model_statistics(tiny), fisher)
    row, kl = results.formats[1], found.measured.mean()
    assert (row.kl, row.kl_lower, row.kl_upper) == pytest.approx((kl.value, kl.lower, kl.upper), rel=1e-6)
    assert row.predicted_kl == pytest.approx(found.predicted_kl, rel=1e-6)
    elements = sum(tensor.record.elements for tensor in found.tensors)
    assert row.bits == sum(tensor.record.bits for tensor in found.tensors) / elements
    assert [(t.name, t.part) for t in row.tensors] == [(t.record.name, t.record.part) for t in found.tensors]
    assert [t.r for t in row.tensors] == [t.record.error for t in found.tensors]
    assert [t.predicted_r for t in row.tensors] == [t.prediction.R for t in found.tensors]


def test_the_change_of_the_loss_is_that_of_the_quantised_model(
    results: ModelResults, tiny: LanguageModel, sequences: Sequences
) -> None:
    reference = build_reference(tiny, sequences)
    with quantised(tiny, assign(tiny.model, parse_format("nf4"), parts=PARTS)):
        found = measure_divergence(tiny, reference)
    row = results.formats[0]
    assert row.loss_change == pytest.approx(float((found.loss - found.reference_loss).mean()), abs=1e-7)
    assert row.loss_lower is not None
    assert row.loss_upper is not None
    assert row.loss_lower < row.loss_change < row.loss_upper


def test_figures_show_the_numbers_of_the_results(results: ModelResults) -> None:
    shown = {name: module.compute(results) for name, module in MODEL_FIGURES.items()}
    for index, row in enumerate(results.formats):
        trade_off = shown["model_trade_off"].points[index]
        assert (trade_off.x, trade_off.y, trade_off.upper) == (row.bits, row.kl, row.kl_upper)
        prediction = shown["model_kl_prediction"].points[index]
        assert (prediction.x, prediction.y) == (row.predicted_kl, row.kl)
        change = shown["model_cross_entropy"].points[index]
        assert (change.x, change.y, change.lower) == (row.kl, row.loss_change, row.loss_lower)
    pairs = [
        (pair.format, pair.tensor, pair.predicted, pair.measured)
        for pair in shown["model_error_prediction"].pairs
    ]
    assert pairs == [(row.name, t.name, t.predicted_r, t.r) for row in results.formats for t in row.tensors]


def test_results_come_back_from_their_file_and_draw_the_same_bytes(
    results: ModelResults, tmp_path: Path
) -> None:
    results.save(tmp_path / "results.json")
    loaded = ModelResults.load(tmp_path / "results.json")
    assert loaded == results
    first = draw_model_figures(results, tmp_path / "one")
    second = draw_model_figures(loaded, tmp_path / "two")
    assert [path.name for path in first] == [
        f"{name}.{kind}" for name in MODEL_FIGURES for kind in ("png", "pdf")
    ]
    assert first[0].read_bytes().startswith(b"\x89PNG")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize("name", list(MODEL_FIGURES))
def test_every_figure_of_a_model_is_labelled(name: str, results: ModelResults) -> None:
    figure = MODEL_FIGURES[name].draw(MODEL_FIGURES[name].compute(results))
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert results.model in axes.get_title()
    texts = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"block scale", "tensor scale", "outliers kept"} <= texts
    assert MODEL_FIGURES[name].title


def test_one_sequence_has_no_interval_and_is_drawn(
    tiny: LanguageModel, sequences: Sequences, tmp_path: Path
) -> None:
    one = replace(sequences, tokens=sequences.tokens[:1])
    before = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    written = render_model_figures(tiny, tmp_path / "new", formats=["nf4"], sequences=one)
    assert all(path.stat().st_size > 0 for path in written)
    (row,) = json.loads(written[0].read_text())["formats"]
    assert row["kl_lower"] is None
    assert row["loss_upper"] is None
    assert all(torch.equal(value, before[name]) for name, value in tiny.model.state_dict().items())


def test_default_formats_cover_all_families() -> None:
    found = [family_of(parse_format(name)) for name in DEFAULT_FORMATS]
    assert set(found) == set(FAMILIES)
    assert len(set(DEFAULT_FORMATS)) == len(DEFAULT_FORMATS)


@pytest.mark.parametrize(
    ("formats", "error", "told"),
    [
        ([], ValueError, "at least one format"),
        ("nf4", TypeError, "a list of names, got the text 'nf4'"),
        (["nf4", "nf4"], ValueError, "'nf4' twice"),
        (["nf44"], ValueError, "formats with near names: nf4"),
    ],
)
def test_wrong_formats_write_nothing(
    tiny: LanguageModel, tmp_path: Path, formats: list[str], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        render_model_figures(tiny, tmp_path / "none", formats=formats)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": "m", "formats": [{"name": "nf4"}]}'])
def test_files_of_something_else_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json: holds no results of a model"):
        ModelResults.load(tmp_path / "x.json")


def test_importing_the_figures_imports_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, bitlaw.paper_figures.model_figures; "
        "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
