"""The rate that the rate-distortion function asks for."""

from __future__ import annotations

import numpy as np

from ..sources import Normal, Source

__all__ = ["bound_rate"]


def bound_rate(source: Source, distortion: float) -> float:
    """R(D) in bits: closed for the Gaussian, elsewhere the Shannon lower bound."""
    if distortion >= source.std**2:
        return 0.0
    if isinstance(source, Normal):
        return float(np.log2(source.std) - 0.5 * np.log2(distortion))
    shannon = source.differential_entropy() - 0.5 * np.log2(2 * np.pi * np.e * distortion)
    return float(max(shannon, 0.0))
