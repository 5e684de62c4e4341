"""Entropy-constrained and uniform quantisers where errors are weighted and laws carry atoms."""

import itertools

import numpy as np
import pytest
from scipy import optimize

from bitlaw.theory import Normal, ScalarQuantiser, Truncated, entropy_constrained, evaluate, uniform
from bitlaw.theory.quantisers.entropy_constrained_newton import (
    condition_derivative,
    conditions_of,
    descend,
    make_cells,
)
from tests.weighted_source import Weighted, absmax_like, signmax_like, tilted, unit, with_zeros

LAWS = {
    "falling": Weighted(),
    "tilted": Weighted(weight=tilted),
    "absmax": absmax_like(),
    "signmax": signmax_like(),
    "zeros": with_zeros(),
}
laws = pytest.mark.parametrize("name", LAWS)


def cost(quantiser, source, slope):
    found = evaluate(quantiser, source)
    return found.distortion + slope * found.entropy


def with_thresholds(thresholds, source):
    """Quantiser of these thresholds, codepoints at the weighted centroids."""
    t = np.sort(np.clip(thresholds, *source.support))
    edges = np.concatenate([[-np.inf], t, [np.inf]])
    mass, first, _ = source.partial_moments(edges[:-1], edges[1:])
    middle = np.clip(edges, -1, 1)
    centroids = np.where(mass > 1e-14, first / np.maximum(mass, 1e-300), (middle[:-1] + middle[1:]) / 2)
    return ScalarQuantiser(np.maximum.accumulate(centroids), t)


@pytest.mark.parametrize("fold", ["full", "odd", "even"])
def test_newtons_matrix_is_the_derivative_of_the_weighted_conditions(fold):
    source, slope, h = absmax_like(), 0.01, 1e-6
    t = np.array([0.1, 0.35, 0.8]) if fold != "full" else np.array([-0.5, -0.1, 0.2, 0.7])
    matrix = condition_derivative(source, make_cells(source, t, fold), slope)
    for k in range(len(t)):
        step = h * (np.arange(len(t)) == k)
        up, down = (conditions_of(make_cells(source, t + sign * step, fold), slope) for sign in (1, -1))
        np.testing.assert_allclose(matrix[:, k], (up - down) / (2 * h), rtol=1e-5, atol=1e-8)


@laws
def test_no_search_from_random_thresholds_finds_a_lower_cost(name):
    source, slope = LAWS[name], 0.03
    best = cost(entropy_constrained(source, slope=slope), source, slope)
    rng = np.random.default_rng(3)
    ends = ((), (-1.0,), (np.nextafter(1, 0),), (-1.0, np.nextafter(1, 0)))
    for count in (1, 2, 3):
        for _ in range(2):
            start = np.sort(rng.uniform(-0.95, 0.95, count))
            for apart in ends if source.atoms else ends[:1]:

                def priced(t, apart=apart):
                    return cost(with_thresholds(np.append(t, apart), source), source, slope)

                found = optimize.minimize(priced, start, method="Nelder-Mead", options={"maxiter": 40})
                assert best <= found.fun * (1 + 1e-9)


@laws
def test_moving_any_threshold_costs(name):
    source, slope = LAWS[name], 0.004
    quantiser = entropy_constrained(source, slope=slope)
    assert quantiser.design.status == "converged"
    assert quantiser.design.residual < 1e-9
    best = cost(quantiser, source, slope)
    for k, step in itertools.product(range(quantiser.levels - 1), (-1e-3, 1e-3)):
        t = quantiser.thresholds.copy()
        t[k] = np.clip(t[k] + step, -1, 1)
        assert cost(with_thresholds(t, source), source, slope) >= best * (1 - 1e-13)


@laws
def test_thresholds_cost_the_same_on_both_sides(name):
    source, slope = LAWS[name], 0.002
    quantiser = entropy_constrained(source, slope=slope)
    q, t = quantiser.codepoints, quantiser.thresholds
    length = -np.log2(evaluate(quantiser, source).probabilities)
    weight = source.distortion_density(t) / source.pdf(t)
    gap = weight * ((t - q[:-1]) ** 2 - (t - q[1:]) ** 2) + slope * (length[:-1] - length[1:])
    inside = (t > -1) & (t < np.nextafter(1, 0))
    np.testing.assert_allclose(gap[inside], 0.0, atol=1e-13)


