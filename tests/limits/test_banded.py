"""The banded Cholesky factorisation solves what dense algebra solves."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory.limits._banded import banded_cholesky, solve_banded


def drawn_band(n, width, seed):
    """A positive definite band and its dense matrix."""
    rng = np.random.default_rng(seed)
    lower = np.tril(rng.standard_normal((n, n))) * (
        np.abs(np.subtract.outer(np.arange(n), np.arange(n))) < width
    )
    dense = lower @ lower.T + 0.1 * np.eye(n)
    band = np.zeros((n, width))
    for d in range(min(width, n)):
        band[: n - d, d] = np.diagonal(dense, -d)
    return band, dense


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_solutions_satisfy_the_dense_system(n, width, seed):
    band, dense = drawn_band(n, width, seed)
    right = np.random.default_rng(seed + 1).standard_normal(n)
    factor = band.copy()
    assert banded_cholesky(factor)
    np.testing.assert_allclose(dense @ solve_banded(factor, right), right, atol=1e-8)
    plain = band.copy()
    assert banded_cholesky.py_func(plain)
    np.testing.assert_allclose(plain, factor, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(solve_banded.py_func(plain, right), solve_banded(factor, right), rtol=1e-9)


@given(st.integers(2, 20), st.integers(0, 2**32 - 1))
def test_a_matrix_that_is_not_positive_definite_is_noticed(n, seed):
    band, _ = drawn_band(n, 3, seed)
    band[n // 2, 0] = -1.0
    assert not banded_cholesky(band)
