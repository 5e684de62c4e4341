"""Lloyd-Max and companding where errors are weighted and laws carry atoms."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import integrate

from bitlaw.theory import (
    Normal,
    ScalarQuantiser,
    Truncated,
    compand,
    evaluate,
    globally_optimal,
    lloyd_max,
)
from bitlaw.theory.quantisers.point_density import point_density_quantile
from tests.weighted_source import Weighted, absmax_like, falling, signmax_like, tilted, unit, with_zeros

LAWS = {
    "falling": Weighted(),
    "tilted": Weighted(weight=tilted),
    "absmax": absmax_like(),
    "absmax-heavy": absmax_like(0.3),
    "signmax": signmax_like(),
    "zeros": with_zeros(),
    "lopsided": Weighted(weight=tilted, atoms=((-1.0, 0.02, 0.1), (0.3, 0.05, 0.1), (1.0, 0.03, 0.06))),
}
laws = pytest.mark.parametrize("name", LAWS)


def distortion(codepoints, source):
    return evaluate(ScalarQuantiser(codepoints), source).distortion


def weighted_sum(codepoints, source, function=None):
    """Error of nearest codepoints by quadrature of the density and a sum over the atoms."""
    edges = [-1.0, *((codepoints[1:] + codepoints[:-1]) / 2), 1.0]
    total = 0.0
    for q, a, b in zip(codepoints, edges[:-1], edges[1:], strict=True):
        total += integrate.quad(
            lambda x, q=q: (x - q) ** 2 * source.distortion_density(x), a, b, epsabs=1e-15, epsrel=1e-13
        )[0]
    return total + sum(mass * np.min((codepoints - x) ** 2) for x, _, mass in source.atoms)


@laws
def test_the_error_of_a_design_is_the_weighted_one(name):
    quantiser = lloyd_max(LAWS[name], 6)
    direct = weighted_sum(quantiser.codepoints, LAWS[name])
    assert evaluate(quantiser, LAWS[name]).distortion == pytest.approx(direct, rel=1e-12)


@laws
@pytest.mark.parametrize("levels", [2, 3, 4, 5, 8, 9, 16])
def test_lloyd_max_is_the_proved_optimum(name, levels):
    source = LAWS[name]
    quantiser = lloyd_max(source, levels)
    assert quantiser.design.status == "converged"
    assert quantiser.design.residual < 1e-12
    optimum = globally_optimal(source, levels, atoms=1 << 13)
    assert distortion(quantiser.codepoints, source) <= optimum.distortion * (1 + 1e-12)
    assert optimum.lower_bound <= distortion(quantiser.codepoints, source)


@laws
def test_moving_any_codepoint_of_a_design_costs(name):
    source = LAWS[name]
    q = lloyd_max(source, 7).codepoints
    best = distortion(q, source)
    for k, step in itertools.product(range(7), (-1e-3, 1e-3)):
        moved = q.copy()
        moved[k] += step
        assert distortion(moved, source) > best


@laws
def test_two_codepoints_beat_every_pair_of_a_grid(name):
    source = LAWS[name]
    best = distortion(lloyd_max(source, 2).codepoints, source)
    low, high = np.array(list(itertools.combinations(np.linspace(-1, 1, 41), 2))).T
    middle = (low + high) / 2
    errors = source.partial_moments(-1.5, middle, low)[2] + source.partial_moments(middle, 1.5, high)[2]
    assert best <= errors.min() < 1.1 * best


def test_a_constant_weight_changes_no_design():
    plain = Truncated(Normal(0.4), -1.0, 1.0)
    for scale in (1.0, 7.3):
        source = Weighted(weight=unit, scale=scale)
        for levels in (3, 8):
            np.testing.assert_allclose(
                lloyd_max(source, levels).codepoints, lloyd_max(plain, levels).codepoints, atol=1e-12
            )
            np.testing.assert_allclose(
                compand(source, levels, ends="closed").codepoints,
                compand(plain, levels, ends="closed").codepoints,
                atol=1e-11,
            )


def test_the_plain_law_plays_no_part_in_a_design():
    source = absmax_like()
    # Density and weight exchanged: the same measure of errors with another plain law.
    other = dataclasses.replace(source, atoms=((-1.0, 0.03, 0.06), (0.0, 0.0, 0.0), (1.0, 0.03, 0.06)))
    np.testing.assert_array_equal(lloyd_max(source, 8).codepoints, lloyd_max(other, 8).codepoints)


def test_designs_of_symmetric_weighted_laws_are_symmetric_to_the_last_bit_where_that_is_best():
    for levels in (4, 5, 8):
        q = lloyd_max(absmax_like(), levels).codepoints
        np.testing.assert_array_equal(q, -q[::-1])


@pytest.mark.parametrize(("mass", "lopsided_at"), [(0.002, 7), (0.005, 5), (0.01, 4), (0.02, 3)])
def test_a_codebook_with_one_end_at_an_atom_is_found_where_it_is_best(mass, lopsided_at):
    source = Weighted(
        base=Truncated(Normal(0.2), -1.0, 1.0), weight=unit, atoms=((-1.0, 0.0, mass), (1.0, 0.0, mass))
    )
    for levels in range(lopsided_at - 1, lopsided_at + 2):
        quantiser = lloyd_max(source, levels)
        optimum = globally_optimal(source, levels, atoms=1 << 12)
        assert distortion(quantiser.codepoints, source) <= optimum.distortion * (1 + 1e-12)
        assert quantiser.symmetric == (levels != lopsided_at)
        one_end = "a codepoint for the upper end" in quantiser.design.certificate
        assert one_end == (levels == lopsided_at)


@pytest.mark.parametrize(
    ("source", "starts"),
    [(absmax_like(), 3), (signmax_like(), 2), (LAWS["lopsided"], 4)],
    ids=["absmax", "signmax", "lopsided"],
)
def test_the_certificate_says_of_how_many_solutions_a_design_is_the_lowest(source, starts):
    certificate = lloyd_max(source, 8).design.certificate
    assert certificate.startswith(f"local minimum, the lowest from {starts} starts (a codepoint for ")


def test_pinned_designs_of_weighted_laws_are_no_better_than_free_ones():
    source = absmax_like()
    free = distortion(lloyd_max(source, 8).codepoints, source)
    ends = lloyd_max(source, 8, pinned={0: -1.0, -1: 1.0})
    np.testing.assert_array_equal(ends.codepoints[[0, -1]], [-1.0, 1.0])
    np.testing.assert_array_equal(ends.codepoints, -ends.codepoints[::-1])
    zero = lloyd_max(source, 8, pinned={3: 0.0})
    both = lloyd_max(source, 8, pinned={0: -1.0, 3: 0.0, 7: 1.0})
    errors = [distortion(q.codepoints, source) for q in (ends, zero, both)]
    assert free <= min(errors)
    assert max(errors[:2]) <= errors[2]


@laws
def test_the_point_density_is_the_cube_root_of_the_error_density(name):
    source = LAWS[name]
    quantile = point_density_quantile(source)
    total = integrate.quad(lambda x: np.cbrt(source.distortion_density(x)), -1, 1, epsabs=0, epsrel=1e-12)[0]
    for share in (0.1, 0.5, 0.83):
        part = integrate.quad(
            lambda x: np.cbrt(source.distortion_density(x)), -1, quantile(share), epsrel=1e-12
        )[0]
        assert part / total == pytest.approx(share, rel=1e-10)


@pytest.mark.parametrize("name", ["falling", "tilted", "absmax"])
def test_many_codepoints_spread_by_the_rule_are_nearly_optimal(name):
    source = LAWS[name]
    ends = "closed" if source.atoms else "interior"
    excess = [
        distortion(compand(source, n, ends=ends).codepoints, source)
        / distortion(lloyd_max(source, n).codepoints, source)
        - 1
        for n in (64, 256)
    ]
    assert excess[1] < excess[0] < 0.1
    assert excess[1] < 0.03
    plain_rule = point_density_quantile(source.base)(np.arange(1, 257) / 257)
    if name == "falling":
        assert distortion(plain_rule, source) > distortion(compand(source, 256).codepoints, source) * 1.005


@pytest.mark.parametrize("layout", ["symmetric", "asymmetric", "repeat_zero"])
def test_ends_lie_where_they_are_asked(layout):
    for source in (absmax_like(), signmax_like()):
        inner = compand(source, 8, layout=layout).codepoints
        closed = compand(source, 8, layout=layout, ends="closed").codepoints
        upper = compand(source, 8, layout=layout, ends="upper").codepoints
        assert inner[0] > -1
        assert inner[-1] < 1
        assert closed[[0, -1]].tolist() == [-1.0, 1.0]
        assert upper[0] > -1
        assert upper[-1] == 1.0
        for q in (inner, closed, upper):
            assert (np.diff(q) >= 0).all()
            zeros = {"symmetric": 0, "asymmetric": 1, "repeat_zero": 2}[layout]
            assert np.count_nonzero(q == 0) == zeros + (layout == "symmetric" and q is upper)


def test_the_signed_layout_ends_below_minus_one_and_at_plus_one():
    source = signmax_like()
    q = compand(source, 8, layout="asymmetric", ends="upper").codepoints
    quantile = point_density_quantile(source)
    np.testing.assert_allclose(
        q, quantile([1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8, 7 / 8, 1.0]), atol=1e-12
    )
    assert q[3] == pytest.approx(0.0, abs=1e-12)


def test_an_upper_end_of_an_unbounded_law_is_refused():
    with pytest.raises(ValueError, match="ends='upper' needs a law of bounded support"):
        compand(Normal(), 8, ends="upper")
    with pytest.raises(ValueError, match="ends must be one of 'interior', 'closed', 'upper', got 'lower'"):
        compand(absmax_like(), 8, ends="lower")


def test_weights_are_those_of_the_test_law():
    x = np.linspace(-0.9, 0.9, 7)
    np.testing.assert_allclose(
        absmax_like().distortion_density(x) / absmax_like().pdf(x), falling(x), rtol=1e-14
    )
