"""`bitlaw fit`: the analyses of the library, tensor by tensor, with what was passed over."""

import csv
import json

import numpy as np
import pytest

from bitlaw.cli.fit import law
from bitlaw.theory.fitting import analyse_file
from bitlaw.theory.fitting.summary import summarise


def test_json_holds_exactly_what_the_library_answers(bitlaw, workspace):
    record = json.loads(bitlaw("fit", "weights.npz", "--bits", "3,5", "--json").out)
    analyses = list(analyse_file("weights.npz", [3, 5]))
    assert record["tensors"] == json.loads(json.dumps([analysis.to_dict() for analysis in analyses]))
    assert [row["ratio"] for row in record["summary"]] == [row.ratio for row in summarise(analyses)]
    assert record["bits"] == [3, 5]


def test_csv_has_a_line_for_every_quantiser_and_every_tensor_passed_over(bitlaw, workspace):
    rows = list(csv.DictReader(bitlaw("fit", "weights.npz", "--bits", "2-4", "--csv").out.splitlines()))
    analyses = list(analyse_file("weights.npz", [2, 3, 4]))
    expected = [row.measured for analysis in analyses for row in analysis.comparisons]
    assert [float(row["measured"]) for row in rows if row["method"]] == expected
    (passed,) = [row for row in rows if not row["method"]]
    assert passed["tensor"] == "step"
    assert passed["skipped"] == "int64 is not one of the supported floating-point types"


def test_people_see_laws_errors_and_reasons(bitlaw, workspace):
    outcome = bitlaw("fit", "weights.npz", "--bits", "4")
    assert outcome.code == 0
    assert outcome.err == ""
    for analysis in analyse_file("weights.npz", [4]):
        assert analysis.best is None or law(analysis.best) in outcome.out
    assert "layer0: R predicted and measured" in outcome.out
    assert "all 2 tensors together" in outcome.out
    assert "int64 is not one" in outcome.out


def test_many_tensors_are_summed_up_unless_details_are_wanted(bitlaw, workspace):
    rng = np.random.default_rng(3)
    np.savez("many.npz", **{f"t{k}": rng.standard_normal(200) for k in range(5)})
    short, full = (
        bitlaw("fit", "many.npz", "--bits", "2").out,
        bitlaw("fit", "many.npz", "--bits", "2", "--details").out,
    )
    assert "t3: R predicted" not in short
    assert "t3: R predicted" in full


def test_nothing_to_fit_is_an_error_after_the_reasons(bitlaw, workspace):
    np.savez("none.npz", step=np.int64(3), two=np.ones(2), bad=np.full(100, np.nan))
    outcome = bitlaw("fit", "none.npz")
    assert outcome.code == 2
    assert "fewer than 64 values: 2" in outcome.out
    assert "samples[0] is nan" in outcome.out
    assert "no tensor could be analysed" in outcome.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("none.npz", "none.npz: no such file"),
        ("nf4.txt", "unknown kind of file"),
        ("cut.safetensors", "truncated or damaged"),
        ("weights.npz --bits 0", "bits must lie between 1 and 10, not 0"),
        ("weights.npz --bits 4-2", "range '4-2' is empty or too long"),
        ("weights.npz --bits four", "expected integers such as 2,4,8-16, got 'four'"),
        ("weights.npz --json --csv", "not allowed with argument"),
    ],
)
def test_wrong_input_ends_in_one_line_that_says_why(bitlaw, workspace, words, reason):
    (workspace / "cut.safetensors").write_bytes((workspace / "model.safetensors").read_bytes()[:-5])
    outcome = bitlaw("fit", *words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bitlaw: error: ")
    assert reason in outcome.err
