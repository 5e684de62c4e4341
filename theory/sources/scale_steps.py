"""How a block's scale is stored: every statistic in an interval becomes one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import ArrayLike, FloatArray

__all__ = ["ScaleSteps"]


@dataclass(frozen=True, eq=False)
class ScaleSteps:
    """Steps of a stored scale: a statistic in (edges[j], edges[j + 1]] is stored as values[j].

    A statistic at or below edges[0] is stored as 0, and one above edges[-1] as values[-1].

    Parameters
    ----------
    edges : array_like of float, shape (n + 1,)
        Strictly ascending, not negative; the last one may be infinite.
    values : array_like of float, shape (n,)
        Positive, finite and strictly ascending, in the units of the edges.

    Raises
    ------
    ValueError
        If the shapes do not match, or the numbers are not as stated.
    TypeError
        If they are not real numbers.

    Examples
    --------
    >>> steps = ScaleSteps([0.5, 1.5, 3.0], [1.0, 2.0])
    >>> steps([0.5, 1.5, 1.6, 7.0])
    array([0., 1., 2., 2.])
    """

    edges: FloatArray
    values: FloatArray

    def __post_init__(self) -> None:
        edges, values = _ascending("edges", self.edges), _ascending("values", self.values)
        if values.size < 1 or edges.size != values.size + 1:
            raise ValueError(
                f"edges must hold one number more than values, got {edges.size} and {values.size}"
            )
        if edges[0] < 0.0 or not np.isfinite(edges[:-1]).all():
            raise ValueError(f"edges must be finite (but the last) and not negative, got {edges}")
        if not (values[0] > 0.0 and np.isfinite(values).all()):
            raise ValueError(f"values must be positive and finite, got {values}")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "values", values)

    def __repr__(self) -> str:
        return f"ScaleSteps({self.values.size} values, {self.values[0]:g} to {self.values[-1]:g})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScaleSteps):
            return NotImplemented
        return np.array_equal(self.edges, other.edges) and np.array_equal(self.values, other.values)

    def __hash__(self) -> int:
        return hash((self.edges.tobytes(), self.values.tobytes()))

    def __call__(self, statistic: ArrayLike) -> FloatArray:
        """Stored value of each statistic >= 0."""
        statistic = np.asarray(statistic, dtype=np.float64)
        bin_of = np.searchsorted(self.edges, statistic, side="left")
        stored = np.append(0.0, np.append(self.values, self.values[-1]))
        return np.asarray(stored[bin_of])


def _ascending(name: str, numbers: ArrayLike) -> FloatArray:
    try:
        array = np.array(numbers, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of real numbers: {error}") from None
    if array.ndim != 1 or np.isnan(array).any() or not (np.diff(array) > 0.0).all():
        raise ValueError(f"{name} must be one strictly ascending row of numbers, got {array}")
    array.flags.writeable = False
    return array
