"""Scales searched for the least squared error: one more factor on the statistic, of the tensor or of each block.

The error is measured: each factor's scales are rounded as they will be stored, elements are encoded and
restored in the type of the arithmetic, and squared differences are added in float64 by halves.  The first of
equal errors wins, so that results are the same everywhere.
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
from .block_statistics import block_squares, folded, tiles_of
from .blocks import Blocks
from .parallel import in_parallel

__all__ = ["BLOCK_FACTORS", "TENSOR_FACTORS", "around_best", "block_factors", "tensor_factor"]

# Factors tried for each block: the statistic itself first, then 0.4 to 1.4 in steps of 1/32.  Codes change
# little from one to the next at up to five bits; twice as many lower the error of int4 by under 0.1%.
BLOCK_FACTORS = np.concatenate([[1.0], np.setdiff1d(np.arange(13, 46) / 32, [1.0])])
# Factors tried for a tensor, a ratio of 1.026 apart, before golden sections within the best one's neighbours.
TENSOR_FACTORS = np.geomspace(0.3, 1.5, 64)
# With an end continued this far, factors reach from 1e-5 or to 1e5: codepoints of 16 bits under one rms.
_MOST_FACTORS = 512
# Sections: they narrow two steps of the grid, 5%, to 1e-5 of the factor, where the error is flat.
SECTIONS = 18
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def block_factors(
    x: NDArray[Any], blocks: Blocks, found: Statistics, scaler: Scaler, codec: Codec
) -> FloatArray:
    """Factor of least error of each block, among `BLOCK_FACTORS`."""
    best = np.full(blocks.count, np.inf)
    factors = np.ones(blocks.count)
    for factor in BLOCK_FACTORS:
        errors = _errors(x, blocks, scaler.scales(found, float(factor)), codec)
        better = errors < best
        best[better], factors[better] = errors[better], factor
    return factors


def tensor_factor(x: NDArray[Any], blocks: Blocks, found: Statistics, scaler: Scaler, codec: Codec) -> float:
    """Factor of least error of all blocks together: the best of `TENSOR_FACTORS`, refined by golden section."""
    measured: dict[float, float] = {}

    def error(factor: float) -> float:
        if factor not in measured:
            measured[factor] = float(folded(_errors(x, blocks, scaler.scales(found, factor), codec)))
        return measured[factor]

    low, _, high = around_best(error)
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    for _ in range(SECTIONS):
        if error(inner) <= error(outer):
            high, outer = outer, inner
            inner = high - _GOLDEN * (high - low)
        else:
            low, inner = inner, outer
            outer = low + _GOLDEN * (high - low)
    return min(measured, key=lambda factor: measured[factor])


def around_best(error: Callable[[float], float]) -> tuple[float, float, float]:
    """The best with its neighbours of `TENSOR_FACTORS`, continued beyond an end for as long as that end is the best."""
    grid = [float(factor) for factor in TENSOR_FACTORS]
    step = grid[1] / grid[0]
    while len(grid) < _MOST_FACTORS:
        if error(grid[0]) < min(error(factor) for factor in grid[1:]):
            grid.insert(0, grid[0] / step)
        elif error(grid[-1]) < min(error(factor) for factor in grid[:-1]):
            grid.append(grid[-1] * step)
        else:
            break
    best = min(range(len(grid)), key=lambda k: error(grid[k]))
    return grid[max(best - 1, 0)], grid[best], grid[min(best + 1, len(grid) - 1)]


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
