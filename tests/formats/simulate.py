"""A format applied to an array in plain numpy: the oracle of predictions.

Literal and slow on purpose: every block and group is a label on an element, statistics are taken by sorting
the labels, and scales are rounded by looking them up in the list of a type's numbers.  Nothing is shared with
the encoder or with the prediction but the elements' codebooks.
"""

from dataclasses import dataclass

import ml_dtypes
import numpy as np

CAST = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


@dataclass
class Simulated:
    """What a format made of an array, with the label of the independent unit of each element."""

    restored: np.ndarray
    codes: np.ndarray
    blocks: np.ndarray
    scales: np.ndarray


def simulate(format, x, codebook, reach, multiplier=1.0):
    """Restore the float64 array `x`; `codebook` and `reach` are in the element's units."""
    x = np.asarray(x, dtype=np.float64)
    taken = _outliers(format.outliers, x)
    y = np.where(taken, 0.0, x)
    blocks = block_labels(format.block, x.shape)
    statistic = format.scale.statistic
    scales = np.ones(blocks.max() + 1)
    if statistic != "none":
        exact = multiplier * by_label(STATISTICS[statistic], y, blocks) / reach
        scales = _stored_scales(format, exact, blocks, x.shape)
    own = scales[blocks]
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.where(own == 0, 0.0, y / own)
    codes = np.searchsorted(codebook.thresholds, u, side="left")
    restored = own * codebook.codepoints[codes]
    if taken.any():
        restored[taken] = rounded(format.outliers.number, x[taken], "nearest")
    return Simulated(restored, codes, blocks, scales)


def _outliers(outliers, x):
    taken = np.zeros(x.size, dtype=bool)
    if outliers is not None:
        size = np.abs(x.reshape(-1))
        if outliers.threshold is not None:
            taken = size > outliers.threshold * np.sqrt(np.mean(size**2))
        else:
            taken[np.argsort(-size, kind="stable")[: round(outliers.fraction * x.size)]] = True
    return taken.reshape(x.shape)


def block_labels(block, shape):
    """Number of the block that each element is in, row by row."""
    index = np.indices(shape)
    if block == "tensor":
        return np.zeros(shape, dtype=np.int64)
    if block == "channel":
        keys = list(index[:-1])
    elif isinstance(block, tuple):
        keys = [*index[:-2], index[-2] // block[0], index[-1] // block[1]]
    else:
        keys = [*index[:-1], index[-1] // block]
    label = np.zeros(shape, dtype=np.int64)
    for key in keys:
        label = label * (key.max() + 1) + key
    return label


def by_label(statistic, values, labels):
    """Statistic of the values under each label."""
    order = np.argsort(labels.reshape(-1), kind="stable")
    starts = np.flatnonzero(np.diff(labels.reshape(-1)[order], prepend=-1))
    return statistic(values.reshape(-1)[order], starts)


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


def _stored_scales(format, exact, blocks, shape):
    number, rounding = format.scale.number, format.scale.rounding
    if format.group is None:
        return rounded(number, exact, rounding)
    groups = group_labels(format, exact.size, shape)
    largest = by_label(STATISTICS["absmax"], exact, groups)
    outer = rounded(format.group.number, largest / number.largest, format.group.rounding)[groups]
    inner = rounded(number, np.where(outer > 0, exact / np.where(outer > 0, outer, 1), 0), rounding)
    return outer * inner


def group_labels(format, blocks, shape):
    """Number of the group that each block is in."""
    if format.group.blocks == "tensor":
        return np.zeros(blocks, dtype=np.int64)
    width = {"channel": shape[-1], "tensor": shape[-1]}.get(format.block)
    if width is None:
        width = format.block[1] if isinstance(format.block, tuple) else format.block
    a_row = -(-shape[-1] // width)
    row, place = np.divmod(np.arange(blocks), a_row)
    return np.unique(row * a_row + place // format.group.blocks, return_inverse=True)[1]


def rounded(number, x, mode):
    """Stored value of each number, magnitudes rounded."""
    size = np.abs(x)
    if mode == "nearest" and number.name in CAST:
        return np.copysign(size.astype(CAST[number.name]).astype(np.float64), x)
    values = number.values()
    values = values[values >= 0]
    below = np.clip(np.searchsorted(values, size, side="right") - 1, 0, values.size - 1)
    above = np.minimum(below + (values[below] < size), values.size - 1)
    if mode == "nearest":
        middle = (values[below] + values[above]) / 2
        even = below + (below % 2)
        stored = np.where(size < middle, below, np.where(size > middle, above, np.minimum(even, above)))
    else:
        stored = above if mode == "up" else below
    return np.copysign(values[stored], x)
