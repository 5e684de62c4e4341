"""The numbers in the figures: against published values, closed forms and laws of the theory."""

from itertools import pairwise

import numpy as np
import pytest

from bitlaw.paper_figures import (
    beyond_scalar,
    codepoint_spacing,
    gap_to_bound,
    normal_cube_root,
    power_sweep,
    rate_distortion,
)
from bitlaw.paper_figures.bound_curve import RATES, bound_rate
from bitlaw.paper_figures.operating_points import METHODS
from bitlaw.theory import Laplace, Normal, StudentT, distortion_rate, evaluate, lloyd_max

# Lloyd-Max distortion of 16 levels, by forty-digit arithmetic (Max 1960 prints 0.009497, a few units low).
GAUSSIAN_16 = 0.0095010080
LAPLACE_16, LAPLACE_16_OUTERMOST = 0.015372527059868, 4.431071804830

GISH_PIERCE = 0.25461433482006296  # log2(2 pi e / 12) / 2


@pytest.fixture(scope="module")
def sweeps():
    return power_sweep.compute().sweeps


@pytest.fixture(scope="module")
def reached():
    return gap_to_bound.compute().reached


def test_lloyd_max_error_of_the_normal_is_the_published_one():
    assert normal_cube_root.compute().errors["Lloyd-Max"] == pytest.approx(GAUSSIAN_16**0.5, rel=1e-8)


def test_cube_root_codepoints_are_quantiles_of_a_normal_of_standard_deviation_root_three():
    wide = Normal(std=3**0.5)
    assert normal_cube_root.compute().codepoints["cube root"] == pytest.approx(
        wide.ppf(np.arange(1, 17) / 17), rel=1e-12
    )


def test_cube_root_is_nearly_optimal_and_the_datas_own_density_is_twice_as_bad():
    errors = normal_cube_root.compute().errors
    assert errors["Lloyd-Max"] < errors["cube root"] < 1.001 * errors["Lloyd-Max"]
    assert errors["density"] > 2 * errors["Lloyd-Max"]


def test_curves_of_the_left_panel_are_the_density_and_its_cube_root():
    data = normal_cube_root.compute()
    assert data.density == pytest.approx(np.exp(-(data.x**2) / 2) / (2 * np.pi) ** 0.5, rel=1e-12)
    assert data.cube_root**3 == pytest.approx(data.density, rel=1e-12)


def test_steps_are_symmetric_and_grow_outwards():
    for spacing in codepoint_spacing.compute().spacings:
        for steps in (spacing.cube_root, spacing.lloyd_max):
            assert steps == pytest.approx(steps[::-1], rel=1e-12)
            assert (np.diff(steps[7:]) > 0).all()


def test_heavier_tails_take_wider_outer_steps():
    normal, laplace, student = codepoint_spacing.compute().spacings
    assert normal.lloyd_max[0] < laplace.lloyd_max[0] < student.lloyd_max[0]
    assert laplace.lloyd_max_error**2 == pytest.approx(LAPLACE_16, rel=1e-12)


def test_steps_add_up_to_the_known_span_of_the_codepoints():
    laplace = codepoint_spacing.compute().spacings[1]
    cube_root = 3 / 2**0.5 * np.log(17 / 2)  # quantile 16/17 of a Laplace law of three times the scale
    assert laplace.cube_root.sum() == pytest.approx(2 * cube_root, rel=1e-12)
    assert laplace.lloyd_max.sum() == pytest.approx(2 * LAPLACE_16_OUTERMOST, rel=1e-9)


def test_spacing_names_seven_degrees_of_freedom():
    assert codepoint_spacing.LAWS[2].source == StudentT(7)


def test_best_exponent_without_a_code_is_near_one_third(sweeps):
    for sweep, reach in zip(sweeps, (0.02, 0.03, 0.05), strict=True):
        assert abs(sweep.powers[np.argmin(sweep.fixed)] - 1 / 3) <= reach


