"""Summaries of analyses are medians of their comparisons, method by method."""

import math
from statistics import median

import pytest

from bitlaw.theory.fitting import Comparison, TensorAnalysis
from bitlaw.theory.fitting.summary import summarise


def analysis(*rows, skipped=None):
    return TensorAnalysis("w", (100,), "float32", skipped, comparisons=tuple(rows))


def test_medians_and_shares_are_those_of_the_rows():
    rows = [Comparison("lloyd_max", 4, 0.1, r, 0.002) for r in (0.1, 0.103, 0.105, 0.12)]
    (found,) = summarise(analysis(row) for row in rows)
    assert (found.method, found.bits, found.tensors) == ("lloyd_max", 4, 4)
    assert found.predicted == 0.1
    assert found.measured == median(row.measured for row in rows)
    assert found.ratio == pytest.approx(1.04)
    assert found.spread == pytest.approx(0.04)
    assert found.within == 0.5  # 0.1 and 0.103, the others lie beyond two standard errors


def test_methods_and_sizes_are_kept_apart_in_their_order():
    one = analysis(*(Comparison(m, b, 0.1, 0.1, 0.01) for b in (3, 2) for m in ("uniform", "lloyd_max")))
    found = summarise([one, one])
    assert [(row.method, row.bits, row.tensors) for row in found] == [
        ("uniform", 3, 2),
        ("lloyd_max", 3, 2),
        ("uniform", 2, 2),
        ("lloyd_max", 2, 2),
    ]


def test_skipped_tensors_count_for_nothing():
    assert summarise([analysis(skipped="integers")]) == []
    assert summarise([]) == []


def test_exact_representation_has_no_standard_error_and_agrees_only_if_predicted():
    (found,) = summarise([analysis(Comparison("lloyd_max", 4, 0.1, 0.0, math.nan))])
    assert found.within == 0
    assert found.ratio == 0
