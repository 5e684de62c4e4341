"""Huffman codes beside the entropy, and named formats beside the bound."""

import itertools

import numpy as np
import pytest

from bitlaw.paper_figures import format_gaps, practical_compression
from bitlaw.paper_figures.huffman import mean_huffman_length
from bitlaw.theory import FORMAT_NAMES, Normal, parse_format, predict, rate_distortion


@pytest.fixture(scope="module")
def laws():
    return practical_compression.compute().laws


@pytest.fixture(scope="module")
def gaps():
    return [{gap.name: gap for gap in column} for column in format_gaps.compute().gaps]


def best_prefix_length(probabilities):
    """Least mean length over all word lengths that Kraft's inequality allows, by trying them."""
    longest = max(len(probabilities) - 1, 1)
    lengths = itertools.product(range(1, longest + 1), repeat=len(probabilities))
    return min(
        float(np.dot(words, probabilities)) for words in lengths if sum(2.0**-word for word in words) <= 1.0
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [2, 3, 5])
def test_huffmans_mean_length_is_the_least_of_all_prefix_codes(size, seed):
    probabilities = np.random.default_rng(seed).dirichlet(np.full(size, 0.4))
    assert mean_huffman_length(probabilities) == pytest.approx(best_prefix_length(probabilities), rel=1e-12)


def test_huffmans_code_of_powers_of_two_reaches_the_entropy():
    assert mean_huffman_length([0.25, 0.0, 0.5, 0.125, 0.125]) == 1.75
    assert mean_huffman_length(np.full(64, 1 / 64)) == pytest.approx(6.0, rel=1e-14)


def test_one_symbol_needs_no_bits():
    assert mean_huffman_length([1.0]) == 0.0
    assert mean_huffman_length([0.0, 1.0]) == 0.0


def test_huffman_costs_less_than_a_bit_and_at_most_seven_hundredths_from_two_and_a_half_bits(laws):
    for compressed in laws:
        loss = compressed.huffman_bits - compressed.entropy.bits
        assert ((loss > 0) & (loss < 1)).all()
        at_high_rate = loss[compressed.entropy.bits > 2.5]
        assert 0.01 < at_high_rate.min()
        assert at_high_rate.max() == pytest.approx(0.06, abs=0.011)
        near_one_bit = np.interp(1.0, compressed.entropy.bits, loss)
        assert near_one_bit == pytest.approx(0.33, abs=0.03)


def test_huffman_codes_of_what_was_drawn_are_as_long_as_those_of_the_law():
    step = practical_compression.STEPS[20]
    values = np.random.default_rng(4).standard_normal((256, 1024))
    format = parse_format(f"int12sym,scale=rms:float32,reach=1,multiplier={step:.9g}")
    shares = np.bincount(format.encode(values).codes.reshape(-1)) / values.size
    # The mean length varies by its standard deviation, below 1.5 bits, over the root of the number of values.
    predicted = practical_compression.compute().laws[0].huffman_bits[20]
    assert mean_huffman_length(shares) == pytest.approx(predicted, abs=4 * 1.5 / values.size**0.5)


def test_simulated_grids_lie_within_four_standard_errors(laws):
    for compressed in laws:
        for index, point in compressed.entropy.audit.items():
            assert abs(point.R - compressed.entropy.R[index]) < 4 * point.standard_error
            assert point.bits == pytest.approx(
                compressed.entropy.bits[index], abs=4 * point.bits_error + 1e-3
            )


def test_a_huffman_code_still_beats_blocks_without_a_code_everywhere(laws):
    for compressed in laws:
        huffman = compressed.entropy.R * 2.0**compressed.huffman_bits
        assert (
            np.interp(compressed.blocks.bits, compressed.huffman_bits, huffman) < compressed.blocks.scaled
        ).all()


def test_every_named_format_below_16_bits_is_shown_once_for_each_law_in_one_order():
    columns = format_gaps.compute().gaps
    names = [[gap.name for gap in column] for column in columns]
    assert all(column == names[0] for column in names)
    assert sorted(names[0]) == sorted(set(FORMAT_NAMES) - {"bf16", "fp16"})
    assert [gap.fixed for gap in columns[0]] == sorted(gap.fixed for gap in columns[0])


def test_gaps_are_those_of_predict(gaps):
    for law, column in zip(format_gaps.LAWS, gaps, strict=True):
        for name in ("nf4", "mxfp4", "q8_0", "ternary", "fp8_e4m3"):
            found = predict(name, law.source, std=format_gaps.STD)
            assert (column[name].bits, column[name].R) == (found.bits, found.R)
            # The curve of the bound is within 3e-4 bit of it from half a bit up.
            assert column[name].fixed == pytest.approx(found.gap_bits, abs=5e-4)
            assert column[name].coded == pytest.approx(found.compressed_gap_bits, abs=5e-4)


def test_gaps_of_the_normal_are_bits_above_its_closed_form(gaps):
    for gap in gaps[0].values():
        assert gap.fixed == pytest.approx(gap.bits - rate_distortion(Normal(), gap.R**2).rate, abs=1e-9)


def test_a_half_percent_of_error_would_be_seen_in_a_gap(gaps):
    found = predict("nf4", Normal(), std=format_gaps.STD)
    wrong = found.bits - np.log2(1 / (1.005 * found.R))
    assert abs(wrong - gaps[0]["nf4"].fixed) > 5e-3


def test_no_format_is_below_the_bound_and_codes_never_cost(gaps):
    for column in gaps:
        for gap in column.values():
            assert 0.25 < gap.coded <= gap.fixed + 1e-12


def test_only_formats_without_an_integral_are_simulated(gaps):
    for column in gaps:
        assert {gap.name for gap in column.values() if gap.method == "simulation"} <= {"q4_k"}


def test_double_quantised_nf4_leads_the_four_bit_formats_and_eight_bit_floats_end_the_list(gaps):
    for column in gaps:
        four = [gap for gap in column.values() if 4 <= gap.bits <= 5]
        assert min(four, key=lambda gap: gap.fixed).name == "nf4_dq"
        last = sorted(column.values(), key=lambda gap: gap.fixed)[-4:]
        assert {gap.name for gap in last} == {"fp8_e4m3", "mxfp8", "fp8_e5m2", "mxfp8_e5m2"}
