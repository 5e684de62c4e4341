"""Certified tables: rows are what the designers answer, however many processes share the work."""

import json
import math

import numpy as np
import pytest

from bitlaw.theory import (
    Empirical,
    Laplace,
    Normal,
    ScalarQuantiser,
    StudentT,
    Uniform,
    entropy_constrained,
    evaluate,
    lloyd_max,
    shannon_lower_bound,
)
from bitlaw.theory.tables import (
    TABLE_LEVELS,
    TABLE_RATES,
    TABLE_SOURCES,
    describe,
    entropy_constrained_table,
    lloyd_max_table,
)

SOURCES = [Normal(), StudentT(4)]


def test_rows_come_source_by_source_and_are_the_designers_answers():
    rows = lloyd_max_table(SOURCES, [2, 5])
    assert [(row.source, row.quantiser.levels) for row in rows] == [(s, n) for s in SOURCES for n in (2, 5)]
    for row in rows:
        assert row.quantiser == lloyd_max(row.source, row.quantiser.levels)
        found = evaluate(row.quantiser, row.source)
        assert (row.distortion, row.entropy, row.rate) == (found.distortion, found.entropy, found.rate)
        assert row.shannon_lower_bound == shannon_lower_bound(row.source, row.rate)
    rows = entropy_constrained_table(SOURCES, [0.5])
    assert [row.quantiser for row in rows] == [entropy_constrained(source, rate=0.5) for source in SOURCES]
    assert all(row.rate == row.entropy for row in rows)


def test_processes_change_nothing():
    one = [row.to_dict() for row in lloyd_max_table(SOURCES, [2, 7])]
    assert [row.to_dict() for row in lloyd_max_table(SOURCES, [2, 7], workers=2)] == one


@pytest.mark.parametrize("row", lloyd_max_table(levels=[2, 16]), ids=lambda row: repr(row.source))
def test_every_family_has_a_certificate(row):
    design = row.quantiser.design
    assert design.status == "converged"
    assert design.residual < 1e-13
    if row.source.log_concave:
        assert design.certificate == "log-concave law"
    else:
        assert float(design.certificate.split("at most ")[1].split(" ")[0]) < 1e-4


def test_certificates_end_where_they_cost_seconds():
    (row,) = lloyd_max_table([StudentT(5)], [257])
    assert row.quantiser.design.certificate == "local minimum"


def test_gap_is_the_rate_above_the_bound():
    (row,) = lloyd_max_table([Laplace()], [8])
    assert shannon_lower_bound(Laplace(), row.rate - row.gap_bits) == pytest.approx(row.distortion, rel=1e-12)
    assert row.distortion > row.shannon_lower_bound


def test_gaps_approach_a_quarter_bit_at_high_rate():
    gaps = [row.gap_bits for row in entropy_constrained_table([Normal(), Uniform()], [6.0])]
    assert gaps == pytest.approx([0.5 * math.log2(math.pi * math.e / 6)] * 2, abs=1e-4)


def test_dictionaries_survive_json_and_keep_large_codebooks_out():
    small, large = lloyd_max_table([Normal()], [256, 257])
    for row in (small, large):
        assert json.loads(json.dumps(row.to_dict(), allow_nan=False)) == row.to_dict()
    assert ScalarQuantiser(small.to_dict()["codepoints"]) == small.quantiser
    assert large.to_dict()["codepoints"] is None
    assert small.to_flat_dict().keys() < small.to_dict().keys()


def test_atoms_have_no_bound():
    source = Empirical(np.arange(10.0))
    row = describe(lloyd_max(source, 3), source, entropy_coded=False)
    assert row.gap_bits == math.inf
    assert row.numbers()["gap_bits"] is None
    assert row.relative_error == pytest.approx(math.sqrt(row.distortion / np.mean(np.arange(10.0) ** 2)))


def test_perfect_quantiser_has_no_gap_and_no_noise():
    source = Empirical([1.0, 2.0])
    numbers = describe(lloyd_max(source, 2), source, entropy_coded=True).numbers()
    assert (numbers["distortion"], numbers["snr_db"], numbers["entropy"]) == (0.0, None, 1.0)


def test_progress_counts_every_row():
    seen = []
    lloyd_max_table([Normal()], [2, 3, 4], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_defaults_cover_the_published_sizes():
    assert len(TABLE_SOURCES) == 12
    assert {2, 4, 8, 16, 256} <= set(TABLE_LEVELS)
    assert {0.25, 1.0, 8.0} <= set(TABLE_RATES)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: lloyd_max_table([Normal()], [1]), ValueError, "levels must be between 2 and 65536, got 1"),
        (lambda: lloyd_max_table([Normal()], [2.5]), TypeError, "levels must be an integer"),
        (lambda: entropy_constrained_table([Normal()], [0.0]), ValueError, "rate must be positive"),
        (lambda: entropy_constrained_table([Normal()], [99.0]), ValueError, "rate must be between"),
        (lambda: lloyd_max_table([Normal()], [2], workers=0), ValueError, "workers must be at least 1"),
        (lambda: lloyd_max_table([Normal()], [2], workers=1.5), TypeError, "workers must be an integer"),
    ],
)
def test_impossible_arguments_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.shared
@pytest.mark.parametrize("law", [Normal(), Laplace()], ids=["Normal", "Laplace"])
def test_tables_agree_with_independent_references(shared_json, law):
    name = type(law).__name__
    for row in lloyd_max_table([law]):
        reference = shared_json("reference/lloyd_max.json")["rows"][name].get(str(row.quantiser.levels))
        if reference:
            assert row.distortion == pytest.approx(reference["distortion"], rel=1e-10)
            assert row.entropy == pytest.approx(reference["entropy_bits"], abs=1e-10)
    for row in entropy_constrained_table([law], [0.25, 1.0, 2.0]):
        reference = shared_json("reference/entropy_constrained.json")["rows"][name].get(f"{row.rate:g}")
        if reference:
            assert row.distortion == pytest.approx(reference["distortion"], rel=1e-10)
