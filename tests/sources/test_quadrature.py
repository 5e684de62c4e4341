"""The Gauss-Legendre rules and the logarithm of the gamma function, against mpmath."""

from decimal import Decimal

import mpmath as mp
import numpy as np
import pytest

from bitlaw.theory.sources.log_gamma import log_gamma
from bitlaw.theory.sources.quadrature import legendre_rule


@pytest.mark.parametrize("n", [4, 8, 24])
def test_nodes_are_roots_of_the_legendre_polynomial_to_the_last_bit(n):
    nodes, _ = legendre_rule(n)
    with mp.workdps(40):
        for node in nodes[:, 0]:
            root = mp.findroot(lambda x: mp.legendre(n, x), 2 * mp.mpf(node) - 1)
            assert node == float((1 + root) / 2)


@pytest.mark.parametrize("n", [4, 8, 24])
def test_weights_integrate_every_polynomial_they_should(n):
    nodes, weights = legendre_rule(n)
    powers = np.arange(2 * n)
    assert (weights * nodes**powers).sum(axis=0) * (powers + 1) == pytest.approx(1, rel=4e-16 * n, abs=0)


def test_degree_beyond_the_rule_is_not_integrated():
    """Negative control."""
    nodes, weights = legendre_rule(4)
    assert abs((weights * nodes**8).sum() * 9 - 1) > 1e-5


def test_tables_in_double_precision_are_wrong_in_the_twelfth_digit():
    """Negative control: why the rules are polished."""
    nodes, weights = legendre_rule(24)
    x, w = np.polynomial.legendre.leggauss(24)
    assert np.abs(w / 2 / weights[:, 0] - 1).max() > 1e-14
    assert np.abs((1 + x) / 2 / nodes[:, 0] - 1).max() > 1e-15


@pytest.mark.parametrize("x", ["0.02", "0.06", "1", "2.5", "39.9", "40", "1000.5", "5e7", "1e12"])
def test_log_gamma_has_thirty_five_digits(x):
    with mp.workdps(60):
        expected = mp.loggamma(mp.mpf(x))
        error = mp.mpf(str(log_gamma(Decimal(x)))) - expected
        assert abs(error) < mp.mpf(10) ** -35 * max(1, abs(expected))
