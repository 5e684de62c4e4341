"""Partial moments of every source, whatever its family, shape and scale."""

import dataclasses
import math
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from .strategies import (
    absolute_first_moment,
    assert_moments_close,
    cells,
    laws,
    places,
    powers,
    rescaled,
    unbounded_laws,
)

INF = math.inf
EXACT = 1e-12


@given(cells(), st.integers(-40, 40))
def test_moments_scale_exactly_with_powers_of_two(cell, exponent):
    law, lower, upper, about = cell
    factor = 2.0**exponent
    scaled = rescaled(law, factor).partial_moments(lower * factor, upper * factor, about * factor)
    expected = law.partial_moments(lower, upper, about) * factor ** np.arange(3)
    assert scaled == pytest.approx(expected, rel=4e-15, abs=0) or not np.isfinite(expected).all()


@given(cells())
def test_mirrored_cells_have_mirrored_moments_to_the_last_bit(cell):
    law, lower, upper, about = cell
    mirrored = law.partial_moments(-upper, -lower, -about)
    assert (mirrored * [1, -1, 1] == law.partial_moments(lower, upper, about)).all()


@given(laws, st.lists(places, min_size=3, max_size=40, unique=True).map(sorted), places)
def test_mirrored_partitions_have_mirrored_moments_to_the_last_bit(law, ends, about):
    edges = np.concatenate([[-INF], np.array(ends) * law.std, [INF]])
    plain = law.partial_moments(edges[:-1], edges[1:], about)
    mirrored = law.partial_moments(-edges[:0:-1], -edges[-2::-1], -about)[:, ::-1]
    assert (mirrored * np.array([[1], [-1], [1]]) == plain).all()


@given(cells(), st.floats(0, 1))
def test_moments_of_two_parts_add_up_to_the_whole(cell, share):
    law, lower, upper, about = cell
    cut = lower + share * ((upper if upper < INF else lower + 9 * law.std) - lower)
    parts = law.partial_moments([lower, cut], [cut, upper], about).sum(axis=1)
    assert_moments_close(law, parts, law.partial_moments(lower, upper, about), lower, upper, about)


@given(laws, st.lists(places, min_size=1, max_size=80), places)
def test_any_partition_of_the_line_holds_the_whole_law(law, ends, about):
    about *= law.std
    edges = np.concatenate([[-INF], np.sort(ends) * law.std, [INF]])
    total = law.partial_moments(edges[:-1], edges[1:], about).sum(axis=1)
    expected = np.array([1.0, -about, law.std**2 + about**2])
    assert_moments_close(law, total, expected, -INF, INF, about)


@given(laws, places)
def test_whole_line_has_mass_one_mean_and_variance(law, about):
    about *= law.std
    mass, first, second = law.partial_moments(-INF, INF, about)
    assert mass == pytest.approx(1.0, rel=EXACT, abs=0)
    assert first == pytest.approx(law.mean - about, rel=EXACT, abs=EXACT * law.std)
    assert second == pytest.approx(law.std**2 + about**2, rel=EXACT, abs=0)


@given(cells())
def test_moments_about_another_point_are_the_shifted_ones(cell):
    law, lower, upper, about = cell
    mass, first, second = law.partial_moments(lower, upper)
    moved = law.partial_moments(lower, upper, about)
    absolute = absolute_first_moment(law, lower, upper, 0.0)
    terms = [mass, absolute + abs(about) * mass, second + 2 * abs(about) * absolute + about**2 * mass]
    expected = [mass, first - about * mass, second - 2 * about * first + about**2 * mass]
    assert (np.abs(moved - expected) <= EXACT * np.array(terms)).all()


@given(cells())
def test_centroid_lies_in_its_cell(cell):
    law, lower, upper, _ = cell
    start = lower if math.isfinite(lower) else 0.0
    mass, first, _ = law.partial_moments(lower, upper, start)
    width = upper - start
    assert -1e-14 * width <= first / mass <= width * (1 + 1e-14)


@given(cells())
def test_variance_of_a_cell_is_positive_and_below_a_quarter_of_its_squared_width(cell):
    law, lower, upper, _ = cell
    mass, first, _ = law.partial_moments(lower, upper, lower)
    centroid = lower + first / mass
    mass, first, second = law.partial_moments(lower, upper, centroid)
    variance = second / mass - (first / mass) ** 2
    assert 0 <= variance <= (upper - lower) ** 2 / 4 * (1 + EXACT)


