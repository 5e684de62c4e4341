"""The noise floor of the arithmetic in what evaluations and reports print and draw."""

import json
import re

import pytest

from bitlaw.cli.llm.chart import divergence_chart
from bitlaw.cli.llm.report import report_tables

INT8 = "int8,block=channel,scale=absmax:float16"
INT3 = "int3,block=channel,scale=absmax:float16"
ON = ("--sequences", 4, "--length", 24, "--device", "cpu")


def row(name, kl, floor):
    return {
        "format": name,
        "predicted_kl": 0.9 * kl,
        "kl": kl,
        "kl_lower": 0.9 * kl,
        "kl_upper": 1.1 * kl,
        "kl_99": 4 * kl,
        "noise_floor": floor,
        "perplexity": 10.0,
        "reference_perplexity": 10.0,
        "same_top": 1.0,
        "warnings": [],
        **{key: 0.1 for key in ("predicted_bits", "bits", "predicted_r", "r", "median_r_ratio")},
    }


def report(*rows):
    about = {"model": "m", "parameters": 1, "parts": ["decoder"], "sequences": 1, "length": 2, "text": "t"}
    return report_tables(about | {"formats": rows, "tensors": []})[2]


def test_reports_have_a_column_for_the_floor_where_it_was_measured():
    table = report(row("int8", 7e-5, 3e-5), row("nf4", 0.1, None))
    place = table.columns.index("noise floor")
    assert [line[place] for line in table.rows] == ["3e-05", "-"]
    assert {len(line) for line in table.rows} == {len(table.columns)}
    bare = report(row("nf4", 0.1, None))
    assert "noise floor" not in bare.columns
    assert {len(line) for line in bare.rows} == {len(bare.columns)}


def test_charts_have_a_line_at_a_floor_that_is_near():
    def line(*rows):
        found = re.search(r'class="floor" d="M72 ([\d.]+)H', divergence_chart(rows))
        return float(found.group(1)) if found else None

    near = line(row("int8", 7e-5, 3e-5), row("nf4", 0.01, 3e-5))
    lower = line(row("int8", 7e-5, 2e-5), row("nf4", 0.01, 2e-5))
    assert 0 < near < lower  # pixels count from the top
    assert line(row("nf4", 0.01, 3e-5)) is None
    assert line(row("nf4", 0.01, None)) is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_evaluations_tell_which_divergences_are_near_the_floor(bitlaw, folder, dtype):
    words = ("llm", "evaluate", "--model", folder, *ON, "--formats", INT8, INT3, "--dtype", dtype)
    record = json.loads(bitlaw(*words, "--json").out)
    first, second = record["formats"]
    near = [INT8] if dtype == "bfloat16" else []
    assert record["near_noise_floor"] == near
    assert (record["noise_floor"] > 0.1 * first["kl"]) == bool(near)
    assert 0 < record["noise_floor"] < 0.1 * second["kl"]
    assert (record["sequences_for_5_percent"] is None) == bool(near)
    assert ("near the noise floor of the arithmetic" in bitlaw(*words).out) == bool(near)
