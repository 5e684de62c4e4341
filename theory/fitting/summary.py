"""Many tensors in a few lines: how far prediction and measurement part, for each quantiser."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from .analysis import Comparison, TensorAnalysis

__all__ = ["Agreement", "summarise"]


@dataclass(frozen=True)
class Agreement:
    """Predicted and measured relative errors of one quantiser design, over tensors.

    Attributes
    ----------
    method : str
    bits : int
    tensors : int
        Number of tensors that were analysed.
    predicted, measured : float
        Medians of R.
    ratio : float
        Median of measured over predicted.
    spread : float
        Median of the distance of that ratio from 1.
    within : float
        Fraction of tensors whose measured R lies within two standard errors of the predicted one: about 0.95
        if the laws were true and the values independent.
    """

    method: str
    bits: int
    tensors: int
    predicted: float
    measured: float
    ratio: float
    spread: float
    within: float


def summarise(analyses: Iterable[TensorAnalysis]) -> list[Agreement]:
    """Summarise the comparisons of tensors by method and bits.

    Parameters
    ----------
    analyses : iterable of TensorAnalysis
        Skipped ones count for nothing.

    Returns
    -------
    list of Agreement
        In the order in which methods and bits first occur; empty where nothing was compared.

    Examples
    --------
    >>> import numpy as np
    >>> from bitlaw.theory.fitting import analyse
    >>> rng = np.random.default_rng(0)
    >>> found = summarise(analyse("w", rng.laplace(size=10_000), bits=[4]) for _ in range(3))
    >>> [(row.method, row.tensors, abs(row.ratio - 1) < 0.05) for row in found]
    [('lloyd_max', 3, True), ('cube_root', 3, True), ('uniform', 3, True)]
    """
    groups: dict[tuple[str, int], list[Comparison]] = {}
    for analysis in analyses:
        for row in analysis.comparisons:
            groups.setdefault((row.method, row.bits), []).append(row)
    return [_agreement(method, bits, rows) for (method, bits), rows in groups.items()]


def _agreement(method: str, bits: int, rows: list[Comparison]) -> Agreement:
    ratios = [row.measured / row.predicted for row in rows]
    return Agreement(
        method=method,
        bits=bits,
        tensors=len(rows),
        predicted=median(row.predicted for row in rows),
        measured=median(row.measured for row in rows),
        ratio=median(ratios),
        spread=median(abs(ratio - 1) for ratio in ratios),
        within=sum(map(_agrees, rows)) / len(rows),
    )


def _agrees(row: Comparison) -> bool:
    error = 0.0 if math.isnan(row.standard_error) else row.standard_error
    return abs(row.measured - row.predicted) <= 2 * error
