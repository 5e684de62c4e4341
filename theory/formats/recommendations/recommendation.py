"""The best formats for data, or for a law, at a budget of bits.

Candidates are all named formats and a grid of elements, block sizes, scale types and statistics; uniform grids
with their step fitted to the budget are added for lossless codes.  All are tried on one sample of the data (or
one draw of the law), so that they are compared on the same values; the best are then measured on up to 2^22
elements (evenly spaced rows of each tensor), or predicted exactly.  No grid holds everything: what is
recommended is the best of what was tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..._arguments import check_choice, check_positive
from ..._arrays import as_real, finite, raise_not_finite
from ...sources import Source
from ..format import Format
from ..names import FORMAT_NAMES
from ..predictions.prediction import predict
from ..spec import parse_format
from .candidates import DEFAULT_LAWS, grid, has_name, least_bits, named, stepped, stored
from .reasons import cost, later_reasons, neighbour_reasons
from .trials import Trial, drawn, measured, sample_of

__all__ = ["Recommendation", "recommend"]

Progress = Callable[[int, int], None]

_LEAST, _MOST = 0.25, 16.0
# Beyond, integers of 16 bits cut off too much, and the sample is too small for an entropy.
_MOST_CODED = 12.0
# Elements that the best are measured on: R comes out to about a thousandth.  A search takes a microsecond each.
_MEASURED = 1 << 22
# Candidates further below the budget waste it: half a bit less is R 41% higher.
_WASTED = 0.6
# A lossless code behind a named format saves 2.6 bits at most (8-bit floats), on laws that are not extreme.
_SAVED = 3.0 + _WASTED
# The order on the sample is that on everything but for ties: some more are carried on.
_SPARE = 3
# To the best of fixed length a search of each block's scale, which costs no bits, is added.
_SEARCHED, _WIDEST_SEARCHED = 6, 8
_HALVINGS = 14


@dataclass(frozen=True)
class Recommendation:
    """A format that fits a budget, with what it costs and why it stands where it does.

    Attributes
    ----------
    format : Format
    name : str
        The name that people write, or "".
    bits : float
        Bits per element of everything stored, codes as the format stores them.
    element_bits, scale_bits, codebook_bits : float
        Its parts.
    entropy : float
        Bits per element of the index.
    R : float
        Root mean squared error over root mean square of the data.
    method : {"measured", "exact", "simulation"}
        Measured on the data, or predicted for the law (see `Prediction`).
    gap_bits : float
        Bits above the rate-distortion function of the law at this distortion; NaN for data.
    reasons : tuple of str
        What each part costs, and what formats that differ in one part would give.
    """

    format: Format
    name: str
    bits: float
    element_bits: float
    scale_bits: float
    codebook_bits: float
    entropy: float
    R: float
    method: Literal["measured", "exact", "simulation"]
    gap_bits: float
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists for JSON; None where there is no gap."""
        return vars(self) | {
            "format": str(self.format),
            "reasons": list(self.reasons),
            "gap_bits": None if math.isnan(self.gap_bits) else self.gap_bits,
        }


