"""`bitlaw recommend`: what the library recommends, for laws and for the tensors of a file."""

import csv
import json

import numpy as np
import pytest

from bitlaw.theory import Laplace
from bitlaw.theory.formats import decode, encode, parse_format, recommend, relative_error


def content(outcome):
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_a_law_is_answered_as_the_library_does(bitlaw):
    words = ("--source", "laplace", "--std", 3, "--shape", "32x512", "--bits", 1.7, "--count", 2, "--json")
    found = content(bitlaw("recommend", *words))
    expected = recommend(Laplace(std=3.0), 1.7, count=2, shape=(32, 512))
    assert found["recommendations"] == json.loads(json.dumps([one.to_dict() for one in expected]))
    assert (found["budget"], found["data"]) == (1.7, "laplace")


def test_a_file_is_measured_on_its_matrices(bitlaw, workspace):
    found = content(bitlaw("recommend", "--file", "weights.npz", "--bits", 2.5, "--count", 2, "--json"))
    with np.load("weights.npz") as archive:
        layer = archive["layer0"]
    assert [parse_format(one["format"]).code for one in found["recommendations"]] == ["fixed"] * 2 + [
        "entropy"
    ] * 2
    for one in found["recommendations"]:
        encoded = encode(parse_format(one["format"]), layer)
        assert one["bits"] == pytest.approx(encoded.bits_per_element, abs=1e-2)
        assert one["R"] == pytest.approx(relative_error(layer, decode(encoded)), rel=1e-12)
    assert "codebooks designed for" in found["data"]


def test_people_see_ranks_costs_and_reasons(bitlaw, workspace):
    outcome = bitlaw("recommend", "--file", "weights.npz", "--bits", 2.5, "--count", 2)
    assert outcome.code == 0
    assert outcome.err == ""
    assert "codes of fixed length\nformat" in outcome.out
    assert "codes behind a lossless code, at their entropy\nformat" in outcome.out
    assert outcome.out.count("why the first:") == 2
    assert "a lossless code: R -" in outcome.out
    assert "measured" in outcome.out


def test_one_kind_of_code_can_be_asked_for(bitlaw, workspace):
    words = ("--bits", 2.5, "--count", 1, "--codes", "entropy", "--csv")
    rows = list(csv.DictReader(bitlaw("recommend", "--file", "weights.npz", *words).out.splitlines()))
    assert [row["format"].endswith("code=entropy") for row in rows] == [True]
    assert 2.3 < float(rows[0]["bits"]) <= 2.52


def test_nothing_of_fixed_length_is_said_where_none_fits(bitlaw):
    outcome = bitlaw("recommend", "--source", "normal", "--shape", "32x512", "--bits", 0.5, "--count", 1)
    assert outcome.code == 0
    assert "codes of fixed length: none fits" in outcome.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--source normal --bits 40", "budget must be between 0.25 and 16 bits per element, got 40"),
        ("--source normal --bits -1", "budget must be positive and finite"),
        (
            "--source normal --bits 0.5 --codes fixed",
            "budget must be at least 1 bits per element for codes of fixed",
        ),
        ("--source normal", "the following arguments are required: --bits"),
        ("--bits 4", "one of the arguments --file --source is required"),
        ("--source nromal --bits 4", "did you mean normal"),
        ("--source normal --bits 4 --codes arithmetic", "unknown name 'arithmetic'"),
        ("--source normal --bits 4 --tensor a", "--tensor goes with --file"),
        ("--source normal --bits 4 --count 0", "count must be at least 1"),
        ("--file none.npz --bits 4", "none.npz: no such file"),
        ("--file weights.npz --bits 4 --std 2", "--std and --shape go with --source"),
        ("--file weights.npz --bits 4 --tensor lyaer0", "did you mean layer0"),
        ("--file bad.npz --bits 4", "bad.npz: tensor 'bad': element [1, 2] is nan"),
        ("--file zero.npz --bits 4", "data must hold a value other than zero"),
    ],
)
def test_wrong_input_ends_in_one_line_that_says_why(bitlaw, workspace, words, message):
    bad = np.ones((3, 40))
    bad[1, 2] = np.nan
    np.savez("bad.npz", good=np.eye(8), bad=bad)
    np.savez("zero.npz", zero=np.zeros((8, 8)))
    outcome = bitlaw("recommend", *words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bitlaw: error: ")
    assert message in outcome.err
