"""`bitlaw llm figures`: a study that is run, resumed and drawn; figures of any study; errors of one line."""

import contextlib
import importlib.util
import io
import json
import os
import shutil
import sqlite3

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from bitlaw.cli.main import main
from bitlaw.llm import study as study_module
from bitlaw.llm.study_results import Results
from bitlaw.paper_figures import model_formats, model_trade_off
from bitlaw.paper_figures.model_figures import MODEL_FIGURES
from bitlaw.paper_figures.model_results import ModelResults

FORMATS = ("nf4", "int3,scale=absmax:float32", "q8_0")
ON = ("--sequences", 3, "--length", 16, "--batch", 2, "--device", "cpu")
TRADE_OFF = "model_trade_off"


@pytest.fixture(autouse=True)
def few_formats(monkeypatch):
    monkeypatch.setattr(model_trade_off, "FORMATS", FORMATS)


@pytest.fixture
def figures(bitlaw, workspace):
    """Run the task in a folder of its own."""

    def run(*words):
        return bitlaw("llm", "figures", *words)

    return run


@pytest.fixture(scope="module")
def carried_out(folder, tmp_path_factory):
    """The study of one figure, and what was printed of it."""
    place = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.chdir(place)
        patch.setattr(model_trade_off, "FORMATS", FORMATS)
        words = ("llm", "figures", TRADE_OFF, "--model", folder, *ON, "--output", "new", "--json")
        assert main([str(word) for word in words]) == 0
    return place, json.loads(printed.getvalue())


@pytest.fixture
def done(carried_out, workspace):
    """That study in the working folder."""
    place, told = carried_out
    shutil.copytree(place / "new", workspace / "new")
    return told


def test_the_study_of_a_figure_is_run_and_drawn(done, workspace, folder):
    assert done["model"] == str(folder)
    assert (done["runs"], done["done"], done["failures"]) == (3, 3, [])
    (figure,) = done["figures"]
    assert figure["files"] == [f"new/{TRADE_OFF}.png", f"new/{TRADE_OFF}.pdf"]
    assert figure["skipped"] is None
    written = sorted(path.name for path in (workspace / "new").iterdir())
    assert written == [
        "figures.sqlite",
        "figures.work",
        "model_results.json",
        f"{TRADE_OFF}.pdf",
        f"{TRADE_OFF}.png",
    ]
    found = ModelResults.load(workspace / "new" / "model_results.json")
    assert [run.name for run in found.runs] == list(FORMATS)
    assert (found.sequences, found.length) == (3, 16)


def test_an_interrupted_study_goes_on(figures, folder, workspace, monkeypatch):
    words = (TRADE_OFF, "--model", folder, *ON, "--output", "new")
    seen = []
    true = study_module.audit

    def stopping(*args, **options):
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return true(*args, **options)

    monkeypatch.setattr(study_module, "audit", stopping)
    assert figures(*words).code == 130
    with Results(workspace / "new" / "figures.sqlite") as results:
        assert len(results.rows()) == 1
    outcome = figures(*words)
    assert outcome.code == 0
    assert len(seen) == 4
    assert "2 runs done, 1 found in new/figures.sqlite" in outcome.err
    assert (workspace / "new" / f"{TRADE_OFF}.png").exists()


def test_another_text_in_the_same_folder_is_not_mixed_in(figures, done, folder, workspace):
    (workspace / "other.txt").write_text("words of another kind " * 200)
    words = (TRADE_OFF, "--model", folder, "--output", "new", "--json")
    other = json.loads(figures(*words, *ON, "--text", "other.txt").out)
    assert (other["text"], other["runs"]) == ("other.txt", 3)
    again = json.loads(figures(*words, *ON).out)
    assert (again["text"], again["runs"], again["done"]) == ("standard", 3, 0)


def test_figures_of_a_study_are_drawn_without_the_model(figures, done, workspace, monkeypatch):
    monkeypatch.setattr("bitlaw.llm.models.load_model", None)
    words = ("--results", "new/figures.sqlite", "--work", "new/figures.work", "--output", "again")
    outcome = figures(*words, TRADE_OFF)
    assert outcome.code == 0, outcome.err
    assert "again/model_trade_off.png" in outcome.out
    before = (workspace / "new" / f"{TRADE_OFF}.png").read_bytes()
    assert (workspace / "again" / f"{TRADE_OFF}.png").read_bytes() == before
    outcome = figures(TRADE_OFF, "--results", "new/model_results.json", "--output", "json")
    assert outcome.code == 0, outcome.err
    assert (workspace / "json" / f"{TRADE_OFF}.png").read_bytes() == before


def test_what_a_study_has_no_runs_for_is_left_out_and_said(figures, done):
    outcome = figures("--results", "new/figures.sqlite", "--output", "again", "--json")
    assert outcome.code == 0, outcome.err
    told = {figure["name"]: figure for figure in json.loads(outcome.out)["figures"]}
    assert list(told) == list(MODEL_FIGURES)
    assert told[TRADE_OFF]["files"]
    left = told["model_scaled_kl"]
    assert left["files"] == []
    assert "the study has no runs of" in left["skipped"]
    assert f"model_scaled_kl left out: {left['skipped']}" in outcome.err
    preview = json.loads(figures("--results", "new/figures.sqlite", "--dry-run", "--json").out)
    assert {one["name"]: one["skipped"] for one in preview["figures"]} == {
        name: figure["skipped"] for name, figure in told.items()
    }
    assert "can be drawn" in figures("--results", "new/figures.sqlite", "--dry-run").out


