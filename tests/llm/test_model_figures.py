"""Figures of a model hold the numbers of its study, and are drawn again without it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bitlaw.llm.audit import audit, model_statistics
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.models import LanguageModel
from bitlaw.llm.quantise import assign, quantised
from bitlaw.llm.reference import build_reference
from bitlaw.llm.study import run_study
from bitlaw.llm.study_config import Allocation, Study
from bitlaw.llm.study_parts import keep_text_fisher, open_parts
from bitlaw.llm.study_results import Results
from bitlaw.llm.text import Sequences
from bitlaw.llm.workload import Workload, open_workload
from bitlaw.paper_figures import model_kl_prediction, model_trade_off
from bitlaw.paper_figures.model_figures import MODEL_FIGURES, draw_model_figures, figure_studies
from bitlaw.paper_figures.model_results import ModelResults
from bitlaw.paper_figures.model_runs import FAMILIES, NotInStudy, family_of
from bitlaw.paper_figures.model_study import UNIFORM, ModelStudy
from bitlaw.theory import parse_format

FORMATS = ("nf4", "int3,scale=absmax:float32", "int4,block=channel,scale=absmax:float16,outliers=1%")
PARTS = ("embedding", "decoder", "head")
# Figures of all runs that there are.
GENERAL = ("model_trade_off", "model_kl_prediction", "model_error_prediction", "model_cross_entropy")
WORKLOAD = Workload(sequences=10, length=24, batch=4, device="cpu")


def carry_out(model: Path, folder: Path, *allocations: Allocation, **changes: Any) -> ModelStudy:
    formats = {name: parse_format(name) for name in FORMATS}
    study = Study((str(model),), formats, allocations, replace(WORKLOAD, **changes))
    with Results(folder / "r.sqlite") as results:
        assert not run_study(study, results, folder / "work").failures
    return ModelStudy.open(folder / "r.sqlite", folder / "work")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def study(tiny_folder: Path, folder: Path) -> ModelStudy:
    return carry_out(
        tiny_folder, folder, Allocation("all", PARTS), Allocation("ends", PARTS, ends=parse_format("q8_0"))
    )


@pytest.fixture(scope="module")
def results(study: ModelStudy) -> ModelResults:
    return study.results


def test_numbers_are_those_of_the_audit(
    results: ModelResults, tiny: LanguageModel, sequences: Sequences
) -> None:
    reference = build_reference(tiny, sequences, batch=4)
    fisher = fisher_information(tiny, sequences, batch=4)
    assignment = assign(tiny.model, parse_format(FORMATS[1]), parts=PARTS)
    found = audit(tiny, assignment, reference, model_statistics(tiny), fisher)
    run, kl = results.need(FORMATS)[FORMATS[1]], found.measured.mean()
    assert (run.kl, run.kl_lower, run.kl_upper) == pytest.approx((kl.value, kl.lower, kl.upper), rel=1e-6)
    assert run.predicted_kl == pytest.approx(found.predicted_kl, rel=1e-6)
    elements = sum(tensor.record.elements for tensor in found.tensors)
    assert run.bits == sum(tensor.record.bits for tensor in found.tensors) / elements
    assert [(t.name, t.part) for t in run.tensors] == [(t.record.name, t.record.part) for t in found.tensors]
    assert [t.r for t in run.tensors] == [t.record.error for t in found.tensors]
    assert [t.predicted_r for t in run.tensors] == [t.prediction.R for t in found.tensors]


def test_the_change_of_the_loss_is_that_of_the_quantised_model(
    results: ModelResults, tiny: LanguageModel, sequences: Sequences
) -> None:
    reference = build_reference(tiny, sequences, batch=4)
    with quantised(tiny, assign(tiny.model, parse_format("nf4"), parts=PARTS)):
        found = measure_divergence(tiny, reference)
    run = results.need(["nf4"])["nf4"]
    assert run.loss_change == pytest.approx(float((found.loss - found.reference_loss).mean()), abs=1e-7)
    assert run.loss_change_lower is not None
    assert run.loss_change_upper is not None
    assert run.loss_change_lower < run.loss_change < run.loss_change_upper


def test_runs_of_other_allocations_stand_apart(results: ModelResults) -> None:
    assert len(results.runs) == 6
    assert [run.name for run in results.uniform] == list(FORMATS)
    assert {run.allocation for run in results.uniform} == {"all"}
    assert [run.uniform for run in results.runs] == [True] * 3 + [False] * 3


def test_formats_are_found_by_any_of_their_texts(results: ModelResults) -> None:
    spelled = "nf4,block=64,scale=absmax:float32"
    assert results.find([spelled, "mxfp4"]) == {spelled: results.uniform[0]}
    with pytest.raises(NotInStudy, match="no runs of mxfp4, q4_0, q4_1 and 1 more"):
        results.need(["nf4", "mxfp4", "q4_0", "q4_1", "nf4_dq"])


def test_a_figure_shows_its_own_formats_where_all_are_there_and_all_otherwise(
    study: ModelStudy, results: ModelResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [run.name for run in results.main(FORMATS[:2])] == list(FORMATS[:2])
    assert results.main([*FORMATS, "mxfp4"]) == results.uniform
    monkeypatch.setattr(model_trade_off, "FORMATS", FORMATS[:2])
    data = model_trade_off.compute(study)
    assert [point.name for point in data.points] == list(FORMATS[:2])
    assert [point.name for point in data.others] == list(FORMATS[2:])
    labels = {text.get_text() for text in model_trade_off.draw(data).legends[0].get_texts()}
    assert labels == {"block scale", "tensor scale", "others of the study"}


def test_what_a_study_keeps_is_opened_without_the_model(
    study: ModelStudy, folder: Path, tiny_folder: Path, tiny: LanguageModel, sequences: Sequences
) -> None:
    assert study.parts is not None
    assert study.parts.text_fisher is None
    known = model_statistics(tiny)
    assert {name: found.rms for name, found in study.parts.statistics.items()} == {
        name: found.rms for name, found in known.items()
    }
    expected = fisher_information(tiny, sequences, batch=4).diagonals
    assert all(torch.equal(study.parts.fisher.diagonals[name], value) for name, value in expected.items())
    opened = open_workload(str(tiny_folder), WORKLOAD)
    made = keep_text_fisher(opened, folder / "work")
    again = ModelStudy.open(folder / "r.sqlite", folder / "work").parts
    assert again is not None
    assert again.text_fisher is not None
    assert again.text_fisher.targets == "text"
    expected = fisher_information(tiny, sequences, targets="text", batch=4).diagonals
    for found in (made, again.text_fisher, keep_text_fisher(opened, folder / "work")):
        assert all(torch.equal(found.diagonals[name], value) for name, value in expected.items())


def test_parts_of_other_weights_are_not_taken(study: ModelStudy, folder: Path, tmp_path: Path) -> None:
    assert open_parts(folder / "work", {}) is not None
    assert open_parts(folder / "work", {"weights": "others"}) is None
    assert open_parts(tmp_path, {}) is None
    assert ModelStudy.open(folder / "r.sqlite", tmp_path).parts is None
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "about.json").write_text("{")
    with pytest.raises(ValueError, match=r"about\.json: damaged"):
        open_parts(tmp_path, {})


def test_figures_show_the_numbers_of_the_results(study: ModelStudy) -> None:
    shown = {name: MODEL_FIGURES[name].compute(study) for name in GENERAL}
    runs = study.results.uniform
    for index, run in enumerate(runs):
        trade_off = shown["model_trade_off"].points[index]
        assert (trade_off.x, trade_off.y, trade_off.upper) == (run.bits, run.kl, run.kl_upper)
        prediction = shown["model_kl_prediction"].points[index]
        assert (prediction.x, prediction.y) == (run.predicted_kl, run.kl)
        change = shown["model_cross_entropy"].points[index]
        assert (change.x, change.y, change.lower) == (run.kl, run.loss_change, run.loss_change_lower)
    pairs = [
        (pair.format, pair.tensor, pair.predicted, pair.measured)
        for pair in shown["model_error_prediction"].pairs
    ]
    assert pairs == [(run.name, t.name, t.predicted_r, t.r) for run in runs for t in run.tensors]


def test_results_come_back_from_their_file_and_draw_the_same_bytes(study: ModelStudy, tmp_path: Path) -> None:
    study.results.save(tmp_path / "results.json")
    loaded = ModelResults.load(tmp_path / "results.json")
    assert loaded == study.results
    names = ("model_trade_off", "model_error_prediction")
    first = draw_model_figures(study, tmp_path / "one", names)
    second = draw_model_figures(replace(study, results=loaded), tmp_path / "two", names)
    assert [path.name for one in first for path in one.files] == [
        f"{name}.{kind}" for name in names for kind in ("png", "pdf")
    ]
    assert first[0].files[0].read_bytes().startswith(b"\x89PNG")
    for one, two in zip(first, second, strict=True):
        assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in two.files]


@pytest.mark.parametrize("name", GENERAL)
def test_figures_of_all_runs_are_labelled(name: str, study: ModelStudy) -> None:
    figure = MODEL_FIGURES[name].draw(MODEL_FIGURES[name].compute(study))
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
    titles = (figure.get_suptitle(), *(axes.get_title() for axes in figure.axes))
    assert any(Path(study.results.model).name in title for title in titles)
    texts = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"block scale", "tensor scale", "outliers kept"} <= texts


def test_one_sequence_has_no_interval_and_is_drawn(tiny_folder: Path, tmp_path: Path) -> None:
    study = carry_out(tiny_folder, tmp_path, Allocation("all", PARTS), sequences=1)
    assert {run.kl_lower for run in study.results.runs} == {None}
    for name in GENERAL:
        MODEL_FIGURES[name].draw(MODEL_FIGURES[name].compute(study)).canvas.draw()


def test_formats_that_differ_in_width_alone_are_joined(study: ModelStudy) -> None:
    steps = tuple(
        f"int12sym,scale=rms:float32,reach=1,multiplier={step},code=entropy" for step in (0.3, 0.075)
    )
    names = ("cbrt3:normal", "cbrt4:normal", "cbrt3:normal,block=64", "cbrt4:normal,block=64", "nf4", *steps)
    data = model_trade_off.compute(study)
    (like, *_) = data.points
    points = tuple(replace(like, name=name, x=float(place)) for place, name in enumerate(names))
    joined = [
        line for line in model_trade_off.draw(replace(data, points=points)).axes[0].lines if line.get_alpha()
    ]
    shown = {tuple(np.asarray(line.get_xdata()).tolist()) for line in joined if len(line.get_xdata()) > 1}
    assert shown == {(2.0, 3.0), (5.0, 6.0)}


def test_the_ratio_to_the_prediction_has_the_interval_of_the_measurement(study: ModelStudy) -> None:
    right = model_kl_prediction.draw(model_kl_prediction.compute(study)).axes[1]
    expected = {(run.predicted_kl, run.kl / run.predicted_kl) for run in study.results.uniform}
    shown = {
        tuple(point) for line in right.lines if line.get_linestyle() == "None" for point in line.get_xydata()
    }
    for x, y in expected:
        assert any(point == pytest.approx((x, y)) for point in shown)
    ends = {segment[1, 1] for bars in right.collections for segment in bars.get_segments()}
    run = study.results.uniform[0]
    assert run.kl_upper is not None
    assert any(end == pytest.approx(run.kl_upper / run.predicted_kl) for end in ends)


@pytest.mark.parametrize("name", list(MODEL_FIGURES))
def test_figures_say_what_they_are_and_name_formats_that_exist(name: str) -> None:
    module = MODEL_FIGURES[name]
    assert module.title
    assert module.paper
    specifications = [str(parse_format(text)) for text in module.FORMATS]
    assert len(set(specifications)) == len(specifications)


def test_a_study_without_runs_of_a_figure_skips_it_with_the_reason(tmp_path: Path) -> None:
    empty = ModelStudy(ModelResults("m", "t", 2, 8, ()))
    told: list[str | None] = []
    drawn = draw_model_figures(empty, tmp_path, progress=lambda one: told.append(one.skipped))
    assert [one.name for one in drawn] == list(MODEL_FIGURES)
    assert all(one.skipped and not one.files for one in drawn)
    assert told == [one.skipped for one in drawn]
    assert not list(tmp_path.iterdir())


def test_studies_of_figures_run_each_format_once() -> None:
    studies = figure_studies(["m"])
    assert [allocation.name for allocation in studies[0].allocations] == [UNIFORM.name]
    runs = [(run.specification, run.allocation) for one in studies for run in one.runs("m")]
    assert len(set(runs)) == len(runs) <= 160
    shared = set(studies[0].formats.values())
    for module in MODEL_FIGURES.values():
        if UNIFORM in getattr(module, "ALLOCATIONS", (UNIFORM,)):
            assert shared >= {parse_format(text) for text in module.FORMATS}


def test_a_study_of_one_figure_holds_its_formats_alone() -> None:
    (one,) = figure_studies(["m"], WORKLOAD, ["model_trade_off"])
    assert one.workload == WORKLOAD
    assert list(one.formats) == list(MODEL_FIGURES["model_trade_off"].FORMATS)
    with pytest.raises(ValueError, match=r"names must be of model_trade_off, .*, got 'model_tradeoff'"):
        figure_studies(["m"], WORKLOAD, ["model_tradeoff"])


def test_the_trade_off_covers_all_families() -> None:
    found = [family_of(parse_format(name)) for name in MODEL_FIGURES["model_trade_off"].FORMATS]
    assert set(found) == set(FAMILIES)


def test_importing_the_figures_imports_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, bitlaw.paper_figures.model_figures; "
        "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_page_of_figures_tells_titles_papers_and_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
    rows = {
        line.split("`")[1]: line.split(" | ") for line in page.splitlines() if line.startswith("| `model_")
    }
    assert list(rows) == list(MODEL_FIGURES)
    for name, module in MODEL_FIGURES.items():
        runs = sum(len(study) for study in figure_studies(["m"], names=[name]))
        assert rows[name][1:4] == [module.title, module.paper, str(runs)]
    assert f"figures show, {sum(map(len, figure_studies(['m'])))} in all" in page
