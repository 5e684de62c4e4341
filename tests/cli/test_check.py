"""`bitlaw check`: any way a codebook is written down, and a verdict that scripts can use."""

import io
import json

import numpy as np
import pytest

from bitlaw.theory import Empirical, Laplace, Normal
from bitlaw.theory.quantisers.codebook_check import check_codebook

from .conftest import NF4

VALUES = [float(word) for word in NF4]


def write_forms(folder):
    """The same codebook in every form that is read."""
    (folder / "list.json").write_text(json.dumps(VALUES))
    (folder / "object.json").write_text(json.dumps({"codepoints": VALUES}))
    (folder / "design.json").write_text(json.dumps({"quantiser": {"codepoints": VALUES}, "more": 1}))
    (folder / "column.csv").write_text(
        "index,codepoint\n" + "\n".join(f"{k},{x!r}" for k, x in enumerate(VALUES))
    )
    (folder / "line.txt").write_text(", ".join(map(repr, VALUES)))
    (folder / "marked.txt").write_text("\ufeff" + "\n\n".join(map(repr, VALUES)), encoding="utf-8")
    np.save(folder / "array.npy", np.array(VALUES))
    return [
        "nf4.txt",
        "list.json",
        "object.json",
        "design.json",
        "column.csv",
        "line.txt",
        "marked.txt",
        "array.npy",
    ]


def test_every_form_of_a_codebook_is_judged_alike(bitlaw, workspace):
    outcomes = [bitlaw("check", name, "--json") for name in write_forms(workspace)]
    assert {outcome.code for outcome in outcomes} == {0}
    assert len({outcome.out for outcome in outcomes}) == 1


def test_json_holds_exactly_what_the_library_answers(bitlaw, workspace):
    record = json.loads(bitlaw("check", "nf4.txt", "--source", "laplace", "--json").out)
    expected = check_codebook(VALUES, Laplace())
    for name in ("scale", "absmax", "distortion", "distortion_as_given", "entropy", "optimum", "excess"):
        assert record[name] == getattr(expected, name)
    assert record["source"] == {"name": "laplace", "std": 1.0}


def test_standard_input_is_a_dash(bitlaw, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("-1 0 1"))
    assert json.loads(bitlaw("check", "-", "--json").out)["levels"] == 3


def test_design_is_optimal_in_the_eyes_of_check(bitlaw, workspace):
    bitlaw("design", "--source", "student-t:5", "--levels", 8, "--std", 3, "--json", "--output", "book.json")
    outcome = bitlaw("check", "book.json", "--source", "student-t:5")
    assert outcome.code == 0
    assert "Optimal: at its best scale the codebook is 0% above" in outcome.out


def test_data_are_a_source_too(bitlaw, workspace):
    record = json.loads(bitlaw("check", "nf4.txt", "--data", "weights.npz:layer0", "--json").out)
    with np.load("weights.npz") as archive:
        expected = check_codebook(VALUES, Empirical(archive["layer0"]))
    assert record["excess"] == expected.excess
    assert record["certificate"] == "dynamic programming"


@pytest.mark.parametrize(
    ("tolerance", "code", "grade"),
    [(0.05, 1, "Wanting"), (4, 1, "Wanting"), (4.3, 0, "Good"), (50, 0, "Good")],
)
def test_exit_code_follows_the_tolerance(bitlaw, workspace, tolerance, code, grade):
    outcome = bitlaw("check", "nf4.txt", "--tolerance", tolerance)  # 4.19% above
    assert outcome.code == code
    assert (
        f"{grade}: at its best scale the codebook is 4.19% above the 16-level optimum for normal"
        in outcome.out
    )


def test_wasted_codes_and_disorder_are_reported(bitlaw, workspace):
    (workspace / "book.txt").write_text("2 -2 0 -0.0 1000 -1 1 0")
    outcome = bitlaw("check", "book.txt")
    assert outcome.code == 1
    assert "not ascending" in outcome.out
    assert "2 of its 8 codes repeat a value (0)" in outcome.out
    assert "1 codepoint could go at no cost (1000)" in outcome.out
    record = json.loads(bitlaw("check", "book.txt", "--json").out)
    assert (record["duplicates"], record["dead"], record["has_zero"]) == ([0.0], [1000.0], True)
    assert record["wanting"]
    assert record["verdict"].startswith("Wanting")


WRONG = {
    "": "is empty",
    "   \n": "is empty",
    "# nothing\n": "codepoints must number between 2 and 65536, got 0",
    "1\n2\nthree\n": "line 3: 'three' is not a number",
    "1\n2\nnan\n": "codepoints[2] is nan",
    "1 1 1": "codepoints must hold two different values",
    "7": "codepoints must number between 2 and 65536, got 1",
    "[1, 2": "truncated or not JSON",
    "[1, null]": "codepoint 1 is null, not a real number",
    "[1, true]": "codepoint 1 is true, not a real number",
    "[1, 1e999]": "codepoints[1] is inf",
    "[1, " + "9" * 400 + "]": "codepoint 1 is 9999",
    '{"levels": 3}': 'an object with "codepoints"',
    "index,codepoint\n0,1\n1\n": "line 3: '' is not a number",
}


@pytest.mark.parametrize("text", WRONG)
def test_codebook_that_cannot_be_read_is_named(bitlaw, workspace, text):
    (workspace / "book.txt").write_text(text)
    outcome = bitlaw("check", "book.txt")
    assert outcome.code == 2
    assert outcome.err.startswith("bitlaw: error: book.txt: ")
    assert WRONG[text] in outcome.err


def test_files_that_are_no_codebook_are_refused(bitlaw, workspace):
    np.save("square.npy", np.ones((2, 2)))
    np.save("objects.npy", np.array([1, "a"], dtype=object))
    (workspace / "cut.npy").write_bytes((workspace / "square.npy").read_bytes()[:100])
    (workspace / "binary.txt").write_bytes(bytes(range(128, 256)))
    for name, reason in {
        "none.txt": "No such file",
        ".": "is a folder",
        "square.npy": "codepoints must be one-dimensional",
        "objects.npy": "not a plain .npy array",
        "cut.npy": "truncated",
        "binary.txt": "is not text",
    }.items():
        outcome = bitlaw("check", name)
        assert (outcome.code, outcome.out) == (2, "")
        assert reason in outcome.err


def test_data_that_a_codebook_could_hold_without_error(bitlaw, workspace):
    np.save("four.npy", np.array([1.0, 2.0, 4.0, 7.0] * 3))
    (workspace / "book.txt").write_text("1 2 4 8")
    outcome = bitlaw("check", "book.txt", "--data", "four.npy", "--json")
    record = json.loads(outcome.out)
    assert (outcome.code, record["excess"], record["optimum"]) == (1, None, 0)
    assert "is not without error, as the 4-level optimum for four of four.npy is" in record["verdict"]
    (workspace / "book.txt").write_text("2 4 8 14")
    assert json.loads(bitlaw("check", "book.txt", "--data", "four.npy", "--json").out)["excess"] == 0


def test_negative_tolerance_is_refused(bitlaw, workspace):
    assert "--tolerance must be at least 0" in bitlaw("check", "nf4.txt", "--tolerance", "-1").err


def test_std_scales_the_best_scale_alone(bitlaw, workspace):
    one, three = (json.loads(bitlaw("check", "nf4.txt", "--std", std, "--json").out) for std in (1, 3))
    assert three["scale"] == pytest.approx(3 * one["scale"], rel=1e-12)
    assert three["excess"] == pytest.approx(one["excess"], rel=1e-9)
    assert one["scale"] == check_codebook(VALUES, Normal()).scale
