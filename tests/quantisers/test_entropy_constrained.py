"""Entropy-constrained quantisers: recomputed values, optimality conditions, limits, and what is refused."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory import (
    Empirical,
    GeneralisedNormal,
    Laplace,
    Normal,
    ScalarQuantiser,
    StudentT,
    Uniform,
    entropy_constrained,
    evaluate,
    lloyd_max,
    shannon_lower_bound,
    uniform,
)
from bitlaw.theory.quantisers.entropy_constrained_newton import (
    condition_derivative,
    conditions_of,
    make_cells,
    unfold,
)
from tests.laws import LOG_CONCAVE, rescaled, stds, unbounded

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "designs.json").read_text())
LAWS = {"Normal()": Normal(), "Laplace()": Laplace()}
GISH_PIERCE = 0.5 * np.log2(np.pi * np.e / 6)  # 0.2546 bit
rates = st.floats(0.05, 6)


def distortion(source, rate, **options):
    return evaluate(entropy_constrained(source, rate=rate, **options), source).distortion


@pytest.mark.parametrize("row", REFERENCE["entropy_constrained"], ids=lambda r: f"{r['law']}-{r['rate']}")
def test_designs_equal_the_forty_digit_reference(row):
    source = LAWS[row["law"]]
    quantiser = entropy_constrained(source, rate=float(row["rate"]))
    result = evaluate(quantiser, source)
    assert result.entropy == pytest.approx(float(row["rate"]), abs=2e-12)
    assert result.distortion == pytest.approx(float(row["D"]), rel=1e-11)
    assert quantiser.design.slope == pytest.approx(float(row["slope"]), rel=1e-10)


def test_the_reference_comparison_can_fail():
    row = next(r for r in REFERENCE["entropy_constrained"] if r["law"] == "Laplace()" and r["rate"] == "2")
    other = distortion(Laplace(), 2.0, variant="uniform_threshold")
    assert other != pytest.approx(float(row["D"]), rel=1e-3)


@pytest.mark.shared
def test_designs_equal_the_shared_reference(shared_json):
    for name, rows in shared_json("reference/entropy_constrained.json")["rows"].items():
        source = LAWS[f"{name}()"]
        for rate, row in rows.items():
            quantiser = entropy_constrained(source, rate=float(rate))
            assert evaluate(quantiser, source).distortion == pytest.approx(row["distortion"], rel=1e-11)
            assert quantiser.design.slope == pytest.approx(row["slope_per_bit"], rel=1e-10)
            centroids = distortion(source, float(rate), variant="uniform_threshold")
            assert centroids == pytest.approx(row["uniform_thresholds_centroids"], rel=1e-11)
            middles = evaluate(uniform(source, rate=float(rate)), source).distortion
            assert middles == pytest.approx(row["uniform_midpoints"], rel=1e-11)


@settings(max_examples=15)
@given(unbounded(), rates)
def test_the_rate_is_met(source, rate):
    quantiser = entropy_constrained(source, rate=rate)
    assert quantiser.design.status.startswith("converged")
    assert evaluate(quantiser, source).entropy == pytest.approx(rate, abs=1e-8)


@settings(max_examples=15)
@given(unbounded(), rates)
def test_codepoints_are_centroids(source, rate):
    assert evaluate(entropy_constrained(source, rate=rate), source).centroid_residual < 1e-10


@settings(max_examples=15)
@given(unbounded(), rates, st.integers(0, 2**32 - 1))
def test_every_value_is_coded_at_the_least_cost(source, rate, seed):
    quantiser = entropy_constrained(source, rate=rate)
    probabilities = evaluate(quantiser, source).probabilities
    live = probabilities > 1e-250
    x = source.ppf(np.random.default_rng(seed).uniform(0.001, 0.999, 50))
    lengths = -np.log2(probabilities[live])
    costs = (x[:, None] - quantiser.codepoints[live]) ** 2 + quantiser.design.slope * lengths
    chosen = costs[np.arange(len(x)), quantiser.encode(x).astype(int) - int(np.argmax(live))]
    assert (chosen <= costs.min(axis=1) * (1 + 1e-8)).all()


@settings(max_examples=15)
@given(unbounded(), st.integers(2, 12))
def test_lloyd_max_is_beaten_at_its_own_entropy(source, levels):
    fixed = evaluate(lloyd_max(source, levels), source)
    assert distortion(source, fixed.entropy) <= fixed.distortion * (1 + 1e-9)


@settings(max_examples=15)
@given(unbounded(), rates)
def test_distortion_stays_above_the_shannon_bound(source, rate):
    assert distortion(source, rate) >= shannon_lower_bound(source, rate) * (1 - 1e-12)


@settings(max_examples=8)
@given(unbounded(), st.floats(0.1, 5), st.floats(0.05, 0.5))
def test_distortion_is_a_falling_convex_function_of_the_rate(source, rate, gap):
    low, middle, high = (distortion(source, rate + k * gap) for k in range(3))
    assert low > middle > high
    assert middle <= (low + high) / 2 * (1 + 1e-9)


@settings(max_examples=8)
@given(unbounded(), st.floats(0.2, 5))
def test_the_slope_is_the_derivative_of_distortion_by_rate(source, rate):
    h = 1e-4
    measured = (distortion(source, rate - h) - distortion(source, rate + h)) / (2 * h)
    slope = entropy_constrained(source, rate=rate).design.slope
    assert slope == pytest.approx(measured, rel=1e-4)


@settings(max_examples=15)
@given(unbounded(), st.floats(0.2, 5))
def test_design_by_slope_returns_the_design_by_rate(source, rate):
    by_rate = entropy_constrained(source, rate=rate)
    by_slope = evaluate(entropy_constrained(source, slope=by_rate.design.slope), source)
    assert by_slope.entropy == pytest.approx(rate, abs=1e-6)
    assert by_slope.distortion == pytest.approx(evaluate(by_rate, source).distortion, rel=1e-6)


@settings(max_examples=6)
@given(unbounded(), st.floats(0.3, 5))
def test_freedom_of_thresholds_never_hurts(source, rate):
    best, dead, equal = (
        distortion(source, rate, variant=v) for v in ("optimal", "dead_zone", "uniform_threshold")
    )
    middles = evaluate(uniform(source, rate=rate), source).distortion
    assert best <= dead * (1 + 1e-8)
    assert dead <= equal * (1 + 1e-8)
    assert equal <= middles * (1 + 1e-8)


@settings(max_examples=8)
@given(unbounded(), st.floats(0.2, 5), st.floats(-2, 2).map(lambda e: 10**e))
def test_distortion_scales_with_the_variance(source, rate, factor):
    assert distortion(rescaled(source, factor), rate) == pytest.approx(
        factor**2 * distortion(source, rate), rel=1e-8
    )


@settings(max_examples=20)
@given(st.sampled_from(["Normal", "Laplace", "Logistic"]), stds, rates)
def test_designs_of_symmetric_laws_are_exactly_symmetric(family, std, rate):
    quantiser = entropy_constrained(LOG_CONCAVE[family](std, 0.0), rate=rate)
    np.testing.assert_array_equal(quantiser.codepoints, -quantiser.codepoints[::-1])
    np.testing.assert_array_equal(quantiser.thresholds, -quantiser.thresholds[::-1])


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1.0), st.sampled_from(["full", "odd", "even"]))
def test_the_second_derivative_is_that_of_the_conditions(seed, slope, fold):
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.3, 0.9, 4)) - (1.5 if fold == "full" else 0.0)
    matrix = condition_derivative(Normal(), make_cells(Normal(), t, fold), slope)
    h = 1e-6
    for k in range(len(t)):
        up, down = t.copy(), t.copy()
        up[k], down[k] = t[k] + h, t[k] - h
        change = conditions_of(make_cells(Normal(), up, fold), slope) - conditions_of(
            make_cells(Normal(), down, fold), slope
        )
        np.testing.assert_allclose(matrix[:, k], change / (2 * h), rtol=1e-6, atol=1e-7)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["full", "odd", "even"]))
def test_folded_cells_have_the_distortion_and_entropy_of_the_whole(seed, fold):
    t = np.cumsum(np.random.default_rng(seed).uniform(0.2, 0.9, 5)) - (1.5 if fold == "full" else 0.0)
    cells = make_cells(Laplace(), t, fold)
    whole = evaluate(ScalarQuantiser(*unfold(cells)), Laplace())
    assert cells.distortion == pytest.approx(whole.distortion, rel=1e-12)
    assert cells.entropy == pytest.approx(whole.entropy, rel=1e-12)
    assert whole.centroid_residual < 1e-12


@pytest.mark.parametrize("source", [Normal(), Laplace(), StudentT(5)], ids=str)
def test_the_gap_to_the_shannon_bound_tends_to_a_quarter_bit(source):
    gaps = [
        0.5 * np.log2(distortion(source, rate) / shannon_lower_bound(source, rate))
        for rate in (6.0, 8.0, 10.0)
    ]
    assert gaps[-1] == pytest.approx(GISH_PIERCE, abs=2e-4)
    assert all(abs(b - GISH_PIERCE) <= abs(a - GISH_PIERCE) + 1e-5 for a, b in itertools.pairwise(gaps))


def test_the_gap_closes_at_low_rate_for_a_gaussian():
    gaps = [0.5 * np.log2(distortion(Normal(), rate) / 4.0**-rate) for rate in (0.5, 0.1, 0.01)]
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] < 0.003


def test_each_bit_is_worth_six_decibels():
    snr = [evaluate(entropy_constrained(Laplace(), rate=r), Laplace()).snr_db for r in (7.0, 8.0, 9.0)]
    np.testing.assert_allclose(np.diff(snr), 20 * np.log10(2), atol=1e-3)


def test_laplace_steps_are_equal_outside_the_dead_zone():
    thresholds = entropy_constrained(Laplace(), rate=2.0).thresholds
    steps = np.diff(thresholds[thresholds > 0])[:10]
    np.testing.assert_allclose(steps, steps[0], rtol=1e-7)
    assert 2 * thresholds[thresholds > 0][0] > 1.1 * steps[0]


def test_twelve_bits_of_a_laplace_law_are_reached():
    quantiser = entropy_constrained(Laplace(), rate=12.0)
    assert quantiser.levels < 65_536
    assert evaluate(quantiser, Laplace()).distortion == pytest.approx(
        shannon_lower_bound(Laplace(), 12.0 - GISH_PIERCE), rel=1e-4
    )


@pytest.mark.parametrize("rate", [0.01, 0.3, 2.0])
def test_very_heavy_tails_converge(rate):
    source = StudentT(2.1)
    quantiser = entropy_constrained(source, rate=rate)
    assert "at the cap of" in quantiser.design.status
    assert evaluate(quantiser, source).entropy == pytest.approx(rate, abs=1e-9)


@pytest.mark.parametrize("rate", [0.1, 1.0, 1.5, np.log2(3), 2.7, 5.0])
def test_uniform_laws_get_equal_cells_and_one_smaller(rate):
    quantiser = entropy_constrained(Uniform(), rate=rate)
    result = evaluate(quantiser, Uniform())
    assert quantiser.levels == max(2, int(np.ceil(2**rate - 1e-12)))
    assert result.entropy == pytest.approx(rate, abs=1e-12)
    widths = np.sort(result.probabilities)[::-1]
    np.testing.assert_allclose(widths[:-1], widths[0], rtol=1e-12)


@pytest.mark.parametrize(("beta", "rate"), [(4.0, 0.3), (4.0, 1.0), (4.0, 1.5), (30.0, 1.0), (30.0, 2.5)])
def test_light_tails_are_solved_between_the_hull_points(beta, rate):
    source = GeneralisedNormal(beta)
    quantiser = entropy_constrained(source, rate=rate)
    result = evaluate(quantiser, source)
    assert result.entropy == pytest.approx(rate, abs=1e-9)
    assert result.distortion >= shannon_lower_bound(source, rate)
    assert result.distortion <= evaluate(uniform(source, rate=rate), source).distortion


def test_a_slope_too_steep_for_any_bit_leaves_one_level():
    quantiser = entropy_constrained(GeneralisedNormal(4.0), slope=5.0)
    assert quantiser.levels == 1
    assert evaluate(quantiser, GeneralisedNormal(4.0)).distortion == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf, 0.009, 12.1])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="rate must be"):
        entropy_constrained(Normal(), rate=rate)


@pytest.mark.parametrize("options", [{}, {"rate": 1.0, "slope": 0.1}])
def test_exactly_one_of_rate_and_slope_is_asked_for(options):
    with pytest.raises(ValueError, match="exactly one of rate and slope"):
        entropy_constrained(Normal(), **options)


@pytest.mark.parametrize("slope", [0.0, -0.1, np.nan])
def test_impossible_slopes_are_refused(slope):
    with pytest.raises(ValueError, match="slope must be positive"):
        entropy_constrained(Normal(), slope=slope)


def test_a_rate_must_be_a_number():
    with pytest.raises(TypeError, match="rate must be a number"):
        entropy_constrained(Normal(), rate="two")


def test_unknown_variants_are_refused():
    with pytest.raises(ValueError, match="variant must be one of 'optimal'"):
        entropy_constrained(Normal(), rate=1.0, variant="best")


def test_discrete_laws_are_refused():
    with pytest.raises(ValueError, match="source must have a density"):
        entropy_constrained(Empirical([0.0, 1.0, 2.0]), rate=1.0)


def test_rates_beyond_the_reach_of_a_tail_are_refused():
    with pytest.raises(ValueError, match="beyond the reach"):
        entropy_constrained(StudentT(2.1), rate=12.0)
