"""`bitlaw llm errors`: the account of several formats, beside the library's."""

import json
import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from bitlaw.llm import workload
from bitlaw.llm.error_structure import error_structure
from bitlaw.llm.models import load_model
from bitlaw.llm.quantise import assign
from bitlaw.llm.reference import build_reference
from bitlaw.llm.text import token_sequences
from bitlaw.theory import parse_format

FREE = "lloyd3:normal,block=16,scale=absmax:float32"
CLOSED = "lloyd3:normal:closed,block=16,scale=absmax:float32"
ON = ("--sequences", 4, "--length", 24, "--device", "cpu")


@pytest.fixture
def errors(bitlaw, folder):
    """Run the task on the small model."""

    def run(*words):
        return bitlaw("llm", "errors", "--model", folder, *ON, *words)

    return run


def test_every_format_has_the_steps_of_the_library(errors, folder):
    record = json.loads(errors("--formats", FREE, CLOSED, "--draws", 1, "--json").out)
    model = load_model(folder, device="cpu")
    text = token_sequences("standard", model.tokenizer, length=24, count=4)
    reference = build_reference(model, text)
    assert [row["format"] for row in record["formats"]] == [FREE, CLOSED]
    for row in record["formats"]:
        assignment = assign(model.model, parse_format(row["format"]))
        expected = error_structure(model, assignment, reference, draws=1)
        assert row["r"] == pytest.approx(expected.error)
        assert row["gain"] == pytest.approx(expected.gain)
        assert row["diagonal"] > 0
        for name, estimate in expected.estimates.items():
            key = name.replace(" ", "_")
            bounds = row[f"{key}_lower"], row[key], row[f"{key}_upper"]
            assert bounds == pytest.approx(
                (estimate.lower, estimate.value, estimate.upper), rel=1e-3, abs=1e-9
            )
    free, closed = record["formats"]
    assert free["r"] < closed["r"]
    assert free["gain"] < closed["gain"] < 1
    assert free["largest"] > 100 * closed["largest"]  # closed ends hold block maxima


def test_tables_have_a_row_for_each_format(errors):
    outcome = errors("--formats", FREE, CLOSED)
    assert outcome.code == 0
    assert sum(line.startswith(FREE) for line in outcome.out.splitlines()) == 3
    assert sum(line.startswith(CLOSED) for line in outcome.out.splitlines()) == 3


def test_a_single_sequence_has_no_intervals(errors):
    row = json.loads(errors("--formats", FREE, "--sequences", 1, "--json").out)["formats"][0]
    assert (row["measured_lower"], row["measured_upper"]) == (None, None)
    assert row["measured"] > 0


def test_a_plan_tells_passes_and_what_errors_take(errors, monkeypatch):
    def never(*_, **__):
        raise AssertionError("weights are loaded")

    monkeypatch.setattr(workload, "load_model", never)

    def plan(*words):
        return json.loads(errors(*words, "--dry-run", "--json").out)

    one, two = plan("--formats", FREE), plan("--formats", FREE, CLOSED)
    each = 3 + 4 * (4 + 2)
    assert two["operations"] - one["operations"] == 2 * one["parameters"] * 96 * each
    more = plan("--formats", FREE, "--draws", 5)["memory_bytes"] - one["memory_bytes"]
    assert more > 3 * 4 * sum_of_decoder(errors)
    assert "does not divide" in errors("--formats", "int4_g64", "--dry-run").out


def sum_of_decoder(errors):
    words = errors("--formats", FREE, "--dry-run").out.split("in the decoder (")[1].split()[0]
    return int(words.replace(",", ""))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "--formats"),
        (("--formats", "nf44"), "formats with near names: nf4"),
        (("--formats", FREE, "--draws", "0"), "--draws: draws must be at least 1, got 0"),
        (("--formats", FREE, "--parts", "tail"), "unknown --parts 'tail'"),
        (("--formats", "int4,block=channel,rotation=hadamard:64"), "64 does not divide 32"),
    ],
)
def test_faults_are_named(errors, words, reason):
    outcome = errors(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err
    assert len(outcome.err.splitlines()) == 1
