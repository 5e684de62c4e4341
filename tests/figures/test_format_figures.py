"""Figures of formats: against designs evaluated directly, against their own simulation, and for what they show."""

from dataclasses import replace

import numpy as np
import pytest

from bitlaw.paper_figures import block_size, error_against_bits, exponent_bits, other_formats, scale_bits
from bitlaw.paper_figures.format_curves import FORMAT_LAWS, Measured, curve, law_name, measured
from bitlaw.theory import (
    Normal,
    Uniform,
    compand,
    distortion_rate,
    evaluate,
    lloyd_max,
    predict,
    uniform,
)

MODULES = (error_against_bits, block_size, other_formats, exponent_bits, scale_bits)
LAWS = range(len(FORMAT_LAWS))
HEAVY = LAWS[1:]


def curves_of(panel):
    yield from panel.curves.values()
    yield from getattr(panel, "tensor", {}).values()


def outside(found, index, factor=1.0):
    """Standard errors between what was measured and a prediction multiplied by a factor."""
    point = found.audit[index]
    return (point.R - factor * found.R[index]) / point.standard_error


def named(module):
    return module.__name__.rpartition(".")[2]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("module", MODULES, ids=named)
def test_simulations_lie_within_four_standard_errors_of_predictions(module, law):
    audited = 0
    for found in curves_of(module.compute().laws[law]):
        for index, point in found.audit.items():
            assert abs(outside(found, index)) < 4, found.formats[index]
            # Besides chance a scale of 32 bits for a draw of 2^18, and the bias of an entropy of n codes, n / 2N.
            allowed = 4 * point.bits_error + 1e-3
            assert point.bits == pytest.approx(found.bits[index], abs=allowed), found.formats[index]
            audited += 1
    assert audited >= 8


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_predictions_three_percent_off_would_be_seen_on_the_normal(module):
    found = [entry for entry in curves_of(module.compute().laws[0]) if entry.audit]
    for factor in (0.97, 1.03):
        misses = [abs(outside(entry, index, factor)) for entry in found for index in entry.audit]
        assert np.mean(np.array(misses) > 4) > 0.8


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_curves_are_those_of_predict(module):
    for panel in module.compute().laws:
        for found in curves_of(panel):
            last = predict(found.formats[-1], panel.law.source)
            assert (found.bits[-1], found.R[-1]) == (last.bits, last.R)
            assert found.scaled == pytest.approx(found.R * np.exp2(found.bits), rel=1e-14)


def test_a_measurement_of_another_format_is_outside_the_band():
    found = curve(Normal(), ["cbrt4:normal,block=128"], (0,))
    other = replace(found, audit={0: measured(Normal(), "cbrt4:normal,block=64")})
    assert abs(outside(found, 0)) < 4 < abs(outside(other, 0))


def test_measured_bits_count_the_entropy_of_the_codes_only_with_a_code():
    fixed, coded = (measured(Normal(), f"int4,block=64,code={code}") for code in ("fixed", "entropy"))
    assert isinstance(fixed, Measured)
    assert (fixed.bits, fixed.bits_error) == (4.25, 0.0)
    assert coded.bits < 3.8
    assert coded.R == fixed.R


def test_laws_without_a_name_in_specifications_are_refused():
    with pytest.raises(TypeError, match=r"source must be normal, Laplace or Student-t, got Uniform"):
        law_name(Uniform())


@pytest.mark.parametrize("law", LAWS)
def test_tensor_rms_errors_are_those_of_companded_quantisers_of_the_law(law):
    panel = error_against_bits.compute().laws[law]
    source = panel.law.source
    direct = [evaluate(compand(source, 2**width), source).distortion ** 0.5 for width in range(2, 8)]
    assert panel.curves["tensor RMS"].R == pytest.approx(direct, rel=1e-5)


@pytest.mark.parametrize("law", LAWS)
def test_entropy_coded_errors_are_those_of_a_uniform_grid_of_that_entropy(law):
    panel = error_against_bits.compute().laws[law]
    found = panel.curves["tensor RMS, entropy-coded"]
    grid = uniform(panel.law.source, rate=float(found.bits[4]))
    assert found.R[4] == pytest.approx(evaluate(grid, panel.law.source).distortion ** 0.5, rel=1e-5)


@pytest.mark.parametrize("law", LAWS)
def test_no_format_is_below_the_bound_and_the_bound_is_that_of_the_theory(law):
    panel = error_against_bits.compute().laws[law]
    for found in panel.curves.values():
        low = found.bits <= 5.9
        bound = np.interp(found.bits[low], panel.bound_bits[::-1], np.log2(panel.bound_R[::-1]))
        assert (np.log2(found.R[low]) > bound + 0.1).all()
    exact = distortion_rate(panel.law.source, 3.0).distortion ** 0.5
    at_three = np.interp(3.0, panel.bound_bits[::-1], np.log2(panel.bound_R[::-1]))
    assert at_three == pytest.approx(np.log2(exact), abs=1e-3)


def test_compression_gains_most_for_one_scale_of_the_tensor():
    for panel in error_against_bits.compute().laws:
        gains = {}
        for scale, plain in (("tensor RMS", "tensor RMS"), ("block", "block absmax ($B=128$)")):
            label = f"{'tensor RMS' if scale == 'tensor RMS' else 'block absmax'}, entropy-coded"
            coded = panel.curves[label]
            fixed = panel.curves[plain]
            gains[scale] = np.log2(fixed.scaled[2] / np.interp(4.0, coded.bits, coded.scaled))
        assert gains["tensor RMS"] > gains["block"] > 0


