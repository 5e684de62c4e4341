"""Every figure is labelled, written twice over as the same bytes, and costs nothing before it is drawn."""

import hashlib
import subprocess
import sys

import matplotlib
import pytest
from matplotlib.figure import Figure

from bitlaw.paper_figures import FIGURES, RenderedFigure, render

NAMES = list(FIGURES)


@pytest.fixture(scope="module")
def figures():
    return {name: module.draw(module.compute()) for name, module in FIGURES.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_has_labels_and_every_figure_a_legend(figures, name):
    figure = figures[name]
    assert isinstance(figure, Figure)
    for index, axes in enumerate(figure.axes):
        shared = index > 0 and axes.get_shared_y_axes().joined(axes, figure.axes[0])
        assert axes.get_xlabel()
        assert axes.get_ylabel() or shared
    assert figure.legends or all(axes.get_legend() for axes in figure.axes)


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_of_a_legend_is_named(figures, name):
    figure = figures[name]
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    texts = [text.get_text() for legend in legends for text in legend.get_texts()]
    assert len(texts) >= 2
    assert all(text and not text.startswith("_") for text in texts)


@pytest.mark.parametrize("name", NAMES)
def test_title_and_paper_are_stated(name):
    assert FIGURES[name].title
    assert FIGURES[name].paper


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_computed_once(name):
    assert FIGURES[name].compute() is FIGURES[name].compute()


def test_rendering_writes_both_files_and_reports_progress(tmp_path):
    seen = []
    names = ["codepoint_spacing", "normal_cube_root"]
    rendered = render(names, tmp_path / "new", progress=seen.append)
    assert rendered == seen
    assert [figure.name for figure in rendered] == names
    for figure in rendered:
        assert isinstance(figure, RenderedFigure)
        assert figure.png.read_bytes().startswith(b"\x89PNG")
        assert figure.pdf.read_bytes().startswith(b"%PDF")
        assert figure.seconds > 0
        assert (figure.title, figure.paper) == (FIGURES[figure.name].title, FIGURES[figure.name].paper)


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    digests = []
    for folder in ("one", "two"):
        (figure,) = render(["codepoint_spacing"], tmp_path / folder)
        digests.append([hashlib.sha256(path.read_bytes()).digest() for path in (figure.png, figure.pdf)])
    assert digests[0] == digests[1]


def test_drawing_leaves_the_callers_settings_alone():
    with matplotlib.rc_context({"font.size": 23.0, "axes.grid": False}):
        figure = FIGURES["codepoint_spacing"].draw(FIGURES["codepoint_spacing"].compute())
        assert matplotlib.rcParams["font.size"] == 23.0
    assert figure.axes[0].xaxis.label.get_size() == 9.0


def test_unknown_names_render_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"names must be figures .*power_sweep.*, got 'no_such'"):
        render(["codepoint_spacing", "no_such"], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_importing_the_figures_does_not_import_matplotlib():
    code = "import sys, bitlaw.paper_figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
