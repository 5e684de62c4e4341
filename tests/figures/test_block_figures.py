"""Figures of blocks: their numbers against predictions, closed forms, order and the bands of a seeded draw."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from bitlaw.paper_figures import (
    block_cube_root,
    block_density,
    block_layouts,
    block_maximum,
    block_optimum,
    moment_matching,
    power_sweep,
)
from bitlaw.paper_figures.block_designs import divided, optimum
from bitlaw.paper_figures.format_curves import law_name
from bitlaw.theory import Normal, evaluate, lloyd_max, predict

BAND = 4.0  # standard errors


def inside(value, estimate, band=BAND):
    return abs(value - estimate.value) <= band * estimate.standard_error


@pytest.mark.parametrize("levels", [8, 16])
@pytest.mark.parametrize("law", block_optimum.LAWS, ids=lambda law: type(law.source).__name__)
def test_the_optimum_of_three_starts_is_that_of_the_designers_own_search(law, levels):
    exact = divided(law.source, 64)
    own = evaluate(lloyd_max(exact, levels), exact).distortion
    assert evaluate(optimum(law.source, levels, 64), exact).distortion == pytest.approx(own, rel=1e-9)


@pytest.mark.parametrize(
    "found", block_cube_root.compute().laws, ids=lambda found: found.law.source.__class__.__name__
)
def test_cube_root_errors_are_those_that_are_predicted(found):
    name = f"cbrt4:{law_name(found.law.source)},block=64,scale=absmax:float32"
    predicted = predict(name, found.law.source, shape=(4096, 4096)).R
    assert found.errors["cube root"] == pytest.approx(predicted, rel=1e-6)


def test_codebooks_are_ordered_and_simulated_within_four_standard_errors():
    for found in block_cube_root.compute().laws:
        free, held, spread = (found.errors[name] for name in reversed(block_cube_root.DESIGNS))
        assert free < held < spread < 1.03 * free
        assert all(inside(found.errors[name], found.audit[name]) for name in found.errors)


def test_an_error_one_percent_off_is_outside_the_band():
    found = block_cube_root.compute().laws[0]
    assert not inside(1.01 * found.errors["cube root"], found.audit["cube root"])


def test_laplace_maxima_are_harmonic_numbers():
    laplace = block_maximum.compute().laws[1]
    harmonic = [np.sum(1 / np.arange(1, size + 1)) / 2**0.5 for size in block_maximum.SIZES]
    assert laplace.exact == pytest.approx(harmonic, rel=1e-9)


def test_maxima_grow_and_are_simulated_within_four_standard_errors():
    for found in block_maximum.compute().laws:
        assert (np.diff(found.exact) > 0).all()
        for size, point in found.audit.items():
            assert inside(found.exact[block_maximum.SIZES.index(size)], point)


def test_closed_forms_of_the_normal_and_laplace_maxima_improve_and_those_of_student_t_pass_through_zero():
    normal, laplace, student = (found.deviation for found in block_maximum.compute().laws)
    assert (np.diff(np.abs(laplace)) < 0).all()
    assert normal[0] < -0.5
    assert abs(normal[-1]) < 0.01
    assert student[0] < -0.2
    assert student[-1] > 0.1


def test_a_closed_form_is_outside_the_band_of_the_draw():
    normal = block_maximum.compute().laws[0]
    assert not inside(normal.approximate[block_maximum.SIZES.index(16)], normal.audit[16])


def test_layouts_are_simulated_within_four_standard_errors_and_none_beats_the_optimum():
    for found in block_layouts.compute().laws:
        for name, error in found.errors.items():
            assert inside(error, found.audit[name])
            statistic = name.partition(",")[0]
            assert error >= found.errors[f"{statistic}, optimum"]
        assert found.errors["signmax, optimum"] < found.errors["absmax, optimum"]
        assert found.errors["absmax, symmetric"] < found.errors["absmax, with zero"]
        assert found.errors["absmax, with zero"] < found.errors["absmax, zero twice"]


def test_layouts_with_a_zero_have_one():
    for found in block_layouts.compute().laws:
        for name, points in found.codepoints.items():
            assert (np.min(np.abs(points)) == 0) == ("zero" in name)


def test_densities_and_atoms_add_up_to_one():
    for found in block_density.compute().laws:
        assert found.probability.sum() + 2 * found.atom == pytest.approx(1.0, rel=1e-9)
        area = np.trapezoid(found.exact, found.x)
        assert area + 2 * found.atom == pytest.approx(1.0, abs=1e-4)


def chi_squared(found, probability):
    """Pearson's statistic of the histogram; elements of a block are nearly independent given that they are many."""
    expected = found.drawn * probability
    return float(np.sum((found.count - expected) ** 2 / expected))


