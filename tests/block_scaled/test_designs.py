"""Codebooks of block-scaled laws: the reference, the optimum, and every designer's order."""

import numpy as np
import pytest

from bitlaw.theory import (
    Laplace,
    Normal,
    ScalarQuantiser,
    StudentT,
    compand,
    entropy_constrained,
    evaluate,
    globally_optimal,
    lloyd_max,
    uniform,
)
from bitlaw.theory.quantisers.codebook_check import check_codebook
from bitlaw.theory.quantisers.comparison import compare
from bitlaw.theory.sources.block_scaled import BlockScaled

SOURCES = {"Normal": Normal(), "Laplace": Laplace(), "StudentT(5)": StudentT(5)}
ROWS = [("Normal", 16), ("Normal", 64), ("Laplace", 64), ("StudentT(5)", 64)]
LAWS = {
    "normal-absmax": BlockScaled(Normal(), 64),
    "laplace-signmax": BlockScaled(Laplace(), 32, "signmax"),
    "student-absmax": BlockScaled(StudentT(5), 16),
    "normal-rms": BlockScaled(Normal(), 32, "rms"),
}
laws = pytest.mark.parametrize("name", LAWS)


def relative_error(quantiser, law):
    return np.sqrt(evaluate(quantiser, law).distortion) / law.std


def distortion(quantiser, law):
    return evaluate(quantiser, law).distortion


@pytest.mark.shared
@pytest.mark.parametrize(("name", "block"), ROWS)
@pytest.mark.parametrize("bits", [3, 4])
def test_optima_equal_the_shared_reference(shared_json, name, block, bits):
    row = shared_json("reference/block_scaling.json")["rows"][name][str(block)][f"bits{bits}"]
    absmax, signmax = (BlockScaled(SOURCES[name], block, scale) for scale in ("absmax", "signmax"))
    free, signed = lloyd_max(absmax, 2**bits), lloyd_max(signmax, 2**bits)
    ends = lloyd_max(absmax, 2**bits, pinned={0: -1.0, -1: 1.0})
    assert relative_error(free, absmax) == pytest.approx(row["optimal_free_R"], rel=1e-10)
    assert relative_error(signed, signmax) == pytest.approx(row["signmax_optimal_free_R"], rel=1e-10)
    assert relative_error(ends, absmax) == pytest.approx(row["optimal_ends_pinned_R"], rel=1e-10)
    np.testing.assert_allclose(ends.codepoints, row["optimal_ends_pinned_codepoints"], atol=1e-10)


@laws
@pytest.mark.parametrize("levels", [4, 7])
def test_lloyd_max_is_the_proved_optimum(name, levels):
    law = LAWS[name]
    quantiser = lloyd_max(law, levels)
    assert quantiser.design.status == "converged"
    optimum = globally_optimal(law, levels, atoms=1 << 12)
    assert optimum.lower_bound <= distortion(quantiser, law) <= optimum.distortion * (1 + 1e-12)


def test_the_signed_optimum_is_not_symmetric_and_beats_the_unsigned_one():
    signed, unsigned = BlockScaled(Normal(), 64, "signmax"), BlockScaled(Normal(), 64)
    quantiser = lloyd_max(signed, 16)
    assert not quantiser.symmetric
    assert quantiser.codepoints[-1] + quantiser.codepoints[0] > 0.05
    assert relative_error(quantiser, signed) < relative_error(lloyd_max(unsigned, 16), unsigned)
    assert quantiser.design.certificate.startswith("local minimum, the lowest from 2 starts")


def test_pinned_designs_lie_in_the_order_of_what_is_pinned():
    law = LAWS["normal-absmax"]
    free = distortion(lloyd_max(law, 16), law)
    zero = distortion(lloyd_max(law, 16, pinned={7: 0.0}), law)
    ends = distortion(lloyd_max(law, 16, pinned={0: -1.0, 15: 1.0}), law)
    both = distortion(lloyd_max(law, 16, pinned={0: -1.0, 7: 0.0, 15: 1.0}), law)
    assert free < zero < both
    assert free < ends < both