def test_no_exponent_beats_lloyd_max(sweeps):
    for sweep in sweeps:
        assert sweep.fixed.min() >= sweep.lloyd_max
        assert sweep.fixed.min() < 1.02 * sweep.lloyd_max


def test_no_exponent_with_a_code_beats_the_entropy_constrained_optimum(sweeps):
    for sweep in sweeps:
        assert min(sweep.coded.min(), sweep.uniform_coded) >= sweep.entropy_constrained


def test_with_a_code_the_error_falls_towards_the_uniform_grid(sweeps):
    for sweep in sweeps:
        assert (np.diff(sweep.coded) > -1e-3 * sweep.coded[0]).all()
        assert sweep.uniform_coded <= 1.001 * sweep.coded.min()
        assert sweep.uniform_coded < 1.005 * sweep.entropy_constrained


def test_small_exponents_reach_the_uniform_grid(sweeps):
    for sweep in sweeps[:2]:
        assert sweep.coded[0] == pytest.approx(sweep.uniform_coded, rel=1e-3)


def test_a_code_never_hurts(sweeps):
    for sweep in sweeps:
        assert (sweep.coded <= sweep.fixed).all()


def test_student_t_stops_short_of_the_exponent_that_cannot_be_normalised(sweeps):
    assert sweeps[2].powers.min() > 1 / 6


def test_sweep_at_one_third_is_the_cube_root_figure(sweeps):
    third = np.argmin(np.abs(sweeps[0].powers - 1 / 3))
    assert sweeps[0].fixed[third] == pytest.approx(normal_cube_root.compute().errors["cube root"], rel=1e-12)


def test_both_rate_figures_show_the_same_points():
    assert rate_distortion.compute().reached == gap_to_bound.compute().reached


def test_nothing_lies_below_the_bound(reached):
    for result in reached:
        for curve in result.curves.values():
            assert (curve.gap > 0).all()


def test_methods_are_ordered_at_their_own_measure_of_rate(reached):
    for result in reached:
        assert set(result.curves) == set(METHODS)
        lloyd, grid = result.curves["Lloyd-Max"], result.curves["uniform"]
        assert (lloyd.distortion <= grid.distortion * (1 + 1e-12)).all()
        optimum, coded = result.curves["entropy-constrained"], result.curves["uniform, entropy-coded"]
        assert optimum.rate == pytest.approx(coded.rate, abs=1e-9)
        assert (optimum.distortion <= coded.distortion * (1 + 1e-9)).all()


def test_uniform_errors_of_the_normal_are_those_of_max_1960(reached):
    curve = reached[0].curves["uniform"]
    for bits, printed in ((2, 0.1188), (3, 0.03744), (4, 0.01154)):  # table II
        assert curve.distortion[list(curve.rate).index(bits)] == pytest.approx(printed, rel=5e-4)


def test_coded_quantisers_settle_a_quarter_bit_above_the_bound(reached):
    for result in reached:
        for name in ("entropy-constrained", "uniform, entropy-coded"):
            assert result.curves[name].gap[-1] == pytest.approx(GISH_PIERCE, abs=2e-3)
        assert result.curves["entropy-constrained"].gap[0] < 0.05


def test_panter_and_dites_limits_of_the_normal_and_laplace_laws_are_the_closed_forms():
    closed = (np.log2(3**0.5 * np.pi / 2) / 2, np.log2(4.5 / (np.e / np.pi)) / 2)
    assert gap_to_bound.compute().many_levels[:2] == pytest.approx(closed, rel=1e-12)


def test_fixed_length_gap_approaches_panter_and_dites(reached):
    for result, limit in zip(reached, gap_to_bound.compute().many_levels, strict=True):
        gap = result.curves["Lloyd-Max"].gap
        assert 0 < limit - gap[-1] < 0.5 * (limit - gap[-9])


def test_shannon_bound_is_exact_for_the_normal_and_below_for_the_others(reached):
    assert reached[0].shannon == pytest.approx(reached[0].bound.distortion, rel=1e-9)
    for result in reached[1:]:
        assert (result.shannon <= result.bound.distortion * (1 + 3e-4)).all()  # the curve is good to 2e-4 bit


