"""`bitlaw limits`: the bound, and what each method reaches, as the library has them."""

import csv
import json

import numpy as np
import pytest

from bitlaw.theory import (
    Normal,
    StudentT,
    distortion_rate,
    entropy_constrained,
    evaluate,
    lloyd_max,
    rate_distortion,
    shannon_lower_bound,
)
from bitlaw.theory.limits import GISH_PIERCE_GAP, gish_pierce, panter_dite
from bitlaw.theory.quantisers import comparison
from bitlaw.theory.quantisers.comparison import compare, nearest_levels

SCALAR = (
    "Lloyd-Max",
    "cube-root compander",
    "uniform",
    "entropy-constrained",
    "uniform, entropy-coded",
    "Panter-Dite",
    "Gish-Pierce",
)


def methods(outcome):
    return {row["method"]: row for row in json.loads(outcome.out)["methods"]}


def test_at_two_bits_of_a_gaussian_the_published_numbers_are_printed(bitlaw):
    outcome = bitlaw("limits", "--source", "normal", "--rate", 2, "--json")
    assert outcome.code == 0
    content = json.loads(outcome.out)
    assert content["bound"]["distortion"] == content["bound"]["shannon_lower_bound"] == 0.0625
    rows = methods(outcome)
    assert tuple(rows) == SCALAR
    assert rows["Lloyd-Max"]["distortion"] == pytest.approx(0.1174818478, rel=1e-9)
    assert rows["entropy-constrained"]["gap_bits"] == pytest.approx(0.25, abs=0.01)
    assert rows["Gish-Pierce"]["gap_bits"] == pytest.approx(GISH_PIERCE_GAP, rel=1e-9)


def test_numbers_are_those_of_the_library(bitlaw):
    law = StudentT(5, std=3.0)
    outcome = bitlaw("limits", "--source", "student-t:5", "--std", 3, "--rate", 3, "--json")
    bound, exact = json.loads(outcome.out)["bound"], distortion_rate(law, 3.0)
    assert (bound["lower"], bound["upper"]) == (exact.lower, exact.upper)
    assert bound["shannon_lower_bound"] == shannon_lower_bound(law, 3.0)
    rows = methods(outcome)
    for name, quantiser in {
        "Lloyd-Max": lloyd_max(law, 8),
        "entropy-constrained": entropy_constrained(law, rate=3.0),
    }.items():
        result = evaluate(quantiser, law)
        row = rows[name]
        assert (row["distortion"], row["snr_db"]) == (result.distortion, result.snr_db)
        assert row["gap_bits"] == row["rate"] - rate_distortion(law, result.distortion).rate
    assert rows["Panter-Dite"]["distortion"] == panter_dite(law, 8)
    assert rows["Gish-Pierce"]["distortion"] == gish_pierce(law, 3.0)


def test_a_distortion_asks_for_its_least_rate(bitlaw):
    outcome = bitlaw("limits", "--source", "student-t:5", "--distortion", 0.05, "--json")
    content, exact = json.loads(outcome.out), rate_distortion(StudentT(5), 0.05)
    assert content["needed"] == {
        "distortion": 0.05,
        "rate": exact.rate,
        "lower": exact.lower,
        "upper": exact.upper,
    }
    assert content["bound"]["rate"] == exact.rate
    assert content["bound"]["distortion"] == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize("law", [Normal(), StudentT(5)], ids=repr)
def test_methods_keep_their_order_above_the_bound(law):
    found = {one.method: one for one in compare(law, 3.0).reached}
    assert all(one.gap_bits > 0 for one in found.values())
    assert found["Lloyd-Max"].distortion < found["cube-root compander"].distortion
    assert found["Lloyd-Max"].distortion < found["uniform"].distortion
    assert found["entropy-constrained"].distortion < found["uniform, entropy-coded"].distortion
    assert found["entropy-constrained"].gap_bits < found["Lloyd-Max"].gap_bits


@pytest.mark.parametrize(
    ("rate", "levels"), [(0, 2), (1, 2), (1.29, 2), (1.3, 3), (1.58, 3), (2, 4), (2.5, 6), (16, 65536)]
)
def test_levels_are_those_nearest_to_the_rate(rate, levels):
    assert nearest_levels(rate) == levels
    distance = [abs(np.log2(count) - rate) for count in (max(levels - 1, 2), levels, levels + 1)]
    assert min(distance) == distance[1]


def test_csv_has_every_method_and_every_digit(bitlaw):
    outcome = bitlaw("limits", "--source", "normal", "--rate", 2.5, "--csv")
    rows = list(csv.DictReader(outcome.out.splitlines()))
    assert [row["method"] for row in rows] == list(SCALAR)
    expected = evaluate(lloyd_max(Normal(), 6), Normal())
    assert float(rows[0]["distortion"]) == expected.distortion
    assert float(rows[0]["rate"]) == expected.rate