def test_histograms_are_those_of_the_exact_law_and_not_of_the_cut_one():
    for found in block_density.compute().laws:
        most = chi2.ppf(1 - 1e-4, len(found.count))
        assert chi_squared(found, found.probability) < most
        middles = (found.edges[:-1] + found.edges[1:]) / 2
        cut = np.interp(middles, found.x, found.cut) * np.diff(found.edges)
        assert chi_squared(found, cut) > 2 * most
        assert inside(found.atom, found.audit)


def test_power_sweep_of_blocks_is_bounded_by_its_optima_and_simulated():
    for sweep in power_sweep.compute().blocks:
        assert (sweep.fixed >= sweep.lloyd_max).all()
        assert min(sweep.coded.min(), sweep.uniform_coded) >= sweep.entropy_constrained
        assert (sweep.coded <= sweep.fixed).all()
        assert abs(sweep.powers[sweep.fixed.argmin()] - 1 / 3) < 0.1


def test_power_sweeps_are_simulated_within_four_standard_errors():
    data = power_sweep.compute()
    for sweep in (*data.sweeps[:2], *data.blocks):  # fourth moments of Student-t at 5 have no variance
        for power, point in sweep.audit.items():
            assert inside(sweep.fixed[list(sweep.powers).index(power)], point)


def test_power_one_third_of_blocks_is_the_cube_root_format():
    sweep = power_sweep.compute().blocks[0]
    predicted = predict("cbrt4:normal,block=64,scale=absmax:float32", Normal()).R
    assert sweep.fixed[list(sweep.powers).index(1 / 3)] == pytest.approx(predicted, rel=1e-6)


def test_searched_scales_are_the_lowest_points_of_their_curves():
    for found in moment_matching.compute().laws:
        for search in found.values():
            assert search.searched <= min(search.matched, search.errors.min()) * (1 + 1e-12)
            nearest = moment_matching.FACTORS[search.errors.argmin()]
            assert search.best == pytest.approx(nearest, rel=0.06)


def test_matched_errors_are_predicted_and_simulated():
    for law, found in zip(moment_matching.LAWS, moment_matching.compute().laws, strict=True):
        for name, search in found.items():
            predicted = predict(f"{name},block=tensor,scale=rms:float32,multiplier=moment", law.source).R
            assert search.matched == pytest.approx(predicted, rel=2e-4)
            if law.source != moment_matching.LAWS[2].source:  # too heavy a tail for a band of four
                assert inside(search.matched, search.audit)


def test_excess_of_closed_forms_is_positive_simulated_and_above_that_of_the_ends():
    for found in block_optimum.compute().excesses:
        assert (found.free <= found.with_ends * (1 + 1e-12)).all()
        assert (found.with_ends <= found.cube_root * (1 + 1e-12)).all()
        for size, point in found.audit.items():
            assert inside(found.cube_root[block_optimum.SIZES.index(size)], point)


def test_a_planted_fault_in_the_excess_is_caught():
    found = block_optimum.compute().excesses[1]
    faulty = replace(found, cube_root=found.cube_root * 1.01)
    assert not all(inside(faulty.cube_root[block_optimum.SIZES.index(n)], p) for n, p in faulty.audit.items())
