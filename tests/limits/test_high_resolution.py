"""High-resolution theory: closed forms, the cube-root rule as an optimum, limits of real designs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gamma

from bitlaw.theory import (
    Empirical,
    GeneralisedNormal,
    Laplace,
    Logistic,
    Normal,
    StudentT,
    Uniform,
    entropy_constrained,
    evaluate,
    lloyd_max,
)
from bitlaw.theory.limits import (
    GISH_PIERCE_GAP,
    bennett_integral,
    companding_distortion,
    distortion_rate,
    gish_pierce,
    gish_pierce_rate,
    panter_dite,
    power_integral,
    shannon_lower_bound,
)

from ..laws import rescaled, symmetric
from .disguised import Disguised, Exponential

powers = st.floats(0.2, 2)


def student_constant(df):
    return gamma((df + 1) / 2) / (np.sqrt(df * np.pi) * gamma(df / 2))


def closed_power_integral(law, a):
    """Integral of f^a of each family, from its textbook density."""
    if isinstance(law, Normal):
        return (2 * np.pi * law.std**2) ** ((1 - a) / 2) / np.sqrt(a)
    if isinstance(law, Laplace):
        return (law.std * np.sqrt(2)) ** (1 - a) / a
    if isinstance(law, Uniform):
        return (law.std * np.sqrt(12)) ** (1 - a)
    if isinstance(law, Logistic):
        s = law.std * np.sqrt(3) / np.pi
        return (4 * s) ** -a * 2 * s * np.sqrt(np.pi) * gamma(a) / gamma(a + 0.5)
    if isinstance(law, GeneralisedNormal):
        scale = law.std * np.sqrt(gamma(1 / law.beta) / gamma(3 / law.beta))
        return (law.beta / (2 * scale * gamma(1 / law.beta))) ** (a - 1) * a ** (-1 / law.beta)
    df, scale = law.df, law.std * np.sqrt((law.df - 2) / law.df)
    flat = a * (df + 1) - 1
    return student_constant(df) ** a * scale ** (1 - a) * np.sqrt(df / flat) / student_constant(flat)


@settings(max_examples=80)
@given(symmetric, powers)
def test_power_integrals_are_the_closed_forms(law, power):
    if isinstance(law, StudentT) and power * (law.df + 1) <= 1.05:
        return
    assert power_integral(law, power) == pytest.approx(closed_power_integral(law, power), rel=1e-11)


def test_cube_root_of_a_very_heavy_tail_is_followed_to_its_end():
    law = StudentT(2.1)
    assert power_integral(law, 1 / 3) == pytest.approx(closed_power_integral(law, 1 / 3), rel=1e-10)


def test_a_power_too_small_for_the_tail_diverges():
    law = StudentT(3)
    assert power_integral(law, 0.26) < power_integral(law, 0.2501) < np.inf
    assert power_integral(law, 0.25) == np.inf
    assert power_integral(law, 0.2) == np.inf


def test_a_law_without_symmetry_has_the_same_integrals():
    assert power_integral(Disguised(StudentT(4), 2.0), 1 / 3) == pytest.approx(
        power_integral(StudentT(4), 1 / 3), rel=1e-11
    )
    # The integral of exp(-x / 3) is 3, all of it on one side.
    assert panter_dite(Exponential(), 1) == pytest.approx(27 / 12, rel=1e-13)


@pytest.mark.parametrize(
    ("law", "constant"),
    [(Normal(), np.sqrt(3) * np.pi / 2), (Laplace(), 4.5), (Uniform(), 1.0)],
    ids=repr,
)
def test_panter_dite_constants(law, constant):
    assert panter_dite(law, 1) == pytest.approx(constant, rel=1e-13)
    assert panter_dite(law, 100) == pytest.approx(constant * 1e-4, rel=1e-13)


@given(symmetric)
def test_cube_root_is_the_best_power(law):
    best = companding_distortion(law, 10)
    assert best == pytest.approx(panter_dite(law, 10), rel=1e-11)
    for power in (0.25, 0.3, 0.36, 0.45):
        other = companding_distortion(law, 10, power=power)
        assert other > best * (1 - 1e-12)
        if not isinstance(law, Uniform):
            assert other > best * (1 + 1e-6)


@settings(max_examples=20)
@given(symmetric, st.floats(0.3, 3))
def test_distortions_scale_with_the_square(law, factor):
    scaled = rescaled(law, factor)
    assert panter_dite(scaled, 7) == pytest.approx(panter_dite(law, 7) * factor**2, rel=1e-10)
    assert gish_pierce(scaled, 3) == pytest.approx(gish_pierce(law, 3) * factor**2, rel=1e-12)


def test_bennett_agrees_with_the_powers_of_a_gaussian():
    # The density f^a of a standard normal is a normal of variance 1 / a.
    for power in (0.2, 1 / 3, 0.45):
        bennett = bennett_integral(Normal(), Normal(std=power**-0.5))
        assert bennett == pytest.approx(companding_distortion(Normal(), 1, power=power), rel=1e-11)
    assert bennett_integral(Laplace(), Laplace(std=3.0)) == pytest.approx(4.5, rel=1e-12)


def test_codepoints_too_rare_in_the_tails_cost_without_bound():
    assert bennett_integral(Normal(), Normal(std=1.0)) == np.inf
    assert companding_distortion(Laplace(), 16, power=0.5) == np.inf
    assert companding_distortion(Laplace(), 16, power=0.49) < np.inf


@pytest.mark.parametrize("law", [Normal(), Laplace(), Logistic()], ids=repr)
def test_lloyd_max_approaches_panter_dite_from_below(law):
    ratios = [evaluate(lloyd_max(law, n), law).distortion / panter_dite(law, n) for n in (16, 64, 256)]
    assert ratios == sorted(ratios)
    assert ratios[-1] < 1
    # The next term falls like 1 / N: four times the levels, a quarter of the distance.
    assert (1 - ratios[1]) / (1 - ratios[2]) == pytest.approx(4, rel=0.15)


def test_entropy_constrained_quantiser_approaches_gish_pierce():
    law = Logistic()
    assert GISH_PIERCE_GAP == pytest.approx(0.25461433482, abs=1e-11)
    for rate, accuracy in ((3, 2e-2), (6, 1e-3)):
        design = evaluate(entropy_constrained(law, rate=rate), law)
        assert design.distortion == pytest.approx(gish_pierce(law, design.entropy), rel=accuracy)


@given(symmetric, st.floats(0, 20))
def test_gish_pierce_is_a_constant_above_shannon_and_inverts(law, rate):
    distortion = gish_pierce(law, rate)
    assert gish_pierce_rate(law, distortion) == pytest.approx(rate, abs=1e-12)
    if shannon_lower_bound(law, rate) < law.std**2:
        assert distortion / shannon_lower_bound(law, rate) == pytest.approx(np.pi * np.e / 6, rel=1e-12)


def test_gap_between_scalar_and_limit_is_the_constant_at_high_rate():
    law = StudentT(5)
    distortion = gish_pierce(law, 8)
    assert gish_pierce(law, 8) / distortion_rate(law, 8).distortion == pytest.approx(
        np.pi * np.e / 6, rel=1e-9
    )
    assert distortion > 0


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: panter_dite(Normal(), 0), ValueError, "levels must be at least 1, got 0"),
        (lambda: panter_dite(Normal(), 2.5), TypeError, "levels must be an integer, got 2.5"),
        (lambda: panter_dite(Empirical([0.0, 1.0]), 4), TypeError, "source must have a density"),
        (lambda: power_integral(Normal(), 0), ValueError, "power must be finite and positive, got 0"),
        (lambda: power_integral("normal", 1), TypeError, "source must be a Source"),
        (lambda: companding_distortion(Normal(), 4, power=np.nan), ValueError, "power must be finite"),
        (lambda: bennett_integral(Normal(), 3.0), TypeError, "point_density must be a Source"),
        (lambda: gish_pierce(Normal(), -1), ValueError, "rate must be finite and not negative"),
        (lambda: gish_pierce_rate(Normal(), 0.0), ValueError, "distortion must be finite and positive"),
    ],
)
def test_bad_arguments_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()