@given(cells())
def test_second_moment_is_least_about_the_centroid(cell):
    law, lower, upper, about = cell
    mass, first, second = law.partial_moments(lower, upper, about)
    centroid = about + first / mass
    least = law.partial_moments(lower, upper, centroid)[2]
    assert second == pytest.approx(least + (first / mass) ** 2 * mass, rel=1e-11, abs=0)


@given(cells())
def test_squared_first_moment_is_at_most_mass_times_second(cell):
    mass, first, second = cell[0].partial_moments(*cell[1:])
    assert first**2 <= mass * second * (1 + EXACT)


@given(cells(), st.floats(0, 1))
def test_a_part_of_a_cell_has_less_mass_and_second_moment(cell, share):
    law, lower, upper, about = cell
    cut = lower + share * ((upper if upper < INF else lower + 9 * law.std) - lower)
    part, whole = law.partial_moments([lower, lower], [cut, upper], about).T
    assert part[0] <= whole[0] * (1 + EXACT)
    assert part[2] <= whole[2] * (1 + EXACT)


@given(laws, places | st.sampled_from([-INF, INF]), places)
def test_empty_cells_have_no_moments_at_all(law, end, about):
    assert (law.partial_moments(end * law.std, end * law.std, about * law.std) == 0).all()


@given(unbounded_laws, st.floats(0.05, 6), powers(1e-12, 1e-8))
def test_narrow_cells_are_uniform_to_first_order(law, place, share):
    lower = place * law.std
    upper = lower + share * law.std
    width = upper - lower
    density = float(law.pdf(lower))
    assume(density > 1e-280)
    mass, first, second = law.partial_moments(lower, upper, lower)
    steepness = width * 60 * (1 + abs(math.log(density * law.std))) / lower  # relative change over the cell
    assert mass == pytest.approx(density * width, rel=steepness + EXACT, abs=0)
    assert first == pytest.approx(density * width**2 / 2, rel=steepness + EXACT, abs=0)
    assert second == pytest.approx(density * width**3 / 3, rel=steepness + EXACT, abs=0)


@given(laws, st.lists(st.tuples(places, places, places), min_size=1, max_size=90))
def test_many_cells_are_the_same_as_each_alone(law, triples):
    ends = np.sort(np.array(triples)[:, :2] * law.std, axis=1)
    about = np.array(triples)[:, 2] * law.std
    together = law.partial_moments(ends[:, 0], ends[:, 1], about)
    for i in range(len(triples)):
        alone = law.partial_moments(ends[i, 0], ends[i, 1], about[i])
        assert_moments_close(law, together[:, i], alone, ends[i, 0], ends[i, 1], about[i], 1e-14)


@given(laws)
def test_arguments_broadcast_and_integers_are_numbers(law):
    out = law.partial_moments([[-1], [-2]], [0, 1, 2], 1)
    assert out.shape == (3, 2, 3)
    assert (out[:, 1, 2] == law.partial_moments(-2.0, 2.0, 1.0)).all()
    assert law.partial_moments([], []).shape == (3, 0)
    assert law.pdf([[1, 2]]).shape == (1, 2)
    assert np.shape(law.cdf(0)) == ()


@given(laws, st.sampled_from([0.0, 1e-320, 1e-300, 1e150, 1e300, INF]))
def test_extreme_arguments_are_answered_without_a_warning(law, x):
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for sign in (1, -1):
            assert 0 <= law.pdf(sign * x)
            assert law.logpdf(sign * x) < 700
            assert 0 <= law.cdf(sign * x) <= 1
            assert 0 <= law.sf(sign * x) <= 1
        moments = law.partial_moments([x, -INF, -x], [INF, -x, x])
    assert not np.isnan(moments).any()
    assert (moments[0] <= 1 + EXACT).all()


@given(laws)
def test_laws_are_values_that_can_be_compared_hashed_and_stored(law):
    twin = dataclasses.replace(law)
    assert twin == law
    assert hash(twin) == hash(law)
    law.partial_moments(0.0, 1.0)  # fills caches
    assert pickle.loads(pickle.dumps(law)) == law
    assert rescaled(law, 2.0) != law
    with pytest.raises(dataclasses.FrozenInstanceError):
        law.std = 2.0