def recommend(
    data: Source | NDArray[Any] | Sequence[NDArray[Any]],
    budget: float,
    *,
    tolerance: float = 0.01,
    count: int = 5,
    codes: Literal["both", "fixed", "entropy"] = "both",
    laws: Sequence[Source] | None = None,
    shape: tuple[int, ...] = (4096, 4096),
    progress: Progress | None = None,
) -> list[Recommendation]:
    """Find the formats of least error whose bits, everything counted, fit a budget.

    Parameters
    ----------
    data : Source, array, or list of arrays
        A law of independent elements, or tensors (float16, bfloat16, float32, float64; finite, not all zero)
        that are to share one format.
    budget : float, 0.25 to 16
        Bits per element.
    tolerance : float > 0
        Bits by which the budget may be exceeded: a scale or two for a whole tensor.
    count : int >= 1
        Formats wanted of each kind of code.
    codes : {"both", "fixed", "entropy"}
        Codes of fixed length, codes that a lossless code brings to their entropy, or both.
    laws : sequence of Source, optional
        Named laws of unit standard deviation for which codebooks are designed: each takes seconds.  Left out,
        the law itself where it has a name, and else the normal, Laplace and Student-t (df 5).
    shape : tuple of int
        Shape of the tensor of a law.
    progress : callable, optional
        Called with the number of steps done and of all.

    Returns
    -------
    list of Recommendation
        Fixed length first, best first within each kind; at most `count` of each.  R is measured on up to
        2^22 elements of the data, in evenly spaced rows, or predicted for the law.

    Raises
    ------
    TypeError
        If the data are neither, or hold anything else.
    ValueError
        If the budget is out of range (for codes of fixed length alone: below the cheapest format), or an
        array is empty, all zero or not finite.

    Notes
    -----
    Outliers, rotations and vector codebooks are not tried; add them to what is recommended, and measure.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> best = recommend(Normal(), 2.0, count=1, codes="fixed", shape=(8, 512))[0]
    >>> str(best.format), round(best.bits, 3)
    ('lloyd2:normal,scale=rms', 2.004)
    """
    budget = check_positive("budget", budget)
    tolerance = check_positive("tolerance", tolerance)
    check_choice("codes", codes, ("both", "fixed", "entropy"))
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"count must be an integer of at least 1, got {count!r}")
    search = _Search(_task(data, shape), budget, tolerance, _designs(data, laws), count, progress or _silent)
    _check_budget(budget, codes, search.task.shapes)
    found: list[Recommendation] = []
    if codes != "entropy":
        found += search.fixed()
    if codes != "fixed":
        found += search.entropy_coded(found[0].R if found else None)
    if not found:
        least = least_bits(search.task.shapes)
        raise ValueError(
            f"budget must hold codes and scales: no format fits {budget:g} bits per element of so "
            f"small a tensor; the cheapest of fixed length has {least:.4g}"
        )
    return found


@dataclass(frozen=True)
class _Task:
    """Data or a law, and the sample that candidates are compared on."""

    source: Source | None
    arrays: tuple[NDArray[Any], ...]
    sample: tuple[NDArray[Any], ...]
    shapes: tuple[tuple[int, ...], ...]

    def trial(self, format: Format) -> Trial:
        return measured(format, self.sample, self.shapes)

    def judged(self, format: Format) -> Recommendation:
        """Everything about a format, on the data or for the law."""
        if self.source is None:
            found = measured(format, self.arrays, self.shapes)
            parts = (found.bits, found.element_bits, found.scale_bits, found.codebook_bits)
            return Recommendation(format, _name(format), *parts, found.entropy, found.R, "measured", math.nan)
        told = predict(format, self.source, shape=self.shapes[0])
        element_bits = told.entropy if format.code == "entropy" else told.element_bits
        parts = (told.bits, element_bits, told.scale_bits, told.codebook_bits)
        gap = math.nan if self.source.discrete else told.gap_bits
        return Recommendation(format, _name(format), *parts, told.entropy, told.R, told.method, gap)


@dataclass(frozen=True)
class _Search:
    task: _Task
    budget: float
    tolerance: float
    laws: tuple[Source, ...]
    count: int
    progress: Progress

    @property
    def most(self) -> float:
        return self.budget + self.tolerance

    def fixed(self) -> list[Recommendation]:
        """Formats of fixed length, and the best of them with a search of their scales."""
        all_formats = dict.fromkeys([*named(), *grid(self.budget, self.laws)])
        sizes = {format: stored(format, self.task.shapes) for format in all_formats}
        fitting = [format for format, bits in sizes.items() if bits <= self.most]
        near = [format for format in fitting if sizes[format] > self.budget - _WASTED]
        trials = self._tried(near or sorted(fitting, key=sizes.__getitem__)[-10:])
        trials += self._tried([other for one in trials[:_SEARCHED] for other in _searched(one.format)])
        found = self._judged(sorted(trials, key=_error))
        return self._reasoned(found, neighbour_reasons)

    def entropy_coded(self, fixed: float | None) -> list[Recommendation]:
        """Grids with the step that meets the budget, and named formats whose coded bits fit it."""
        sizes = {replace(format, code="entropy"): stored(format, self.task.shapes) for format in named()}
        coded = [one for one, bits in sizes.items() if 0 < bits - self.budget + _WASTED < _SAVED]
        trials = [one for one in self._tried(coded) if self.budget - _WASTED < one.bits <= self.most]
        if self.budget <= _MOST_CODED:
            trials += filter(None, map(self._fitted, stepped(self.budget)))
        found = self._judged(sorted(trials, key=_error))
        if found and fixed is not None:
            gain = (
                f"a lossless code: R {100 * (found[0].R / fixed - 1):+.1f}% against the best of fixed length"
            )
            found[0] = replace(found[0], reasons=(gain,))
        return self._reasoned(found, lambda *_: ())

    def _tried(self, formats: Sequence[Format]) -> list[Trial]:
        trials = []
        for done, format in enumerate(formats, 1):
            trials.append(self.task.trial(format))
            self.progress(done, len(formats))
        return sorted(trials, key=_error)

    def _judged(self, trials: Sequence[Trial]) -> list[Recommendation]:
        finalists = [self.task.judged(one.format) for one in trials[: self.count + _SPARE]]
        fitting = [one for one in finalists if one.bits <= self.most + self.tolerance]
        return sorted(fitting, key=lambda one: one.R)[: self.count]

    def _fitted(self, format: Format) -> Trial | None:
        """Greatest number of steps to the statistic (`reach`) whose coded bits stay within the budget."""
        low, high = -4.0, self.budget + 4.0
        best: Trial | None = None
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            trial = self.task.trial(_with_reach(format, _short(2.0**middle)))
            if trial.bits <= self.budget:
                best, low = trial, middle
            else:
                high = middle
        return best

    def _reasoned(
        self, found: list[Recommendation], beside: Callable[..., tuple[str, ...]]
    ) -> list[Recommendation]:
        """Recommendations with their reasons: costs for all, neighbours for the first, distances for others."""
        return [
            replace(
                one,
                reasons=(
                    cost(one.format, one.element_bits, one.scale_bits, one.codebook_bits, self.budget),
                    *one.reasons,
                    *(
                        later_reasons(one.R, one.bits, found[0].R, found[0].bits)
                        if place
                        else beside(one.format, self.task.trial, self.laws, self.most)
                    ),
                ),
            )
            for place, one in enumerate(found)
        ]


