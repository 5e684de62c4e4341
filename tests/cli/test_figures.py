"""`bitlaw figures`: a list, pictures in a folder, and a hint where matplotlib is missing."""

import json

import pytest

from bitlaw.paper_figures import FIGURES


def test_list_names_all_figures_without_drawing(bitlaw, workspace):
    entries = json.loads(bitlaw("figures", "--list", "--json").out)
    assert [entry["name"] for entry in entries] == list(FIGURES)
    assert entries[0]["title"] == FIGURES[entries[0]["name"]].title
    assert FIGURES["power_sweep"].paper in bitlaw("figures", "--list").out
    assert not (workspace / "figures").exists()


def test_named_figure_is_drawn_as_png_and_pdf(bitlaw, workspace):
    pytest.importorskip("matplotlib")
    outcome = bitlaw("figures", "normal_cube_root", "--output", "out", "--json")
    assert outcome.code == 0
    (entry,) = json.loads(outcome.out)
    assert entry["png"] == "out/normal_cube_root.png"
    assert (workspace / entry["png"]).read_bytes().startswith(b"\x89PNG")
    assert (workspace / entry["pdf"]).read_bytes().startswith(b"%PDF")
    assert "normal_cube_root" in bitlaw("figures", "normal_cube_root", "--output", "out").out


def test_unknown_name_draws_nothing_and_suggests(bitlaw, workspace):
    outcome = bitlaw("figures", "power_sweeps", "--output", "out")
    assert (outcome.code, outcome.out) == (2, "")
    assert "unknown figure 'power_sweeps'; did you mean power_sweep?" in outcome.err
    assert not (workspace / "out").exists()


def test_missing_matplotlib_says_what_to_install(bitlaw, workspace, monkeypatch):
    def render(names, folder, progress):
        raise ModuleNotFoundError("No module named 'matplotlib'")

    monkeypatch.setattr("bitlaw.paper_figures.render", render)
    outcome = bitlaw("figures")
    assert outcome.code == 2
    assert "pip install 'bitlaw[figures]'" in outcome.err