def test_blocks_pay_without_an_entropy_code_sooner_the_heavier_the_tails_and_never_with_one():
    first = []
    for panel in error_against_bits.compute().laws:
        tensor, blocks = panel.curves["tensor RMS"], panel.curves["block absmax ($B=128$)"]
        pays = blocks.scaled < np.interp(blocks.bits, tensor.bits, tensor.scaled)
        first.append(round(float(blocks.bits[pays][0])))
        coded, scaled = (panel.curves[f"{name}, entropy-coded"] for name in ("tensor RMS", "block absmax"))
        assert (scaled.scaled > 1.08 * np.interp(scaled.bits, coded.bits, coded.scaled)).all()
    assert first == [5, 4, 3]


def test_best_blocks_are_smaller_for_heavy_tails_and_lie_within_the_axis():
    best = [
        block_size.SIZES[int(panel.curves["cube root, absmax"].scaled.argmin())]
        for panel in block_size.compute().laws
    ]
    assert best == [192, 96, 96]


def test_a_signed_maximum_helps_at_every_block_size_and_an_entropy_code_wants_no_blocks():
    for panel in block_size.compute().laws:
        assert (panel.curves["cube root, signmax"].R < panel.curves["cube root, absmax"].R).all()
        coded = panel.curves["uniform, absmax, entropy-coded"].scaled
        assert (np.diff(coded) < 0).all()
        assert coded[-1] > panel.tensor["uniform, tensor RMS, entropy-coded"].scaled[0]


@pytest.mark.parametrize("law", LAWS)
def test_the_optimum_is_the_best_of_all_elements_with_both_scales(law):
    for found in other_formats.compute().laws[law].curves.values():
        assert int(found.R.argmin()) == list(other_formats.ELEMENTS).index("optimum")


def test_elements_with_both_ends_gain_nothing_from_the_sign_and_int4_gains_most():
    names = list(other_formats.ELEMENTS)
    for panel in other_formats.compute().laws:
        ratio = panel.curves["signmax"].R / panel.curves["absmax"].R
        for name in ("NF4", "SF4", "E2M1", "E0M3", "E3M0"):
            assert ratio[names.index(name)] == pytest.approx(1.0, abs=2e-4)
        assert names[int(ratio.argmin())] == "INT4"


def test_nf4_is_ahead_of_sf4_and_e2m1_and_the_integers_fall_behind_where_tails_are_heavy():
    for panel in other_formats.compute().laws:
        R = dict(zip(other_formats.ELEMENTS, panel.curves["absmax"].R, strict=True))
        assert R["cube root"] < R["NF4"] < R["SF4"] < R["E2M1"] < R["E0M3"] < R["E3M0"]
        assert R["INT4"] == pytest.approx(R["E0M3"], rel=2e-4)


def test_one_exponent_bit_makes_the_integers():
    for panel in exponent_bits.compute().laws:
        for found in panel.curves.values():
            assert found.R[1] == pytest.approx(found.R[0], rel=1e-5)


def test_two_exponent_bits_are_best_in_blocks_with_heavy_tails():
    for law in HEAVY:
        panel = exponent_bits.compute().laws[law]
        for width in exponent_bits.WIDTHS:
            assert panel.curves[width, exponent_bits.BLOCK].R.argmin() == 2
    student = exponent_bits.compute().laws[-1]
    assert student.curves[6, exponent_bits.TENSOR].R.argmin() == 3


def test_the_factor_of_integers_for_a_tensor_is_the_best_uniform_step():
    for panel in exponent_bits.compute().laws:
        source = panel.law.source
        steps = np.arange(-7, 8)
        best = uniform(source, 15)
        assert best.codepoints == pytest.approx(steps * np.diff(best.codepoints)[0], abs=1e-9)
        assert panel.curves[4, exponent_bits.TENSOR].R[0] == pytest.approx(
            evaluate(best, source).distortion ** 0.5, rel=1e-5
        )


def test_three_mantissa_bits_to_nearest_and_four_or_five_upwards_are_best():
    for panel in scale_bits.compute().laws:
        for (_, rounding), found in panel.curves.items():
            assert int(found.scaled.argmin()) in ((3,) if rounding == "nearest" else (4, 5))


def test_fine_scales_reach_the_error_of_exact_ones_from_above():
    for panel in scale_bits.compute().laws:
        name = law_name(panel.law.source)
        for (block, rounding), found in panel.curves.items():
            exact = predict(f"cbrt4:{name},block={block},scale=absmax:float32", panel.law.source).R
            assert exact < found.R[-1] < (1.001 if rounding == "nearest" else 1.005) * exact


def test_rounding_up_is_better_only_in_small_blocks_of_heavy_tails_without_a_mantissa():
    for law, panel in enumerate(scale_bits.compute().laws):
        for block in scale_bits.BLOCKS:
            better = panel.curves[block, "up"].R < panel.curves[block, "nearest"].R
            assert better[0] == (block == 32 and law > 0)
            assert not better[1:].any()


def test_optimum_of_the_normal_without_blocks_is_lloyd_max():
    found = predict("lloyd4:normal,scale=rms:float32", Normal())
    direct = evaluate(lloyd_max(Normal(), 16), Normal()).distortion ** 0.5
    assert found.R == pytest.approx(direct, rel=1e-5)
