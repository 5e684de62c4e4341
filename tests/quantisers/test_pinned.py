"""Lloyd-Max with codepoints held fixed: optimal in the others, never better than free, and what it refuses."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from bitlaw.theory import Empirical, Laplace, Normal, ScalarQuantiser, StudentT, Uniform, evaluate, lloyd_max
from tests.laws import log_concave, symmetric

SAMPLES = np.random.default_rng(5).laplace(size=4000)


def distortion(codepoints, source):
    return evaluate(ScalarQuantiser(codepoints), source).distortion


def free_residual(quantiser, source, pinned):
    """Largest distance of a free codepoint from its centroid, over the rms error of its cell."""
    edges = np.concatenate([[-np.inf], quantiser.thresholds, [np.inf]])
    mass, first, second = source.partial_moments(edges[:-1], edges[1:], quantiser.codepoints)
    free = [k for k in range(quantiser.levels) if k not in pinned]
    return np.max(np.abs(first[free]) / np.sqrt(mass[free] * second[free]))


@pytest.mark.parametrize("source", [Normal(), Laplace(2.0), StudentT(4), Uniform()], ids=str)
@pytest.mark.parametrize("pins", [{0: -1.5}, {0: -2.0, -1: 2.0}, {2: 0.0}, {1: -0.3, 4: 1.0}], ids=str)
def test_free_codepoints_minimise_the_error_beside_the_pinned_ones(source, pins):
    quantiser = lloyd_max(source, 6, pinned=pins)
    held = {k % 6: value for k, value in pins.items()}
    assert all(quantiser.codepoints[k] == value for k, value in held.items())
    free = [k for k in range(6) if k not in held]

    def cost(values):
        q = quantiser.codepoints.copy()
        q[free] = values
        return distortion(np.sort(q), source)

    found = optimize.minimize(cost, quantiser.codepoints[free], method="Nelder-Mead")
    assert cost(quantiser.codepoints[free]) <= found.fun * (1 + 1e-12)
    assert quantiser.design.status == "converged"
    assert quantiser.design.residual == pytest.approx(free_residual(quantiser, source, held), abs=1e-13)


def test_a_brute_force_over_two_free_codepoints_agrees():
    quantiser = lloyd_max(StudentT(5), 4, pinned={0: -1.0, 3: 2.0})
    grid = np.linspace(-0.99, 1.99, 60)
    best = min((distortion([-1.0, a, b, 2.0], StudentT(5)), a, b) for a, b in itertools.combinations(grid, 2))
    assert distortion(quantiser.codepoints, StudentT(5)) <= best[0]
    np.testing.assert_allclose(quantiser.codepoints[1:3], best[1:], atol=grid[1] - grid[0])


@given(symmetric, st.integers(2, 20), st.data())
def test_pinned_designs_are_never_better_than_free_ones(source, levels, data):
    index = data.draw(st.integers(0, levels - 1))
    value = data.draw(st.floats(-1, 1)) * source.std * (0.99 if isinstance(source, Uniform) else 1.5)
    if isinstance(source, Uniform) and index in (0, levels - 1):
        value = 0.0
    pinned = lloyd_max(source, levels, pinned={index: value})
    assert pinned.codepoints[index] == value
    assert (np.diff(pinned.codepoints) > 0).all()
    free = distortion(lloyd_max(source, levels).codepoints, source)
    assert distortion(pinned.codepoints, source) >= free * (1 - 1e-12)


@given(symmetric, st.integers(2, 20), st.data())
def test_pins_where_the_optimum_lies_anyway_change_nothing(source, levels, data):
    free = lloyd_max(source, levels).codepoints
    places = data.draw(st.sets(st.integers(0, levels - 1), min_size=1))
    pinned = lloyd_max(source, levels, pinned={k: free[k] for k in places})
    np.testing.assert_allclose(pinned.codepoints, free, rtol=1e-10, atol=1e-11 * source.std)


@given(log_concave(), st.integers(2, 20))
def test_symmetric_pins_of_a_symmetric_law_give_a_design_symmetric_to_the_last_bit(source, levels):
    end = 1.3 * source.std
    codepoints = lloyd_max(source, levels, pinned={0: -end, levels - 1: end}).codepoints
    np.testing.assert_array_equal(codepoints, -codepoints[::-1])


@pytest.mark.parametrize("levels", [3, 4, 255, 256])
def test_starts_from_elsewhere_reach_the_same_pinned_design_of_a_log_concave_law(levels):
    found = lloyd_max(Normal(), levels, pinned={0: -2.0})
    assert found.design.certificate == "log-concave law"
    start = np.append(-2.0, np.linspace(-1.9, 2.0, levels - 1))
    again = lloyd_max(Normal(), levels, pinned={0: -2.0}, start=start)
    np.testing.assert_allclose(again.codepoints, found.codepoints, atol=1e-9)


def test_pinned_places_of_a_start_are_overwritten():
    found = lloyd_max(Normal(), 3, pinned={1: 0.25}, start=[-1.0, 0.0, 1.0])
    assert found.codepoints[1] == 0.25


def test_a_pin_far_in_a_tail_leaves_the_codepoints_beyond_it_where_the_mass_is():
    quantiser = lloyd_max(Normal(), 5, pinned={2: 20.0})
    assert quantiser.design.status == "converged"
    assert free_residual(quantiser, Normal(), {2}) < 1e-11


def test_a_pin_beyond_the_support_may_have_an_empty_cell():
    source = Uniform(std=1 / 3**0.5)  # on [-1, 1]
    quantiser = lloyd_max(source, 4, pinned={3: 5.0})
    np.testing.assert_allclose(quantiser.codepoints, [-2 / 3, 0.0, 2 / 3, 5.0], atol=1e-12)


def test_with_every_codepoint_pinned_nothing_is_left_to_do():
    quantiser = lloyd_max(Normal(), 2, pinned={0: -1, -1: 3})
    assert quantiser.codepoints.tolist() == [-1.0, 3.0]
    assert quantiser.design.certificate == "every codepoint is pinned"


def test_the_bracket_of_a_certified_pinned_design_speaks_of_the_optimum_without_pins():
    source = StudentT(4)
    quantiser = lloyd_max(source, 8, pinned={3: 0.0}, certify=True)
    assert quantiser.codepoints[3] == 0.0
    assert quantiser.design.certificate.endswith("above the optimum without pins")
    stated = float(quantiser.design.certificate.split("at most ")[1].split(" ")[0])
    free = distortion(lloyd_max(source, 8).codepoints, source)
    assert stated >= distortion(quantiser.codepoints, source) / free - 1


@pytest.mark.parametrize("pins", [{0: -3.0, -1: 3.0}, {3: 0.0}, {2: -0.5, 3: 0.5}], ids=str)
def test_data_are_quantised_around_pins(pins):
    source = Empirical(SAMPLES)
    quantiser = lloyd_max(source, 8, pinned=pins)
    held = {k % 8: value for k, value in pins.items()}
    assert all(quantiser.codepoints[k] == value for k, value in held.items())
    assert free_residual(quantiser, source, held) < 1e-12
    assert quantiser.design.status == "converged"
    assert distortion(quantiser.codepoints, source) >= distortion(
        lloyd_max(source, 8, certify=True).codepoints, source
    )
    rng = np.random.default_rng(1)
    for _ in range(20):
        moved = quantiser.codepoints + 5e-2 * rng.standard_normal(8)
        moved[list(held)] = list(held.values())
        # Data have many fixed points, the best of which are a little better than the next.
        assert distortion(moved, source) > distortion(quantiser.codepoints, source) * (1 - 1e-3)


def test_pinned_designs_of_data_match_brute_force_on_a_few_values():
    values = np.array([0.0, 0.4, 1.0, 1.1, 2.0, 2.3, 4.0])
    quantiser = lloyd_max(Empirical(values), 3, pinned={1: 1.5})
    low = min(
        distortion([a, 1.5, b], Empirical(values))
        for a in np.linspace(-1, 1.4, 200)
        for b in (2.3, 4.0, 3.15)
    )
    assert distortion(quantiser.codepoints, Empirical(values)) <= low


def test_data_that_are_missing_between_pins_are_reported():
    with pytest.raises(
        ValueError, match=r"pinned: 1 free codepoints lie between 0\.1 and 0\.2, where the data"
    ):
        lloyd_max(Empirical([0.0, 1.0, 2.0, 3.0]), 3, pinned={0: 0.1, 2: 0.2})


@pytest.mark.parametrize(
    ("pins", "error", "message"),
    [
        ([0.0], TypeError, "pinned must map indices of codepoints to values, got list"),
        ({0.5: 0.0}, TypeError, "an index must be an integer, got 0.5"),
        ({True: 0.0}, TypeError, "an index must be an integer, got True"),
        ({8: 0.0}, ValueError, "an index must lie between -8 and 7, got 8"),
        ({-9: 0.0}, ValueError, "an index must lie between -8 and 7, got -9"),
        ({0: "1"}, TypeError, "the codepoint at 0 must be a number, got '1'"),
        ({0: None}, TypeError, "the codepoint at 0 must be a number, got None"),
        ({0: float("nan")}, ValueError, "the codepoint at 0 must be finite, got nan"),
        ({0: float("inf")}, ValueError, "the codepoint at 0 must be finite, got inf"),
        ({0: 1.0, -8: 1.0}, ValueError, "0 comes twice"),
        ({0: 1.0, 3: 1.0}, ValueError, "must ascend strictly, but 1 at 0 is followed by 1 at 3"),
    ],
    ids=str,
)
def test_impossible_pins_are_refused(pins, error, message):
    with pytest.raises(error, match=message):
        lloyd_max(Normal(), 8, pinned=pins)


def test_a_start_out_of_order_with_the_pins_is_refused():
    with pytest.raises(
        ValueError, match="strictly ascending codepoints \\(the pinned ones in their places\\)"
    ):
        lloyd_max(Normal(), 3, pinned={0: 0.5}, start=[-1.0, 0.0, 1.0])


def test_free_codepoints_where_a_law_has_no_mass_are_refused():
    with pytest.raises(ValueError, match="holds nothing above 1000, where free codepoints lie"):
        lloyd_max(Normal(), 3, pinned={1: 1000.0})
    with pytest.raises(ValueError, match=r"leave cells of no mass|holds nothing"):
        lloyd_max(Uniform(), 4, pinned={0: 5.0})


def test_designs_with_pins_survive_serialisation():
    quantiser = lloyd_max(Normal(), 4, pinned={0: -2.0})
    assert (
        dataclasses.asdict(type(quantiser).from_dict(quantiser.to_dict()).design)["certificate"]
        == "log-concave law"
    )