@laws
def test_a_rate_is_met_at_no_more_error_than_equal_steps(name):
    source = LAWS[name]
    quantiser = entropy_constrained(source, rate=3.5)
    found = evaluate(quantiser, source)
    assert found.entropy == pytest.approx(3.5, abs=1e-9)
    for other in (
        entropy_constrained(source, rate=3.5, variant="uniform_threshold"),
        entropy_constrained(source, rate=3.5, variant="dead_zone"),
        uniform(source, rate=3.5),
    ):
        result = evaluate(other, source)
        line = found.distortion + quantiser.design.slope * (found.entropy - result.entropy)
        assert result.distortion >= line * (1 - 1e-9)  # the hull's tangent, where entropy jumps


def test_a_constant_weight_changes_nothing_but_the_unit_of_the_slope():
    plain = Truncated(Normal(0.4), -1.0, 1.0)
    source = Weighted(weight=unit, scale=5.0)
    expected = entropy_constrained(plain, rate=2.5)
    found = entropy_constrained(source, rate=2.5)
    np.testing.assert_allclose(found.codepoints, expected.codepoints, atol=1e-9)
    np.testing.assert_allclose(found.thresholds, expected.thresholds, atol=1e-9)
    assert found.design.slope == pytest.approx(5 * expected.design.slope, rel=1e-8)


@pytest.mark.parametrize("variant", ["uniform_threshold", "dead_zone"])
def test_variants_by_slope_cost_no_less_than_the_optimum(variant):
    for source in (absmax_like(), Weighted()):
        best = cost(entropy_constrained(source, slope=0.003), source, 0.003)
        other = cost(entropy_constrained(source, slope=0.003, variant=variant), source, 0.003)
        assert best <= other <= 1.3 * best


def test_an_atom_may_have_a_cell_of_its_own():
    source = absmax_like()
    quantiser = entropy_constrained(source, slope=0.05)
    assert quantiser.thresholds[0] == -1.0
    assert quantiser.thresholds[-1] == -quantiser.thresholds[0] - 2.0**-53
    np.testing.assert_allclose(quantiser.codepoints[[0, -1]], [-1.0, 1.0], atol=1e-15)
    np.testing.assert_allclose(evaluate(quantiser, source).probabilities[[0, -1]], 0.03, rtol=1e-12)


def test_elements_taken_out_belong_to_the_zero_cell_and_shorten_its_code():
    source = with_zeros(0.4)
    quantiser = entropy_constrained(source, slope=0.002)
    index = int(quantiser.encode(np.array([0.0]))[0])
    assert evaluate(quantiser, source).probabilities[index] > 0.4


def test_descents_of_a_weighted_law_never_raise_the_cost():
    source, slope = Weighted(weight=tilted), 0.01
    rng = np.random.default_rng(4)
    for _ in range(20):
        start = np.sort(rng.uniform(-0.9, 0.9, 6))
        first = make_cells(source, start, "full")
        cells, residual, _, status = descend(source, start, "full", slope)
        assert cells.distortion + slope * cells.entropy <= first.distortion + slope * first.entropy
        assert residual < 1e-8 or status != "converged"


@laws
def test_the_best_step_by_levels_is_the_best_of_a_scan(name):
    source = LAWS[name]
    for levels, kind in ((4, "mid-rise"), (7, "mid-tread"), (8, "mid-tread")):
        found = uniform(source, levels, kind=kind)
        best = evaluate(found, source).distortion
        for factor in np.geomspace(0.3, 3, 61):
            assert evaluate(found.scaled(factor), source).distortion >= best * (1 - 1e-9)


def test_a_rate_that_the_entropy_of_equal_steps_jumps_over_is_reported():
    found = uniform(absmax_like(0.3), rate=1.75)
    reached = evaluate(found, absmax_like(0.3)).entropy
    assert found.design.residual == pytest.approx(abs(reached - 1.75))
    assert ("jumps over the rate" in found.design.status) == (found.design.residual > 1e-9)
