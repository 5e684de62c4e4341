"""`bitlaw tables`: files that hold every digit of the library's rows."""

import csv
import json

import pytest

from bitlaw.theory import Normal, StudentT
from bitlaw.theory.tables import entropy_constrained_table, lloyd_max_table

SMALL = ["--sources", "normal,student-t:5", "--levels", "2,4-5", "--rates", "0.5,2", "--workers", "1"]
SOURCES = [Normal(), StudentT(5)]


def expected():
    return {
        "lloyd_max": lloyd_max_table(SOURCES, [2, 4, 5]),
        "entropy_constrained": entropy_constrained_table(SOURCES, [0.5, 2.0]),
    }


def test_files_hold_exactly_the_rows_of_the_library(bitlaw, workspace):
    outcome = bitlaw("tables", *SMALL, "--output", "out/tables")
    assert outcome.code == 0
    for name, rows in expected().items():
        folder = workspace / "out" / "tables"
        assert json.loads((folder / f"{name}.json").read_text())[name] == [row.to_dict() for row in rows]
        read = list(csv.DictReader((folder / f"{name}.csv").read_text().splitlines()))
        assert [float(line["distortion"]) for line in read] == [row.distortion for row in rows]
        assert [line["certificate"] for line in read] == [row.to_flat_dict()["certificate"] for row in rows]
        assert f"wrote out/tables/{name}.csv" in outcome.out


def test_json_on_standard_output_is_that_of_the_files(bitlaw):
    record = json.loads(bitlaw("tables", *SMALL, "--json").out)
    for name, rows in expected().items():
        assert record[name] == [row.to_dict() for row in rows]


def test_people_see_distortion_and_certificate(bitlaw):
    out = bitlaw("tables", *SMALL).out
    assert "0.117481847829" in out
    assert "dynamic programming: at most" in out


def test_only_files_of_its_own_names_are_replaced(bitlaw, workspace):
    (workspace / "mine.txt").write_text("mine")
    (workspace / "lloyd_max.csv").write_text("old")
    assert bitlaw("tables", *SMALL, "--output", ".").code == 0
    assert (workspace / "mine.txt").read_text() == "mine"
    assert (workspace / "lloyd_max.csv").read_text().startswith("source,levels")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--levels 1", "levels must be between 2 and 65536, got 1"),
        ("--levels 70000", "levels must be between 2 and 65536"),
        ("--levels 2-9999", "empty or too long"),
        ("--rates 0", "numbers must be positive and finite"),
        ("--rates 13 --sources normal --levels 2 --workers 1", "rate must be between 0.01 and 12"),
        ("--sources normal,cauchy", "unknown source 'cauchy'"),
        ("--workers 0", "workers must be at least 1, got 0"),
        ("--workers two", "workers must be an integer, got 'two'"),
        ("--output nf4.txt", "cannot make the folder"),
    ],
)
def test_wrong_input_ends_in_one_line_that_says_why(bitlaw, workspace, words, reason):
    outcome = bitlaw("tables", *words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bitlaw: error: ")
    assert reason in outcome.err
