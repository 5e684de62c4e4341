"""Limits of elements divided by their block's scale."""

import numpy as np
import pytest

from bitlaw.theory import (
    Laplace,
    Normal,
    ScalarQuantiser,
    StudentT,
    distortion_rate,
    evaluate,
    rate_distortion,
)
from bitlaw.theory.limits import gish_pierce, linder_zamir, panter_dite, shannon_lower_bound
from bitlaw.theory.limits._letters import law_atoms
from bitlaw.theory.sources.block_scaled import BlockScaled
from bitlaw.theory.sources.scale_steps import ScaleSteps

BLOCKS = {
    "normal, absmax": BlockScaled(Normal(), 32),
    "laplace, absmax": BlockScaled(Laplace(), 128),
    "heavy tails, signmax": BlockScaled(StudentT(3), 64, "signmax"),
    "outliers apart": BlockScaled(Laplace(), 64, zeros=0.02),
}


def eighths(low, high):
    """Steps of a scale that is rounded to three bits of mantissa, to nearest."""
    values = np.concatenate([2.0**k * (1 + np.arange(8) / 8) for k in range(low, high)])
    middles = (values[1:] + values[:-1]) / 2
    return ScaleSteps(np.concatenate([[values[0] / 2], middles, [values[-1] * 17 / 16]]), values)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("rate", [0.05, 3])
def test_bracket_is_narrower_than_a_millionth_of_a_bit(name, rate):
    limit = distortion_rate(BLOCKS[name], rate)
    assert 0 <= limit.bracket_bits < 1e-6
    assert 0 < limit.lower <= limit.upper


@pytest.mark.parametrize("name", BLOCKS)
def test_without_a_rate_an_element_is_restored_as_its_best_value(name):
    law = BLOCKS[name]
    most = distortion_rate(law, 0).distortion
    if law.symmetric:
        assert most == pytest.approx(law.std**2, rel=1e-9)
    else:
        assert 0.9 * law.std**2 < most < law.std**2
    assert rate_distortion(law, 1.001 * most).rate == 0


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("levels", [3, 12])
def test_integer_grids_lie_above_the_limit(name, levels):
    result = evaluate(ScalarQuantiser(np.linspace(-1, 1, levels)), BLOCKS[name])
    assert 0 < result.gap_bits < result.entropy
    assert distortion_rate(BLOCKS[name], result.entropy).upper < result.distortion


def test_steps_of_the_scale_change_little_and_leave_no_atom():
    exact, stored = BlockScaled(Normal(), 32), BlockScaled(Normal(), 32, steps=eighths(-3, 4))
    one, two = distortion_rate(exact, 4), distortion_rate(stored, 4)
    assert two.bracket_bits < 1e-6
    assert two.distortion == pytest.approx(one.distortion, rel=0.1)
    assert law_atoms(stored)[0].size == 0
    # The largest element is no longer known from the scale alone.
    assert two.lower > one.upper


def test_a_gaussian_block_over_its_rms_is_a_bounded_law_of_constant_weight():
    # The scale is independent of the direction: the divided element alone is left to be coded.
    unit, double = BlockScaled(Normal(), 8, "rms"), BlockScaled(Normal(2.0), 8, "rms")
    one, two = distortion_rate(unit, 2), distortion_rate(double, 2)
    assert two.distortion == pytest.approx(4 * one.distortion, rel=1e-6)
    assert one.bracket_bits < 1e-6
    assert two.bracket_bits < 1e-6
    assert shannon_lower_bound(unit, 2) <= one.lower <= one.upper < distortion_rate(Normal(), 2).lower


def test_blocks_over_their_rms_have_weights_and_no_atoms():
    law = BlockScaled(Laplace(), 16, "rms")
    limit = distortion_rate(law, 2)
    assert limit.bracket_bits < 1e-6
    assert law_atoms(law)[0].size == 0
    assert evaluate(ScalarQuantiser(np.linspace(-2.5, 2.5, 15)), law).gap_bits > 0
    assert distortion_rate(law, 6).upper == pytest.approx(linder_zamir(law, 6), rel=0.01)


def test_dividing_by_a_statistic_of_the_block_gives_away_little_at_low_rate_and_gains_at_high_rate():
    law = BLOCKS["normal, absmax"]
    # The scale says something of the element, and the code of the divided element does not use all of it.
    assert distortion_rate(law, 1).lower > distortion_rate(Normal(), 1).upper
    assert distortion_rate(law, 6).upper < distortion_rate(Normal(), 6).lower


def test_a_unit_of_the_data_changes_nothing_but_the_unit():
    one, two = BlockScaled(Laplace(), 16), BlockScaled(Laplace(std=1e-3), 16)
    assert distortion_rate(two, 3).distortion == pytest.approx(
        1e-6 * distortion_rate(one, 3).distortion, rel=1e-6
    )


def test_high_rates_follow_the_formulas_for_a_density_and_two_atoms():
    law = BLOCKS["normal, absmax"]
    assert distortion_rate(law, 6).upper == pytest.approx(linder_zamir(law, 6), rel=0.03)
    assert gish_pierce(law, 8) == pytest.approx(np.pi * np.e / 6 * linder_zamir(law, 8), rel=1e-12)
    assert panter_dite(law, 256) < panter_dite(Normal(), 256)
    with pytest.raises(TypeError, match="no atoms beside a density"):
        shannon_lower_bound(law, 2)
