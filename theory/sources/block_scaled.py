"""The law of an element of a block after the block's scale is divided out.

A format that scales blocks quantises U = X / S, not X.  The law of U is that of X where the scale is a
constant, and another one where the scale is a statistic of the same block: the largest element becomes 1, all
others are shortened by a random amount.  What counts in the end is the error of the restored value S Q(U),
so an error of U weighs S^2.  Both measures are answered exactly, by one quadrature over the law of the scale.

The catch is that the two measures differ: codebooks are designed under the weighted one, code lengths follow
from the plain one.  `Source` keeps them apart for this reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .._arguments import check_choice
from .._typing import ArrayLike, FloatArray
from ._block_law import BlockLaw
from .base import Source
from .cells import checked_cells
from .inversion import lower_quantile, upper_quantile
from .panels import entropy_over
from .scale_steps import ScaleSteps

__all__ = ["BlockScaled"]

Tail = Callable[[ArrayLike], FloatArray]
Solver = Callable[[Source, FloatArray, FloatArray, FloatArray], FloatArray]

SCALES = ("absmax", "signmax", "rms")
_MOST = 2.0**32  # elements of a block; more are no block


@dataclass(frozen=True)
class BlockScaled(Source):
    """The law of U = X / S, X an element of a block of independent elements and S the block's scale.

    S is the largest magnitude of the block (absmax), the element of largest magnitude with its sign
    (signmax), or the root mean square (rms).  `probability`, `pdf`, `cdf`, `sf` and quantiles are those of U.
    `partial_moments` and `distortion_density` are weighted by S^2, so that second moments about codepoints
    add up to the mean squared error of the restored values, in the units of the source squared.

    Parameters
    ----------
    source : Source
        Law of the elements.
    block_size : float, 2 to 2^32
        Elements of a block, B.
    scale : {"absmax", "signmax", "rms"}
        What the elements are divided by.
    steps : ScaleSteps, optional
        How the scale is stored; kept exactly when left out.  With steps |U| may exceed 1, and a block whose
        stored scale is 0 is restored as 0: see `lost_energy`.
    zeros : float, 0 <= zeros < 1
        Probability that an element was taken out (an outlier kept apart) and is 0 in its block.  Such
        elements are atoms of the plain law at U = 0 and no part of the weighted measure.
    group : float, optional
        Number of blocks that share an outer scale, over 1: the largest statistic T of the group, in units of
        which the steps are then meant (the stored scale is T times the step of S / T).

    Attributes
    ----------
    std, mean : float
        Standard deviation and mean of the *restored* element (0 where it was taken out), in the source's
        units, so that the ratio of variance to distortion is that of the data.
    expected_scale, expected_square : float
        Mean and mean square of the (stored) magnitude of the scale.
    lost_energy, lost_probability : float
        Part of E[X^2] and of the probability that lies in blocks whose stored scale is 0.

    Raises
    ------
    ValueError
        If a number is out of its range, the scale is unknown, the source is itself block scaled, or group
        comes without steps.
    TypeError
        If an argument is of another type.

    Notes
    -----
    With an exact scale the maximum itself is an atom: 1/B of the plain law lies on +-1 (absmax) or on +1
    (signmax), so the differential entropy is -inf.

    References
    ----------
    Orr, Ribar and Luschi (2025), arXiv:2505.12988, for the weighting; David and Nagaraja (2003), "Order
    Statistics".

    Examples
    --------
    >>> from bitlaw.theory import Laplace
    >>> from bitlaw.theory.sources import BlockScaled
    >>> law = BlockScaled(Laplace(), 64)
    >>> print(f"{law.expected_scale:.10f} {law.probability(0.999, 1.0):.6f}")
    3.3544374272 0.007842
    """

    source: Source
    block_size: float
    scale: str = "absmax"
    steps: ScaleSteps | None = field(default=None, kw_only=True)
    zeros: float = field(default=0.0, kw_only=True)
    group: float | None = field(default=None, kw_only=True)
    std: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.source, Source):
            raise TypeError(f"source must be a Source, got {self.source!r}")
        if isinstance(self.source, BlockScaled):
            raise ValueError("source must be the law of the elements themselves, got a block-scaled one")
        check_choice("scale", self.scale, SCALES)
        object.__setattr__(self, "block_size", _between("block_size", self.block_size, 2.0, _MOST))
        object.__setattr__(self, "zeros", _between("zeros", self.zeros, 0.0, math.nextafter(1.0, 0.0)))
        if self.steps is not None and not isinstance(self.steps, ScaleSteps):
            raise TypeError(f"steps must be ScaleSteps, got {self.steps!r}")
        if self.group is not None:
            if self.steps is None:
                raise ValueError(f"group needs steps, which say how the scales are stored; got {self.group}")
            if self.scale == "rms":
                raise ValueError("group needs a scale by the largest magnitude, got rms")
            object.__setattr__(self, "group", _between("group", self.group, 1.0, math.inf))
        kept = 1.0 - self.zeros
        spread = kept * (self.source.std**2 + self.zeros * self.source.mean**2)
        object.__setattr__(self, "std", math.sqrt(spread))

    @cached_property
    def _law(self) -> BlockLaw:
        if self.scale == "rms":
            from ._block_rms import RmsLaw

            return RmsLaw(self.source, self.block_size, self.steps, self.zeros)
        from ._block_extreme import extreme_law

        return extreme_law(
            self.source, self.block_size, self.scale == "signmax", self.steps, self.zeros, self.group
        )

    @property
    def mean(self) -> float:
        """Mean of the restored element."""
        return (1.0 - self.zeros) * self.source.mean

    @property
    def support(self) -> tuple[float, float]:
        """Smallest interval that holds all of U."""
        return self._law.support

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """Whether the elements are measured data: there is no density then."""
        return self._law.discrete

    @property
    def symmetric(self) -> bool:
        """Whether the source is, and the scale has no sign."""
        return self.source.symmetric and self.scale != "signmax"

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Points where a density of U is not analytic, and atoms."""
        return tuple(sorted({*self._law.breakpoints, *map(float, self._law.atoms.places)}))

    @property
    def log_concave(self) -> bool:
        """Never claimed."""
        return False

    @property
    def expected_scale(self) -> float:
        """Mean of the magnitude of the scale, as it is stored."""
        return self._law.expected_scale

    @property
    def expected_square(self) -> float:
        """Mean square of the scale, as it is stored."""
        return self._law.expected_square

    @property
    def lost_energy(self) -> float:
        """Part of E[X^2] in blocks whose stored scale is 0."""
        return self._law.lost_energy

    @property
    def lost_probability(self) -> float:
        """Probability of blocks whose stored scale is 0."""
        return self._law.lost_probability

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density of U between its atoms."""
        return self._at(self._law.density, x)

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Natural logarithm of the density of U between its atoms."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.pdf(x)))

    def distortion_density(self, x: ArrayLike) -> FloatArray:
        """Density of the weighted measure between its atoms."""
        return self._at(self._law.distortion_density, x)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(U <= x)."""
        return self._at(lambda u: self._law.probability(np.full(u.size, -np.inf), u), x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(U > x)."""
        return self._at(lambda u: self._law.probability(u, np.full(u.size, np.inf)), x)

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Smallest u with cdf(u) >= q; NaN outside [0, 1]."""
        q = np.asarray(q, dtype=np.float64)
        return self._quantile(q, self.cdf, lower_quantile, 1.0).reshape(q.shape)

    def isf(self, q: ArrayLike) -> FloatArray:
        """Smallest u with sf(u) <= q; NaN outside [0, 1]."""
        q = np.asarray(q, dtype=np.float64)
        return self._quantile(q, self.sf, upper_quantile, -1.0).reshape(q.shape)

    def differential_entropy(self) -> float:
        """Differential entropy of U in bits: -inf where it has atoms, else by quadrature."""
        if self._law.atoms.places.size or self._law.discrete:
            return -math.inf
        return entropy_over(self, np.array(self._law.breakpoints))

    def partial_moments(self, lower: ArrayLike, upper: ArrayLike, about: ArrayLike = 0.0) -> FloatArray:
        """Weighted moments of order 0, 1 and 2 of (lower, upper] about points; see `Source`."""
        a, b, c, shape = checked_cells(lower, upper, about)
        return self._law.moments(a, b, c).reshape((3, *shape))

    def probability(self, lower: ArrayLike, upper: ArrayLike) -> FloatArray:
        """Probability that U lies in (lower, upper]."""
        a, b, _, shape = checked_cells(lower, upper, 0.0)
        return self._law.probability(a, b).reshape(shape)

    def _at(self, function: Callable[[FloatArray], FloatArray], x: ArrayLike) -> FloatArray:
        points = np.asarray(x, dtype=np.float64)
        flat = points.reshape(-1)
        known = ~np.isnan(flat)
        out = np.full(flat.size, np.nan)
        out[known] = function(flat[known])
        return out.reshape(points.shape)

    def _quantile(self, q: FloatArray, tail: Tail, solve: Solver, sign: float) -> FloatArray:
        """Atoms hold an interval of probabilities each; between two of them the law is smooth."""
        flat, (low, high) = q.reshape(-1), self.support
        if self._law.discrete:
            return self._bisected(flat, tail, sign)
        places = self._law.atoms.places
        at = np.concatenate([[low], places, [high]])
        after = np.array(tail(at))
        before = after - sign * np.concatenate([[0.0], self._law.atoms.plain, [0.0]])
        if sign > 0:
            piece = np.clip(np.searchsorted(before[1:], flat, side="right"), 0, at.size - 2)
            inside = flat > after[piece]
        else:
            piece = np.clip(np.searchsorted(-before[1:], -flat, side="right"), 0, at.size - 2)
            inside = flat < after[piece]
        x = np.where(inside, 0.0, at[piece])
        if inside.any():
            x[inside] = solve(self, flat[inside], at[piece[inside]], at[piece[inside] + 1])
        return np.where((flat >= 0.0) & (flat <= 1.0), x, np.nan)

    def _bisected(self, q: FloatArray, tail: Tail, sign: float) -> FloatArray:
        """Quantiles of data, to the last bits."""
        left, right = (np.full(q.size, end) for end in self.support)
        left = left - 1e-12
        for _ in range(60):
            middle = 0.5 * (left + right)
            enough = sign * (tail(middle) - q) >= 0.0
            left, right = np.where(enough, left, middle), np.where(enough, middle, right)
        return np.where((q >= 0.0) & (q <= 1.0), right, np.nan)


def _between(name: str, value: object, least: float, most: float) -> float:
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} must be between {least:g} and {most:g}, got {number}")
    return number
