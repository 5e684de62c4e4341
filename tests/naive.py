"""Slow, plain oracles: the textbook methods that the package replaces, kept for comparison."""

import numpy as np


def lloyd_iteration(source, codepoints, steps):
    """Alternate midpoints and centroids, as Lloyd (1957) did."""
    q = np.array(codepoints, dtype=float)
    for _ in range(steps):
        edges = np.concatenate([[-np.inf], (q[1:] + q[:-1]) / 2, [np.inf]])
        mass, first, _ = source.partial_moments(edges[:-1], edges[1:])
        q = first / mass
    return q


def nearest(x, codepoints):
    """Index of the nearest codepoint, the lower one of two equally near."""
    return np.array([int(np.argmin(np.abs(codepoints - value))) for value in np.ravel(x)]).reshape(
        np.shape(x)
    )


def riemann_distortion(quantiser, source, low, high, points=400_001):
    """Mean squared error by the trapezoidal rule on a grid."""
    x = np.linspace(low, high, points)
    return np.trapezoid((x - quantiser(x)) ** 2 * source.pdf(x), x)


def tridiagonal(diagonal, off):
    """Dense matrix of a symmetric tridiagonal one."""
    return np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1)
