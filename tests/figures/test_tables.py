"""Rows of the tables that figures read come from the functions that are said to make them."""

import pytest

from bitlaw.paper_figures.bound_curve import RATES, TABLED, bound_rate
from bitlaw.paper_figures.bound_table import POINTS
from bitlaw.paper_figures.operating_points import LAWS
from bitlaw.paper_figures.vector_measurements import LATTICES, STATES, measure_lattice, measure_trellis
from bitlaw.paper_figures.vector_table import LATTICE_ROWS, TRELLIS_ROWS
from bitlaw.theory import GeneralisedNormal, distortion_rate


@pytest.mark.parametrize(("name", "rate"), [("Laplace", 0.35), ("StudentT(5)", 2.0), ("StudentT(7)", 6.0)])
def test_points_of_the_bound_are_those_of_the_rate_distortion_function(name, rate):
    limit = distortion_rate(TABLED[name], rate)
    assert POINTS[name][RATES.index(rate)] == pytest.approx((limit.distortion, limit.slope), rel=1e-6)


def test_tables_are_complete():
    assert set(POINTS) == set(TABLED)
    assert {len(points) for points in POINTS.values()} == {len(RATES)}
    assert set(LATTICE_ROWS) == set(LATTICES)
    assert set(TRELLIS_ROWS) == {(code, states) for code in ("fixed", "entropy") for states in STATES}
    assert {len(rows) for rows in (*LATTICE_ROWS.values(), *TRELLIS_ROWS.values())} == {len(LAWS)}


def test_a_law_without_a_table_is_computed():
    law = GeneralisedNormal(3)
    limit = distortion_rate(law, 2.0)
    assert float(bound_rate(law, limit.distortion)) == pytest.approx(2.0, abs=1e-9)


# Another machine may round a training step the other way and end at a neighbouring codebook: its measurement
# differs by less than the standard error, the draws being the same.


@pytest.mark.parametrize(("name", "law"), [("D4", 1), ("A2", 0)])
def test_rows_of_lattices_are_measured(name, law):
    _same(LATTICE_ROWS[name][law], measure_lattice(name, LAWS[law].source))


@pytest.mark.parametrize(("code", "states", "law"), [("fixed", 8, 0), ("entropy", 4, 2), ("fixed", 16, 1)])
def test_rows_of_trellises_are_measured(code, states, law):
    _same(TRELLIS_ROWS[code, states][law], measure_trellis(code, states, LAWS[law].source))


def _same(row, measured):
    rate, distortion, error = row
    assert measured.rate == pytest.approx(rate, abs=error)
    assert measured.distortion == pytest.approx(distortion, rel=error)
    assert measured.gap_error == pytest.approx(error, rel=0.05)
