"""Outliers: which are found, what they cost to the bit, and what a law expects."""

import itertools
import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory.formats.number_types import number_type
from bitlaw.theory.formats.outliers import Outliers, parse_outliers
from bitlaw.theory.formats.positions import (
    CODINGS,
    bitmap_information,
    cheapest_coding,
    decode_gaps,
    encode_gaps,
    expected_bits,
    position_bits,
    rice_parameter,
)
from bitlaw.theory.sources import Empirical, GeneralisedNormal, Laplace, Mixture, Normal, StudentT, from_scipy

subsets = st.integers(1, 400).flatmap(
    lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1)).map(sorted))
)


def array(positions):
    return np.array(positions, dtype=np.int64)


@given(subsets)
def test_gaps_decode_to_their_positions_in_exactly_the_counted_bits(case):
    positions = array(case[1])
    for parameter in (0, 1, 5, rice_parameter(positions)[0]):
        data = encode_gaps(positions, parameter)
        gaps = np.diff(positions, prepend=-1) - 1
        length = sum((int(gap) >> parameter) + 1 + parameter for gap in gaps)
        assert data.size == math.ceil(length / 8)
        np.testing.assert_array_equal(decode_gaps(data, positions.size, parameter), positions)
    parameter, length = rice_parameter(positions)
    assert length == sum((int(gap) >> parameter) + 1 + parameter for gap in gaps)


@given(subsets)
def test_no_other_rice_parameter_is_shorter(case):
    positions = array(case[1])
    gaps = np.diff(positions, prepend=-1) - 1
    shortest = min(int((gaps >> k).sum()) + len(gaps) * (k + 1) for k in range(12))
    assert rice_parameter(positions)[1] == shortest


def test_gaps_of_a_large_tensor_decode():
    rng = np.random.default_rng(0)
    positions = np.flatnonzero(rng.random(1 << 20) < 0.003)
    parameter, length = rice_parameter(positions)
    data = encode_gaps(positions, parameter)
    assert data.size == -(-length // 8)
    np.testing.assert_array_equal(decode_gaps(data, positions.size, parameter), positions)


def test_data_that_end_early_are_refused():
    data = encode_gaps(array([3, 900, 1500]), 4)
    with pytest.raises(ValueError, match="data must hold 3 gaps, but end after"):
        decode_gaps(data[:-2], 3, 4)


def test_lengths_of_a_small_case_count_out_by_hand():
    positions = array([2, 3, 10])
    # Count 0 ... 16 takes 5 bits; an index of 16 takes 4; gaps 2, 0, 6 with k = 1 take 3 + 2 + 5 bits.
    assert position_bits(positions, 16, "index") == 5 + 3 * 4
    assert rice_parameter(positions) == (1, 10)
    assert position_bits(positions, 16, "gaps") == 5 + 6 + 10
    assert position_bits(positions, 16, "bitmap") == 16
    assert cheapest_coding(positions, 16) == "bitmap"
    outliers = Outliers(fraction=0.2, number=number_type("e4m3"))
    assert outliers.position_bits(positions, 16) == 2 + 16
    assert outliers.bits(positions, 16) == 2 + 16 + 3 * 8


def test_each_coding_is_the_cheapest_somewhere():
    rng = np.random.default_rng(3)
    size = 1 << 14
    best = {cheapest_coding(np.sort(rng.choice(size, count, replace=False)), size) for count in (1, 60, 9000)}
    assert best == {"index", "gaps", "bitmap"}


def test_no_position_and_no_element_are_counted():
    empty = array([])
    assert position_bits(empty, 1000, "gaps") == 10 + 6
    assert position_bits(empty, 0, "bitmap") == 0
    assert Outliers(threshold=9.0).find(np.zeros((0, 3))).size == 0
    assert Outliers(fraction=0.5).find(np.zeros(1)).size == 0
    np.testing.assert_array_equal(decode_gaps(encode_gaps(empty, 3), 0, 3), empty)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("probability", [0.0005, 0.01, 0.2])
def test_expected_length_is_that_of_independent_positions(probability, coding):
    size, trials = 1 << 16, 40
    rng = np.random.default_rng(7)
    bits = [
        position_bits(np.flatnonzero(rng.random(size) < probability), size, coding) / size
        for _ in range(trials)
    ]
    # Each draw takes its own best parameter, which at these sizes is the law's or as short to 1e-4.
    band = 4.5 * (np.std(bits, ddof=1) + 1e-15) / math.sqrt(trials)
    assert abs(np.mean(bits) - expected_bits(probability, size, coding)) < band + 1e-9


@pytest.mark.parametrize("probability", [1e-4, 0.001, 0.01, 0.1, 0.3])
def test_gap_code_is_within_four_percent_of_the_entropy_and_never_below(probability):
    q = 1 - probability
    entropy = -probability * math.log2(probability) - q * math.log2(q)
    length = expected_bits(probability, math.inf, "gaps")
    assert entropy <= length < 1.04 * entropy


def test_expected_gap_length_is_the_series_it_closes():
    probability = 0.07
    q = 1 - probability
    series = min(sum(probability * q**gap * ((gap >> k) + 1 + k) for gap in range(2000)) for k in range(12))
    assert expected_bits(probability, math.inf, "gaps") == pytest.approx(probability * series, rel=1e-12)


def test_ends_of_the_probability_are_answered():
    assert expected_bits(0.0, math.inf, "gaps") == 0.0
    assert expected_bits(1.0, math.inf, "gaps") == 1.0
    assert Outliers(fraction=0.01).expected_bits(0.01) == pytest.approx(
        expected_bits(0.01, math.inf, "gaps") + 0.16
    )


def test_bitmap_information_counts_the_subsets():
    assert bitmap_information(3, 10) == pytest.approx(math.log2(120), rel=1e-12)
    assert bitmap_information(0, 10) == pytest.approx(0.0, abs=1e-12)


def plain_largest(x, count):
    """Positions of the largest magnitudes, earlier ones first among equals, by a full sort."""
    order = np.argsort(-np.abs(x.astype(np.float64)), kind="stable")
    return sorted(order[:count].tolist())


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_fraction_finds_the_largest_magnitudes_and_breaks_ties_by_position(values, fraction):
    x = np.array(values, dtype=np.float32)
    outliers = Outliers(fraction=fraction)
    found = outliers.find(x)
    assert found.tolist() == plain_largest(x, round(fraction * len(values)))
    assert len(found) == outliers.count(len(values))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int8])
