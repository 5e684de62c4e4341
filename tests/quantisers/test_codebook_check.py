"""Judging codebooks: the best scale is a global one, and waste is what its removal costs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from bitlaw.theory import (
    Empirical,
    GeneralisedNormal,
    Laplace,
    Logistic,
    Normal,
    ScalarQuantiser,
    StudentT,
    Uniform,
    compand,
    evaluate,
    lloyd_max,
)
from bitlaw.theory.quantisers import codebook_scale
from bitlaw.theory.quantisers.codebook_check import check_codebook

from ..cli.conftest import NF4

VALUES = [float(word) for word in NF4]
LAWS = [Normal(), Laplace(), Logistic(), Uniform(), StudentT(2.1), StudentT(5), GeneralisedNormal(0.5)]
E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6]

laws = st.sampled_from(LAWS)
codebooks = st.lists(
    st.floats(-8, 8, allow_subnormal=False).map(lambda x: round(x, 3)), min_size=2, max_size=9, unique=True
)


def error(codepoints, source):
    return evaluate(ScalarQuantiser(np.unique(codepoints)), source).distortion


@given(law=laws, levels=st.integers(2, 40), factor=st.floats(1e-3, 1e3))
@settings(max_examples=25)
def test_optimum_at_any_scale_is_zero_above_and_its_scale_is_undone(law, levels, factor):
    found = check_codebook(lloyd_max(law, levels).codepoints * factor, law)
    assert found.excess == 0
    assert found.scale * factor == pytest.approx(1, abs=1e-12)
    assert found.dead == ()
    assert found.duplicates == ()


def test_nf4_on_a_gaussian_agrees_with_slow_quadrature():
    found = check_codebook(VALUES, Normal())

    def slow(scale):
        points = np.array(VALUES) * scale
        edges = [-12, *((points[1:] + points[:-1]) / 2), 12]
        return sum(
            integrate.quad(lambda x, q=q: (x - q) ** 2 * stats.norm.pdf(x), a, b, epsabs=1e-15)[0]
            for q, a, b in zip(points, edges, edges[1:], strict=False)
        )

    best = optimize.minimize_scalar(slow, bracket=(2, 3, 4), tol=1e-10)
    assert found.distortion == pytest.approx(best.fun, rel=1e-11)
    assert found.scale == pytest.approx(best.x, abs=1e-6)
    assert found.absmax == found.scale
    assert 100 * found.excess == pytest.approx(100 * (best.fun / 0.00950100800819 - 1), abs=1e-7)
    assert 4.19 < 100 * found.excess < 4.2
    assert found.bits_lost == pytest.approx(0.5 * math.log2(1 + found.excess))
    assert found.distortion_as_given == pytest.approx(slow(1.0), rel=1e-11)


@given(law=laws, codebook=codebooks)
@settings(max_examples=20)
def test_no_scale_of_a_fine_grid_is_better(law, codebook):
    found = check_codebook(codebook, law)
    grid = found.scale * np.geomspace(0.01, 100, 251)
    assert found.distortion <= min(error(np.multiply(codebook, scale), law) for scale in grid) * (1 + 1e-12)
    assert found.distortion == pytest.approx(error(np.multiply(codebook, found.scale), law), rel=1e-12)


@given(law=laws, codebook=codebooks)
def test_excess_is_never_negative(law, codebook):
    found = check_codebook(codebook, law)
    assert found.excess >= 0
    assert found.optimum <= found.distortion * (1 + 1e-11)


def test_second_minimum_is_not_missed():
    codebook = [-100.0, -1.0, 1.0, 100.0]  # the outer pair may serve the tail, or the inner one the centre
    for law in (Normal(), StudentT(2.1), GeneralisedNormal(0.3)):
        found = check_codebook(codebook, law)
        grid = np.geomspace(1e-3, 1e2, 801)
        assert found.distortion <= min(error(np.multiply(codebook, scale), law) for scale in grid) * (
            1 + 1e-12
        )


@given(codebook=codebooks, factor=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_findings_do_not_depend_on_order_or_scale(codebook, factor, seed):
    shuffled = np.random.default_rng(seed).permutation(codebook) * factor
    one, other = check_codebook(np.sort(codebook), Laplace()), check_codebook(shuffled, Laplace())
    assert one.ascending
    assert other.ascending == bool((np.diff(shuffled) >= 0).all())
    assert other.scale * factor == pytest.approx(one.scale, rel=1e-9)
    assert other.absmax == pytest.approx(one.absmax, rel=1e-9)
    assert other.distortion == pytest.approx(one.distortion, rel=1e-12)
    assert other.asymmetry == pytest.approx(one.asymmetry, abs=1e-12)
    assert len(other.dead) == len(one.dead)


def test_mirrored_codebook_is_as_good_on_a_symmetric_law():
    one, other = check_codebook(VALUES, StudentT(5)), check_codebook([-x for x in VALUES], StudentT(5))
    assert other.scale == pytest.approx(one.scale, rel=1e-13)
    assert other.excess == pytest.approx(one.excess, rel=1e-10)


def test_best_scale_of_units_follows_the_source():
    one, ten = check_codebook(VALUES, Normal()), check_codebook(VALUES, Normal(std=10))
    assert ten.scale == pytest.approx(10 * one.scale, rel=1e-13)
    assert ten.distortion == pytest.approx(100 * one.distortion, rel=1e-13)
    assert ten.excess == pytest.approx(one.excess, rel=1e-9)


def test_repeated_zero_costs_a_code_but_is_not_dead():
    found = check_codebook(E2M1, Normal())
    assert found.levels == 16
    assert found.duplicates == (0.0,)
    assert found.dead == ()
    assert found.has_zero
    assert found.asymmetry == 0
    fifteen = check_codebook(sorted({x + 0.0 for x in E2M1}), Normal())
    assert fifteen.distortion == found.distortion
    assert fifteen.scale == found.scale
    assert fifteen.excess < found.excess


def test_dead_codepoints_are_those_whose_removal_costs_nothing():
    codebook = np.array([-2.0, -1.0, -1e-5, 0.0, 1e-5, 1.0, 2.0, 50.0])
    found = check_codebook(codebook, Normal())
    best = error(codebook * found.scale, Normal())
    costs = {
        point: error(np.delete(codebook, k) * found.scale, Normal()) - best
        for k, point in enumerate(codebook)
    }
    assert set(found.dead) == {point for point, cost in costs.items() if cost < 1e-3 * best / len(codebook)}
    assert 50.0 in found.dead
    assert 0.0 in found.dead
    assert 1.0 not in found.dead


@pytest.mark.parametrize("law", LAWS, ids=repr)
@pytest.mark.parametrize("levels", [3, 16, 256])
def test_no_codepoint_of_an_optimum_is_dead(law, levels):
    assert check_codebook(lloyd_max(law, levels).codepoints, law).dead == ()


def test_asymmetry_and_zero_are_measured():
    found = check_codebook([-4, -2, 0, 2], Normal())
    assert found.asymmetry == 0.5
    assert found.has_zero
    assert not check_codebook([-1, 1], Normal()).has_zero
    assert check_codebook([-1, -0.0, 1.5], Normal()).asymmetry == pytest.approx(1 / 3)


def test_data_are_judged_against_their_exact_optimum():
    source = Empirical(np.random.default_rng(5).laplace(size=400))
    best = lloyd_max(source, 5, certify=True)
    found = check_codebook(3 * best.codepoints, source)
    assert found.excess == 0
    assert found.certificate == "dynamic programming"
    rule = check_codebook(compand(Laplace(), 5).codepoints, source)
    assert rule.excess > 0
    assert rule.optimum == pytest.approx(evaluate(best, source).distortion, rel=1e-12)


@given(
    data=st.lists(st.integers(-12, 12), min_size=3, max_size=12, unique=True),
    codebook=st.lists(st.integers(-5, 5), min_size=2, max_size=3, unique=True),
    weighted=st.booleans(),
)
def test_no_scale_on_data_is_better(data, codebook, weighted):
    weights = np.arange(1, len(data) + 1) if weighted else np.ones(len(data))
    source = Empirical(data, weights)
    points = np.geomspace(1e-2, 1e2, 3000)[:, None, None] * np.array(codebook)
    distances = np.min((points - np.array(data)[:, None]) ** 2, axis=2)
    best = np.min(distances @ weights) / weights.sum()
    mean_square = source.std**2 + source.mean**2
    try:
        found = check_codebook(codebook, source)
    except ValueError as refusal:
        assert "no positive scale" in str(refusal)  # noqa: PT017
        assert best >= mean_square * (1 - 1e-12)
        return
    assert found.distortion <= best * (1 + 1e-12)
    assert found.distortion == pytest.approx(error(np.multiply(codebook, found.scale), source), rel=1e-12)


def test_zero_among_the_data_keeps_its_cell_at_every_scale():
    # scale 3: errors 0, 1, 0, 1 of -3, -1, 0, 1; were zero thought to lie in the cell of -1, 2 would look better
    found = check_codebook([-1, 0], Empirical([-3, -1, 0, 1], [7, 7, 6, 6]))
    assert (found.scale, found.distortion) == (3.0, 0.5)


def test_alternation_on_many_data_settles_at_a_scale_best_for_its_own_cells(monkeypatch):
    source = Empirical(np.random.default_rng(6).standard_normal(5000))
    codebook = np.arange(-2.0, 3)
    exact = check_codebook(codebook, source)
    monkeypatch.setattr(codebook_scale, "_MOST_VISITED", 0)
    found = check_codebook(codebook, source)
    cells = ScalarQuantiser(codebook * found.scale)(source.values) / found.scale
    assert found.scale == pytest.approx(source.values @ cells / (cells @ cells), rel=1e-12)
    assert exact.distortion <= found.distortion <= exact.distortion * 1.001


@pytest.mark.parametrize("visited", [0, 4_000_000])
def test_mean_of_data_counts(monkeypatch, visited):
    monkeypatch.setattr(codebook_scale, "_MOST_VISITED", visited)
    source = Empirical(np.random.default_rng(8).normal(5, 0.1, size=500))
    assert check_codebook([1.0, 1.02], source).absmax == pytest.approx(5.08, abs=0.05)


def test_all_signs_the_wrong_way_round_are_refused():
    source = Empirical([-1.0, -2.0, -3.0])
    for codebook in ([1.0, 2.0], [0.0, 1.0]):
        with pytest.raises(ValueError, match="no positive scale suits the source"):
            check_codebook(codebook, source)


@pytest.mark.parametrize(
    ("codebook", "match"),
    [
        ([], "codepoints"),
        ([1.0], "must number between 2 and 65536, got 1"),
        ([[1.0, 2.0]], "one-dimensional"),
        ([1.0, math.nan], r"codepoints\[1\] is nan"),
        ([math.inf, 1.0], r"codepoints\[0\] is inf"),
        ([2.0, 2.0], "two different values, but all are 2"),
        ([0.0, -0.0], "two different values"),
        (np.arange(70_000.0), "got 70000"),
    ],
)
def test_impossible_codebooks_are_named(codebook, match):
    with pytest.raises(ValueError, match=match):
        check_codebook(codebook, Normal())


@pytest.mark.parametrize("codebook", [["a", "b"], [1j, 2.0], [None, 1.0]])
def test_codebook_of_other_things_is_a_type_error(codebook):
    with pytest.raises(TypeError, match="codepoints"):
        check_codebook(codebook, Normal())


def test_source_must_be_one():
    with pytest.raises(TypeError, match="source must be a Source"):
        check_codebook([-1, 1], "normal")


def test_data_of_too_few_values_are_refused():
    with pytest.raises(ValueError, match="number of distinct values, 3"):
        check_codebook([1, 2, 3, 4], Empirical([1.0, 2.0, 3.0]))