def _task(data: object, shape: tuple[int, ...]) -> _Task:
    if isinstance(data, Source):
        return _Task(data, (), (drawn(data, shape),), (tuple(shape),))
    if isinstance(data, np.ndarray):
        data = [data]
    if not isinstance(data, Sequence) or not all(isinstance(array, np.ndarray) for array in data):
        raise TypeError(f"data must be a Source, an array or a list of arrays, got {type(data).__name__}")
    if not data:
        raise ValueError("data must hold at least one array")
    arrays = tuple(_checked(array) for array in data)
    shapes = tuple(array.shape for array in arrays)
    return _Task(None, tuple(sample_of(arrays, _MEASURED)), tuple(sample_of(arrays)), shapes)


def _checked(array: NDArray[Any]) -> NDArray[Any]:
    values = as_real(array, "data")
    if values.dtype.kind in "iu":
        values = values.astype(np.float64)
    if values.size == 0:
        raise ValueError("data must not be empty")
    if not finite(values).all():
        raise_not_finite(values, "data")
    if not values.any():
        raise ValueError("data must hold a value other than zero")
    return values


def _designs(data: object, laws: Sequence[Source] | None) -> tuple[Source, ...]:
    """Laws that codebooks are designed for."""
    if laws is not None:
        return tuple(laws)
    if isinstance(data, Source) and has_name(data):
        return (replace(data, std=1.0),)  # type: ignore[type-var]
    return DEFAULT_LAWS


def _check_budget(budget: float, codes: str, shapes: Sequence[tuple[int, ...]]) -> None:
    least = least_bits(shapes)
    if not _LEAST <= budget <= _MOST:
        raise ValueError(f"budget must be between {_LEAST:g} and {_MOST:g} bits per element, got {budget:g}")
    if codes == "fixed" and budget < least - 0.01:
        raise ValueError(
            f"budget must be at least {least:.4g} bits per element for codes of fixed length, got {budget:g}"
        )


def _searched(format: Format) -> list[Format]:
    """The format with the factor of each block searched for least error, where that is worth trying."""
    one_for_all = format.block == "tensor" or format.scale.search != "none"
    if one_for_all or format.element.bits > _WIDEST_SEARCHED:  # wide codes take long, and gain little
        return []
    return [replace(format, scale=replace(format.scale, search="block"))]


def _with_reach(format: Format, reach: float) -> Format:
    return replace(format, scale=replace(format.scale, reach=reach))


def _short(value: float) -> float:
    """Value cut to ten binary digits, so that its text is short: 0.1% at most."""
    unit = 2.0 ** (math.floor(math.log2(value)) - 9)
    return math.floor(value / unit) * unit


def _name(format: Format) -> str:
    return next((name for name in FORMAT_NAMES if parse_format(name) == format), "")


def _error(trial: Trial) -> float:
    return trial.R


def _silent(done: int, total: int) -> None:
    """Say nothing."""
