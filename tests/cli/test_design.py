"""`bitlaw design`: every form holds the numbers of the library, to the last bit."""

import csv
import json
import shutil
import subprocess

import numpy as np
import pytest

from bitlaw.theory import (
    Empirical,
    Laplace,
    Normal,
    ScalarQuantiser,
    StudentT,
    compand,
    entropy_constrained,
    evaluate,
    half_step_compander,
    lloyd_max,
    rate_distortion,
    shannon_lower_bound,
    uniform,
)

CASES = {
    "--source normal --levels 5": lambda: (Normal(), lloyd_max(Normal(), 5)),
    "--source student-t:4 --bits 3 --certify": lambda: (StudentT(4), lloyd_max(StudentT(4), 8, certify=True)),
    "--source laplace --std 3 --bits 2 --method half-step --power 0.5": lambda: (
        Laplace(3),
        half_step_compander(Laplace(3), 4, power=0.5),
    ),
    "--source normal --bits 4 --method compand --layout repeat-zero": lambda: (
        Normal(),
        compand(Normal(), 16, layout="repeat_zero"),
    ),
    "--source laplace --rate 1 --method entropy-constrained --variant dead-zone": lambda: (
        Laplace(),
        entropy_constrained(Laplace(), rate=1.0, variant="dead_zone"),
    ),
    "--source normal --slope 0.02 --method entropy_constrained": lambda: (
        Normal(),
        entropy_constrained(Normal(), slope=0.02),
    ),
    "--source normal --levels 8 --method uniform --kind mid-tread": lambda: (
        Normal(),
        uniform(Normal(), levels=8, kind="mid-tread"),
    ),
    "--source laplace --rate 2.5 --method uniform": lambda: (Laplace(), uniform(Laplace(), rate=2.5)),
}


@pytest.mark.parametrize("words", CASES)
def test_json_holds_exactly_what_the_library_answers(bitlaw, words):
    outcome = bitlaw("design", *words.split(), "--json")
    source, expected = CASES[words]()
    assert outcome.code == 0
    record = json.loads(outcome.out)
    assert ScalarQuantiser.from_dict(record["quantiser"]) == expected
    found = evaluate(expected, source)
    numbers = record["evaluation"]
    assert numbers["distortion"] == found.distortion
    assert numbers["entropy"] == found.entropy
    assert numbers["probabilities"] == found.probabilities.tolist()
    rate = found.entropy if "--rate" in words or "--slope" in words else found.rate
    assert numbers["rate"] == rate
    assert numbers["shannon_lower_bound"] == shannon_lower_bound(source, rate)


def test_csv_reads_back_as_the_same_quantiser(bitlaw):
    outcome = bitlaw("design", "--source", "laplace", "--levels", 9, "--csv")
    rows = list(csv.DictReader(outcome.out.splitlines()))
    expected = lloyd_max(Laplace(), 9)
    assert [float(row["codepoint"]) for row in rows] == expected.codepoints.tolist()
    assert [float(row["upper"]) for row in rows] == [*expected.thresholds.tolist(), np.inf]
    assert [float(row["lower"]) for row in rows] == [-np.inf, *expected.thresholds.tolist()]


@pytest.mark.parametrize("levels", [2, 4, 17])
def test_numpy_literal_defines_the_same_arrays(bitlaw, levels):
    outcome = bitlaw("design", "--source", "normal", "--levels", levels, "--numpy")
    names = {}
    exec(outcome.out, names)
    expected = lloyd_max(Normal(), levels)
    assert names["codepoints"].tolist() == expected.codepoints.tolist()
    assert names["thresholds"].tolist() == expected.thresholds.tolist()
    x = np.linspace(-4, 4, 101)
    assert (names["codepoints"][np.searchsorted(names["thresholds"], x)] == expected(x)).all()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")
def test_c_literal_compiles_to_the_same_doubles(bitlaw, tmp_path):
    outcome = bitlaw("design", "--source", "student-t:5", "--levels", 13, "--c")
    program = (
        outcome.out
        + """
#include <stdio.h>
int main(void) {
    for (int i = 0; i < 13; i++) printf("%a\\n", codepoints[i]);
    for (int i = 0; i < 12; i++) printf("%a\\n", thresholds[i]);
    return 0;
}
"""
    )
    (tmp_path / "book.c").write_text(program)
    command = [
        "cc",
        "-std=c99",
        "-Wall",
        "-Werror",
        "-pedantic",
        "-o",
        tmp_path / "book",
        tmp_path / "book.c",
    ]
    subprocess.run(command, check=True)
    printed = subprocess.run([tmp_path / "book"], check=True, capture_output=True, text=True).stdout
    expected = lloyd_max(StudentT(5), 13)
    values = [*expected.codepoints.tolist(), *expected.thresholds.tolist()]
    assert [float.fromhex(word) for word in printed.split()] == values


def test_comment_of_a_c_literal_cannot_end_early(bitlaw, workspace):
    (workspace / "a*").mkdir()
    shutil.copy("weights.npz", "a*/weights.npz")
    outcome = bitlaw("design", "--data", "a*/weights.npz:layer0", "--levels", 2, "--c")
    assert outcome.out.splitlines()[0].count("*/") == 1


def test_table_shows_distortion_and_gap(bitlaw):
    outcome = bitlaw("design", "--source", "normal", "--levels", 4)
    assert "0.117481847829" in outcome.out
    assert "log-concave law" in outcome.out
    assert "0.455255 bit" in outcome.out


def test_gap_to_the_rate_distortion_function_is_given_when_asked(bitlaw):
    words = ["--source", "normal", "--levels", "4", "--json"]
    assert json.loads(bitlaw("design", *words).out)["rate_distortion"] is None
    limit = json.loads(bitlaw("design", *words, "--rate-distortion").out)["rate_distortion"]
    found = evaluate(lloyd_max(Normal(), 4), Normal())
    assert limit["gap_bits"] == found.rate - rate_distortion(Normal(), found.distortion).rate