def test_lattices_and_trellises_close_the_gap_in_the_known_order():
    data = beyond_scalar.compute()
    names = list(data.points)
    # Eight states of a coded trellis and the 24 dimensions of the Leech lattice are about even at this rate.
    orders = [names[:3], [*names[3:8], names[9]], [names[7], names[9]]]
    for column in range(3):
        gaps = {name: row[column].gap for name, row in data.points.items()}
        slack = {name: 4 * row[column].error for name, row in data.points.items()}
        for order in orders:
            for worse, better in pairwise(order):
                assert gaps[better] < gaps[worse] + slack[better] + slack[worse], (better, worse)
        assert all(gaps[name] > -slack[name] for name in gaps)
    assert data.fixed_length == 3


def test_more_states_close_more_of_the_gap():
    data = beyond_scalar.compute()
    for trellises in (data.fixed, data.coded):
        for column in range(3):
            gaps = np.array([trellises[states][column].gap for states in beyond_scalar.STATES])
            slack = 2 * max(trellises[states][column].error for states in beyond_scalar.STATES)
            # All are measured on the same draws, so that differences are better known than the gaps.
            assert (np.diff(gaps) < 0.1 * slack).all()
            assert gaps[0] - gaps[-1] > 0.04
    assert all(point.gap < 0.1 for point in data.coded[8])  # entropy-coded: within a tenth of a bit


def test_lattice_gaps_of_the_normal_are_near_those_of_their_second_moments():
    # log2(2 pi e G) / 2 with the second moments printed by Conway and Sloane (1999), table 2.3.
    moments = {"A2": 0.0801875, "D4": 0.0766032, "E8": 0.0716821, "Leech": 0.0657709}
    points = beyond_scalar.compute().points
    for name, moment in moments.items():
        (row,) = [row for key, row in points.items() if name in key]
        limit = np.log2(2 * np.pi * np.e * moment) / 2
        assert row[0].gap == pytest.approx(limit, abs=4 * row[0].error + 0.005)  # 2 bits are not many


def test_scalar_rows_are_those_of_the_gap_figure(reached):
    points = beyond_scalar.compute().points
    for column, result in enumerate(reached):
        for name, curve in (("Lloyd-Max", "Lloyd-Max"), ("scalar, coded", "entropy-constrained")):
            index = np.argmin(np.abs(result.curves[curve].rate - 2.0))
            assert points[name][column].gap == pytest.approx(result.curves[curve].gap[index], abs=1e-9)


def test_gaps_are_those_of_evaluate_where_it_has_a_closed_form(reached):
    quantiser = lloyd_max(Normal(), 16)
    index = list(reached[0].curves["Lloyd-Max"].rate).index(4.0)
    shown = reached[0].curves["Lloyd-Max"].gap[index]
    result = evaluate(quantiser, Normal())
    assert shown == pytest.approx(4.0 - result.entropy + result.gap_bits, rel=1e-9)


@pytest.mark.parametrize(("source", "rate"), [(Laplace(), 2.5), (StudentT(5), 1.25), (Laplace(), 0.6)])
def test_the_bound_curve_holds_between_its_rates(source, rate):
    assert rate not in RATES
    exact = distortion_rate(source, rate)
    assert float(bound_rate(source, exact.distortion)) == pytest.approx(rate, abs=2e-4)


def test_the_bound_curve_meets_the_function_at_its_rates():
    for rate in (2.0, 3.0):
        assert float(bound_rate(Laplace(), distortion_rate(Laplace(), rate).distortion)) == pytest.approx(
            rate, abs=1e-12
        )


def test_the_bound_curve_is_zero_from_the_variance_on():
    for source in (Normal(), Laplace()):
        assert bound_rate(source, [1.0, 2.0]).tolist() == [0.0, 0.0]


def test_the_bound_curve_refuses_what_lies_beyond_its_rates():
    with pytest.raises(ValueError, match="distortion must be at least that of 6 bits"):
        bound_rate(Laplace(), 1e-9)
