"""What each scalar quantiser reaches on a law: rates and distortions from near 0 to 6 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import (
    ScalarQuantiser,
    Source,
    entropy_constrained,
    evaluate,
    lloyd_max,
    shannon_lower_bound,
    uniform,
)

from .bound_curve import bound_rate
from .laws import LAPLACE, NORMAL, Law, student_t

__all__ = ["LAWS", "METHODS", "Curve", "Reached", "reached"]

LAWS = (NORMAL, LAPLACE, student_t(5))

# Numbers of levels of the fixed-length curves, 1 to 6 bits, and entropies of the coded ones.
_LEVELS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)
_ENTROPIES = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)


@dataclass(frozen=True)
class Curve:
    """Operating points of one method: rate in bits, distortion over variance, gap to the bound in bits."""

    rate: NDArray[np.float64]
    distortion: NDArray[np.float64]
    gap: NDArray[np.float64]


@dataclass(frozen=True)
class Reached:
    """All methods on one law, and the bound itself.

    Attributes
    ----------
    law : Law
    curves : dict of str to Curve
        By the names of `METHODS`.
    bound : Curve
        The rate-distortion function; its gap is 0.
    shannon : ndarray of float64
        Shannon's lower bound at the rates of `bound`.
    """

    law: Law
    curves: dict[str, Curve]
    bound: Curve
    shannon: NDArray[np.float64]


def _fixed(design: Callable[[Source, int], ScalarQuantiser]) -> Callable[[Source], Curve]:
    def curve(source: Source) -> Curve:
        results = [evaluate(design(source, levels), source) for levels in _LEVELS]
        return _curve(source, [result.rate for result in results], [result.distortion for result in results])

    return curve


def _coded(design: Callable[[Source, float], ScalarQuantiser]) -> Callable[[Source], Curve]:
    def curve(source: Source) -> Curve:
        results = [evaluate(design(source, entropy), source) for entropy in _ENTROPIES]
        return _curve(
            source, [result.entropy for result in results], [result.distortion for result in results]
        )

    return curve


METHODS: dict[str, Callable[[Source], Curve]] = {
    "uniform": _fixed(lambda source, levels: uniform(source, levels)),
    "Lloyd-Max": _fixed(lambda source, levels: lloyd_max(source, levels)),
    "uniform, entropy-coded": _coded(lambda source, rate: uniform(source, rate=rate)),
    "entropy-constrained": _coded(lambda source, rate: entropy_constrained(source, rate=rate)),
}


def _curve(source: Source, rates: list[float], distortions: list[float]) -> Curve:
    rate, distortion = np.array(rates), np.array(distortions)
    return Curve(rate, distortion / source.std**2, rate - bound_rate(source, distortion))


@cache
def reached(law: Law) -> Reached:
    """Operating points of all methods on a law of unit variance."""
    source = law.source
    distortion = np.geomspace(shannon_lower_bound(source, 5.9), 1.0, 200)
    rate = bound_rate(source, distortion)
    return Reached(
        law,
        curves={name: method(source) for name, method in METHODS.items()},
        bound=Curve(rate, distortion, np.zeros_like(rate)),
        shannon=np.array([shannon_lower_bound(source, r) for r in rate]),
    )
