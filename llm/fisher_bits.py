"""The published rule for bits of each tensor: b_t = b_0 + log2 RMS_t + 1/2 log2 (mean Fisher)_t.

It is the optimum where every tensor loses 6.02 dB with each bit and all have one error curve, and bits need not be
whole.  Widths of real formats are whole, so the rule is rounded, which is where most of its gain can go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..theory._arguments import check_positive
from ..theory._typing import FloatArray
from .fisher import Fisher
from .statistics import TensorStatistics

__all__ = ["fisher_bits"]

_ROUNDING = 1e-12  # part of the budget by which a sum of bits may exceed it


def fisher_bits(
    statistics: Mapping[str, TensorStatistics],
    fisher: Fisher,
    mean_bits: float,
    *,
    widths: Iterable[float] | None = None,
) -> dict[str, float]:
    """Bits per element of each tensor by its root mean square and mean Fisher information.

    b_t = b_0 + log2 RMS_t + 1/2 log2 F_t, with b_0 such that the mean over all elements is `mean_bits`.

    Parameters
    ----------
    statistics : mapping of str to TensorStatistics
        Of the tensors that share the bits.
    fisher : Fisher
    mean_bits : float > 0
    widths : iterable of float, optional
        Round to the nearest of these: b_0 rises as far as the mean allows, and what is left goes to the tensors
        next in line that it suffices for.

    Returns
    -------
    dict of str to float
        By name; without `widths` some may be negative, and the mean is `mean_bits`; with it the mean is at most that.

    Raises
    ------
    ValueError
        If there are no tensors, Fisher information is missing, a number is not positive, the smallest width is above
        the mean, or (without `widths`) a tensor has no Fisher information or only zeros, so that the rule gives it
        minus infinity; with `widths` it gets the smallest one.

    References
    ----------
    Orr, Ribar and Luschi (arXiv 2505.12988), section on variable bit allocation.
    """
    wanted = check_positive("mean_bits", mean_bits)
    if not statistics:
        raise ValueError("statistics must hold at least one tensor")
    sizes = np.array([found.elements for found in statistics.values()], dtype=np.float64)
    offsets = np.array([_offset(name, found, fisher) for name, found in statistics.items()])
    if widths is not None:
        bits = _rounded(offsets, sizes, wanted, _checked_widths(widths, wanted))
        return dict(zip(statistics, bits.tolist(), strict=True))
    if not np.isfinite(offsets).all():
        name = list(statistics)[int(np.argmin(offsets))]
        raise ValueError(
            f"{name}: weights or Fisher information are all zero, so that the rule has no answer"
        )
    bits = wanted + offsets - float(np.average(offsets, weights=sizes))
    return dict(zip(statistics, bits.tolist(), strict=True))


def _offset(name: str, statistics: TensorStatistics, fisher: Fisher) -> float:
    product = statistics.rms * fisher.mean(name) ** 0.5
    return float(np.log2(product)) if product > 0 else -np.inf


def _checked_widths(widths: Iterable[float], mean_bits: float) -> FloatArray:
    given = np.unique([check_positive("widths", width) for width in widths])
    if not given.size:
        raise ValueError("widths must not be empty")
    if given[0] > mean_bits * (1 + _ROUNDING):
        raise ValueError(f"mean_bits must be at least the smallest width, {given[0]:g}, got {mean_bits:g}")
    return given


def _rounded(offsets: FloatArray, sizes: FloatArray, mean_bits: float, widths: FloatArray) -> FloatArray:
    """Nearest widths, b_0 rising step by step: a tensor takes its next width where b_t passes the midpoint."""
    midpoints = (widths[1:] + widths[:-1]) / 2
    starts = (midpoints - offsets[:, None]).ravel()
    left = (mean_bits * (1 + _ROUNDING) - widths[0]) * sizes.sum()
    level = np.zeros(len(sizes), dtype=np.int64)
    full = np.zeros(len(sizes), dtype=np.bool_)
    for step in np.argsort(starts, kind="stable"):
        tensor, width = divmod(int(step), len(midpoints))
        cost = float(sizes[tensor] * (widths[width + 1] - widths[width]))
        if np.isinf(starts[step]) or full[tensor] or cost > left:
            full[tensor] = True
            continue
        left -= cost
        level[tensor] = width + 1
    return np.asarray(widths[level])
