"""Companding: the power family, its layouts, and the logarithmic laws."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bitlaw.theory import (
    Empirical,
    GeneralisedNormal,
    Laplace,
    Logistic,
    Mixture,
    Normal,
    StudentT,
    Uniform,
    a_law,
    compand,
    evaluate,
    from_scipy,
    half_step_compander,
    lloyd_max,
    mu_law,
)
from bitlaw.theory.quantisers import point_density_quantile
from tests.laws import rescaled, symmetric

few = st.integers(2, 33)
powers = st.floats(0.3, 2.0)


def orr_probabilities(layout, closed, levels):
    """The layouts of Orr et al. written out: linspace over each half, its ends in or out."""
    left_end = 0 if closed else 1
    if layout == "symmetric":
        full = np.linspace(0, 1, levels if closed else levels + 2)
        return full if closed else full[1:-1]
    half = levels // 2
    below = np.linspace(0, 0.5, half + left_end)[left_end:]
    if layout == "repeat_zero":
        above = np.linspace(0.5, 1, half + left_end)[: half or None]
    else:
        above = np.linspace(0.5, 1, half + 1 + left_end)[1 : half + 1]
    return np.concatenate([below, above])


@pytest.mark.parametrize("layout", ["symmetric", "asymmetric", "repeat_zero"])
@pytest.mark.parametrize("ends", ["interior", "closed"])
@pytest.mark.parametrize("levels", [4, 8, 16])
def test_layouts_are_those_of_orr_ribar_and_luschi(layout, ends, levels):
    source = Uniform(std=12**-0.5)  # on (-1/2, 1/2): quantiles are probabilities less a half
    codepoints = compand(source, levels, layout=layout, ends=ends).codepoints
    expected = orr_probabilities(layout, ends == "closed", levels) - 0.5
    np.testing.assert_allclose(codepoints, expected, atol=1e-15)


@pytest.mark.parametrize(
    ("source", "tilted"),
    [
        (Normal(), stats.norm(scale=3**0.5)),
        (Laplace(), stats.laplace(scale=3 / 2**0.5)),
        (StudentT(7), stats.t(5 / 3, scale=(5 / 7) ** 0.5 * (7 / (5 / 3)) ** 0.5)),
        (GeneralisedNormal(1.5), None),
        (Logistic(), None),
    ],
    ids=["normal", "laplace", "student-t", "generalised-normal", "logistic"],
)
def test_cube_root_codepoints_are_quantiles_of_the_cube_root_density(source, tilted):
    codepoints = compand(source, 16).codepoints
    if tilted is None:
        x = np.concatenate([[-80.0], codepoints])
        masses = [
            np.trapezoid(np.cbrt(source.pdf(g)), g)
            for g in (np.linspace(a, b, 20_001) for a, b in itertools.pairwise(x))
        ]
        total = np.trapezoid(np.cbrt(source.pdf(g := np.linspace(-80, 80, 400_001))), g)
        np.testing.assert_allclose(np.cumsum(masses) / total, np.arange(1, 17) / 17, rtol=1e-5)
    else:
        np.testing.assert_allclose(codepoints, tilted.ppf(np.arange(1, 17) / 17), rtol=1e-10)


@given(symmetric, st.integers(1, 16).map(lambda n: 2 * n), powers)
def test_the_asymmetric_layout_has_one_exact_zero(source, levels, power):
    codepoints = compand(source, levels, power=power, layout="asymmetric").codepoints
    assert np.count_nonzero(codepoints == 0.0) == 1
    assert np.count_nonzero(codepoints > 0) == levels // 2
    assert np.count_nonzero(codepoints < 0) == levels // 2 - 1


@given(symmetric, st.integers(1, 16).map(lambda n: 2 * n), powers)
def test_the_repeated_zero_layout_spends_two_codes_on_zero(source, levels, power):
    codepoints = compand(source, levels, power=power, layout="repeat_zero").codepoints
    np.testing.assert_allclose(codepoints[levels // 2 - 1 : levels // 2 + 1], 0.0, atol=0)
    np.testing.assert_array_equal(codepoints, -codepoints[::-1])


@given(symmetric, few, powers, st.floats(-2, 2).map(lambda e: 10**e))
def test_companders_scale_with_the_law(source, levels, power, factor):
    np.testing.assert_allclose(
        compand(rescaled(source, factor), levels, power=power).codepoints,
        factor * compand(source, levels, power=power).codepoints,
        rtol=1e-10,
        atol=1e-13 * factor * source.std,
    )


@given(symmetric, few)
def test_power_one_with_half_steps_makes_cells_equally_likely(source, levels):
    probabilities = evaluate(half_step_compander(source, levels, power=1.0), source).probabilities
    np.testing.assert_allclose(probabilities, 1 / levels, rtol=1e-9)


@given(symmetric, st.floats(0.3, 2.0), st.floats(0.02, 0.98))
def test_point_density_quantiles_are_mirrored(source, power, q):
    quantile = point_density_quantile(source, power)
    assert float(quantile(q)) == pytest.approx(-float(quantile(1 - q)), rel=1e-8, abs=1e-9 * source.std)


@settings(max_examples=10)
@given(st.sampled_from([Normal(), Laplace(2.0), StudentT(5), Logistic(0.3)]), st.floats(0.3, 1.5))
def test_numerical_quantiles_agree_with_the_closed_forms(source, power):
    q = np.array([1e-6, 0.01, 0.2, 0.5, 0.7, 0.99, 1 - 1e-6])
    twin = Mixture([source, source], [0.5, 0.5])  # the same law, without a closed form
    np.testing.assert_allclose(
        point_density_quantile(twin, power)(q), point_density_quantile(source, power)(q), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("source", [Normal(), Laplace(), StudentT(5)], ids=str)
def test_the_cube_root_beats_its_neighbours_for_many_levels(source):
    errors = {
        p: evaluate(half_step_compander(source, 1024, power=p), source).distortion for p in (0.28, 1 / 3, 0.4)
    }
    assert errors[1 / 3] < min(errors[0.28], errors[0.4])


@pytest.mark.parametrize("source", [Normal(), Laplace(), Logistic()], ids=str)
def test_the_half_step_cube_root_compander_tends_to_the_optimum(source):
    ratio = [
        evaluate(half_step_compander(source, n), source).distortion
        / evaluate(lloyd_max(source, n), source).distortion
        for n in (16, 256, 4096)
    ]
    assert ratio[0] > ratio[1] > ratio[2] > 1
    assert ratio[2] < 1.002


@pytest.mark.parametrize("design", [mu_law, a_law])
def test_logarithmic_companders_hold_their_signal_to_noise_ratio_over_twenty_decibels(design):
    quantiser = design(Normal(), 256, peak=1.0)
    snr = [evaluate(quantiser, Normal(std)).snr_db for std in (0.02, 0.06, 0.2)]
    assert max(snr) - min(snr) < 2.5
    fixed = lloyd_max(Normal(0.2), 256)
    assert evaluate(fixed, Normal(0.02)).snr_db < snr[0] - 5


@pytest.mark.parametrize("design", [mu_law, a_law])
def test_the_peak_of_a_logarithmic_compander_is_the_best(design):
    best = evaluate(design(Laplace(), 64), Laplace()).distortion
    for peak in np.geomspace(2, 60, 25):
        assert evaluate(design(Laplace(), 64, peak=peak), Laplace()).distortion >= best * (1 - 1e-9)


def test_mu_law_compression_is_undone_exactly():
    mu, peak, levels = 255.0, 2.0, 16
    codepoints = mu_law(Normal(), levels, mu=mu, peak=peak).codepoints
    compressed = np.sign(codepoints) * np.log1p(mu * np.abs(codepoints) / peak) / np.log1p(mu)
    np.testing.assert_allclose(compressed, (2 * np.arange(levels) + 1) / levels - 1, rtol=1e-12)


def test_a_law_compression_is_undone_exactly():
    a, peak, levels = 87.6, 2.0, 64
    x = a_law(Normal(), levels, a=a, peak=peak).codepoints / peak
    size = np.abs(x)
    compressed = (
        np.sign(x)
        * np.where(size < 1 / a, a * size, 1 + np.log(np.maximum(a * size, 1e-300)))
        / (1 + np.log(a))
    )
    np.testing.assert_allclose(compressed, (2 * np.arange(levels) + 1) / levels - 1, rtol=1e-12)


def test_closed_ends_need_a_bounded_law():
    with pytest.raises(ValueError, match="ends='closed' needs a law of bounded support"):
        compand(Normal(), 8, ends="closed")


@pytest.mark.parametrize("layout", ["asymmetric", "repeat_zero"])
def test_layouts_with_a_zero_need_even_levels(layout):
    with pytest.raises(ValueError, match="levels must be even for layout"):
        compand(Normal(), 7, layout=layout)


@pytest.mark.parametrize("power", [0.0, -1.0, np.nan, np.inf])
def test_impossible_powers_are_refused(power):
    with pytest.raises(ValueError, match="power must be positive and finite"):
        compand(Normal(), 8, power=power)


def test_a_power_too_small_for_a_student_tail_is_refused():
    with pytest.raises(ValueError, match=r"power must exceed 1 / \(df \+ 1\)"):
        compand(StudentT(3), 8, power=0.25)


@pytest.mark.parametrize(("option", "value"), [("layout", "zero"), ("ends", "open")])
def test_unknown_options_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option} must be one of"):
        compand(Normal(), 8, **{option: value})


def test_discrete_laws_are_refused():
    with pytest.raises(ValueError, match="source must have a density"):
        compand(Empirical([0.0, 1.0, 3.0]), 2)


@pytest.mark.parametrize("bad", [{"mu": 0.0}, {"peak": -1.0}, {"mu": np.nan}])
def test_impossible_mu_law_parameters_are_refused(bad):
    with pytest.raises(ValueError, match="must be positive and finite"):
        mu_law(Normal(), 8, **bad)


def test_an_a_below_one_is_refused():
    with pytest.raises(ValueError, match="a must be at least 1"):
        a_law(Normal(), 8, a=0.5)


def test_a_pole_of_the_density_is_no_obstacle():
    pole = from_scipy(stats.gamma(0.5))
    cube_root = stats.gamma(5 / 6, scale=3)  # (x^(-1/2) exp(-x))^(1/3), normalised
    codepoints = compand(pole, 8).codepoints
    np.testing.assert_allclose(codepoints, cube_root.ppf(np.arange(1, 9) / 9), rtol=1e-7)
    assert lloyd_max(pole, 8).design.status == "converged"


@pytest.mark.parametrize("levels", [2, 5, 16])
def test_half_step_codepoints_of_a_uniform_law_are_the_middles_of_equal_cells(levels):
    quantiser = half_step_compander(Uniform(std=12**-0.5), levels)
    np.testing.assert_allclose(quantiser.codepoints, (np.arange(levels) + 0.5) / levels - 0.5, atol=1e-15)
    np.testing.assert_allclose(quantiser.thresholds, np.arange(1, levels) / levels - 0.5, atol=1e-15)
