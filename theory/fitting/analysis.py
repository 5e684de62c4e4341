"""What the theory says of a tensor, beside what the tensor says.

The best-fitting law of a tensor predicts the relative error R of any quantiser designed for it; the same
quantiser applied to the tensor has a measured R.  Where the two agree within the standard error, the law is
all there is to know about quantising this tensor; where they part, the tensor is not what the law says.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..quantisers import ScalarQuantiser, compand, evaluate, lloyd_max, uniform
from ..sources import Source
from .fit import Fit, fit_all
from .measured_error import measure_error
from .sample import Moments, Sample, prepare
from .tensor_files import iterate_tensors, list_tensors
from .tensor_info import AnyArray, TensorInfo

__all__ = ["METHODS", "Comparison", "TensorAnalysis", "analyse", "analyse_file"]

_DESIGNERS: dict[str, Callable[[Source, int], ScalarQuantiser]] = {
    "lloyd_max": lambda source, levels: lloyd_max(source, levels),
    "cube_root": lambda source, levels: compand(source, levels, power=1 / 3),
    "uniform": lambda source, levels: uniform(source, levels=levels),
}

METHODS: tuple[str, ...] = tuple(_DESIGNERS)

# With fewer values an interval of std is wider than 35%: too little is known of the law to be worth a row.
_LEAST_VALUES = 64

# At 12 bits the outermost codepoints of a law of barely finite variance (df 2.05) leave the range of float64.
_MOST_BITS = 10

# Designs kept for laws without a shape parameter, which all tensors share; others are designed anew.
_DESIGNS_KEPT = 512

_BITS = range(2, 9)
Progress = Callable[[TensorInfo, int, int], None]


@dataclass(frozen=True)
class Comparison:
    """One quantiser, designed for the best-fitting law, on the law and on the data.

    Attributes
    ----------
    method : str
        "lloyd_max", "cube_root" (codepoints by the power rule p^(1/3)) or "uniform" (best step).
    bits : int
        log2 of its number of codepoints.
    predicted : float
        Relative error R on the law: sqrt(distortion) / std, by integration.
    measured : float
        R on the data: root-mean-square error over the data's root mean square.
    standard_error : float
        Of `measured`, for independent values; NaN where it is exactly zero.
    """

    method: str
    bits: int
    predicted: float
    measured: float
    standard_error: float


@dataclass(frozen=True, eq=False)
class TensorAnalysis:
    """Fits of a tensor, and R predicted beside R measured.

    Attributes
    ----------
    name, shape, dtype : str, tuple of int, str
        The tensor as it was stored.
    skipped : str or None
        Why nothing was computed; then `moments` is None, and `fits` and `comparisons` are empty.
    moments : Moments or None
    fits : tuple of Fit
        All families, the best by AIC first.
    comparisons : tuple of Comparison
        Every method at every number of bits.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    skipped: str | None
    moments: Moments | None = None
    fits: tuple[Fit, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    @property
    def best(self) -> Fit | None:
        """Fit of lowest AIC; None where the tensor was skipped."""
        return self.fits[0] if self.fits else None

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; what is not a finite number becomes None."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "skipped": self.skipped,
            "best": self.best.family if self.best else None,
            "moments": asdict(self.moments) if self.moments else None,
            "fits": [found.to_dict() for found in self.fits],
            "comparisons": [_finite(asdict(row)) for row in self.comparisons],
        }


def analyse(name: str, array: ArrayLike, bits: Iterable[int] = _BITS) -> TensorAnalysis:
    """Fit all families to a tensor and compare predicted with measured errors.

    Parameters
    ----------
    name : str
        What the result, and an error, call the tensor.
    array : array_like of any shape
        Values as for `prepare`: finite, at least two, not all equal.
    bits : iterable of int, 1 to 10
        Sizes of the quantisers, in bits per value.

    Returns
    -------
    TensorAnalysis
        For each number of bits and each of `METHODS`, the quantiser is designed for the family of lowest AIC
        with its fitted parameters; R is predicted on that law and measured on the data.

    Raises
    ------
    TypeError, ValueError
        As `prepare`, with the tensor's name in front; or if a number of bits is not an integer from 1 to 10.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.random.default_rng(0).laplace(size=100_000)
    >>> found = analyse("w", values, bits=[4])
    >>> found.best.family
    'laplace'
    >>> row = found.comparisons[0]
    >>> abs(row.predicted - row.measured) < 4 * row.standard_error
    True
    """
    sizes = _checked_bits(bits)
    data = np.asarray(array)
    try:
        sample = prepare(data)
    except (TypeError, ValueError) as error:
        raise type(error)(f"tensor {name!r}: {error}") from error
    return _analyse(TensorAnalysis(name, data.shape, data.dtype.name, None), sample, sizes)


