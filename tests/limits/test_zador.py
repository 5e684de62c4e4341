"""Zador's constants: printed digits, order of the bounds, limits in the dimension."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory import Empirical, Laplace, Normal
from bitlaw.theory.limits import panter_dite, shannon_lower_bound, zador, zador_constant

from ..laws import symmetric

# Conway and Sloane, Sphere Packings, Lattices and Groups, third edition, table 2.3: best quantisers known.
PRINTED = {
    1: 0.083333,
    2: 0.080188,
    3: 0.078543,
    4: 0.076603,
    5: 0.075625,
    6: 0.074244,
    7: 0.073116,
    8: 0.071682,
    12: 0.070100,
    16: 0.068299,
    24: 0.065771,
}


@pytest.mark.parametrize("dimension", PRINTED)
def test_lattices_have_their_printed_second_moments(dimension):
    constant = zador_constant(dimension)
    assert constant.lattice_value == pytest.approx(PRINTED[dimension], abs=1.1e-5)
    assert constant.sphere_bound <= constant.lattice_value
    assert constant.least == min(constant.lattice_value, constant.random_bound)


def test_random_bound_in_closed_form():
    assert zador_constant(1).random_bound == pytest.approx(0.5, rel=1e-14)
    assert zador_constant(2).random_bound == pytest.approx(1 / (2 * np.pi), rel=1e-14)
    assert zador_constant(2).sphere_bound == pytest.approx(1 / (4 * np.pi), rel=1e-14)


@given(st.integers(1, 3000))
def test_bounds_are_ordered_and_close_in_on_the_sphere_of_many_dimensions(dimension):
    constant = zador_constant(dimension)
    limit = 1 / (2 * np.pi * np.e)
    assert limit < constant.sphere_bound < constant.random_bound
    assert constant.random_bound / limit < 1 + 8 * np.log(dimension + 2) / dimension + 10 / dimension
    following = zador_constant(dimension + 1)
    assert following.sphere_bound < constant.sphere_bound
    assert following.random_bound < constant.random_bound


def test_gains_lie_between_nothing_and_a_quarter_bit():
    gains = [zador_constant(k).granular_gain_bits for k in (1, 2, 8, 24)]
    assert gains == sorted(gains)
    assert gains[0] == 0
    # 1.03 dB for the Leech lattice; the whole quarter bit is 1.53 dB.
    assert gains[-1] * 20 * np.log10(2) == pytest.approx(1.03, abs=0.005)


@settings(max_examples=20)
@given(symmetric, st.floats(1, 12))
def test_one_dimension_is_panter_dite_and_many_are_shannon(law, rate):
    assert zador(law, rate) * 4.0**rate == pytest.approx(panter_dite(law, 1), rel=1e-11)
    many = zador(law, rate, dimension=20_000)
    bound = shannon_lower_bound(law, 30) * 4.0 ** (30 - rate)
    assert many == pytest.approx(bound, rel=5e-3)


def test_each_dimension_gains():
    distortions = [zador(Laplace(), 6, dimension=k) for k in range(1, 9)]
    assert distortions == sorted(distortions, reverse=True)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: zador_constant(0), ValueError, "dimension must be at least 1, got 0"),
        (lambda: zador_constant(2.0), TypeError, "dimension must be an integer, got 2.0"),
        (lambda: zador(Normal(), -1), ValueError, "rate must be finite"),
        (lambda: zador(Empirical([0.0, 1.0]), 1), TypeError, "source must have a density"),
    ],
)
def test_bad_arguments_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()