def test_the_list_names_what_each_figure_compares(figures):
    told = {one["name"]: one for one in json.loads(figures("--list", "--json").out)}
    assert list(told) == list(MODEL_FIGURES)
    assert told[TRADE_OFF]["formats"] == list(FORMATS)
    assert all(one["title"] and one["paper"] for one in told.values())
    assert [line.split()[0] for line in figures("--list", TRADE_OFF).out.splitlines()] == [
        "figure",
        TRADE_OFF,
    ]


def test_a_dry_run_counts_the_runs_and_writes_nothing(figures, folder, workspace):
    before = sorted(workspace.iterdir())
    plan = json.loads(figures(TRADE_OFF, "--model", folder, *ON, "--dry-run", "--json").out)
    assert (plan["runs"], plan["figures"]) == (3, [TRADE_OFF])
    assert plan["operations"] == 2 * plan["parameters"] * 48 * (4 + 3)
    assert "1 figures from 3 runs" in figures(TRADE_OFF, "--model", folder, *ON, "--dry-run").out
    assert sorted(workspace.iterdir()) == before


def test_formats_that_a_model_cannot_take_do_not_stop_the_others(figures, folder, monkeypatch):
    strange = "int4,block=channel,rotation=hadamard:64"
    monkeypatch.setattr(model_trade_off, "FORMATS", (strange, "nf4"))
    outcome = figures(TRADE_OFF, "--model", folder, *ON, "--output", "new", "--json")
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    assert (told["runs"], told["done"]) == (1, 1)
    assert strange in told["failures"][0]["run"]
    assert "64 does not divide 32" in outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("model_tradeof",), "unknown figure 'model_tradeof'; did you mean model_trade_off"),
        (("--results", "none.sqlite"), "none.sqlite: there is no such file"),
        (("--results", "new/figures.sqlite", "--work", "none"), "none: there is no such folder"),
        (("--results", "nf4.txt"), "nf4.txt: not a results file"),
        (("--results", "broken.json"), "broken.json: holds no results of a model"),
        (("--results", "new/figures.sqlite", "--model", "gpt"), "no models 'gpt', but runs of"),
        (("--results", "new/model_results.json", "--model", "gpt"), "not of 'gpt'"),
        (("--results", "new/figures.sqlite", "--seed", "3"), "--seed decides what is run"),
        (("--work", "new/figures.work"), "--work goes with --results"),
        (("--model", "none"), "none"),
        (("--output", "nf4.txt/new"), "cannot make the folder"),
        (("--output", "nf4.txt/new", "--results", "new/figures.sqlite"), "cannot make the folder"),
    ],
)
def test_errors_are_one_line(figures, done, workspace, words, told):
    (workspace / "broken.json").write_text("{}")
    outcome = figures(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    assert told in outcome.err
    assert len(outcome.err.splitlines()) == 1


def without(monkeypatch, *missing):
    """Make some packages look as if they were not installed."""
    true = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in missing else true(name, *rest)
    )


def test_without_matplotlib_nothing_is_run(figures, folder, workspace, monkeypatch):
    without(monkeypatch, "matplotlib")
    outcome = figures(TRADE_OFF, "--model", folder, *ON, "--output", "new")
    assert outcome.code == 2
    assert "pip install 'bitlaw[figures]'" in outcome.err
    assert not (workspace / "new").exists()


def test_runs_that_were_kept_are_drawn_without_torch(figures, done, monkeypatch):
    without(monkeypatch, "torch", "transformers")
    assert figures(TRADE_OFF, "--results", "new/model_results.json").code == 0
    for words in (("--results", "new/figures.sqlite"), ("--output", "new"), ("--dry-run",)):
        outcome = figures(TRADE_OFF, *words)
        assert outcome.code == 2
        assert "pip install 'bitlaw[llm]'" in outcome.err


def test_drawing_results_trains_no_model(figures, done, monkeypatch):
    monkeypatch.setattr("bitlaw.llm.embedded.embedded_model_path", None)
    outcome = figures("--results", "new/figures.sqlite", "--model", "embedded")
    assert "no models 'embedded'" in outcome.err


def test_results_of_no_or_several_models_need_to_say_which(figures, done, workspace):
    Results(workspace / "empty.sqlite").close()
    assert "empty.sqlite: the results hold no runs" in figures("--results", "empty.sqlite").err
    with sqlite3.connect(workspace / "new" / "figures.sqlite") as file:
        file.execute("UPDATE runs SET model = 'other' WHERE format = 'nf4'")
    outcome = figures("--results", "new/figures.sqlite")
    assert outcome.code == 2
    assert "new/figures.sqlite: the results hold runs of 2 models, name one of other, " in outcome.err
    one = figures("--results", "new/figures.sqlite", "--model", "other", "--output", "x", "--json", TRADE_OFF)
    assert json.loads(one.out)["runs"] == 1


def test_shared_formats_are_each_of_one_specification():
    assert len(set(model_formats.MAIN)) == len(model_formats.MAIN)
