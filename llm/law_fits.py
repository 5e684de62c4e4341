"""The laws that fit weights, compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..theory import Normal, Source, fit_all
from ..theory._typing import FloatArray

__all__ = ["FamilyFit", "best_law", "fit_families"]


@dataclass(frozen=True)
class FamilyFit:
    """The likeliest member of a family of laws.

    Attributes
    ----------
    family : str
        As `theory.fit` names it.
    source : Source
    aic : float
        Akaike's criterion, of the elements that were fitted: lower is better.
    log_likelihood : float
        Mean natural logarithm of the density: what a fit has more of than another, it saves in nats per element
        coded with it.
    ks_distance : float
        Largest difference between the distribution functions of elements and law.
    elements : int
        How many were fitted.
    """

    family: str
    source: Source
    aic: float
    log_likelihood: float
    ks_distance: float
    elements: int


def fit_families(values: FloatArray) -> tuple[FamilyFit, ...]:
    """Fit every family, the best by Akaike's criterion first; none where all values are equal.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite.

    Returns
    -------
    tuple of FamilyFit
    """
    if values.size < 2 or np.ptp(values) == 0:
        return ()
    return tuple(
        FamilyFit(f.family, f.source, f.aic, f.log_likelihood / f.count, f.ks_distance, f.count)
        for f in fit_all(values)
    )


def best_law(fits: tuple[FamilyFit, ...]) -> Source:
    """First law without a sharp end; normal where nothing was fitted."""
    return next((found.source for found in fits if found.family != "uniform"), Normal())
