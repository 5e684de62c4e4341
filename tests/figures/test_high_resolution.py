"""From how many levels the high-resolution formulas hold: against exact distortions and known rates of decay."""

import numpy as np
import pytest

from bitlaw.paper_figures import high_resolution
from bitlaw.paper_figures.high_resolution import ACCURATE, Accuracy
from bitlaw.theory import Normal, entropy_constrained, evaluate
from bitlaw.theory.limits import gish_pierce

# Distortions of Gaussian Lloyd-Max quantisers of 2, 4, 8 and 16 levels by forty-digit arithmetic, and the constant
# sqrt(3) pi / 2 of Panter and Dite.
GAUSSIAN = {1: 0.3633802276, 2: 0.1174818478, 3: 0.0345477608, 4: 0.0095010080}
CONSTANT = 3**0.5 * np.pi / 2


@pytest.fixture(scope="module")
def data():
    return high_resolution.compute()


def test_errors_of_panter_and_dite_follow_from_the_published_gaussian_distortions(data):
    normal = data.panter_dite[0]
    for bits, distortion in GAUSSIAN.items():
        (index,) = np.flatnonzero(normal.rate == bits)
        assert normal.error[index] == pytest.approx(CONSTANT / 4**bits / distortion - 1, rel=1e-8)


def test_errors_of_gish_and_pierce_are_against_the_optimum(data):
    (index,) = np.flatnonzero(data.gish_pierce[0].rate == 1.0)
    exact = evaluate(entropy_constrained(Normal(), rate=1.0), Normal()).distortion
    assert data.gish_pierce[0].error[index] == pytest.approx(gish_pierce(Normal(), 1.0) / exact - 1, abs=1e-9)


def test_panter_and_dites_error_halves_with_every_bit(data):
    for result in data.panter_dite:
        last = result.error[np.isin(result.rate, (8.0, 9.0, 10.0))]
        assert last[1:] / last[:-1] == pytest.approx([0.5, 0.5], abs=0.01)


def test_gish_and_pierces_error_falls_by_four_a_bit_at_a_cusp_and_faster_where_the_density_is_smooth(data):
    normal, laplace, student = data.gish_pierce
    at = {rate: index for index, rate in enumerate(laplace.rate)}
    assert laplace.error[at[8.0]] / laplace.error[at[7.0]] == pytest.approx(0.25, abs=0.01)
    for smooth in (normal, student):
        assert smooth.error[at[3.0]] < 0.1 * smooth.error[at[2.0]]


def test_both_formulas_promise_too_little_never_too_much(data):
    for result in (*data.panter_dite, *data.gish_pierce):
        assert (result.error > -1e-8).all()


def test_heavy_tails_take_more_levels_and_cusps_more_bits(data):
    levels = [2**result.accurate_from for result in data.panter_dite]
    assert levels == pytest.approx([204, 227, 461], abs=1.5)
    assert [result.accurate_from for result in data.gish_pierce] == pytest.approx(
        [1.13, 3.26, 1.72], abs=0.02
    )


def test_accuracy_begins_after_the_last_point_outside():
    rate = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    error = np.array([0.5, 0.001, -0.1, 0.001, 0.0001])
    assert Accuracy(rate, error).accurate_from == pytest.approx(3.5)
    assert ACCURATE == 0.01


def test_legends_state_where_each_formula_becomes_accurate(data):
    figure = high_resolution.draw(data)
    texts = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]
    assert texts[0][0] == "Normal: 204 levels"
    assert texts[1][1] == "Laplace: 3.3 bits"
