"""Sources at another standard deviation."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from ..._arguments import check_positive
from ...sources import Empirical, Mixture, Source, Truncated, Wrapped, from_scipy
from ...sources.scale_family import ScaleFamily

__all__ = ["rescaled"]

_LARGEST = 1e100  # squares, and magnitudes far out in the tail, must stay in the range of float64


def rescaled(source: Source, std: float | None) -> Source:
    """Law of a multiple of X with the given standard deviation; the source itself where there is none.

    Raises
    ------
    TypeError
        If the source is none, or of a kind that is not known how to scale.
    ValueError
        If std is not positive and finite, or beyond 1e-100 to 1e100.
    """
    if not isinstance(source, Source):
        raise TypeError(f"source must be a Source, such as Normal(), got {source!r}")
    wanted = source.std if std is None else check_positive("std", std)
    if not 1 / _LARGEST <= wanted <= _LARGEST:
        raise ValueError(f"std must be between {1 / _LARGEST:g} and {_LARGEST:g}, got {wanted:g}")
    return source if wanted == source.std else _times(source, wanted / source.std)


@lru_cache(maxsize=128)
def _times(source: Source, factor: float) -> Source:
    if isinstance(source, ScaleFamily):
        return replace(source, std=source.std * factor)  # type: ignore[type-var]
    if isinstance(source, Mixture):
        return Mixture([_times(part, factor) for part in source.components], source.weights)
    if isinstance(source, Truncated):
        return Truncated(_times(source.source, factor), source.lower * factor, source.upper * factor)
    if isinstance(source, Empirical):
        values, weights = source.atoms()
        return Empirical(values.astype(float) * factor, weights)
    if isinstance(source, Wrapped):
        return _wrapped_times(source, factor)
    raise TypeError(f"std cannot be set for {source!r}; give a source that has it")


def _wrapped_times(source: Wrapped, factor: float) -> Source:
    frozen = source.distribution
    shapes, loc, scale = frozen.dist._parse_args(*frozen.args, **frozen.kwds)
    return from_scipy(
        frozen.dist(*shapes, loc=loc * factor, scale=scale * factor),
        log_concave=source.log_concave,
        breakpoints=[point * factor for point in source.breakpoints],
    )
