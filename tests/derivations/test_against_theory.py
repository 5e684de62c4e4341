"""The derived formulas and the numeric code of the project give the same numbers."""

import numpy as np
import pytest
from scipy.optimize import brentq

from bitlaw import theory

from .checking import right

SCALES = (0.4, 1.7)


@pytest.mark.parametrize("sigma", SCALES)
@pytest.mark.parametrize(("a", "b"), [(-1.3, 0.4), (0.2, 2.5), (-0.6, -0.5)])
def test_gaussian_partial_moments_are_those_derived(sigma, a, b):
    numeric = theory.Normal(std=sigma).partial_moments(a, b)
    np.testing.assert_allclose(numeric, right("gaussian_partial_moments", a=a, b=b, sigma=sigma), rtol=1e-12)


@pytest.mark.parametrize("s", SCALES)
@pytest.mark.parametrize(("a", "b"), [(0.25, 0.75), (0.1, 4.0), (1.0, 1.5)])
def test_laplace_partial_moments_are_those_derived(s, a, b):
    law = theory.Laplace(std=s * np.sqrt(2))
    np.testing.assert_allclose(
        law.partial_moments(a, b), right("laplace_partial_moments", a=a, b=b, s=s), rtol=1e-12
    )
    crossing = right("laplace_crossing_moments", a=a, b=b, s=s)
    np.testing.assert_allclose(law.partial_moments(-a, b), crossing, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("nu", [2.1, 5.0, 30.5])
@pytest.mark.parametrize(("a", "b"), [(-0.7, 1.1), (0.3, 6.0)])
def test_student_t_first_moments_are_those_derived(nu, a, b):
    scale = right("student_t_unit_variance_scale", m=nu - 2)
    numeric = theory.StudentT(nu).partial_moments(a * scale, b * scale)
    np.testing.assert_allclose(
        numeric[1], scale * right("student_t_first_moment", nu=nu, a=a, b=b), rtol=1e-11
    )


@pytest.mark.parametrize("nu", [4.5, 12.0])
def test_student_t_second_moments_follow_from_two_masses_as_derived(nu):
    law, narrower = theory.StudentT(nu), theory.StudentT(nu - 2)
    scale, narrower_scale = (
        right("student_t_unit_variance_scale", m=degrees - 2) for degrees in (nu, nu - 2)
    )
    a, b = 0.4, 3.0  # in standard scale
    stretch = np.sqrt(nu / (nu - 2))
    mass = law.probability(a * scale, b * scale)
    other = narrower.probability(a / stretch * narrower_scale, b / stretch * narrower_scale)
    second = scale**2 * (nu * (nu - 1) / (nu - 2) * other - nu * mass)
    np.testing.assert_allclose(law.partial_moments(a * scale, b * scale)[2], second, rtol=1e-11)


@pytest.mark.parametrize("beta", [0.8, 1.0, 2.5])
def test_generalised_normal_densities_have_the_derived_scale_and_moments(beta):
    law = theory.GeneralisedNormal(beta)
    scale = right("generalised_gaussian_unit_variance_scale", beta=beta)
    for order, numeric in enumerate(2 * law.partial_moments(0.0, np.inf)):
        expected = right("generalised_gaussian_absolute_moment", beta=beta, s=scale, k=order)
        np.testing.assert_allclose(numeric, expected, rtol=1e-11)
    slope = right("generalised_gaussian_partial_moment", beta=beta, s=scale, k=2, x=0.7)
    np.testing.assert_allclose(law.pdf(0.7) * 0.7**2, slope, rtol=1e-12)


def _generalised_entropy(beta):
    scale = right("generalised_gaussian_unit_variance_scale", beta=beta)
    return right("entropy_generalised_gaussian", beta=beta, s=scale)


@pytest.mark.parametrize(
    ("law", "nats"),
    [
        (theory.Normal(1.7), lambda: right("entropy_gaussian", sigma=1.7)),
        (theory.Laplace(1.7), lambda: right("entropy_laplace", s=1.7 / np.sqrt(2))),
        (theory.GeneralisedNormal(1.3), lambda: _generalised_entropy(1.3)),
        (theory.StudentT(5), lambda: right("entropy_student_t", nu=5) + np.log(np.sqrt(3 / 5))),
        (theory.Logistic(1.7), lambda: right("entropy_logistic", s=1.7 * np.sqrt(3) / np.pi)),
    ],
    ids=lambda case: getattr(type(case), "__name__", ""),
)
def test_differential_entropies_are_those_derived(law, nats):
    assert law.differential_entropy() == pytest.approx(nats() / np.log(2), rel=1e-12)


@pytest.mark.parametrize("law", [theory.Normal(), theory.Laplace(), theory.StudentT(5)], ids=repr)
def test_a_lloyd_max_quantiser_meets_the_derived_conditions(law):
    quantiser = theory.lloyd_max(law, 8)
    for q, following, t in zip(
        quantiser.codepoints, quantiser.codepoints[1:], quantiser.thresholds, strict=False
    ):
        assert t == pytest.approx(right("midpoint_condition", q_1=q, d=following - q), abs=1e-14)
    ends = np.concatenate([[-np.inf], quantiser.thresholds, [np.inf]])
    m0, m1, m2 = law.partial_moments(ends[:-1], ends[1:])
    np.testing.assert_allclose(quantiser.codepoints, m1 / m0, rtol=1e-12, atol=1e-14)  # centroid_condition
    distortion = theory.evaluate(quantiser, law).distortion
    assert distortion == pytest.approx(np.sum(m2 - m1**2 / m0), rel=1e-12)  # stationary_distortion


@pytest.mark.parametrize("law", [theory.Normal(), theory.StudentT(5)], ids=repr)
def test_entropy_constrained_thresholds_follow_the_derived_formula(law):
    slope = 0.1
    quantiser = theory.entropy_constrained(law, slope=slope)
    lengths = -np.log2(theory.evaluate(quantiser, law).probabilities)
    middle = quantiser.levels // 2
    for i in (middle - 2, middle, middle + 1):
        expected = right(
            "entropy_threshold_formula",
            **{"lambda": slope, "q_1": quantiser.codepoints[i], "q_2": quantiser.codepoints[i + 1]},
            **{"ell_1": lengths[i], "ell_2": lengths[i + 1]},
        )
        assert quantiser.thresholds[i] == pytest.approx(expected, abs=1e-12)


def _closed_form(slope, s):
    """Step, offset and dead zone of the Laplace quantiser at a slope: roots of the derived formulas."""

    def excess(step):
        return right("laplace_slope", r=np.expm1(step / s), s=s) - slope

    step = brentq(excess, 1e-2 * s, 30 * s, xtol=1e-14)
    offset = right("laplace_outer_offset", **{"Delta": step, "s": s})

    def condition(edge):
        return right(
            "laplace_dead_zone", **{"T": edge, "Delta": step, "delta": offset, "lambda": slope, "s": s}
        )

    return step, offset, brentq(condition, offset, 30 * s, xtol=1e-14)


@pytest.mark.parametrize("slope", [0.02, 0.2, 0.6])
def test_the_entropy_constrained_laplace_quantiser_is_the_closed_form(slope):
    s = 1 / np.sqrt(2)
    step, offset, edge = _closed_form(slope, s)
    quantiser = theory.entropy_constrained(theory.Laplace(), slope=slope)
    outer = quantiser.thresholds[quantiser.thresholds > 0][:4]
    np.testing.assert_allclose(outer, edge + step * np.arange(4), rtol=1e-9)
    np.testing.assert_allclose(
        quantiser.codepoints[quantiser.codepoints > 1e-9][:3] - outer[:3], offset, rtol=1e-9
    )
    found = theory.evaluate(quantiser, theory.Laplace())
    distortion = right("laplace_quantiser_distortion", **{"Delta": step, "s": s, "T": edge})
    assert found.distortion == pytest.approx(distortion, rel=1e-9)
    entropy = right("laplace_quantiser_entropy", p=np.exp(-step / s), w=np.exp(-edge / s))
    assert found.entropy == pytest.approx(entropy, rel=1e-9)


@pytest.mark.shared
def test_the_closed_form_laplace_quantiser_has_the_reference_distortion_at_every_rate(shared_json):
    s = 1 / np.sqrt(2)
    for rate, row in shared_json("reference/entropy_constrained.json")["rows"]["Laplace"].items():
        step, _, edge = _closed_form(row["slope_per_bit"], s)
        distortion = right("laplace_quantiser_distortion", **{"Delta": step, "s": s, "T": edge})
        entropy = right("laplace_quantiser_entropy", p=np.exp(-step / s), w=np.exp(-edge / s))
        # the slope's own last digits move the rate and the distortion together, along the curve
        expected = row["distortion"] - row["slope_per_bit"] * (entropy - float(rate))
        assert distortion == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("power", [1 / 3, 0.45])
@pytest.mark.parametrize("name", ["gaussian", "laplace", "student_t"])
def test_companded_codepoints_are_quantiles_of_the_derived_density(name, power):
    levels = 8
    ranks = np.arange(1, levels + 1) / (levels + 1)
    if name == "gaussian":
        law, other = theory.Normal(), theory.Normal(right("power_density_gaussian", p=power, s=1.0))
    elif name == "laplace":
        scale = right("power_density_laplace", p=power, s=1 / np.sqrt(2))
        law, other = theory.Laplace(), theory.Laplace(scale * np.sqrt(2))
    else:
        law = theory.StudentT(9)
        degrees, squared = right("power_density_student_t", p=power, nu=9, s=np.sqrt(7 / 9))
        other = theory.StudentT(degrees, std=np.sqrt(squared * degrees / (degrees - 2)))
    codepoints = theory.compand(law, levels, power=power).codepoints
    np.testing.assert_allclose(codepoints, other.ppf(ranks), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("levels", [256, 1024])
@pytest.mark.parametrize(
    ("law", "name"),
    [(theory.Normal(), "panter_dite_gaussian"), (theory.Laplace(), "panter_dite_laplace")],
    ids=str,
)
def test_lloyd_max_approaches_the_derived_panter_dite_constant_as_one_over_levels(law, name, levels):
    distortion = theory.evaluate(theory.lloyd_max(law, levels), law).distortion
    ratio = distortion / right(name, sigma=1.0, N=levels)
    # The end cells cost a share of order 1/N: 1.9/N for the Laplace law, 2.3/N for the Gaussian.
    assert 1 - 3 / levels < ratio < 1 + 3 / levels


@pytest.mark.parametrize("law", [theory.Normal(), theory.Laplace(), theory.StudentT(15)], ids=repr)
def test_a_fine_uniform_quantiser_has_the_derived_gap_to_the_derived_bound(law):
    found = theory.evaluate(theory.uniform(law, rate=8.0), law)
    bits = law.differential_entropy()
    bound = right("shannon_lower_bound", h=bits, R=found.entropy)
    assert theory.shannon_lower_bound(law, found.entropy) == pytest.approx(bound, rel=1e-12)
    assert np.log2(found.distortion / bound) / 2 == pytest.approx(right("high_rate_gap"), abs=1e-3)
    assert found.distortion == pytest.approx(right("high_rate_distortion", h=bits, H=found.entropy), rel=2e-3)


@pytest.mark.parametrize("rate", [0.5, 2.0, 5.0])
def test_the_gaussian_distortion_rate_function_is_the_one_derived(rate):
    found = theory.distortion_rate(theory.Normal(1.3), rate)
    assert found.distortion == pytest.approx(right("gaussian_rate_distortion", R=rate, sigma=1.3), rel=1e-9)