def analyse_file(
    path: str | os.PathLike[str], bits: Iterable[int] = _BITS, progress: Progress | None = None
) -> Iterator[TensorAnalysis]:
    """Analyse a file tensor by tensor, holding one at a time.

    Parameters
    ----------
    path : str or path-like
        As for `list_tensors`.
    bits : iterable of int, 1 to 10
        As for `analyse`.
    progress : callable, optional
        Called after each tensor with its `TensorInfo`, the bytes dealt with so far and the bytes in all.

    Returns
    -------
    iterator of TensorAnalysis
        One for each tensor of the file, in stored order.  A tensor that is not of floats, has fewer than 64
        values, is constant, or holds NaN or infinity is returned as skipped, with the reason.

    Raises
    ------
    FileNotFoundError, TensorFileError, TypeError, ValueError
        As `list_tensors`, and for `bits` as `analyse`: at the call.  Damaged values: while iterating.
    """
    sizes = _checked_bits(bits)
    infos = list_tensors(path)
    return _analyses(infos, iterate_tensors(path), sizes, progress)


def _analyses(
    infos: list[TensorInfo],
    stream: Iterator[tuple[str, AnyArray]],
    sizes: tuple[int, ...],
    progress: Progress | None,
) -> Iterator[TensorAnalysis]:
    total, done = sum(info.nbytes for info in infos), 0
    for info in infos:
        # the array is never bound to a name here, or it would outlive its turn
        yield _skipped(info, info.skipped) if info.skipped else _analyse_stored(info, next(stream)[1], sizes)
        done += info.nbytes
        if progress is not None:
            progress(info, done, total)


def _skipped(info: TensorInfo, reason: str | None) -> TensorAnalysis:
    return TensorAnalysis(info.name, info.shape, info.dtype, reason)


def _analyse_stored(info: TensorInfo, array: AnyArray, sizes: tuple[int, ...]) -> TensorAnalysis:
    if array.size < _LEAST_VALUES:
        return _skipped(info, f"fewer than {_LEAST_VALUES} values: {array.size}")
    try:
        sample = prepare(array)
    except ValueError as error:
        return _skipped(info, str(error))
    return _analyse(_skipped(info, None), sample, sizes)


def _analyse(empty: TensorAnalysis, sample: Sample, sizes: tuple[int, ...]) -> TensorAnalysis:
    fits = tuple(fit_all(sample))
    rows = tuple(_compare(fits[0].source, method, bits, sample) for bits in sizes for method in METHODS)
    return replace(empty, moments=sample.moments, fits=fits, comparisons=rows)


def _compare(source: Source, method: str, bits: int, sample: Sample) -> Comparison:
    quantiser, predicted = _design(replace(source, std=1.0), method, bits)  # type: ignore[type-var]
    measured = measure_error(quantiser.scaled(source.std), sample)
    return Comparison(method, bits, predicted, measured.relative, measured.standard_error)


@lru_cache(maxsize=_DESIGNS_KEPT)
def _design(source: Source, method: str, bits: int) -> tuple[ScalarQuantiser, float]:
    """Quantiser for a law of unit standard deviation, and its relative error there."""
    quantiser = _DESIGNERS[method](source, 2**bits)
    return quantiser, math.sqrt(evaluate(quantiser, source).distortion)


def _checked_bits(bits: Iterable[int]) -> tuple[int, ...]:
    try:
        sizes = tuple(operator.index(size) for size in bits)
    except TypeError:
        raise TypeError(f"bits must be integers, not {bits!r}") from None
    for size in sizes:
        if not 1 <= size <= _MOST_BITS:
            raise ValueError(f"bits must lie between 1 and {_MOST_BITS}, not {size}")
    return sizes


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }
