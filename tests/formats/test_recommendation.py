"""`recommend`: what fits a budget, ranked by what encoding and prediction say, with true reasons."""

import json
import math
import re

import numpy as np
import pytest

from bitlaw.theory import Laplace, Normal, StudentT
from bitlaw.theory.formats import (
    FORMAT_NAMES,
    decode,
    encode,
    parse_format,
    predict,
    recommend,
    relative_error,
)
from bitlaw.theory.formats.recommendations.candidates import (
    grid,
    least_bits,
    neighbours,
    overhead,
    stepped,
    stored,
)
from bitlaw.theory.formats.recommendations.trials import drawn, measured, sample_of

SHAPE = (128, 1024)


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(4).laplace(size=SHAPE).astype(np.float32)


@pytest.fixture(scope="module")
def found(weights):
    return recommend(weights, 3.3, count=4, laws=[])


def of_kind(found, code):
    return [one for one in found if one.format.code == code]


@pytest.mark.parametrize("code", ["fixed", "entropy"])
def test_each_kind_fits_the_budget_and_is_ranked_by_error(found, code):
    ranked = of_kind(found, code)
    assert len(ranked) == 4
    assert all(one.bits <= 3.3 + 0.02 for one in ranked)
    errors = [one.R for one in ranked]
    assert errors == sorted(errors)


def test_bits_and_errors_are_those_of_encoding(found, weights):
    for one in found:
        encoded = encode(one.format, weights)
        assert one.R == pytest.approx(relative_error(weights, decode(encoded)), rel=1e-12)
        assert one.bits == pytest.approx(encoded.bits_per_element, abs=1e-4)
        assert one.entropy == pytest.approx(encoded.entropy(), rel=1e-12)
        assert one.element_bits + one.scale_bits + one.codebook_bits == pytest.approx(one.bits)
        assert one.method == "measured"
        assert math.isnan(one.gap_bits)


def test_no_named_format_within_the_budget_is_better(found, weights):
    best = of_kind(found, "fixed")[0]
    for name in FORMAT_NAMES:
        encoded = encode(parse_format(name), weights)
        if encoded.bits_per_element <= 3.3:
            assert relative_error(weights, decode(encoded)) >= best.R


def test_a_lossless_code_gains_what_theory_says(found):
    # At 3.3 bits the bound's 6.02 dB a bit and the quarter bit of a uniform grid leave the fixed length far behind.
    fixed, coded = of_kind(found, "fixed")[0], of_kind(found, "entropy")[0]
    assert coded.R < 0.8 * fixed.R
    assert coded.bits == pytest.approx(3.3, abs=0.01)


def test_reasons_say_what_changing_one_part_gives(found, weights):
    best = of_kind(found, "fixed")[0]
    assert best.reasons[0].startswith("bits: codes 3 (of fixed length), scales ")
    changes = dict(neighbours(best.format, []))
    told = dict(reason.split(": ", 1) for reason in best.reasons[1:])
    assert set(told) == set(changes)
    for what, text in told.items():
        error, bits = map(float, re.match(r"R ([+-][\d.]+)%, bits ([+-][\d.]+)", text).groups())
        encoded = encode(changes[what], weights)
        assert error == pytest.approx(
            100 * (relative_error(weights, decode(encoded)) / best.R - 1), abs=0.051
        )
        assert bits == pytest.approx(encoded.bits_per_element - best.bits, abs=6e-4)
        assert text.endswith("over the budget") == (encoded.bits_per_element > 3.31)


def test_no_neighbour_within_the_budget_beats_the_best(found):
    for reason in of_kind(found, "fixed")[0].reasons[1:]:
        assert "over the budget" in reason or "R +" in reason or "R -0.0%" in reason, reason


def test_later_ones_say_how_far_behind_they_are(found):
    first, second = of_kind(found, "entropy")[:2]
    assert f"R {100 * (second.R / first.R - 1):+.1f}%" in second.reasons[-1]


@pytest.mark.parametrize(
    ("law", "codes"), [(StudentT(5, std=0.02), ["entropy"]), (Normal(), ["fixed", "entropy"])], ids=str
)
def test_a_law_is_answered_by_predictions(law, codes):
    best = recommend(law, 2.25, count=1, shape=SHAPE, laws=[], codes="both" if codes[1:] else codes[0])
    assert [one.format.code for one in best] == codes
    for one in best:
        told = predict(one.format, law, shape=SHAPE)
        assert (one.bits, one.R, one.gap_bits, one.method) == (told.bits, told.R, told.gap_bits, told.method)
    assert 0 < best[-1].gap_bits < 0.4


def test_codebooks_are_designed_for_the_law_itself():
    best = recommend(Laplace(std=3.0), 2.05, count=1, codes="fixed", shape=(8, 512))[0]
    assert str(best.format.element) == "lloyd2:laplace"


def test_searches_are_tried_and_win_where_they_should(found):
    assert "search=block" in str(of_kind(found, "fixed")[0].format)


def test_several_tensors_share_a_format_and_weigh_by_elements(weights):
    other = np.random.default_rng(5).standard_normal((32, 256)).astype(np.float32) * 100
    best = recommend([weights, other], 2.1, count=1, codes="entropy", laws=[])[0]
    squares = [relative_error(array, decode(encode(best.format, array))) ** 2 for array in (weights, other)]
    expected = np.average(squares, weights=[weights.size, other.size])
    assert best.R == pytest.approx(math.sqrt(expected), rel=1e-12)


def test_plain_numbers_go_to_json(found):
    record = json.loads(json.dumps(found[0].to_dict(), allow_nan=False))
    assert parse_format(record["format"]) == found[0].format
    assert record["gap_bits"] is None
    assert record["reasons"] == list(found[0].reasons)


