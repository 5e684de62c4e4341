"""The components of an allocation: what each costs and loses at each of its operating points.

A few components are given one by one; a hundred thousand are given as arrays.  Both become one table in which
the points of all components lie one after another.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._typing import ArrayLike, FloatArray

__all__ = ["Component", "ComponentTable", "component_table"]

_Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Component:
    """Something that is stored in one of several formats, such as a tensor.

    Attributes
    ----------
    name : str
        Named in errors.
    rates, distortions : array_like, shape (p,), p >= 1
        Bits per element and mean squared error per element of each operating point, in any order; finite,
        not negative.
    size : float
        Number of elements, > 0.
    weight : float
        What a unit of squared error costs here, >= 0.
    group : hashable, optional
        Components of equal group must take operating points of equal index.
    fixed : int, optional
        Index of the operating point that is taken whatever it costs.
    """

    name: str
    rates: ArrayLike
    distortions: ArrayLike
    size: float = 1.0
    weight: float = 1.0
    group: Hashable | None = None
    fixed: int | None = None


@dataclass(frozen=True, eq=False)
class ComponentTable:
    """Components as arrays, the points of all of them one after another.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n + 1,)
        Points of component i are offsets[i] to offsets[i + 1] - 1.
    rates, distortions : ndarray of float64, shape (offsets[-1],)
        Bits and mean squared error per element.
    sizes, weights : ndarray of float64, shape (n,)
        Elements, and cost of a unit of squared error.
    groups : ndarray of int64, shape (n,)
        Number of the group, -1 for none.
    fixed : ndarray of int64, shape (n,)
        Index of the point that must be taken, -1 for a free choice.
    names : sequence of str
        Names for errors; numbers are used where it is empty.

    Raises
    ------
    ValueError
        If shapes do not match, a number is negative, NaN or infinite, a size is 0, a fixed index is out of
        range, or the members of a group have different numbers of points or different fixed points.
    """

    offsets: _Ints
    rates: FloatArray
    distortions: FloatArray
    sizes: FloatArray
    weights: FloatArray
    groups: _Ints
    fixed: _Ints
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        count = self.offsets.size - 1
        if count < 1:
            raise ValueError("components must not be empty")
        if (np.diff(self.offsets) < 1).any():
            raise ValueError(f"{self.name(int(np.argmin(np.diff(self.offsets))))} has no operating point")
        for name in ("rates", "distortions"):
            self._check_points(name)
        for name, least in (("sizes", np.finfo(float).tiny), ("weights", 0.0)):
            values = getattr(self, name)
            wrong = np.flatnonzero(~(np.isfinite(values) & (values >= least)))
            if wrong.size:
                allowed = "positive" if least else "not negative"
                raise ValueError(
                    f"{name[:-1]} of {self.name(wrong[0])} must be finite and {allowed}, "
                    f"got {values[wrong[0]]}"
                )
        wrong = np.flatnonzero((self.fixed < -1) | (self.fixed >= np.diff(self.offsets)))
        if wrong.size:
            points = np.diff(self.offsets)[wrong[0]]
            raise ValueError(
                f"fixed of {self.name(wrong[0])} must be an index below {points}, got {self.fixed[wrong[0]]}"
            )
        self._check_groups()

    def __len__(self) -> int:
        return int(self.offsets.size - 1)

    @classmethod
    def from_arrays(
        cls,
        rates: ArrayLike,
        distortions: ArrayLike,
        *,
        sizes: ArrayLike = 1.0,
        weights: ArrayLike = 1.0,
        groups: ArrayLike | None = None,
        fixed: ArrayLike | None = None,
        names: Sequence[str] = (),
    ) -> ComponentTable:
        """Components that all have the same number of operating points.

        Parameters
        ----------
        rates : array_like, shape (n, p) or (p,)
            Bits per element; one row where all components have the same.
        distortions : array_like, shape (n, p)
            Mean squared error per element.
        sizes, weights : array_like, broadcast to shape (n,)
        groups, fixed : array_like of int, broadcast to shape (n,), optional
            Group number and fixed index, -1 for none.
        names : sequence of str, optional
        """
        loss = _real(distortions, "distortions")
        if loss.ndim != 2 or not loss.size:
            raise ValueError(f"distortions must have shape (n, p) and not be empty, got {loss.shape}")
        count, points = loss.shape
        return cls(
            np.arange(count + 1, dtype=np.int64) * points,
            _spread(_real(rates, "rates"), loss.shape, "rates").ravel(),
            loss.ravel(),
            _spread(_real(sizes, "sizes"), (count,), "sizes"),
            _spread(_real(weights, "weights"), (count,), "weights"),
            _indices(groups, count, "groups"),
            _indices(fixed, count, "fixed"),
            names,
        )

    def name(self, index: int) -> str:
        """Name of a component for an error."""
        return f"component {self.names[index]!r}" if len(self.names) else f"component {index}"

    def _check_points(self, name: str) -> None:
        values = getattr(self, name)
        wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if wrong.size:
            owner = int(np.searchsorted(self.offsets, wrong[0], side="right")) - 1
            raise ValueError(
                f"{name} of {self.name(owner)} must be finite and not negative, got {values[wrong[0]]}"
            )

    def _check_groups(self) -> None:
        members = np.flatnonzero(self.groups >= 0)
        members = members[np.argsort(self.groups[members], kind="stable")]
        same = self.groups[members][1:] == self.groups[members][:-1]
        points = np.diff(self.offsets)[members]
        uneven = np.flatnonzero(same & (points[1:] != points[:-1]))
        if uneven.size:
            one, two = (self.name(int(members[uneven[0] + k])) for k in (0, 1))
            raise ValueError(f"{one} and {two} share a group but not their number of operating points")
        free = members[self.fixed[members] >= 0]
        clash = np.flatnonzero(
            (self.groups[free][1:] == self.groups[free][:-1])
            & (self.fixed[free][1:] != self.fixed[free][:-1])
        )
        if clash.size:
            one, two = (self.name(int(free[clash[0] + k])) for k in (0, 1))
            raise ValueError(f"{one} and {two} share a group but are fixed at different operating points")


def component_table(components: Iterable[Component] | ComponentTable) -> ComponentTable:
    """Table of components given one by one, or the table itself."""
    if isinstance(components, ComponentTable):
        return components
    items = list(components)
    for item in items:
        if not isinstance(item, Component):
            raise TypeError(f"components must be Component objects or a ComponentTable, got {item!r}")
    points = [(_real(c.rates, "rates"), _real(c.distortions, "distortions")) for c in items]
    for item, (rates, distortions) in zip(items, points, strict=True):
        if rates.ndim != 1 or rates.shape != distortions.shape:
            raise ValueError(
                f"rates and distortions of component {item.name!r} must be one-dimensional and of one "
                f"length, got shapes {rates.shape} and {distortions.shape}"
            )
    numbers: dict[Hashable, int] = {}
    groups = [-1 if c.group is None else numbers.setdefault(c.group, len(numbers)) for c in items]
    return ComponentTable(
        np.concatenate([[0], np.cumsum([rates.size for rates, _ in points])]).astype(np.int64),
        np.concatenate([np.empty(0), *(rates for rates, _ in points)]),
        np.concatenate([np.empty(0), *(distortions for _, distortions in points)]),
        _real([c.size for c in items], "size"),
        _real([c.weight for c in items], "weight"),
        np.array(groups, dtype=np.int64),
        _indices([-1 if c.fixed is None else c.fixed for c in items], len(items), "fixed"),
        [c.name for c in items],
    )


def _real(values: ArrayLike, name: str) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers, but their type is {array.dtype}")
    return array.astype(np.float64)


def _spread(array: FloatArray, shape: tuple[int, ...], name: str) -> FloatArray:
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} must broadcast to shape {shape}, got {array.shape}") from None


def _indices(values: ArrayLike | None, count: int, name: str) -> _Ints:
    if values is None:
        return np.full(count, -1, dtype=np.int64)
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, but their type is {array.dtype}")
    try:
        return np.broadcast_to(array.astype(np.int64), (count,))
    except ValueError:
        raise ValueError(f"{name} must broadcast to shape ({count},), got {array.shape}") from None