@laws
def test_cube_root_codebooks_lie_close_above_the_optimum(name):
    law = LAWS[name]
    ends = {"absmax": "closed", "signmax": "upper", "rms": "interior"}[law.scale]
    layout = "asymmetric" if law.scale == "signmax" else "symmetric"
    rule = compand(law, 16, ends=ends, layout=layout)
    best = distortion(lloyd_max(law, 16), law)
    assert best < distortion(rule, law) < 1.1 * best
    if law.scale == "signmax":
        assert rule.codepoints[7] == 0.0
        assert rule.codepoints[-1] == 1.0
        assert rule.codepoints[0] > -1.0


def test_entropy_coded_designs_are_in_order_and_meet_the_rate():
    law = LAWS["normal-absmax"]
    best = evaluate(entropy_constrained(law, rate=3.0), law)
    steps = evaluate(entropy_constrained(law, rate=3.0, variant="uniform_threshold"), law)
    equal = evaluate(uniform(law, rate=3.0), law)
    for found in (best, steps, equal):
        assert found.entropy == pytest.approx(3.0, abs=1e-8)
    assert best.distortion < steps.distortion < equal.distortion
    assert best.distortion < distortion(lloyd_max(law, 8), law)


def test_the_price_of_a_bit_is_the_slope_of_the_distortion():
    law = LAWS["laplace-signmax"]
    low, high = (evaluate(entropy_constrained(law, slope=0.02 * f), law) for f in (0.99, 1.01))
    slope = (high.distortion - low.distortion) / (low.entropy - high.entropy)
    assert slope == pytest.approx(0.02, rel=1e-3)


@laws
def test_equal_steps_are_the_best_of_their_scale(name):
    law = LAWS[name]
    found = uniform(law, 16)
    checked = check_codebook(np.arange(16) - 7.5, law)
    assert checked.scale == pytest.approx(found.codepoints[1] - found.codepoints[0], rel=1e-7)
    assert checked.distortion == pytest.approx(distortion(found, law), rel=1e-12)
    assert checked.optimum == pytest.approx(distortion(lloyd_max(law, 16), law), rel=1e-12)
    assert checked.entropy == pytest.approx(evaluate(found, law).entropy, rel=1e-9)


def test_an_optimal_codebook_has_no_excess_at_any_scale():
    law = LAWS["laplace-signmax"]
    assert check_codebook(10 * lloyd_max(law, 8).codepoints, law).excess == 0.0


def test_duplicates_and_dead_codepoints_are_found_under_the_weighted_error():
    law = LAWS["normal-absmax"]
    found = check_codebook(np.append(lloyd_max(law, 8).codepoints, [4.0, 4.0]), law)
    assert found.duplicates == (4.0,)
    assert 4.0 in found.dead


def test_a_comparison_leaves_out_what_does_not_hold_for_weighted_errors():
    law = LAWS["normal-absmax"]
    comparison = compare(law, 3.0)
    assert np.isnan(comparison.shannon_lower_bound)
    reached = {found.method: found for found in comparison.reached}
    exact = [found for found in comparison.reached if found.kind == "exact"]
    assert {"Lloyd-Max", "cube-root compander", "uniform", "entropy-constrained"} <= set(reached)
    assert all(found.gap_bits > 0 for found in exact)
    assert reached["Lloyd-Max"].distortion == pytest.approx(distortion(lloyd_max(law, 8), law))
    assert reached["entropy-constrained"].gap_bits == min(found.gap_bits for found in exact)
    with pytest.raises(ValueError, match="vector quantisers are measured by plain errors"):
        compare(law, 3.0, vector=True)


def test_scaling_the_source_scales_errors_and_no_codebook():
    law, wide = BlockScaled(Laplace(), 32), BlockScaled(Laplace(3.0), 32)
    np.testing.assert_allclose(lloyd_max(law, 8).codepoints, lloyd_max(wide, 8).codepoints, rtol=1e-11)
    fixed = ScalarQuantiser(np.linspace(-1, 1, 8))
    assert distortion(fixed, wide) == pytest.approx(9 * distortion(fixed, law), rel=1e-11)
