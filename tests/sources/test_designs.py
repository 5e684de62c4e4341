"""Designers on truncated and wrapped laws: they converge, stay inside and meet their rate."""

import math

import mpmath as mp
import numpy as np
import pytest
import scipy.stats

from bitlaw.theory import (
    Laplace,
    Normal,
    StudentT,
    Truncated,
    compand,
    entropy_constrained,
    evaluate,
    from_scipy,
    lloyd_max,
)

INF = math.inf
WRAPPED_NORMAL = from_scipy(scipy.stats.norm())

CUTS = {
    "half normal": Truncated(Normal(), 0.0, INF),
    "far tail": Truncated(Normal(), 8.0, INF),
    "symmetric": Truncated(Laplace(), -2.0, 2.0),
    "heavy": Truncated(StudentT(3.0), -5.0, 60.0),
    "narrow": Truncated(Normal(), 1.0, 1.0 + 2.0**-20),
}


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("levels", [2, 5, 64])
def test_lloyd_max_converges_on_truncated_laws(name, levels):
    law = CUTS[name]
    quantiser = lloyd_max(law, levels)
    assert quantiser.design.status == "converged"
    floor = 4 * 2.0**-52 * abs(law.mean) * levels / law.std  # a codepoint is no finer than its own rounding
    assert evaluate(quantiser, law).centroid_residual < max(1e-12, floor)
    assert law.support[0] < quantiser.codepoints[0]
    assert quantiser.codepoints[-1] < law.support[1]


def test_two_levels_of_the_exponential_law_solve_its_equation():
    """Codepoints at g and g + 2 where the memoryless upper cell starts at g + 1 = t."""
    law = Truncated(Laplace(math.sqrt(2)), 0.0, INF)
    threshold = float(mp.findroot(lambda t: t / (mp.exp(t) - 1) + t - 2, 1.6))
    quantiser = lloyd_max(law, 2)
    assert quantiser.thresholds[0] == pytest.approx(threshold, rel=1e-12)
    assert quantiser.codepoints == pytest.approx([threshold - 1, threshold + 1], rel=1e-12)


@pytest.mark.parametrize("name", ["half normal", "symmetric", "heavy"])
@pytest.mark.parametrize("rate", [1.0, 4.0])
def test_entropy_constrained_designs_of_truncated_laws_meet_their_rate(name, rate):
    law = CUTS[name]
    result = evaluate(entropy_constrained(law, rate=rate), law)
    assert result.entropy == pytest.approx(rate, abs=1e-9)
    assert result.centroid_residual < 1e-9


@pytest.mark.parametrize("name", CUTS)
def test_companding_stays_inside_the_interval(name):
    law = CUTS[name]
    codepoints = compand(law, 16).codepoints
    assert (np.diff(codepoints) > 0).all()
    assert law.support[0] < codepoints[0]
    assert codepoints[-1] < law.support[1]


DESIGNED = {
    "exponential": from_scipy(scipy.stats.expon(), log_concave=True),
    "gamma": from_scipy(scipy.stats.gamma(2.0), log_concave=True),
    "skew normal": from_scipy(scipy.stats.skewnorm(4.0), log_concave=True),
    "lognormal": from_scipy(scipy.stats.lognorm(1.0)),
    "beta": from_scipy(scipy.stats.beta(2, 5), log_concave=True),
    "triangular": from_scipy(scipy.stats.triang(0.3), log_concave=True),
}


@pytest.mark.parametrize("name", DESIGNED)
@pytest.mark.parametrize("levels", [2, 16, 128])
def test_lloyd_max_converges_on_wrapped_laws(name, levels):
    law = DESIGNED[name]
    quantiser = lloyd_max(law, levels)
    assert quantiser.design.status == "converged"
    assert (quantiser.design.certificate == "log-concave law") == law.log_concave
    assert evaluate(quantiser, law).centroid_residual < 1e-11


@pytest.mark.parametrize("levels", [2, 5, 16, 256])
def test_lloyd_max_of_a_wrapped_normal_law_is_that_of_the_normal_law(levels):
    wrapped, ours = lloyd_max(WRAPPED_NORMAL, levels), lloyd_max(Normal(), levels)
    assert wrapped.codepoints == pytest.approx(ours.codepoints, rel=1e-10, abs=1e-11)


@pytest.mark.parametrize("name", ["exponential", "lognormal"])
def test_entropy_constrained_designs_of_wrapped_laws_meet_their_rate(name):
    law = DESIGNED[name]
    result = evaluate(entropy_constrained(law, rate=4.0), law)
    assert result.entropy == pytest.approx(4.0, abs=1e-9)
    assert result.centroid_residual < 1e-8
    bound = 2 ** (2 * law.differential_entropy() - 8.0) / (2 * math.pi * math.e)
    assert 0.2 < 0.5 * math.log2(result.distortion / bound) < 0.26


def test_companding_a_wrapped_law_spreads_by_its_numeric_cube_root():
    assert compand(WRAPPED_NORMAL, 16).codepoints == pytest.approx(
        compand(Normal(), 16).codepoints, abs=1e-10
    )
    # The cube root of an exponential density is an exponential density three times as wide.
    q = np.arange(1, 17) / 17
    assert compand(DESIGNED["exponential"], 16).codepoints == pytest.approx(-3 * np.log1p(-q), rel=1e-10)
    for law in DESIGNED.values():
        assert (np.diff(compand(law, 32).codepoints) > 0).all()
