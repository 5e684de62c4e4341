"""High-resolution theory where errors are weighted and atoms stand beside a density."""

import numpy as np
import pytest

from bitlaw.theory import Laplace, Normal, ScalarQuantiser, StudentT, Uniform, evaluate
from bitlaw.theory.limits import (
    bennett_integral,
    companding_distortion,
    distortion_rate,
    gish_pierce,
    gish_pierce_rate,
    linder_zamir,
    panter_dite,
    power_integral,
    shannon_lower_bound,
    shannon_lower_bound_rate,
    zador,
)

from ..weighted_source import BASE, Weighted, absmax_like, falling, signmax_like, unit, with_zeros
from .alphabet import Alphabet

LAWS = {"falling": Weighted(), "absmax": absmax_like(), "signmax": signmax_like(), "zeros": with_zeros()}
X = np.linspace(-1, 1, 200_001)


def steps_for(law, spread, count):
    """Thresholds at equal steps of the integral of a density of codepoints, atoms cut out, and centroids."""
    total = np.append(0.0, np.cumsum((spread(X)[1:] + spread(X)[:-1]) / 2))
    inner = np.interp(np.arange(1, count) / count * total[-1], total, X)
    cuts = [end for place, _, _ in law.atoms for end in (np.nextafter(place, -2.0), place)]
    edges = np.unique([e for e in [*inner, *cuts] if -1 <= e < 1])
    ends = np.concatenate([[-np.inf], edges, [np.inf]])
    mass, first, _ = law.partial_moments(ends[:-1], ends[1:])
    middle = np.clip((np.maximum(ends[:-1], -1) + np.minimum(ends[1:], 1)) / 2, -1, 1)
    return ScalarQuantiser(np.where(mass > 0, first / np.where(mass > 0, mass, 1), middle), edges)


def test_plain_laws_are_shannons_expression():
    for law in (Normal(2.0), Laplace(), StudentT(3), Uniform()):
        assert linder_zamir(law, 3) == pytest.approx(shannon_lower_bound(law, 3), rel=1e-10)


def test_limit_is_approached_at_high_rate():
    smooth = Weighted()
    assert distortion_rate(smooth, 6).upper == pytest.approx(linder_zamir(smooth, 6), rel=1e-3)
    mixed = signmax_like()  # atom and density are told apart by a distance that shrinks with the distortion
    excess = [distortion_rate(mixed, rate).upper / linder_zamir(mixed, rate) - 1 for rate in (3, 5, 7)]
    assert abs(excess[2]) < 0.4 * abs(excess[1]) < 0.2 * abs(excess[0]) < 0.1


def test_shannons_expression_is_no_bound_where_weights_vary():
    steep = Weighted(Uniform(3**-0.5), lambda x: 0.05 + 3 * x * x)
    assert distortion_rate(steep, 2).upper < 0.95 * linder_zamir(steep, 2)
    for function in (shannon_lower_bound, shannon_lower_bound_rate):
        with pytest.raises(TypeError, match=r"source must weight all errors alike .* no bound otherwise"):
            function(steep, 2)


def test_shannons_expression_is_no_bound_beside_atoms():
    with pytest.raises(TypeError, match="no atoms beside a density"):
        shannon_lower_bound(Weighted(weight=unit, atoms=((-1.0, 0.1, 0.1), (1.0, 0.1, 0.1))), 2)


@pytest.mark.parametrize("name", LAWS)
def test_cube_root_of_the_weighted_density_reaches_panter_dite(name):
    law = LAWS[name]
    quantiser = steps_for(law, lambda x: np.cbrt(law.distortion_density(x)), 2000)
    assert evaluate(quantiser, law).distortion == pytest.approx(panter_dite(law, 2000), rel=2e-3)
    worse = steps_for(law, lambda x: np.cbrt(law.pdf(x)), 2000)
    assert evaluate(worse, law).distortion > 1.002 * evaluate(quantiser, law).distortion


@pytest.mark.parametrize("name", LAWS)
def test_steps_by_the_root_of_the_weight_reach_gish_pierce(name):
    law = LAWS[name]
    result = evaluate(steps_for(law, lambda x: np.sqrt(falling(x)), 2000), law)
    assert gish_pierce(law, result.entropy) == pytest.approx(result.distortion, rel=1e-4)
    assert gish_pierce_rate(law, result.distortion) == pytest.approx(result.entropy, abs=1e-4)
    even = evaluate(steps_for(law, np.ones_like, 2000), law)
    assert even.distortion > 1.002 * gish_pierce(law, even.entropy)


def test_atoms_take_nothing_from_bennetts_integral():
    density = Weighted(weight=unit)
    smooth, mixed = Weighted(), absmax_like()
    assert bennett_integral(mixed, density) == pytest.approx(mixed.smooth * bennett_integral(smooth, density))
    wanted = np.trapezoid(smooth.distortion_density(X) / BASE.pdf(X) ** 2, X) / 12
    assert bennett_integral(smooth, density) == pytest.approx(wanted, rel=1e-8)


def test_zador_runs_from_panter_dite_to_the_limit():
    law = Weighted()
    assert zador(law, 4, dimension=1) == pytest.approx(panter_dite(law, 16), rel=1e-12)
    assert zador(law, 4, dimension=100_000) == pytest.approx(linder_zamir(law, 4), rel=1e-3)
    gains = [zador(law, 4, dimension=k) for k in (1, 2, 4, 8, 24)]
    assert (np.diff(gains) < 0).all()
    assert zador(absmax_like(), 4, dimension=1) == pytest.approx(panter_dite(absmax_like(), 16), rel=1e-12)


@pytest.mark.parametrize("function", [linder_zamir, gish_pierce, panter_dite])
def test_values_scale_with_the_measure_of_errors(function):
    one, two = Weighted(atoms=((1.0, 0.1, 0.1),)), Weighted(atoms=((1.0, 0.1, 0.1),), scale=5.0)
    assert function(two, 3) == pytest.approx(5 * function(one, 3), rel=1e-10)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: zador(absmax_like(), 4, dimension=2), TypeError, "no atoms .* for vectors of 2 elements"),
        (lambda: companding_distortion(Weighted(), 8), TypeError, "source must weight all errors alike"),
        (lambda: power_integral(absmax_like(), 0.5), TypeError, "source must weight all errors alike"),
        (lambda: bennett_integral(Normal(), Weighted()), TypeError, "point_density must weight all errors"),
        (lambda: linder_zamir(Alphabet((0.0, 1.0), (0.5, 0.5), (1.0, 2.0)), 1), TypeError, "have a density"),
        (lambda: linder_zamir(Weighted(), -1), ValueError, "rate must be finite and not negative, got -1"),
        (lambda: linder_zamir(3, 1), TypeError, "source must be a Source"),
    ],
)
def test_bad_arguments_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()