def test_names_are_told_where_there_is_one():
    data = np.random.default_rng(1).standard_normal((64, 512))
    best = recommend(data, 1.07, count=1, codes="fixed", laws=[])[0]
    assert best.name == ""
    named = recommend(data, 8.5, count=15, codes="fixed", laws=[])
    assert {one.name for one in named if one.name} == {"q8_0"}
    assert all(one.format == parse_format(one.name) for one in named if one.name)


def test_progress_ends_at_all():
    steps = []
    data = np.random.default_rng(1).standard_normal((8, 128))
    recommend(data, 2.0, count=1, codes="fixed", laws=[], progress=lambda *step: steps.append(step))
    assert steps[-1][0] == steps[-1][1]
    assert all(0 < done <= total for done, total in steps)


@pytest.mark.parametrize("budget", [1.0, 2.0, 3.0, 4.25, 6.5, 8.0, 15.0])
def test_every_candidate_can_be_encoded_and_has_the_bits_that_are_counted(budget):
    array = np.random.default_rng(9).standard_normal((48, 80)).astype(np.float32)
    for format in grid(budget, []):
        encoded = encode(format, array)
        assert encoded.bits_per_element == pytest.approx(stored(format, [array.shape]), abs=1e-12), format
        assert parse_format(str(format)) == format


def test_steps_meet_the_budget_from_below():
    data = np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)
    for one in recommend(data, 5.5, codes="entropy", laws=[]):
        assert 5.4 < one.bits <= 5.51


def test_a_grid_of_steps_covers_blocks_and_statistics():
    statistics = {(str(one.block), one.scale.statistic) for one in stepped(4.0)}
    assert {("tensor", "rms"), ("128", "rms"), ("64", "absmax")} <= statistics
    assert all(one.code == "entropy" for one in stepped(4.0))


def test_overheads_are_counted_for_whole_tensors_not_for_the_sample():
    format = parse_format("int4,block=64")
    array = drawn(Normal(), (4, 64))
    trial = measured(format, [array], [(4, 64), (1000, 65)])
    scales, _ = overhead(format, [(4, 64), (1000, 65)])
    assert scales == 16 * (4 + 2000)
    assert trial.scale_bits == scales / (4 * 64 + 65_000)


def test_samples_are_evenly_spaced_rows():
    array = np.arange(4000.0).reshape(40, 100)
    (rows,) = sample_of([array], 1000)
    assert rows.shape == (10, 100)
    assert (rows[:, 0] % 100 == 0).all()
    assert rows[0, 0] == 0
    assert rows[-1, 0] == 3900
    assert sample_of([array])[0] is array


def test_a_small_budget_is_met_by_a_lossless_code_alone():
    found = recommend(Normal(), 0.5, count=1, shape=SHAPE)
    assert [one.format.code for one in found] == ["entropy"]
    assert found[0].bits <= 0.52
    assert least_bits([SHAPE]) == 1 + 16 / math.prod(SHAPE)


@pytest.mark.parametrize(
    ("data", "arguments", "error", "message"),
    [
        (Normal(), {"budget": 17}, ValueError, "budget must be between 0.25 and 16 bits per element, got 17"),
        (Normal(), {"budget": 0.1}, ValueError, "between 0.25 and 16"),
        (Normal(), {"budget": math.nan}, ValueError, "budget must be positive and finite"),
        (Normal(), {"budget": "four"}, TypeError, "budget must be a number"),
        (Normal(), {"budget": 0.9, "codes": "fixed"}, ValueError, "budget must be at least 1 bits"),
        (Normal(), {"budget": 4, "codes": "huffman"}, ValueError, "codes must be one of"),
        (Normal(), {"budget": 4, "count": 0}, ValueError, "count must be an integer of at least 1"),
        (Normal(), {"budget": 4, "tolerance": -1}, ValueError, "tolerance must be positive"),
        (np.zeros(8), {"budget": 4}, ValueError, "data must hold a value other than zero"),
        (np.ones((0, 3)), {"budget": 4}, ValueError, "data must not be empty"),
        (np.array([[1.0, np.nan]]), {"budget": 4}, ValueError, r"data\[0, 1\] is nan"),
        (np.array(["a"]), {"budget": 4}, TypeError, "data must be an array of float16"),
        ([1.0, 2.0], {"budget": 4}, TypeError, "data must be a Source, an array or a list of arrays"),
        ([], {"budget": 4}, ValueError, "at least one array"),
        (np.ones(1), {"budget": 4}, ValueError, "no format fits 4 bits per element of so small a tensor"),
    ],
    ids=str,
)
def test_bad_input_is_named(data, arguments, error, message):
    with pytest.raises(error, match=message):
        recommend(data, **arguments)


def test_relative_error_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3000, 700)).astype(np.float32)
    y = (x + 0.1 * rng.standard_normal(x.shape)).astype(np.float32)
    wanted = np.linalg.norm(x.astype(float) - y) / np.linalg.norm(x.astype(float))
    assert relative_error(x, y) == pytest.approx(wanted, rel=1e-12)
    assert relative_error(x, x) == 0
    for unit in (1e200, 1e-300):
        far = x[:9].astype(float) * unit
        assert relative_error(far, far * 1.25) == pytest.approx(0.25, rel=1e-12)
    assert relative_error(np.zeros(3), np.ones(3)) == math.inf
    with pytest.raises(ValueError, match=r"restored must be of shape \(3,\)"):
        relative_error(np.zeros(3), np.ones(4))
