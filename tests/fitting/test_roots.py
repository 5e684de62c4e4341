"""Roots and peaks: found to rounding, whatever the bracket."""

import gc
import math
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory.fitting.roots import bracketed_root, decreasing_root, highest_peak


@given(
    root=st.floats(-20, 20),
    left=st.floats(1e-6, 30),
    right=st.floats(1e-6, 30),
    power=st.sampled_from([1, 3, 9]),
    sign=st.sampled_from([-1, 1]),
)
def test_a_root_is_found_to_rounding_between_any_ends(root, left, right, power, sign):
    def function(x):
        return sign * math.expm1((x - root) / 5) ** power

    assert abs(bracketed_root(function, root - left, root + right) - root) < 1e-13 * (1 + abs(root))


@given(root=st.floats(-50, 50), start=st.floats(-50, 50))
def test_a_decreasing_root_is_found_from_any_start(root, start):
    found = decreasing_root(lambda x: math.tanh((root - x) / 3), start)
    assert abs(found - root) < 1e-13 * (1 + abs(root))


def test_a_start_on_the_root_is_returned():
    assert decreasing_root(lambda x: 3.0 - x, 3.0) == 3.0


def test_a_root_takes_few_evaluations():
    calls = []
    bracketed_root(lambda x: calls.append(x) or math.cos(x) - x, 0.0, 1.0)
    assert len(calls) < 15


def test_no_reference_to_the_function_stays_behind():
    class Data:
        level = 2.0

    data = Data()
    reference = weakref.ref(data)
    gc.disable()
    try:
        decreasing_root(lambda x, data=data: data.level - x, 0.0)
        del data
        assert reference() is None
    finally:
        gc.enable()


def bump(x, centre, width):
    """A Gaussian peak and its slope."""
    value = math.exp(-(((x - centre) / width) ** 2) / 2)
    return value, -(x - centre) / width**2 * value


@given(centre=st.floats(0.01, 9.99), width=st.floats(2, 20), points=st.integers(2, 20))
def test_one_peak_is_found_from_any_grid(centre, width, points):
    found = highest_peak(lambda x: bump(x, centre, width), np.linspace(0, 10, points))
    assert found == pytest.approx(centre, abs=1e-11)


@given(low=st.floats(1, 3), high=st.floats(6, 9), second=st.floats(0.1, 0.9))
def test_the_higher_of_two_peaks_is_found(low, high, second):
    def function(x):
        one, other = bump(x, low, 0.5), bump(x, high, 0.5)
        return one[0] + second * other[0], one[1] + second * other[1]

    assert highest_peak(function, np.linspace(0, 10, 41)) == pytest.approx(low, abs=0.02)


def test_an_interval_that_rises_at_both_ends_is_cut_into_parts():
    def function(x):
        return math.sin(x), math.cos(x)

    assert highest_peak(function, np.array([1.0, 5.5])) == pytest.approx(math.pi / 2, abs=1e-12)


def test_a_function_that_rises_to_an_end_has_its_peak_exactly_there():
    assert highest_peak(lambda x: (x, 1.0), np.linspace(0.1, 0.7, 5)) == 0.7
    assert highest_peak(lambda x: (-x, -1.0), np.linspace(0.1, 0.7, 5)) == 0.1
