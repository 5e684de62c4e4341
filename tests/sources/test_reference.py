"""Every row of the mpmath reference, at the accuracy that the sources promise."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from bitlaw.theory import sources

TABLES = json.loads(Path(__file__).parents[1].joinpath("reference", "sources.json").read_text())
TOLERANCE = 1e-12
BATCH = 300  # enough cells for the narrow ones to be sorted into rules of fewer points

from_hex = float.fromhex


def law_of(table):
    parameters = {key: from_hex(value) for key, value in table["parameters"].items()}
    return getattr(sources, table["law"])(**parameters)


def name_of(table):
    return repr(law_of(table))


def cells_of(table):
    """Ends, reference points, expected moments, and what the error of each moment is measured against."""
    lower, upper, about = np.array([[from_hex(v) for v in row[:3]] for row in table["moments"]]).T
    expected = np.array([[float(v) for v in row[3:6]] for row in table["moments"]]).T
    absolute = np.array([float(row[6]) for row in table["moments"]])
    return lower, upper, about, expected, np.stack([expected[0], absolute, expected[2]])


def points_of(table):
    return np.array([[from_hex(row[0]), *map(float, row[1:])] for row in table["points"]]).T


def quantiles_of(table):
    return np.array([[from_hex(q), float(x)] for q, x in table["quantiles"]]).T


each_law = pytest.mark.parametrize("table", TABLES, ids=name_of)


def test_reference_holds_laws_of_every_family():
    families = {table["law"] for table in TABLES}
    assert families == {"Normal", "Laplace", "Logistic", "Uniform", "StudentT", "GeneralisedNormal"}
    assert sum(len(table["moments"]) for table in TABLES) > 1000


@each_law
def test_partial_moments_of_all_cells_at_once_have_twelve_digits(table):
    lower, upper, about, expected, size = cells_of(table)
    error = np.abs(law_of(table).partial_moments(lower, upper, about) - expected) / size
    assert error.max() < TOLERANCE


@each_law
def test_partial_moments_of_single_cells_have_twelve_digits(table):
    law = law_of(table)
    for lower, upper, about, expected, size in zip(*(v.T for v in cells_of(table)), strict=True):
        error = np.abs(law.partial_moments(lower, upper, about) - expected) / size
        assert error.max() < TOLERANCE, (lower, upper, about)


@each_law
def test_partial_moments_of_many_cells_have_twelve_digits(table):
    lower, upper, about, expected, size = cells_of(table)
    copies = [np.tile(v, BATCH // lower.size + 1) for v in (lower, upper, about)]
    result = law_of(table).partial_moments(*copies)
    error = np.abs(result - np.tile(expected, BATCH // lower.size + 1)) / np.tile(
        size, BATCH // lower.size + 1
    )
    assert error.max() < TOLERANCE


@each_law
def test_density_and_its_logarithm_have_twelve_digits(table):
    law = law_of(table)
    x, density, log_density = points_of(table)[:3]
    for sign in (1, -1):
        assert np.abs(law.pdf(sign * x) / density - 1).max() < TOLERANCE
        assert np.abs(law.logpdf(sign * x) - log_density).max() < TOLERANCE * np.abs(log_density).max()


@each_law
def test_both_tails_have_twelve_digits(table):
    law = law_of(table)
    x, _, _, upper, lower = points_of(table)
    for got, expected in ((law.sf(x), upper), (law.cdf(-x), upper), (law.cdf(x), lower), (law.sf(-x), lower)):
        assert np.abs(got / expected - 1).max() < TOLERANCE


@each_law
def test_quantiles_have_twelve_digits(table):
    law = law_of(table)
    q, x = quantiles_of(table)
    assert np.abs(law.isf(q) / x - 1).max() < TOLERANCE
    assert np.abs(law.ppf(q) / -x - 1).max() < TOLERANCE


@each_law
def test_differential_entropy_has_twelve_digits(table):
    assert law_of(table).differential_entropy() == pytest.approx(
        float(table["entropy"]), rel=TOLERANCE, abs=0
    )


def test_difference_of_distribution_functions_loses_a_narrow_cell():
    """Negative control: what the panels are for."""
    table = next(t for t in TABLES if t["law"] == "Normal")
    lower, upper, _, expected, _ = cells_of(table)
    law = law_of(table)
    narrow = np.flatnonzero((upper - lower < 1e-8) & (lower > 0.1))
    naive = law.cdf(upper[narrow]) - law.cdf(lower[narrow])
    assert (np.abs(naive / expected[0, narrow] - 1) > 100 * TOLERANCE).all()


def test_shifting_the_moments_about_zero_loses_a_far_cell():
    """Negative control: the second moment of the tail beyond 30 about its centroid."""
    law = sources.Normal()
    mass, first, second = law.partial_moments(30.0, math.inf)
    centroid = first / mass
    exact = law.partial_moments(30.0, math.inf, centroid)[2]
    shifted = second - 2 * centroid * first + centroid**2 * mass
    assert abs(shifted / exact - 1) > 10 * TOLERANCE
