"""The derived formulas and the limits computed by the project give the same numbers."""

import numpy as np
import pytest

from bitlaw import theory
from bitlaw.theory import limits

from .checking import right


@pytest.mark.parametrize("levels", [16, 1000])
def test_panter_dite_distortions_are_those_derived(levels):
    scale = right("generalised_gaussian_unit_variance_scale", beta=1.4)
    standard = right("student_t_unit_variance_scale", m=3)
    derived = {
        theory.Normal(1.3): right("panter_dite_gaussian", sigma=1.3, N=levels),
        theory.Laplace(1.3): right("panter_dite_laplace", sigma=1.3, N=levels),
        theory.Uniform(): right("panter_dite_uniform", w=np.sqrt(12), N=levels),
        theory.GeneralisedNormal(1.4): right("panter_dite_generalised_gaussian", beta=1.4, s=scale, N=levels),
        theory.StudentT(5): standard**2 * right("panter_dite_student_t", m=3, N=levels),
    }
    for law, expected in derived.items():
        assert limits.panter_dite(law, levels) == pytest.approx(expected, rel=1e-9), law


@pytest.mark.parametrize("power", [0.2, 1 / 3, 0.45])
def test_the_power_family_distorts_a_gaussian_as_derived(power):
    expected = right("power_distortion_gaussian", q=1 - 2 * power, sigma=1.3, N=64)
    found = limits.companding_distortion(theory.Normal(1.3), 64, power=power)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("law", [theory.Normal(), theory.Laplace(), theory.StudentT(5)], ids=repr)
def test_gish_and_pierce_have_the_derived_distortion_and_gap(law):
    expected = right("high_rate_distortion", h=law.differential_entropy(), H=3.0)
    assert limits.gish_pierce(law, 3.0) == pytest.approx(expected, rel=1e-12)
    assert pytest.approx(right("high_rate_gap"), rel=1e-14) == limits.GISH_PIERCE_GAP


VARIANCES = np.array([2.0, 0.7, 1.1])


def test_the_water_level_is_the_one_derived_when_all_components_are_active():
    found = limits.reverse_water_filling(VARIANCES, 2.0)
    level = right("water_filling_level", v_1=2.0, v_2=0.7, v_3=1.1, R=2.0)
    assert found.level == pytest.approx(level, rel=1e-12)
    for variance, rate in zip(VARIANCES, found.rates, strict=True):
        assert rate == pytest.approx(right("water_filling_active", v=variance, w=level), rel=1e-12)


def test_a_component_below_the_level_is_idle_and_its_multiplier_is_not_negative():
    variances = np.array([2.0, 0.05, 1.1])
    found = limits.reverse_water_filling(variances, 0.5)
    np.testing.assert_array_equal(found.rates == 0, [False, True, False])
    for variance, rate in zip(variances, found.rates, strict=True):
        multiplier = right("water_filling_idle", v=variance, **{"lambda": 2 * np.log(2) * found.level})
        assert (multiplier >= 0) == (rate == 0)


def test_weighted_components_have_the_derived_distortions():
    weights = np.array([1.0, 3.0, 0.5])
    found = limits.reverse_water_filling(VARIANCES, 2.0, weights=weights)
    first = weights[0] * found.distortions[0]
    for weight, distortion in zip(weights, found.distortions, strict=True):
        assert distortion == pytest.approx(right("water_filling_weighted", w=first, c=weight), rel=1e-12)


def test_a_fine_allocation_approaches_the_derived_bits_and_gain():
    fisher, rms, sizes = np.array([0.5, 2.0, 7.0]), np.array([1.0, 0.4, 1.5]), np.array([100.0, 300.0, 200.0])
    step = 1 / 64
    rates = np.arange(0, 12, step)
    components = [
        limits.Component(name, rates, r**2 * 4.0**-rates, size=n, weight=f)
        for name, f, r, n in zip("abc", fisher, rms, sizes, strict=True)
    ]
    found = limits.allocate(components, 4 * sizes.sum())
    bits = [
        right("optimal_bit_allocation", f=f, r=r, varepsilon=1, mu=1)
        for f, r in zip(fisher, rms, strict=True)
    ]
    np.testing.assert_allclose(np.diff(found.rates), np.diff(bits), atol=2 * step)
    sensitivity = {f"s_{i}": f * r**2 for i, (f, r) in enumerate(zip(fisher, rms, strict=True), 1)}
    gain = right("allocation_gain", n_1=sizes[0] / 600, n_2=sizes[1] / 600, B=4.0, **sensitivity)
    uniform = np.sum(sizes * fisher * rms**2) * 4.0**-4
    assert np.log2(uniform / np.sum(sizes * fisher * found.distortions)) / 2 == pytest.approx(
        gain, abs=2 * step
    )
