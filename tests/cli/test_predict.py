"""`bitlaw predict`: the predictions of the library, in a table, and of the laws fitted to tensors."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from bitlaw.cli.predict import _formats
from bitlaw.theory import Normal, StudentT
from bitlaw.theory.fitting import fit_all
from bitlaw.theory.formats import FORMAT_NAMES, predict
from bitlaw.theory.source_names import source_name

TWO = ("--format", "nf4", "--format", "int4,block=32")


def predictions(outcome):
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)["predictions"]


def table(outcome):
    """Rows of the first table, without its title and columns, empty ones among them."""
    return outcome.out.split("\n")[2:]


@pytest.mark.parametrize(
    ("name", "law"), [("normal", Normal(std=0.5)), ("student-t:5", StudentT(5, std=0.5))]
)
def test_numbers_are_those_of_the_library(bitlaw, name, law):
    rows = predictions(bitlaw("predict", *TWO, "--source", name, "--std", 0.5, "--shape", "64x100", "--json"))
    for row, text in zip(rows, TWO[1::2], strict=True):
        told = predict(text, law, shape=(64, 100))
        assert (row["bits"], row["R"], row["entropy"]) == (told.bits, told.R, told.entropy)
        assert (row["gap_bits"], row["compressed_gap_bits"]) == (told.gap_bits, told.compressed_gap_bits)
        assert (row["name"], row["source"], row["std"], row["shape"]) == (text, name, 0.5, [64, 100])


def test_usual_formats_on_a_gaussian_are_the_default(bitlaw):
    outcome = bitlaw("predict", "--csv")
    rows = list(csv.DictReader(outcome.out.splitlines()))
    names = {row["name"] for row in rows}
    assert {"nf4", "mxfp4", "nvfp4", "ternary", "fp8_e4m3", "int4_g64"} <= names
    assert len(names) == len(rows)
    assert {row["source"] for row in rows} == {"normal"}
    assert {row["shape"] for row in rows} == {"[4096, 4096]"}


def test_rows_of_about_equal_bits_stand_together_the_least_error_first(bitlaw):
    names = ("mxfp4", "q8_0", "nf4", "ternary", "int4_g64", "binary", "mxfp6")
    outcome = bitlaw("predict", *(word for name in names for word in ("--format", name)))
    groups = "\n".join(table(outcome)).split("\n\n")[:4]
    listed = [[line.split()[0] for line in group.splitlines()] for group in groups]
    assert listed == [["ternary", "binary"], ["nf4", "int4_g64", "mxfp4"], ["mxfp6"], ["q8_0"]]


def test_all_stands_for_every_name():
    formats = _formats(["all", "nf4"])
    assert list(formats) == list(FORMAT_NAMES)


def test_the_page_of_formats_says_what_each_name_stands_for_and_costs():
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert {name: text for name, text, *_ in rows} == FORMAT_NAMES
    for name, _, bits, error in rows:
        told = predict(name, Normal())
        assert f"{told.bits:.4g}" == bits
        assert float(error) == pytest.approx(told.R, abs=0.6e-4), name


@pytest.mark.parametrize(("key", "column"), [("r", "R"), ("gap", "gap_bits")])
def test_rows_are_sorted_as_asked(bitlaw, key, column):
    names = ("mxfp4", "nf4", "sf4", "q4_0")
    words = [word for name in names for word in ("--format", name)]
    values = {row["name"]: row[column] for row in predictions(bitlaw("predict", *words, "--json"))}
    listed = [line.split()[0] for line in table(bitlaw("predict", *words, "--sort", key))[:4]]
    assert listed == sorted(names, key=values.__getitem__)


def test_simulations_are_marked_with_their_standard_error(bitlaw):
    outcome = bitlaw("predict", "--format", "int3,block=32,search=block", "--shape", "64x64")
    assert "drawn, R ± " in outcome.out
    assert "taken as given: R and the entropy are means over" in outcome.out


def test_tensors_are_predicted_by_the_law_that_fits_them(bitlaw, workspace):
    rows = predictions(bitlaw("predict", "--file", "weights.npz", *TWO, "--tensor", "layer*", "--json"))
    with np.load("weights.npz") as archive:
        layer = archive["layer0"]
    mine = [row for row in rows if row["tensor"] == "layer0"]
    law = fit_all(layer)[0].source
    rms = float(np.sqrt(np.mean(layer.astype(float) ** 2)))
    for row, text in zip(mine, TWO[1::2], strict=True):
        assert row["std"] == pytest.approx(rms, rel=1e-12)
        assert row["shape"] == [40, 50]
        told = predict(text, law, std=rms, shape=(40, 50))
        assert row["R"] == pytest.approx(told.R, rel=1e-9)
        assert row["bits"] == told.bits


def test_the_fitted_law_is_that_of_all_values(bitlaw, workspace):
    values = np.random.default_rng(8).standard_t(4, size=(60, 100))
    np.save("heavy.npy", values)
    (row,) = predictions(bitlaw("predict", "--file", "heavy.npy", "--format", "nf4", "--json"))
    assert row["source"] == source_name(fit_all(values)[0].source)
    assert row["source"].startswith("student-t:")


def test_several_tensors_are_summed_up_by_their_elements(bitlaw, workspace):
    rng = np.random.default_rng(2)
    np.savez("two.npz", small=rng.standard_normal((8, 64)), large=rng.laplace(size=(64, 96)))
    words = ("predict", "--file", "two.npz", "--format", "nf4")
    rows, outcome = predictions(bitlaw(*words, "--json")), bitlaw(*words)
    assert "all 2 tensors together" in outcome.out
    total = outcome.out.partition("all 2 tensors together")[2].split("\n")[2].split()
    squares = np.average([row["R"] ** 2 for row in rows], weights=[8 * 64, 64 * 96])
    assert float(total[3]) == pytest.approx(squares**0.5, abs=1e-6)


def test_one_dimension_is_left_out_where_there_are_others(bitlaw, workspace):
    rows = predictions(bitlaw("predict", "--file", "weights.npz", "--format", "nf4", "--json"))
    assert [row["tensor"] for row in rows] == ["layer0"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--format mxpf4", "formats with near names: mxfp4"),
        ("--format nf4,blok=3", "format has no key 'blok'; did you mean block?"),
        ("--source nromal", "did you mean normal"),
        ("--shape 3xy", "expected a shape such as 4096x4096, got '3xy'"),
        ("--shape 0x4", "lengths must be at least 1"),
        ("--std -1", "std"),
        ("--sort size", "unknown name 'size'"),
        ("--file none.npz", "none.npz: no such file"),
        ("--file weights.npz --std 2", "--std and --shape go with --source"),
        ("--file weights.npz --tensor lyaer0", "unknown tensor of weights.npz 'lyaer0'; did you mean layer0"),
        ("--file weights.npz --tensor step", "no tensor of floating-point numbers to work on (step: int64"),
        ("--file bad.npz", "bad.npz: tensor 'bad': element [1, 2] is nan"),
        ("--file flat.npz", "flat.npz: tensor 'flat': no law fits: samples must"),
        ("--file weights.npz --source normal", "not allowed with argument"),
        ("--tensor layer0", "--tensor goes with --file"),
    ],
)
def test_wrong_input_ends_in_one_line_that_says_why(bitlaw, workspace, words, message):
    bad = np.ones((3, 40))
    np.savez("flat.npz", flat=bad)
    bad[1, 2] = np.nan
    np.savez("bad.npz", bad=bad)
    outcome = bitlaw("predict", *words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bitlaw: error: ")
    assert message in outcome.err
