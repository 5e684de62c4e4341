"""A scalar quantiser is what its arrays say, and says what is wrong with them."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory.quantisers import Design, ScalarQuantiser
from bitlaw.theory.quantisers.scalar import midpoints

finite = st.floats(allow_nan=False, allow_infinity=False)
points_drawn = st.lists(finite, min_size=1, max_size=20).map(sorted)


@given(points=points_drawn)
def test_midpoints_lie_between_neighbours_and_mirror(points):
    points = np.array(points)
    middle = midpoints(points)
    assert (points[:-1] <= middle).all()
    assert (middle <= points[1:]).all()
    np.testing.assert_array_equal(midpoints(-points[::-1]), -middle[::-1])


@given(points=points_drawn, slope=st.one_of(st.just(float("nan")), st.floats(0, 10)))
def test_a_quantiser_survives_json_and_pickle_to_the_last_bit(points, slope):
    design = Design("lloyd_max", "converged", 3, 1e-300, "none", slope)
    quantiser = ScalarQuantiser(points, design=design)
    text = json.dumps(quantiser.to_dict(), allow_nan=False)
    for copy in (ScalarQuantiser.from_dict(json.loads(text)), pickle.loads(pickle.dumps(quantiser))):
        assert copy == quantiser
        assert hash(copy) == hash(quantiser)
        assert repr(copy.design) == repr(design)
        assert not copy.codepoints.flags.writeable


@given(
    points=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20).map(sorted),
    factor=st.floats(1e-3, 1e3),
    x=st.floats(-1e3, 1e3),
)
def test_scaling_a_quantiser_scales_what_it_does(points, factor, x):
    quantiser = ScalarQuantiser(points)
    scaled = quantiser.scaled(2.0**10)  # an exact factor: nothing is rounded
    assert scaled(x * 2.0**10) == quantiser(x) * 2.0**10
    np.testing.assert_array_equal(quantiser.scaled(factor).codepoints, np.array(points) * factor)


@given(points=points_drawn)
def test_symmetry_is_that_of_codepoints_and_thresholds(points):
    points = np.unique(np.abs(points))
    both = np.concatenate([-points[::-1], points])
    assert ScalarQuantiser(both).symmetric
    if points[-1] > 0:
        assert not ScalarQuantiser(points).symmetric
        uneven = midpoints(both)
        uneven[0] = np.nextafter(uneven[0], -np.inf)
        assert not ScalarQuantiser(both, uneven).symmetric


def test_scaling_keeps_the_record_and_scales_the_slope():
    design = Design("entropy_constrained", "converged", slope=0.5)
    scaled = ScalarQuantiser([0.0, 1.0], [0.25], design).scaled(2.0)
    assert scaled.design == Design("entropy_constrained", "converged", slope=2.0)
    assert scaled.thresholds.tolist() == [0.5]
    assert ScalarQuantiser([0.0, 1.0]).scaled(2.0).design is None


def test_equality_is_that_of_the_numbers_alone():
    quantiser = ScalarQuantiser([-1.0, 0.0, 1.0])
    same = ScalarQuantiser([-1, -0.0, 1], design=Design("other", "closed form"))
    assert quantiser == same
    assert hash(quantiser) == hash(same)
    assert quantiser != ScalarQuantiser([-1.0, 0.0, 1.5])
    assert quantiser != ScalarQuantiser([-1.0, 0.0, 1.0], [-0.5, 0.6])
    assert quantiser != "quantiser"


def test_arrays_are_copied_and_read_only():
    points = np.array([0.0, 1.0])
    quantiser = ScalarQuantiser(points)
    points[0] = 9.0
    assert quantiser.codepoints[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        quantiser.codepoints[0] = 1.0


def test_two_codes_may_share_zero():
    quantiser = ScalarQuantiser([-1.0, 0.0, 0.0, 1.0])
    assert quantiser.levels == 4
    assert quantiser([-0.4, 0.0, 0.4]).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("codepoints", "thresholds", "message"),
    [
        ([], None, "codepoints must hold at least one value"),
        (1.0, None, r"codepoints must be one-dimensional, but have shape \(\)"),
        ([[1.0, 2.0]], None, r"codepoints must be one-dimensional, but have shape \(1, 2\)"),
        ([1.0, 0.0], None, "codepoints must ascend, but 1.0 is followed by 0.0"),
        ([0.0, np.nan], None, r"codepoints must be finite, but codepoints\[1\] is nan"),
        ([-np.inf, 0.0], None, r"codepoints\[0\] is -inf"),
        ([0.0, 1.0, 2.0], [1.0], "must number one less than the codepoints, 2, but there are 1"),
        ([0.0], [0.0], "must number one less than the codepoints, 0, but there are 1"),
        ([0.0, 1.0, 2.0], [1.0, 0.5], "thresholds must ascend, but 1.0 is followed by 0.5"),
        ([0.0, 1.0], [np.inf], r"thresholds\[0\] is inf"),
        ([0.0, 1.0], [[0.5]], "thresholds must be one-dimensional"),
    ],
)
def test_arrays_that_make_no_quantiser_are_refused(codepoints, thresholds, message):
    with pytest.raises(ValueError, match=message):
        ScalarQuantiser(codepoints, thresholds)


@pytest.mark.parametrize(
    ("codepoints", "thresholds"), [(["a"], None), ([1j], None), ([0.0, 1.0], [None]), (None, None)]
)
def test_arrays_that_are_not_numbers_are_refused(codepoints, thresholds):
    with pytest.raises(TypeError, match="must be an array of float16, bfloat16"):
        ScalarQuantiser(codepoints, thresholds)


@pytest.mark.parametrize("factor", [0.0, -1.0, np.inf, np.nan])
def test_a_factor_must_be_positive_and_finite(factor):
    with pytest.raises(ValueError, match="factor must be positive and finite"):
        ScalarQuantiser([0.0]).scaled(factor)


def test_scaling_beyond_the_range_of_numbers_is_refused():
    with pytest.raises(ValueError, match=r"codepoints\[1\] is inf"):
        ScalarQuantiser([0.0, 1e300]).scaled(1e300)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "these keys came"),
        ({"codepoints": [0.0], "colour": 1}, "these keys came: .*colour"),
        ({"codepoints": [0.0], "design": {"method": "x"}}, "a design has .*; these keys came: .'method'"),
        ({"codepoints": [1.0, 0.0]}, "must ascend"),
    ],
)
def test_dictionaries_that_hold_no_quantiser_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        ScalarQuantiser.from_dict(data)
