"""Uniform quantisers: best step, step at an entropy, both kinds of grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory import Empirical, Laplace, Normal, ScalarQuantiser, StudentT, Uniform, evaluate, uniform
from tests.laws import rescaled, symmetric, unbounded

few = st.integers(2, 24)
# Max (1960), table II: output level spacing and mean squared error of the best equally spaced quantisers.
MAX_1960 = {2: (1.596, 0.3634), 4: (0.9957, 0.1188), 8: (0.5860, 0.03744), 16: (0.3352, 0.01154)}


def step_of(quantiser):
    return quantiser.codepoints[1] - quantiser.codepoints[0]


@pytest.mark.parametrize(("levels", "printed"), MAX_1960.items())
def test_best_steps_agree_with_the_table_of_max_1960(levels, printed):
    quantiser = uniform(Normal(), levels)
    assert step_of(quantiser) == pytest.approx(printed[0], abs=5.1e-4)
    assert evaluate(quantiser, Normal()).distortion == pytest.approx(printed[1], rel=1e-3)


@pytest.mark.shared
def test_best_steps_equal_the_shared_reference(shared_json):
    laws = {"Normal": Normal(), "Laplace": Laplace(), "StudentT(5)": StudentT(5)}
    for name, rows in shared_json("reference/lloyd_max.json")["rows"].items():
        for levels, row in rows.items():
            quantiser = uniform(laws[name], int(levels))
            result = evaluate(quantiser, laws[name])
            assert step_of(quantiser) == pytest.approx(row["best_uniform"]["delta"], rel=1e-12)
            assert result.distortion == pytest.approx(row["best_uniform"]["mse"], rel=1e-13)
            assert result.entropy == pytest.approx(row["best_uniform"]["entropy_bits"], rel=1e-12)


@given(symmetric, few, st.floats(-0.2, 0.2))
def test_no_other_step_is_better(source, levels, change):
    quantiser = uniform(source, levels)
    other = quantiser.scaled(1 + change)
    best = evaluate(quantiser, source).distortion
    assert evaluate(other, source).distortion >= best * (1 - 1e-13)


@given(symmetric, few)
def test_codepoints_are_equally_spaced_and_symmetric(source, levels):
    codepoints = uniform(source, levels).codepoints
    np.testing.assert_allclose(np.diff(codepoints), codepoints[1] - codepoints[0], rtol=1e-12)
    np.testing.assert_array_equal(codepoints, -codepoints[::-1])


@given(symmetric, few, st.floats(-2, 2).map(lambda e: 10**e))
def test_the_best_step_scales_with_the_law(source, levels, factor):
    assert step_of(uniform(rescaled(source, factor), levels)) == pytest.approx(
        factor * step_of(uniform(source, levels)), rel=1e-11
    )


@given(symmetric, st.integers(1, 12).map(lambda n: 2 * n))
def test_an_even_mid_tread_grid_has_zero_and_one_more_codepoint_below(source, levels):
    codepoints = uniform(source, levels, kind="mid-tread").codepoints
    assert codepoints[levels // 2] == 0.0
    assert -codepoints[0] == pytest.approx(codepoints[1] - codepoints[0] + codepoints[-1], rel=1e-12)


@settings(max_examples=25)
@given(unbounded(), st.floats(0.2, 6))
def test_the_step_at_an_entropy_has_that_entropy(source, rate):
    assert evaluate(uniform(source, rate=rate), source).entropy == pytest.approx(rate, abs=1e-9)


@settings(max_examples=25)
@given(unbounded(), st.floats(1.05, 6))
def test_a_mid_rise_grid_has_a_threshold_at_zero(source, rate):
    quantiser = uniform(source, rate=rate, kind="mid-rise")
    assert 0.0 in quantiser.thresholds
    assert evaluate(quantiser, source).entropy == pytest.approx(rate, abs=1e-9)


@pytest.mark.parametrize("kind", ["mid-tread", "mid-rise"])
def test_grids_by_rate_are_equally_spaced_throughout(kind):
    quantiser = uniform(Laplace(), rate=3.0, kind=kind)
    step = np.diff(quantiser.thresholds)
    np.testing.assert_allclose(step, step[0], rtol=1e-9)
    np.testing.assert_allclose(np.diff(quantiser.codepoints), step[0], rtol=1e-9)


def test_the_gap_of_uniform_grids_with_an_entropy_code_tends_to_a_quarter_bit():
    gaps = [
        rate + 0.5 * np.log2(evaluate(uniform(Normal(), rate=rate), Normal()).distortion)
        for rate in (4, 6, 8)
    ]
    assert gaps[-1] == pytest.approx(0.5 * np.log2(np.pi * np.e / 6), abs=1e-4)
    assert gaps[0] > gaps[1] > gaps[2]


def test_the_overload_point_of_a_gaussian_grows_like_the_root_of_the_logarithm():
    # Hui and Neuhoff (2001): the optimal support grows as 2 sqrt(ln N), slowly from below.
    edges = [step_of(uniform(Normal(), n)) * n / 2 / (2 * np.sqrt(np.log(n))) for n in (64, 1024, 16_384)]
    assert 0.7 < edges[0] < edges[1] < edges[2] < 1


def test_a_uniform_law_is_covered_without_overload():
    quantiser = uniform(Uniform(), 8)
    assert evaluate(quantiser, Uniform()).distortion == pytest.approx(1 / 64, rel=1e-12)


def test_heavy_tails_by_rate_say_what_overload_is_left():
    quantiser = uniform(StudentT(2.2), rate=8.0)
    assert "of the distortion is overload" in quantiser.design.status


def test_data_get_their_own_best_step():
    data = np.random.default_rng(5).laplace(size=20_000)
    source = Empirical(data)
    best = evaluate(uniform(source, 8), source).distortion
    for step in np.linspace(0.3, 1.5, 60):
        grid = ScalarQuantiser(step * (np.arange(8) - 3.5))
        assert evaluate(grid, source).distortion >= best * (1 - 1e-6)


@pytest.mark.parametrize("options", [{}, {"levels": 4, "rate": 2.0}])
def test_exactly_one_of_levels_and_rate_is_asked_for(options):
    with pytest.raises(ValueError, match="exactly one of levels and rate"):
        uniform(Normal(), **options)


def test_an_odd_mid_rise_grid_is_refused():
    with pytest.raises(ValueError, match="levels must be even for kind 'mid-rise'"):
        uniform(Normal(), 5, kind="mid-rise")


def test_a_mid_rise_rate_below_one_bit_is_refused():
    with pytest.raises(ValueError, match="beyond the reach of a mid-rise uniform quantiser"):
        uniform(Normal(), rate=0.9, kind="mid-rise")


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="kind must be one of"):
        uniform(Normal(), 4, kind="midtread")


@pytest.mark.parametrize("rate", [0.0, -2.0, np.nan, np.inf])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="rate must be positive and finite"):
        uniform(Normal(), rate=rate)


@pytest.mark.parametrize("levels", [0, 1, 65_537])
def test_impossible_levels_are_refused(levels):
    with pytest.raises(ValueError, match="levels must be between"):
        uniform(Normal(), levels)
