"""Formats applied to arrays in plain numpy: the oracle of predictions.

Literal on purpose: every block and group is a label on an element, statistics are taken by sorting the
labels, and scales are rounded by looking them up in the list of a type's numbers.  Nothing is shared with the
encoder or with the prediction but the elements' codebooks.  The first axis counts tensors, each stored by
itself.
"""

from dataclasses import dataclass
from functools import lru_cache

import ml_dtypes
import numpy as np

CAST = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


@dataclass
class Simulated:
    """What a format made of tensors."""

    restored: np.ndarray
    codes: np.ndarray
    taken: np.ndarray


def simulate(format, x, factor=None, cut=None):
    """Restore the float64 tensors `x`.

    `factor` replaces the multiplier on the statistic; outliers are what lies beyond `cut`, where it is given.
    """
    taken = np.abs(x) > cut if cut is not None else _outliers(format.outliers, x)
    y = np.where(taken, 0.0, x)
    scale, statistic = format.scale, format.scale.statistic
    size = _size(format.block, x.shape[1:])
    codebook = format.element.quantiser(statistic, size)
    reach = scale.reach or format.element.reach(statistic, size)
    factor = factor if factor is not None else scale.multiplier
    if factor == "moment":
        factor = 1 / np.sqrt(np.mean(codebook.codepoints**2))
    blocks, order, starts = block_labels(format.block, x.shape)
    if statistic == "minmax":
        return _affine(format, codebook, y, blocks, order, starts, reach / factor)
    own = np.ones(1)
    if statistic != "none":
        exact = factor * STATISTICS[statistic](y.reshape(-1)[order], starts) / reach
        own = _stored_scales(format, exact, x.shape)[blocks]
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.where(own == 0, 0.0, y / own)
    codes = np.searchsorted(codebook.thresholds, u, side="left")
    restored = own * codebook.codepoints[codes]
    if taken.any():
        restored[taken] = rounded(format.outliers.number, x[taken], "nearest")
    return Simulated(restored, codes, taken)


def _affine(format, codebook, y, blocks, order, starts, reach):
    """Integer zero points, restored = s (q - z), or stored offsets, restored = s (q - first) + o."""
    scale, first, last = format.scale, codebook.codepoints[0], codebook.codepoints[-1]
    low = np.minimum.reduceat(y.reshape(-1)[order], starts)
    high = np.maximum.reduceat(y.reshape(-1)[order], starts)
    zero, offset = np.full(low.size, first), np.zeros(low.size)
    if scale.zero == "integer":
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    scales = rounded(scale.number, (high - low) / reach, scale.rounding)
    divisor = np.where(scales == 0, np.inf, scales)
    if scale.zero == "integer":
        zero = np.clip(np.rint(first - low / divisor), first, last)
    else:
        offset = rounded(scale.zero, low, "nearest")
    zero, offset = zero[blocks], offset[blocks]
    codes = np.searchsorted(codebook.thresholds, (y - offset) / divisor[blocks] + zero, side="left")
    restored = scales[blocks] * (codebook.codepoints[codes] - zero) + offset
    return Simulated(restored, codes, np.zeros(y.shape, dtype=bool))


def _size(block, shape):
    """Elements of a whole block, for codebooks that depend on it."""
    if isinstance(block, tuple):
        return float(block[0] * block[1])
    return float({"tensor": np.prod(shape), "channel": shape[-1]}.get(block, block))


def _outliers(outliers, x):
    taken = np.zeros(x.shape, dtype=bool)
    if outliers is None:
        return taken
    for tensor, mine in zip(x, taken, strict=True):
        size = np.abs(tensor.reshape(-1))
        if outliers.threshold is not None:
            mine.flat[size > outliers.threshold * np.sqrt(np.mean(size**2))] = True
        else:
            mine.flat[np.argsort(-size, kind="stable")[: round(outliers.fraction * size.size)]] = True
    return taken


@lru_cache(maxsize=32)
def block_labels(block, shape):
    """Number of the block of each element; the elements sorted by it; where each block starts among them."""
    index = np.indices(shape)
    if block == "tensor":
        keys = [index[0]]
    elif block == "channel":
        keys = list(index[:-1])
    elif isinstance(block, tuple):
        keys = [*index[:-2], index[-2] // block[0], index[-1] // block[1]]
    else:
        keys = [*index[:-1], index[-1] // block]
    label = np.zeros(shape, dtype=np.int64)
    for key in keys:
        label = label * (key.max() + 1) + key
    return label, *_sorted(label.reshape(-1))


def _sorted(labels):
    order = np.argsort(labels, kind="stable")
    return order, np.flatnonzero(np.diff(labels[order], prepend=-1))


def _signmax(values, starts):
    high, low = np.maximum.reduceat(values, starts), np.minimum.reduceat(values, starts)
    return np.where(high >= -low, high, low)


def _rms(values, starts):
    counts = np.diff(starts, append=values.size)
    return np.sqrt(np.add.reduceat(values**2, starts) / counts)


STATISTICS = {
    "absmax": lambda values, starts: np.maximum.reduceat(np.abs(values), starts),
    "signmax": _signmax,
    "rms": _rms,
}


def _stored_scales(format, exact, shape):
    number, rounding = format.scale.number, format.scale.rounding
    if format.group is None:
        return rounded(number, exact, rounding)
    groups = _group_labels(format, exact.size, shape)
    order, starts = _sorted(groups)
    largest = np.maximum.reduceat(np.abs(exact)[order], starts)
    outer = rounded(format.group.number, largest / number.largest, format.group.rounding)[groups]
    inner = rounded(number, np.where(outer > 0, exact / np.where(outer > 0, outer, 1), 0), rounding)
    return outer * inner


def _group_labels(format, blocks, shape):
    """Number of the group that each block is in."""
    if format.group.blocks == "tensor":
        return np.arange(blocks) // (blocks // shape[0])
    block = format.block
    width = block[1] if isinstance(block, tuple) else shape[-1] if isinstance(block, str) else block
    a_row = -(-shape[-1] // width)
    row, place = np.divmod(np.arange(blocks), a_row)
    return np.unique(row * a_row + place // format.group.blocks, return_inverse=True)[1]


def rounded(number, x, mode):
    """Stored number of each magnitude, with its sign."""
    size = np.abs(x)
    if number.bits > 16:  # float32: rounding up or down is below all that is tested
        return np.asarray(x, dtype=np.float32).astype(np.float64)
    if mode == "nearest" and number.name in CAST:
        return np.copysign(size.astype(CAST[number.name]).astype(np.float64), x)
    values = _magnitudes(number)
    below = np.clip(np.searchsorted(values, size, side="right") - 1, 0, values.size - 1)
    above = np.minimum(below + (values[below] < size), values.size - 1)
    if mode == "nearest":
        stored = np.where(size - values[below] <= values[above] - size, below, above)
    else:
        stored = above if mode == "up" else below
    return np.copysign(values[stored], x)


@lru_cache(maxsize=32)
def _magnitudes(number):
    values = number.values()
    return values[values >= 0]
