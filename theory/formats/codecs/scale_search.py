"""Scales searched for the least squared error: one more factor on the statistic, of the tensor or of each block.

The error is measured: each factor's scales are rounded as they will be stored, elements are encoded and
restored in the type of the arithmetic, and squared differences are added in float64 by halves.  The first of
equal errors wins, so that results are the same everywhere.

The catch is that the error has many local minima.  It is the sum of what is lost beyond the codepoints, which
falls as the factor grows, and of what is lost between them, which grows but for ripples; between two minima it
therefore stays below the sum of both.  So factors are tried downwards, from one that puts no element beyond the
codepoints, until for an octave the error has been twice the least (or, where little is gained at all, halfway
from the least to the energy of the data): what follows is worse.  Ripples are shorter than an octave.  A block is
done before, where its largest element alone has lost more than the least.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._typing import FloatArray
from .block_codec import Codec, part_of
from .block_scales import BlockScales, Scaler, Statistics
from .block_statistics import block_magnitudes, block_squares, folded, tiles_of
from .blocks import Blocks
from .parallel import in_parallel

__all__ = ["around_best", "block_factors", "covering", "tensor_factor"]

# Factors tried an octave, and around the best of them: 2.2% apart.  At up to five bits codes change little
# within that; twice as many lower the error of int4 blocks by under 0.1%.
SWEPT, FINE = 8, 32
_STRIDE = FINE // SWEPT
# Where the sweep starts: scales that are rounded down need up to twice the factor.
_START = 2.0
# Error of the tensor, relative to the least, up to which finer factors are tried around one of the sweep: in
# tensors of a few thousand elements the largest alone makes ripples of a tenth.
_NEAR = 1.5
# Octaves swept at most, for blocks and for a tensor: blocks that no factor helps never end by themselves.
_BLOCK_OCTAVES, _TENSOR_OCTAVES = 10, 32
# Sections: they narrow two fine steps, 4%, to 1e-5 of the factor, where the error is flat.
SECTIONS = 18
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def block_factors(
    x: NDArray[Any], blocks: Blocks, found: Statistics, scaler: Scaler, codec: Codec
) -> FloatArray:
    """Factor of least error of each block: the best of a sweep, or of finer steps around that."""
    peaks = _peaks(x, blocks, found, scaler)
    start: FloatArray = np.full(blocks.count, _START) * _covering(scaler, peaks)
    factors, best = start.copy(), np.full(blocks.count, np.inf)
    energy = block_squares(x, blocks)
    worse = np.zeros(blocks.count, np.int64)  # factors in a row with an error far above the least
    for k in range(SWEPT * _BLOCK_OCTAVES):
        tried = start * 2.0 ** (-k / SWEPT)
        scales = scaler.scales(found, tried)
        errors = _errors(x, blocks, scales, codec)
        better = (errors < best) & (worse < SWEPT)
        best[better], factors[better] = errors[better], tried[better]
        worse = np.where((worse >= SWEPT) | (errors >= _far(best, energy)), worse + 1, 0)
        worse[_cut_off(scaler, peaks * np.abs(found.values), scales) >= best] = (
            SWEPT  # and ever more from here on
        )
        if ((worse >= SWEPT) | (scales.stored == 0.0)).all():
            break
    centres = factors.copy()
    for k in (*range(1 - _STRIDE, 0), *range(1, _STRIDE)):
        tried = centres * 2.0 ** (-k / FINE)
        errors = _errors(x, blocks, scaler.scales(found, tried), codec)
        better = errors < best
        best[better], factors[better] = errors[better], tried[better]
    return factors


def tensor_factor(x: NDArray[Any], blocks: Blocks, found: Statistics, scaler: Scaler, codec: Codec) -> float:
    """Factor of least error of all blocks together, refined by golden section."""
    measured: dict[float, float] = {}

    def error(factor: float) -> float:
        if factor not in measured:
            measured[factor] = float(folded(_errors(x, blocks, scaler.scales(found, factor), codec)))
        return measured[factor]

    peak = float(_peaks(x, blocks, found, scaler).max(initial=0.0)) or 1.0
    energy = float(folded(block_squares(x, blocks)))
    low, _, high = around_best(error, float(_covering(scaler, peak)), energy)
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    for _ in range(SECTIONS):
        if error(inner) <= error(outer):
            high, outer = outer, inner
            inner = high - _GOLDEN * (high - low)
        else:
            low, inner = inner, outer
            outer = low + _GOLDEN * (high - low)
    return min(measured, key=lambda factor: measured[factor])


def around_best(error: Callable[[float], float], covered: float, energy: float) -> tuple[float, float, float]:
    """The best factor, between its neighbours: of a sweep from above the one from which all data are covered."""
    errors: dict[int, float] = {}

    def factor(k: int) -> float:
        return float(_START * covered * 2.0 ** (-k / FINE))

    worse = 0
    for k in range(0, FINE * _TENSOR_OCTAVES, _STRIDE):
        errors[k] = error(factor(k))
        worse = worse + 1 if errors[k] >= _far(min(errors.values()), energy) else 0
        if worse == SWEPT:
            break
    near = [k for k in errors if errors[k] <= _NEAR * min(errors.values())]
    for k in near:
        errors.update((j, error(factor(j))) for j in range(k - _STRIDE + 1, k + _STRIDE) if j not in errors)
    best = min(sorted(errors), key=lambda k: errors[k])
    return factor(best + 1), factor(best), factor(best - 1)


def _far(least: Any, energy: Any) -> Any:
    """Error beyond which a factor is far from the best: see the module."""
    return np.where(least < energy, np.minimum(2.0 * least, (least + energy) / 2.0), 2.0 * least)


def covering(statistic: str, ends: tuple[float, float], unit: float, peak: Any) -> Any:
    """Factor from which elements up to a peak, in units of the statistic, lie between the codepoints.

    `unit` is the factor that maps the statistic on 1.
    """
    low, high = ends
    if statistic == "minmax":
        width = high - low
    else:
        width = min(-low, high) if low < 0.0 < high else max(abs(low), abs(high))
    return peak * abs(unit) / width if width else peak


def _cut_off(scaler: Scaler, largest: FloatArray, scales: BlockScales) -> FloatArray:
    """Least squared error of the largest element of each block beyond the codepoints, or of both ends of a range."""
    low, high = scaler.ends
    affine = scaler.scale.statistic == "minmax"
    width = high - low if affine else max(abs(low), abs(high))
    beyond = np.maximum(largest - width * np.abs(scales.scales.astype(np.float64)), 0.0)
    return np.asarray(beyond**2 / (2.0 if affine else 1.0))


def _covering(scaler: Scaler, peak: Any) -> Any:
    return covering(scaler.scale.statistic, scaler.ends, scaler.reach / scaler.multiplier, peak)


def _peaks(x: NDArray[Any], blocks: Blocks, found: Statistics, scaler: Scaler) -> FloatArray:
    """Largest magnitude of each block in units of its statistic."""
    if scaler.scale.statistic != "rms":
        return np.ones(blocks.count)
    peaks = np.ones(blocks.count)
    np.divide(block_magnitudes(x, blocks), found.values, out=peaks, where=found.values > 0.0)
    return peaks


def _errors(x: NDArray[Any], blocks: Blocks, scales: BlockScales, codec: Codec) -> FloatArray:
    """Sum of squared differences of each block."""
    if blocks.split(codec.piece) is not None:
        return _large_errors(x, blocks, scales, codec)

    def work(tile: Any) -> FloatArray:
        part = x[tile.elements]
        restored = codec.restore(part, tile.blocks, part_of(scales, tile.grid))
        return block_squares(part, tile.blocks, restored)

    errors = in_parallel(work, tiles_of(blocks))
    return np.concatenate(errors) if errors else np.empty(0)


def _large_errors(x: NDArray[Any], blocks: Blocks, scales: BlockScales, codec: Codec) -> FloatArray:
    restored = np.empty_like(x)
    fine, all_scales = codec.refined(blocks, scales)

    def work(tile: Any) -> None:
        part = part_of(all_scales, tile.grid)
        restored[tile.elements] = codec.restore(x[tile.elements], tile.blocks, part)

    in_parallel(work, tiles_of(fine))
    return block_squares(x, blocks, restored)
