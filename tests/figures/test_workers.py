"""Several processes draw what one would, and leave errors where they can be read."""

import pytest

from bitlaw.paper_figures import FIGURES, render
from bitlaw.paper_figures.render import render_all
from bitlaw.paper_figures.workers import grouped

QUICK = ["codepoint_spacing", "normal_cube_root", "water_filling"]


def test_two_processes_write_the_same_bytes_as_one(tmp_path):
    seen = []
    one = render(QUICK, tmp_path / "one", processes=1)
    two = render(QUICK, tmp_path / "two", processes=2, progress=seen.append)
    assert [figure.name for figure in two] == QUICK
    assert sorted(figure.name for figure in seen) == sorted(QUICK)
    for a, b in zip(one, two, strict=True):
        assert a.png.read_bytes() == b.png.read_bytes()
        assert a.pdf.read_bytes() == b.pdf.read_bytes()
        assert (a.title, a.paper) == (b.title, b.paper)


def test_figures_that_share_numbers_stay_together():
    groups = grouped(FIGURES, ["rate_distortion", "water_filling", "gap_to_bound"])
    assert groups == [["rate_distortion", "gap_to_bound"], ["water_filling"]]


class Failing:
    """A figure that no other process knows."""

    title = paper = "none"

    def compute(self):
        raise RuntimeError("these numbers cannot be computed")

    def draw(self, data):
        raise AssertionError


def test_a_figure_that_workers_fail_on_raises_its_own_error_here(tmp_path):
    figures = {"codepoint_spacing": FIGURES["codepoint_spacing"], "failing": Failing()}
    with pytest.raises(RuntimeError, match="these numbers cannot be computed"):
        render_all(figures, list(figures), tmp_path, None, processes=2)


@pytest.mark.parametrize(
    ("processes", "error", "match"),
    [
        (0, ValueError, "processes must be at least 1, got 0"),
        (1.5, TypeError, "processes must be an integer or None, got 1.5"),
        (True, TypeError, "processes must be an integer"),
    ],
)
def test_bad_numbers_of_processes_are_named(tmp_path, processes, error, match):
    with pytest.raises(error, match=match):
        render(QUICK, tmp_path, processes=processes)