def test_large_tensors_of_every_type_are_searched_exactly(dtype):
    rng = np.random.default_rng(2)
    x = (20 * rng.standard_t(4, (300, 500))).clip(-127, 127).astype(dtype)
    for fraction in (0.00001, 0.003, 0.2):
        found = Outliers(fraction=fraction).find(x)
        assert found.tolist() == plain_largest(x.ravel(), round(fraction * x.size))


def test_a_pattern_that_misleads_the_sample_does_no_harm():
    x = np.zeros(1 << 18, dtype=np.float32)
    x[:: 1 << 2] = np.linspace(5, 6, 1 << 16)  # a stride that a sample of 2^16 sees and nothing else
    found = Outliers(fraction=0.5).find(x)
    assert found.size == x.size // 2
    assert np.isin(np.flatnonzero(x), found).all()
    x = np.ones(1 << 18, dtype=np.float32)
    x[1 :: 1 << 2] = 2.0
    assert (x[Outliers(fraction=0.25).find(x)] == 2.0).all()


def test_threshold_is_in_units_of_the_root_mean_square():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((37, 91))
    rms = math.sqrt(np.mean(x**2))
    np.testing.assert_array_equal(
        Outliers(threshold=2.0).find(x), np.flatnonzero(np.abs(x).ravel() > 2.0 * rms)
    )
    # The comparison is strict: at a threshold of 1 a constant tensor has none.
    assert Outliers(threshold=1.0).find(np.full(64, 3.0)).size == 0


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_threshold_survives_squares_beyond_doubles(scale):
    x = np.array([1.0, -1.0, 1.0, 5.0, 0.5]) * scale
    assert Outliers(threshold=1.5).find(x).tolist() == [3]


def test_order_and_layout_of_memory_do_not_matter():
    x = np.asfortranarray(np.random.default_rng(4).standard_normal((40, 30)))
    x.flags.writeable = False
    expected = Outliers(fraction=0.02).find(np.ascontiguousarray(x))
    np.testing.assert_array_equal(Outliers(fraction=0.02).find(x), expected)


@pytest.mark.parametrize("source", [Normal(2.0), Laplace(), StudentT(5), Mixture([Laplace()], [1.0])])
def test_a_fraction_of_a_source_lies_beyond_its_cut(source):
    outliers = Outliers(fraction=0.004)
    cut = outliers.cut(source)
    assert float(source.sf(cut) + source.cdf(-cut)) == pytest.approx(0.004, rel=1e-9)
    assert outliers.probability(source) == 0.004


def test_a_skew_source_is_cut_at_one_magnitude_on_both_sides():
    from scipy import stats

    source = from_scipy(stats.norm(1.0, 2.0))
    cut = Outliers(fraction=0.01).cut(source)
    assert stats.norm.sf(cut, 1, 2) + stats.norm.cdf(-cut, 1, 2) == pytest.approx(0.01, rel=1e-9)
    threshold = Outliers(threshold=3.0)
    assert threshold.cut(source) == pytest.approx(3 * math.sqrt(5.0), rel=1e-9)
    expected = stats.norm.sf(3 * math.sqrt(5), 1, 2) + stats.norm.cdf(-3 * math.sqrt(5), 1, 2)
    assert threshold.probability(source) == pytest.approx(expected, rel=1e-6)