def test_data_are_designed_for_as_they_are(bitlaw, workspace):
    outcome = bitlaw("design", "--data", "weights.npz:layer1", "--levels", 4, "--certify", "--json")
    with np.load("weights.npz") as archive:
        source = Empirical(archive["layer1"])
    record = json.loads(outcome.out)
    assert record["quantiser"]["codepoints"] == lloyd_max(source, 4, certify=True).codepoints.tolist()
    assert record["source"]["std"] == source.std
    assert record["evaluation"]["gap_bits"] is None


def test_file_name_with_a_colon_is_no_tensor(bitlaw, workspace):
    np.save("odd:name.npy", np.linspace(-1, 1, 100))
    outcome = bitlaw("design", "--data", "odd:name.npy", "--levels", 2, "--json")
    assert json.loads(outcome.out)["source"]["tensor"] == "odd:name"


def test_codebook_of_thousands_is_cut_for_people_but_not_for_programs(bitlaw):
    words = ["design", "--source", "uniform", "--levels", "300", "--method", "compand"]
    shown, whole = bitlaw(*words), bitlaw(*words, "--csv")
    assert "236 cells in the middle are not shown" in shown.out
    assert len(whole.out.splitlines()) == 301


WRONG = {
    "--source norml --levels 4": "did you mean normal",
    "--source student-t --levels 4": "needs its df, as in student-t:5",
    "--source student-t:2 --levels 4": "df must exceed 2",
    "--source student-t:x --levels 4": "df of source student-t must be a number",
    "--source normal:1 --levels 4": "takes no parameter",
    "--source normal --std 0 --levels 4": "std must be positive and finite",
    "--source normal --std nan --levels 4": "std must be positive and finite",
    "--source normal --std one --levels 4": "argument --std: invalid float value",
    "--source normal --bits 0": "--bits must be between 1 and 16",
    "--source normal --bits 17": "--bits must be between 1 and 16",
    "--source normal --levels 1": "levels must be between 2 and 65536",
    "--source normal --levels 2.5": "argument --levels: invalid int value",
    "--source normal": "one of the arguments --levels --bits --rate --slope is required",
    "--levels 4": "one of the arguments --source --data is required",
    "--source normal --levels 4 --rate 1": "not allowed with argument --levels",
    "--source normal --levels 4 --data w.npz": "not allowed with argument --source",
    "--source normal --rate 1": "--rate goes with method entropy-constrained and uniform, not with lloyd-max",
    "--source normal --levels 4 --method entropy-constrained": "takes --rate, --slope",
    "--source normal --rate 13 --method entropy-constrained": "rate must be between 0.01 and 12",
    "--source normal --levels 4 --layout asymmetric": "--layout goes with method compand",
    "--source normal --levels 5 --method compand --layout asymmetric": "levels must be even",
    "--source normal --levels 4 --method compand --ends closed": "bounded support",
    "--source normal --levels 4 --method compand --layout sym": "did you mean symmetric",
    "--source normal --levels 4 --method loyd-max": "did you mean lloyd-max",
    "--source normal --levels 4 --json --csv": "not allowed with argument --json",
    "--data none.npz --levels 4": "none.npz: no such file",
    "--data weights.npz --levels 4": "holds 2 tensors; add one as weights.npz:NAME, of layer0, layer1",
    "--data weights.npz:layer2 --levels 4": "did you mean layer1 or layer0",
    "--data weights.npz:step --levels 4": "int64 is not one of the supported floating-point types",
    "--data weights.npz:layer0 --std 2 --levels 4": "--std goes with --source",
    "--data weights.npz:layer0 --rate 1 --method entropy-constrained": "needs a law with a density",
    "--data nan.npy --levels 4": r"samples must be finite, but samples[3] is nan",
    "--data few.npy --levels 8": "levels must be at most the number of distinct values, 3",
    "--data cut.npz --levels 4": "truncated or damaged",
    "--data nf4.txt --levels 4": "unknown kind of file '.txt'",
    "--source normal --levels 4 --output no/such/file": "the folder no/such does not exist",
    "--source normal --levels 4 --output .": "is a folder",
    "--source normal --levels 4 --output nf4.txt": "the file exists; add --force",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_input_ends_in_one_line_that_says_why(bitlaw, workspace, words):
    np.save("nan.npy", np.array([1.0, 2.0, 3.0, np.nan]))
    np.save("few.npy", np.array([1.0, 2.0, 3.0, 3.0]))
    (workspace / "cut.npz").write_bytes((workspace / "weights.npz").read_bytes()[:200])
    before = (workspace / "nf4.txt").read_text()
    outcome = bitlaw("design", *words.split())
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("bitlaw: error: ")
    assert WRONG[words] in outcome.err
    assert outcome.err.count("\n") == 1
    assert (workspace / "nf4.txt").read_text() == before


def test_output_goes_to_a_file_that_force_replaces(bitlaw, workspace):
    words = ["design", "--source", "normal", "--levels", "2", "--csv"]
    printed = bitlaw(*words).out
    outcome = bitlaw(*words, "--output", "book.csv")
    assert (outcome.code, outcome.out) == (0, "")
    assert (workspace / "book.csv").read_text() == printed
    assert bitlaw(*words, "--output", "book.csv").code == 2
    (workspace / "book.csv").write_text("old")
    assert bitlaw(*words, "--output", "book.csv", "--force").code == 0
    assert (workspace / "book.csv").read_text() == printed
    assert [path.name for path in workspace.iterdir() if path.name.endswith(".part")] == []
