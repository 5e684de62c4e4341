"""Encoding one block at a time in plain Python: the documented arithmetic read out literally, and slow."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np


def block_slices(shape, block):
    """Index of every block of an array of at least one axis, in the order of the grid."""
    if block == "tensor":
        return [tuple(slice(None) for _ in shape)] if math.prod(shape) else []
    if block == "channel":
        block = max(shape[-1], 1)
    sides = (1, block) if not isinstance(block, tuple) else block
    if len(shape) == 1:
        return [(slice(j, j + sides[1]),) for j in range(0, shape[0], sides[1])]
    found = []
    for plane in np.ndindex(*shape[:-2]):
        for i in range(0, shape[-2], sides[0]):
            for j in range(0, shape[-1], sides[1]):
                found.append((*plane, slice(i, i + sides[0]), slice(j, j + sides[1])))
    return found


def halved_sum(terms):
    terms = [float(term) for term in terms]
    while len(terms) & (len(terms) - 1) or not terms:
        terms.append(0.0)
    while len(terms) > 1:
        half = len(terms) // 2
        terms = [a + b for a, b in zip(terms[:half], terms[half:], strict=True)]
    return terms[0]


def statistic_of(values, statistic):
    flat = [float(v) for v in values.reshape(-1)]
    if statistic == "none":
        return 1.0
    if statistic == "rms":
        with np.errstate(over="ignore"):
            squares = [np.float64(v) * np.float64(v) for v in flat]
        return math.sqrt(halved_sum(squares) / len(flat))
    largest = max(abs(v) for v in flat)
    if statistic == "absmax":
        return largest
    return next(v for v in flat if abs(v) == largest)


def rounded(number, value, mode):
    return float(np.float32(number.round(np.array([value]), mode)[0]))


def ends_of(values, zero):
    low, high = float(values.min()), float(values.max())
    if zero == "integer":
        return min(low, 0.0), max(high, 0.0)
    if not zero.signed:
        return min(low, 0.0), high
    return low, high


def groups_of(format, shape, slices):
    """Group of every block."""
    if format.group.blocks == "tensor":
        return [0] * len(slices)
    last = shape[-1]
    width = {"tensor": max(math.prod(shape), 1), "channel": max(last, 1)}.get(format.block, format.block)
    width = width[1] if isinstance(width, tuple) else width
    across = 1 if format.block == "tensor" else -(-last // width)
    in_row = -(-across // format.group.blocks)
    return [k // across * in_row + k % across // format.group.blocks for k in range(len(slices))]


def stored_scales(format, exact, number, mode, groups):
    """Stored numbers of the blocks, those of the groups, and scales as they are used."""
    if format.group is None:
        stored = [rounded(number, s, mode) for s in exact]
        return stored, None, stored
    outer = []
    for g in range(max(groups, default=-1) + 1):
        largest = max(abs(s) for s, group in zip(exact, groups, strict=True) if group == g)
        outer.append(rounded(format.group.number, largest / number.largest, format.group.rounding))
    stored = [
        rounded(number, s / outer[g] if outer[g] else 0.0, mode) for s, g in zip(exact, groups, strict=True)
    ]
    scales = [float(np.float32(outer[g] * s)) for s, g in zip(stored, groups, strict=True)]
    return stored, outer, scales


def encode_quantise(format, array, quantiser, reach, multiplier, factors=None):
    """Codes, stored scales and zeros, and restored values of an array of at least one axis; no outliers."""
    array = np.asarray(array)
    restored_type = array.dtype if array.dtype.kind != "i" else np.dtype(np.float64)
    c = np.float64 if restored_type.itemsize == 8 else np.float32
    x = array.astype(c)
    scale = format.scale
    slices = block_slices(x.shape, format.block)
    factors = [1.0] * len(slices) if factors is None else factors
    low_code, high_code = float(quantiser.codepoints[0]), float(quantiser.codepoints[-1])
    least = None
    if scale.statistic == "minmax":
        ends = [ends_of(x[s], scale.zero) for s in slices]
        values, least = [high - low for low, high in ends], [low for low, _ in ends]
    else:
        values = [statistic_of(x[s], scale.statistic) for s in slices]
    groups = groups_of(format, x.shape, slices) if format.group else None
    if scale.statistic == "none":
        stored, outer, scales = [], None, [1.0] * len(slices)
    else:
        exact = [multiplier * f * v / reach for v, f in zip(values, factors, strict=True)]
        stored, outer, scales = stored_scales(format, exact, scale.number, scale.rounding, groups)
    zeros, stored_zeros = [0.0] * len(slices), None
    offsets = [0.0] * len(slices)
    if scale.statistic == "minmax" and scale.zero == "integer":
        zeros = [
            float(np.clip(np.rint(low_code - m / s), low_code, high_code))
            if s
            else float(np.clip(0.0, low_code, high_code))
            for m, s in zip(least, scales, strict=True)
        ]
        stored_zeros = zeros
    elif scale.statistic == "minmax":
        sign = 1.0 if scale.zero.signed else -1.0
        stored_zeros, _, offsets = stored_scales(
            format, [sign * m + 0.0 for m in least], scale.zero, "nearest", groups
        )
        offsets, zeros = [sign * m for m in offsets], [low_code] * len(slices)
    codes = np.empty(x.shape, int)
    restored = np.empty(x.shape, c)
    thresholds = quantiser.thresholds.astype(c)
    codepoints = [c(p) for p in quantiser.codepoints]
    for place, s, z, m in zip(slices, scales, zeros, offsets, strict=True):
        for index in np.ndindex(*x[place].shape):
            value, step = x[place][index], c(s)
            with np.errstate(over="ignore", under="ignore"):
                if s == 0:
                    u = c(0)
                elif scale.statistic == "minmax":
                    u = (value - c(m)) / step + c(z)
                else:
                    u = value / step
                code = int(np.count_nonzero(thresholds < u))
                codes[place][index] = code
                if scale.statistic == "minmax":
                    restored[place][index] = step * (codepoints[code] - c(z)) + c(m)
                else:
                    restored[place][index] = step * codepoints[code]
    limit = c(ml_dtypes.finfo(restored_type).max)
    return codes, stored, stored_zeros, outer, np.clip(restored, -limit, limit).astype(restored_type)
