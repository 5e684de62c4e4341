"""The Shannon lower bound: closed forms, inverse, bad arguments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import Empirical, Laplace, Normal, Uniform
from bitlaw.theory.limits import shannon_lower_bound, shannon_lower_bound_rate

from ..laws import rescaled, stds, symmetric


@given(stds, st.floats(0, 40))
def test_bound_is_the_truth_for_a_gaussian(std, rate):
    assert shannon_lower_bound(Normal(std), rate) == pytest.approx(std**2 * 4.0**-rate, rel=1e-13)


def test_constants_of_laplace_and_uniform():
    assert shannon_lower_bound(Laplace(), 3) * 4**3 == pytest.approx(np.e / np.pi, rel=1e-14)
    assert shannon_lower_bound(Uniform(), 3) * 4**3 == pytest.approx(6 / (np.pi * np.e), rel=1e-14)


@given(symmetric, st.floats(0, 30))
def test_bound_never_exceeds_the_variance_and_falls_by_six_decibels_a_bit(law, rate):
    one, two = shannon_lower_bound(law, rate), shannon_lower_bound(law, rate + 1)
    assert 0 < two < one <= law.std**2
    if one < law.std**2:
        assert one / two == pytest.approx(4, rel=1e-13)


@given(symmetric, st.floats(0.5, 30), st.floats(-3, 3))
def test_bound_scales_with_the_square_and_inverts(law, rate, exponent):
    bound = shannon_lower_bound(law, rate)
    scaled = shannon_lower_bound(rescaled(law, 10.0**exponent), rate)
    assert scaled == pytest.approx(bound * 10.0 ** (2 * exponent), rel=1e-12)
    if bound < law.std**2:
        assert shannon_lower_bound_rate(law, bound) == pytest.approx(rate, abs=1e-12)


def test_a_law_that_is_nearly_two_valued_keeps_its_variance_as_bound():
    assert shannon_lower_bound_rate(Laplace(), 1.0) == 0.0
    assert shannon_lower_bound_rate(Laplace(), 50.0) == 0.0


def test_atoms_have_no_bound():
    atoms = Empirical([0.0, 1.0, 3.0])
    assert shannon_lower_bound(atoms, 1.0) == 0.0
    assert shannon_lower_bound_rate(atoms, 0.1) == 0.0


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="rate must be finite and not negative, got -1"):
        shannon_lower_bound(Laplace(), -1)
    with pytest.raises(ValueError, match="distortion must be finite and positive, got 0"):
        shannon_lower_bound_rate(Laplace(), 0)
    with pytest.raises(TypeError, match="source must be a Source"):
        shannon_lower_bound("laplace", 1)
    with pytest.raises(TypeError, match="rate must be a real number, got None"):
        shannon_lower_bound(Laplace(), None)