def test_data_are_cut_above_the_largest_that_stays():
    source = Empirical(np.array([1.0, -2.0, 3.0, -4.0, 4.0]))
    outliers = Outliers(fraction=0.4)
    assert outliers.cut(source) == pytest.approx(3.0)
    assert outliers.probability(source) == pytest.approx(0.4)
    assert Outliers(fraction=0.3).probability(source) == 0.0  # two are equal: both or none


@pytest.mark.parametrize("number", ["e4m3", "e2m1", "bfloat16", "float16", "float32"])
@pytest.mark.parametrize("source", [Normal(), GeneralisedNormal(0.7, 3.0)], ids=["normal", "generalised"])
def test_error_of_rounded_values_agrees_with_a_simulation(source, number):
    outliers = Outliers(fraction=0.02, number=number_type(number))
    rng = np.random.default_rng(11)
    tail = rng.random(1 << 14) * 0.01
    x = source.isf(tail)  # above the cut, on one side of a symmetric law
    errors = (x - outliers.number.round(x)) ** 2
    band = 4.5 * errors.std() / math.sqrt(errors.size)
    assert abs(outliers.value_error(source) - 0.02 * errors.mean()) < 0.02 * band


def test_text_round_trips():
    numbers = ("bfloat16", "float32", "e4m3")
    sizes = (
        {"fraction": 0.001},
        {"fraction": 1 / 3},
        {"fraction": 1e-13},
        {"threshold": 4.0},
        {"threshold": 0.1},
    )
    for size, number, positions in itertools.product(sizes, numbers, ("cheapest", *CODINGS)):
        outliers = Outliers(**size, number=number_type(number), positions=positions)
        assert parse_outliers(str(outliers)) == outliers


@given(st.floats(1e-12, 0.999))
def test_every_fraction_round_trips_to_the_last_bit(fraction):
    assert parse_outliers(str(Outliers(fraction=fraction))).fraction == fraction
    assert parse_outliers(repr(fraction)).fraction == fraction


def test_texts_are_short():
    assert str(Outliers(fraction=0.001)) == "0.1%"
    assert str(Outliers(fraction=0.1)) == "10%"
    assert str(Outliers(threshold=4)) == ">4"
    assert str(parse_outliers("0.001:float32:gaps")) == "0.1%:float32:gaps"


@pytest.mark.parametrize(
    "text", ["", "x", "0.1%:gaps:float16", "0.1%:bfloat16:gaps:1", ">4%", "nan", ">inf"], ids=repr
)
def test_texts_that_are_no_outliers_are_refused(text):
    with pytest.raises(ValueError, match=r"outliers must be a fraction or >threshold|number type"):
        parse_outliers(text)


@pytest.mark.parametrize(
    ("error", "message", "options"),
    [
        (ValueError, "exactly one of fraction and threshold", {}),
        (ValueError, "exactly one of fraction and threshold", {"fraction": 0.1, "threshold": 3.0}),
        (ValueError, "fraction must be below 1", {"fraction": 1.0}),
        (ValueError, "fraction must be positive", {"fraction": 0.0}),
        (ValueError, "threshold must be positive", {"threshold": -1.0}),
        (TypeError, "threshold must be a number", {"threshold": "4"}),
        (TypeError, "number must be a NumberType with a sign", {"fraction": 0.1, "number": "bfloat16"}),
        (TypeError, "number must be a NumberType", {"fraction": 0.1, "number": number_type("e8m0")}),
        (ValueError, "positions must be one of", {"fraction": 0.1, "positions": "list"}),
    ],
    ids=["none", "both", "one", "zero", "negative", "text", "name", "unsigned", "positions"],
)
def test_wrong_arguments_are_named(error, message, options):
    with pytest.raises(error, match=message):
        Outliers(**options)


def test_data_that_are_not_finite_are_refused_with_their_place():
    x = np.zeros((2, 3))
    x[1, 2] = math.nan
    with pytest.raises(ValueError, match=r"x\[1, 2\] is nan"):
        Outliers(fraction=0.5).find(x)
    with pytest.raises(TypeError, match="x must be an array of"):
        Outliers(fraction=0.5).find(np.array(["a"]))
    with pytest.raises(ValueError, match="probability must be between 0 and 1"):
        Outliers(fraction=0.5).expected_bits(1.5)
    with pytest.raises(TypeError, match="outliers must be text"):
        parse_outliers(0.1)
