"""The logarithmic companders of telephony: mu-law and A-law (ITU-T G.711 in their continuous form).

They were made for signals of unknown level: their signal-to-noise ratio is nearly constant over a wide range
of input power, which no quantiser designed for one law offers.  The published curves are piecewise linear
approximations of these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy

from .._arguments import check_levels, check_positive
from .._typing import FloatArray
from ..sources import Source
from ._weights import spread_of
from .evaluation import evaluate
from .scalar import Design, ScalarQuantiser

__all__ = ["a_law", "mu_law"]

# Peaks searched, in standard deviations: from clipping half the data to a range that wastes ten bits.
_PEAKS = (0.5, 500.0)


def mu_law(source: Source, levels: int, *, mu: float = 255.0, peak: float | None = None) -> ScalarQuantiser:
    """Uniform quantiser behind the compressor y = log(1 + mu |x| / peak) / log(1 + mu).

    Parameters
    ----------
    source : Source
        The law; it only serves to find the peak.
    levels : int, 2 to 65,536
        Number of codepoints N, half a step inside [-peak, peak] after compression.
    mu : float, > 0
        Compression; 255 in G.711.
    peak : float, > 0, optional
        Overload point in the units of the data; the one of least distortion when left out.

    Returns
    -------
    ScalarQuantiser
        Thresholds are those of the compander, not midpoints.

    Raises
    ------
    ValueError
        If `levels`, `mu` or `peak` is out of range.

    References
    ----------
    Smith, Bell System Technical Journal 36 (1957); ITU-T G.711.

    Examples
    --------
    >>> from bitlaw.theory import Laplace, mu_law
    >>> mu_law(Laplace(), 6, peak=4.0).codepoints.round(4)
    array([-1.5779, -0.2353, -0.0238,  0.0238,  0.2353,  1.5779])
    """
    mu = check_positive("mu", mu)

    def expand(y: FloatArray) -> FloatArray:
        return np.asarray(np.sign(y) * np.expm1(np.abs(y) * np.log1p(mu)) / mu)

    return _companded(source, levels, peak, expand, "mu_law")


def a_law(source: Source, levels: int, *, a: float = 87.6, peak: float | None = None) -> ScalarQuantiser:
    """Uniform quantiser behind the A-law compressor: linear up to peak / A, logarithmic beyond.

    Parameters
    ----------
    source : Source
        The law; it only serves to find the peak.
    levels : int, 2 to 65,536
        Number of codepoints N, half a step inside [-peak, peak] after compression.
    a : float, >= 1
        Compression; 87.6 in G.711.
    peak : float, > 0, optional
        Overload point in the units of the data; the one of least distortion when left out.

    Returns
    -------
    ScalarQuantiser
        Thresholds are those of the compander, not midpoints.

    Raises
    ------
    ValueError
        If `levels`, `a` or `peak` is out of range.

    References
    ----------
    Cattermole, "Principles of Pulse Code Modulation" (1969); ITU-T G.711.

    Examples
    --------
    >>> from bitlaw.theory import Laplace, a_law
    >>> a_law(Laplace(), 4, peak=4.0).codepoints.round(4)
    array([-1.0183, -0.066 ,  0.066 ,  1.0183])
    """
    a = check_positive("a", a)
    if a < 1:
        raise ValueError(f"a must be at least 1, got {a}")
    scale = 1 + np.log(a)

    def expand(y: FloatArray) -> FloatArray:
        size = np.abs(y) * scale
        return np.asarray(np.sign(y) * np.where(size < 1, size, np.exp(size - 1)) / a)

    return _companded(source, levels, peak, expand, "a_law")


def _companded(
    source: Source,
    levels: int,
    peak: float | None,
    expand: Callable[[FloatArray], FloatArray],
    method: str,
) -> ScalarQuantiser:
    levels = check_levels(levels)
    codepoints = expand((2 * np.arange(levels) + 1) / levels - 1)
    thresholds = expand(2 * np.arange(1, levels) / levels - 1)
    if peak is None:
        peak = _best_peak(source, codepoints, thresholds)
    peak = check_positive("peak", peak)
    return ScalarQuantiser(
        peak * codepoints, peak * thresholds, design=Design(method=method, status="closed form")
    )


def _best_peak(source: Source, codepoints: FloatArray, thresholds: FloatArray) -> float:
    """Peak of least distortion: a logarithmic scan, refined around its best point."""

    def distortion(log_peak: float) -> float:
        peak = float(np.exp(log_peak))
        return evaluate(ScalarQuantiser(peak * codepoints, peak * thresholds), source).distortion

    scan = np.log(spread_of(source)) + np.linspace(np.log(_PEAKS[0]), np.log(_PEAKS[1]), 40)
    best = int(np.argmin([distortion(point) for point in scan]))
    bounds = (scan[max(best - 1, 0)], scan[min(best + 1, len(scan) - 1)])
    found = scipy.optimize.minimize_scalar(
        distortion, bounds=bounds, method="bounded", options={"xatol": 1e-9}
    )
    return float(np.exp(found.x))