def test_the_table_names_the_bound_and_each_method(bitlaw):
    outcome = bitlaw("limits", "--source", "normal", "--rate", 2)
    assert "least distortion       0.0625" in outcome.out
    assert all(name in outcome.out for name in SCALAR)
    assert "+-" not in outcome.out


def test_methods_that_do_not_exist_at_the_rate_are_named_with_the_reason(bitlaw):
    outcome = bitlaw("limits", "--source", "normal", "--rate", 20)
    assert outcome.code == 0
    assert "left out: Lloyd-Max (more than 65536 levels)" in outcome.out
    assert "left out: entropy-constrained (rate must be between 0.01 and 12 bits" in outcome.out


def test_a_grid_too_short_for_its_tails_is_not_passed_off_as_an_entropy_coded_one():
    found = compare(StudentT(2.1), 12.0)
    reasons = dict(found.left_out)
    assert "do not reach the tails" in reasons["uniform, entropy-coded"]
    assert "uniform, entropy-coded" not in {one.method for one in found.reached}


def test_data_have_a_bound_and_the_methods_that_need_no_density(bitlaw, workspace):
    np.save("few.npy", np.linspace(-1, 1, 9))
    outcome = bitlaw("limits", "--data", "few.npy", "--rate", 2, "--json")
    assert outcome.code == 0
    rows = methods(outcome)
    assert {"Lloyd-Max", "uniform"} <= set(rows)
    assert rows["Lloyd-Max"]["gap_bits"] > 0
    left_out = {row["method"]: row["reason"] for row in json.loads(outcome.out)["left_out"]}
    assert "must have a density" in left_out["Panter-Dite"]


def test_exact_data_have_no_signal_to_noise_ratio_in_json(bitlaw, workspace):
    np.save("few.npy", np.array([-1.0, 1.0, 3.0, 4.0]))
    rows = methods(bitlaw("limits", "--data", "few.npy", "--rate", 2, "--json"))
    assert rows["Lloyd-Max"]["distortion"] == 0
    assert rows["Lloyd-Max"]["snr_db"] is None


def test_vector_quantisers_lie_between_the_scalar_ones_and_the_bound(bitlaw, monkeypatch):
    monkeypatch.setattr(comparison, "_TRAINING", 2**14)
    monkeypatch.setattr(comparison, "_MEASURED", 2**16)
    outcome = bitlaw("limits", "--source", "normal", "--rate", 2, "--vector", "--seed", 3, "--json")
    measured = {name: row for name, row in methods(outcome).items() if row["kind"] == "measured"}
    assert len(measured) == 6
    for row in measured.values():
        assert 0 < row["gap_error"] < 0.01
        assert row["rate"] == pytest.approx(2.0, abs=0.03)
        assert 0 < row["gap_bits"] - 4 * row["gap_error"]
        assert row["gap_bits"] + 4 * row["gap_error"] < 0.2544
    coarse, fine = measured["trellis, 8 states"], measured["trellis, 256 states"]
    assert fine["distortion"] < coarse["distortion"]


def test_another_seed_is_another_measurement_and_the_same_seed_the_same(monkeypatch):
    monkeypatch.setattr(comparison, "_TRAINING", 2**13)
    monkeypatch.setattr(comparison, "_MEASURED", 2**13)
    first, again, other = (compare(Normal(), 2.5, vector=True, seed=seed) for seed in (0, 0, 1))
    assert first.reached == again.reached
    assert first.reached != other.reached
    assert "whole bits only" in dict(first.left_out)["trellis, 8 states"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--source normal --rate -1", "rate must be finite and not negative, got -1"),
        ("--source normal --rate nan", "rate must be finite and not negative, got nan"),
        ("--source laplace --rate 25", "rate must be at most 24 bits"),
        ("--source normal --distortion 0", "distortion must be finite and positive"),
        ("--source normal", "one of the arguments --rate --distortion is required"),
        ("--rate 2", "one of the arguments --source --data is required"),
        ("--source normal --rate 2 --distortion 0.1", "not allowed with argument"),
        ("--source normal --rate 2 --seed 1", "--seed goes with --vector"),
        ("--source normal --rate 2 --vector --seed -1", "seed must be at least 0, got -1"),
        ("--source nosuch --rate 2", "nosuch"),
        ("--data few.npy --rate 2 --vector", "--vector needs a law with a density"),
        ("--data many.npy --rate 2", "4000"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(bitlaw, workspace, words, message):
    np.save("few.npy", np.linspace(-1, 1, 9))
    np.save("many.npy", np.linspace(-1, 1, 5000))
    outcome = bitlaw("limits", *words.split())
    assert outcome.code == 2
    assert outcome.out == ""
    assert message in outcome.err
    assert outcome.err.startswith("bitlaw: error: ")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 2, "seed": 1.5, "vector": True}, "seed must be an integer, got 1.5"),
        ({"rate": "two"}, "rate must be a real number"),
    ],
)
def test_wrong_types_are_named(arguments, message):
    with pytest.raises(TypeError, match=message):
        compare(Normal(), **arguments)
