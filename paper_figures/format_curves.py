"""Formats on a law: bits and error by integration, and those of one seeded draw beside them as an audit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitlaw.theory import Laplace, Normal, Source, StudentT, decode, parse_format, predict

from .laws import LAPLACE, NORMAL, student_t
from .style import BLACK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "FORMAT_LAWS",
    "Curve",
    "Measured",
    "curve",
    "draw_curve",
    "draw_measured",
    "law_name",
    "measured",
    "measured_entry",
]

# Laws that the figures of formats compare, as Orr, Ribar and Luschi do.
FORMAT_LAWS = (NORMAL, LAPLACE, student_t(5))

_SEED, _ROWS, _COLUMNS = 20_260_115, 128, 2048


def law_name(source: Source) -> str:
    """Name of a law inside the specification of an element."""
    if isinstance(source, StudentT):
        return f"student-t:{source.df:g}"
    if isinstance(source, (Normal, Laplace)):
        return type(source).__name__.lower()
    raise TypeError(f"source must be normal, Laplace or Student-t, got {source!r}")


@dataclass(frozen=True)
class Measured:
    """A format applied to one draw.

    Attributes
    ----------
    bits : float
        Bits per element, the entropy of the codes that came where the format has an entropy code.
    R : float
        Root of the sum of squared errors over the sum of squares.
    bits_error, standard_error : float
        Standard errors of bits (0 without an entropy code) and of R, from the rows of the draw.
    """

    bits: float
    R: float
    bits_error: float
    standard_error: float


@dataclass(frozen=True)
class Curve:
    """Formats on one law.

    Attributes
    ----------
    formats : tuple of str
        Specifications.
    bits, R : ndarray of float64, shape (n,)
        Predicted bits per element, scales included, and predicted relative RMS errors.
    audit : dict of int to Measured
        By position in `formats`.
    """

    formats: tuple[str, ...]
    bits: NDArray[np.float64]
    R: NDArray[np.float64]
    audit: dict[int, Measured]

    @property
    def scaled(self) -> NDArray[np.float64]:
        """R 2^bits, in which formats of nearby sizes can be compared."""
        return self.R * 2.0**self.bits


def curve(source: Source, formats: Iterable[str], audited: Sequence[int] = ()) -> Curve:
    """Predict formats on a source, and apply those at some positions to a draw."""
    texts = tuple(formats)
    predictions = [predict(text, source) for text in texts]
    return Curve(
        texts,
        np.array([found.bits for found in predictions]),
        np.array([found.R for found in predictions]),
        {index: measured(source, texts[index]) for index in audited},
    )


def measured(source: Source, text: str) -> Measured:
    """Encode and decode a seeded draw of 2^18 elements of a Normal, Laplace or Student-t law of unit variance."""
    format, values = parse_format(text), _draw(source)
    encoded = format.encode(values)
    errors = ((decode(encoded) - values) ** 2).sum(axis=1)
    squares = (values**2).sum(axis=1)
    ratio = errors.sum() / squares.sum()
    residual = errors - ratio * squares
    spread = float(np.sqrt(residual @ residual * _ROWS / (_ROWS - 1)) / squares.sum())
    bits, bits_error = encoded.bits_per_element, 0.0
    if format.code == "entropy":
        shares = np.bincount(encoded.codes.reshape(-1)) / values.size
        lengths = -np.log2(np.maximum(shares, 1 / values.size))[encoded.codes].mean(axis=1)
        bits = (encoded.bits - encoded.element_bits) / values.size + float(lengths.mean())
        bits_error = float(lengths.std(ddof=1)) / _ROWS**0.5
    R = float(ratio**0.5)
    return Measured(bits, R, bits_error, spread / (2 * R))


@cache
def _draw(source: Source) -> NDArray[np.float64]:
    """Elements of unit variance, by numpy's generators and not by the quantiles that predictions use."""
    generator, shape = np.random.default_rng(_SEED), (_ROWS, _COLUMNS)
    if isinstance(source, StudentT):
        values = generator.standard_t(source.df, shape) * (1 - 2 / source.df) ** 0.5
    elif isinstance(source, Laplace):
        values = generator.laplace(0.0, 0.5**0.5, shape)
    else:
        values = generator.standard_normal(shape)
    drawn: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    drawn.flags.writeable = False
    return drawn


def draw_curve(
    axes: Axes, found: Curve, x: Sequence[float] | NDArray[np.float64] | None = None, **look: Any
) -> None:
    """Draw R 2^bits over `x` (the bits where left out) as a line, with what was measured."""
    across = found.bits if x is None else np.asarray(x, dtype=np.float64)
    axes.plot(across, found.scaled, **look)
    for index, point in found.audit.items():
        scale = 2.0**point.bits
        place = point.bits if x is None else float(across[index])
        draw_measured(axes, [place], [point.R * scale], yerr=2 * point.standard_error * scale)


def draw_measured(axes: Axes, x: Sequence[float], y: Sequence[float], **options: Any) -> None:
    """Draw what was measured as small crosses, with bars of two standard errors."""
    axes.errorbar(
        x,
        y,
        color=BLACK,
        marker="x",
        markersize=3.2,
        markeredgewidth=0.7,
        elinewidth=0.7,
        linestyle="none",
        zorder=5,
        **options,
    )


def measured_entry(axes: Axes) -> None:
    """Name the crosses in the legend."""
    axes.plot(
        [],
        [],
        color=BLACK,
        marker="x",
        markersize=3.2,
        markeredgewidth=0.7,
        linestyle="none",
        label=r"simulated, $\pm 2$ s.e.",
    )
