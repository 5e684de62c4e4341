"""Tabulated densities are the polynomials of their panels."""

import numpy as np
import pytest

from bitlaw.theory.sources._tabulated_law import DensityTable, polynomials_at


def plainly(edges, coefficients, places):
    """Slow oracle: one place after the other, by numpy's own Chebyshev series."""
    out = []
    for u in places:
        if not edges[0] <= u <= edges[-1]:
            out.append(0.0)
            continue
        panel = min(sum(edges[1:] <= u), len(coefficients) - 1)
        x = 2 * (u - edges[panel]) / (edges[panel + 1] - edges[panel]) - 1
        out.append(max(np.polynomial.chebyshev.chebval(x, coefficients[panel]), 0.0))
    return np.array(out)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("points", [2, 3, 20])
def test_values_are_those_of_the_chebyshev_series_of_the_panel(compiled, points):
    rng = np.random.default_rng(points)
    edges = np.array([0.0, 0.25, 0.5, 2.0, 2.5])
    coefficients = rng.standard_normal((4, points))
    places = np.concatenate(
        [edges, rng.uniform(-0.5, 3.0, 60), [np.nan, np.inf, -np.inf, np.nextafter(2.5, 3)]]
    )
    out = np.empty(places.size)
    (polynomials_at if compiled else polynomials_at.py_func)(edges, coefficients, places, out)
    np.testing.assert_allclose(out, plainly(edges, coefficients, places), rtol=1e-12, atol=1e-13)
    assert (out == 0.0).any()
    assert out.max() > 0.5


def test_a_table_keeps_relative_digits_of_both_densities_in_any_shape():
    table = DensityTable(lambda u: np.array([np.exp(-3 * u), 2 + np.cos(u)]), np.array([0.0, 1.0, 9.0]))
    u = np.random.default_rng(0).uniform(0.0, 9.0, (3, 40))
    np.testing.assert_allclose(table.plain(u), np.exp(-3 * u), rtol=1e-12)
    np.testing.assert_allclose(table.weighted(u.T), 2 + np.cos(u.T), rtol=1e-12)
    assert table.plain(np.array([9.5]))[0] == 0.0
