"""Arrays to what a format stores of them, and back.

The arithmetic is fixed to the last bit, so that any other implementation can be held to it.  With c = float32
for arrays of float16, bfloat16 and float32, and c = float64 for float64 and integers:

1. The rotation, if any, turns the last axis; outliers are taken out and leave zeros.
2. A block's statistic is exact (absmax; signmax: the first element, in C order, of largest magnitude; minmax:
   the range, with 0 in it if the zero is an integer), or the root of the mean square in float64, squares added
   by halves: padded with zeros to a power of two, first half plus second half, until one number is left.
3. s = multiplier * statistic / reach in float64, rounded once to `Scale.number`, which saturates.  In a group,
   T = round(S / L) for the largest exact |s| = S of the group and the largest number L of `Scale.number`; the
   block stores round(s / T), or 0 if T is 0, and s becomes the float32 nearest to their product.  A searched
   factor multiplies s; that of a block leaves T, and with it the scales of the other blocks, as it was.
4. u = x / s in c, and u = 0 where s = 0; the code is the number of thresholds, rounded to c, below u.
5. The element is restored as s * codepoint in c, codepoint rounded to c; then it is cut to the largest
   magnitude of the array's type and rounded to that type.

minmax blocks with an integer zero store z = rint(lowest codepoint - min / s), cut to the codepoints' range (0
if s is 0, cut likewise); u = x / s + z, restored s * (codepoint - z).  With a number for the offset m (the
least element rounded to nearest, or minus the rounded magnitude of min(least, 0) for a type without sign; in a
group relative to a scale of offsets, made as that of scales is): u = (x - m) / s + lowest codepoint, restored
s * (codepoint - lowest codepoint) + m.

Nothing depends on the number of threads.  Arrays in C order are read in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._arrays import as_real, finite, raise_not_finite
from ..._typing import ArrayLike, IntArray
from .block_codec import part_of
from .block_scales import BlockScales, Statistics
from .block_statistics import tiles_of
from .blocks import Blocks, Tile
from .conversion import BFLOAT16, LARGEST, arithmetic, narrowed, widened
from .encoded import Encoded
from .parallel import in_parallel
from .plan import Plan, plan_of
from .scale_search import block_factors, tensor_factor

if TYPE_CHECKING:
    from ..format import Format

__all__ = ["decode", "encode", "quantise"]


def encode(format: Format, array: ArrayLike) -> Encoded:
    """Store an array in a format; see the module for the arithmetic.

    Parameters
    ----------
    format : Format
    array : array_like of any shape and memory layout
        float16, bfloat16, float32, float64, or integers (taken as float64); finite.

    Returns
    -------
    Encoded
        Codes, scales and what is kept apart; `decode` restores the array from it.  A scale beyond the largest
        number that stores it saturates, and one too small for it becomes 0, which restores its block as
        zeros.  Blocks of zeros are restored as zeros wherever 0 is a codepoint or s = 0 can be stored.  The
        sign of a zero is not kept.  Elements of vector codebooks share a code in runs of `dimension` along the
        rows of a block, whose last vector may be shorter; their codes count the last axis in vectors (all
        elements, if the block is the tensor).

    Raises
    ------
    TypeError
        If the array holds anything else.
    ValueError
        If an element is NaN or infinite (the first one is named), or a scale is negative and its number type
        has no sign.

    Notes
    -----
    Large arrays are shared between all cores and encoded at about the speed of memory; float32 in C order is
    fastest, other layouts are copied first.

    Quantising a second time changes nothing where the block's extreme finds its own scale again: absmax or
    signmax, no search, outliers or rotation, and scales that are rounded to nearest in a type that is fine
    beside the element's steps (float32 to bfloat16), or mxfp4's.  It may change what other formats hold.  The
    negative of an array has mirrored codes where codepoints and thresholds are symmetric and no element lies
    on a threshold; under signmax it has the same codes, and negative scales.

    Do not encode a tensor in pieces: scales and searches of a whole tensor, and outliers, look at all of it.

    Examples
    --------
    >>> from bitlaw.theory import parse_format
    >>> encoded = encode(parse_format("int4,block=4"), [[7.0, -3.2, 0.0, 1.6], [0.5, 0.0, 0.0, -1.0]])
    >>> encoded.codes
    array([[15,  5,  8, 10],
           [12,  8,  8,  1]], dtype=uint8)
    >>> encoded.bits, decode(encoded)[0]
    (64, array([ 7., -3.,  0.,  2.]))
    """
    values = as_real(array, "array")
    if values.dtype.kind in "iu":
        values = values.astype(np.float64)
    flat, shape = _rotated(format, values)
    plan = plan_of(format, shape, arithmetic(values.dtype))
    flat, positions, kept = _without_outliers(format, flat)
    found = _encode_tiles(plan, flat) if _local(plan) else _encode_whole(plan, flat)
    if found is None:
        raise_not_finite(values, "array")
    codes, scales = found
    return Encoded(
        format,
        values.shape,
        values.dtype.name,
        codes.reshape(plan.codes_shape(shape)),
        scales.stored.reshape(plan.grid if scales.stored.size else (0,)),
        None if scales.stored_zeros is None else scales.stored_zeros.reshape(plan.grid),
        scales.groups,
        scales.zero_groups,
        positions,
        kept,
    )


def decode(encoded: Encoded) -> NDArray[Any]:
    """Restore an array from what is stored of it.

    Returns
    -------
    ndarray of `encoded.dtype`, of shape `encoded.shape`, C order

    Raises
    ------
    ValueError
        If the arrays do not fit the format and the shape, or a code is out of range.
    """
    format, dtype = encoded.format, _dtype(encoded.dtype)
    shape = encoded.shape
    if format.rotation is not None:
        shape = (*shape[:-1], format.rotation.stored_length(shape[-1]))
    plan = plan_of(format, shape, arithmetic(dtype))
    turned = format.rotation is not None
    flat = _decode_tiles(plan, encoded, plan.codec.dtype if turned else dtype)
    if encoded.outlier_positions is not None and encoded.outlier_values is not None:
        flat[encoded.outlier_positions] = narrowed(
            encoded.outlier_values.astype(plan.codec.dtype), flat.dtype
        )
    if format.rotation is None:
        return flat.reshape(shape)
    restored = format.rotation.undo(flat.reshape(shape), encoded.shape[-1])
    return np.ascontiguousarray(narrowed(restored, dtype))


def quantise(format: Format, array: ArrayLike) -> NDArray[Any]:
    """Restore what a format stores of an array: `decode(encode(format, array))`."""
    return decode(encode(format, array))


def _dtype(name: str) -> np.dtype[Any]:
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)


def _rotated(format: Format, values: NDArray[Any]) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Flat elements in C order, after the rotation, and the shape they have."""
    if (format.rotation is not None or format.outliers is not None) and not finite(values).all():
        raise_not_finite(values, "array")
    if format.rotation is not None:
        values = format.rotation.apply(values)
    return np.ascontiguousarray(values).reshape(-1), values.shape


def _without_outliers(
    format: Format, flat: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.int64] | None, NDArray[np.float32] | None]:
    """Elements with outliers set to zero, where those are, and their rounded values."""
    if format.outliers is None:
        return flat, None, None
    positions = format.outliers.find(flat)
    values = format.outliers.number.round(widened(flat[positions]).astype(np.float64))
    flat = flat.copy()
    flat[positions] = 0
    return flat, positions, values.astype(np.float32)


def _local(plan: Plan) -> bool:
    """Whether every block can be finished when its tile has been read."""
    size = plan.blocks.height * plan.blocks.width
    return plan.format.group is None and plan.format.scale.search != "tensor" and size <= plan.codec.piece


def _encode_tiles(plan: Plan, flat: NDArray[Any]) -> tuple[IntArray, BlockScales] | None:
    """Statistic, scales and codes of one tile after the other."""
    codes = np.empty(plan.codec.codes_in(plan.blocks), plan.codec.code_type)

    def work(item: tuple[Tile, slice]) -> BlockScales | None:
        tile, here = item
        x = widened(flat[tile.elements])
        found = plan.scaler.measure(x, tile.blocks)
        if found is None:
            return None
        scales = _searched(plan, x, tile.blocks, found)
        plan.codec.encode(x, tile.blocks, scales, codes[here])
        return scales

    parts = in_parallel(work, plan.codec.tiles(plan.blocks))
    if any(part is None for part in parts):
        return None
    return codes, _joined([part for part in parts if part is not None], plan)


def _joined(parts: list[BlockScales], plan: Plan) -> BlockScales:
    """Scales of all tiles, as far as they are stored."""
    empty = np.empty(0, np.float32)
    stored = np.concatenate([part.stored for part in parts]) if parts else empty
    zeros = None
    if plan.format.scale.statistic == "minmax":
        zeros = np.concatenate(
            [empty, *(part.stored_zeros for part in parts if part.stored_zeros is not None)]
        )
    return BlockScales(stored, empty, empty, empty, zeros)


def _searched(plan: Plan, x: NDArray[Any], blocks: Blocks, found: Statistics) -> BlockScales:
    search = plan.format.scale.search
    if plan.format.scale.statistic == "none" or search == "none":
        return plan.scaler.scales(found)
    choose: Callable[..., Any] = tensor_factor if search == "tensor" else block_factors
    return plan.scaler.scales(found, choose(x, blocks, found, plan.scaler, plan.codec))


def _encode_whole(plan: Plan, flat: NDArray[Any]) -> tuple[IntArray, BlockScales] | None:
    """Statistics of all blocks first, then all scales, then all codes."""
    x = widened(flat)
    if plan.blocks.split(plan.codec.piece) is not None:
        found = plan.scaler.measure(x, plan.blocks)
    else:
        found = _measured(plan, x)
    if found is None:
        return None
    scales = _searched(plan, x, plan.blocks, found)
    return plan.codec.encode_all(x, plan.blocks, scales), scales


def _measured(plan: Plan, x: NDArray[Any]) -> Statistics | None:
    parts = in_parallel(
        lambda tile: plan.scaler.measure(x[tile.elements], tile.blocks), tiles_of(plan.blocks)
    )
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if not known:
        return Statistics(np.empty(0), np.empty(0) if plan.format.scale.statistic == "minmax" else None)
    least = [part.least for part in known if part.least is not None]
    return Statistics(
        np.concatenate([part.values for part in known]), np.concatenate(least) if least else None
    )


def _decode_tiles(plan: Plan, encoded: Encoded, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Restored elements of a type, flat."""
    codes = np.ascontiguousarray(encoded.codes).reshape(-1)
    count, kind = plan.codec.codes_in(plan.blocks), plan.codec.code_type
    if codes.size != count or codes.dtype != kind:
        raise ValueError(f"codes must be {count} of {kind}, got {codes.size} of {codes.dtype}")
    blocks = plan.blocks.count if encoded.format.scale.statistic != "none" else 0
    groups = plan.scaler.groups_in(blocks)
    for name, wanted in (
        ("scales", blocks),
        ("zeros", blocks),
        ("group_scales", groups),
        ("group_zeros", groups),
    ):
        array = getattr(encoded, name)
        if array is not None and array.size != wanted:
            raise ValueError(f"{name} must be {wanted} for this format and shape, got {array.size}")
    fine, scales = plan.codec.refined(plan.blocks, plan.scaler.of_stored(encoded, plan.blocks.count))
    beyond = plan.codec.largest(scales) > LARGEST[dtype.name]
    out = np.empty(fine.elements, dtype)

    def work(item: tuple[Tile, slice]) -> None:
        tile, here = item
        part, found = codes[here], out[tile.elements]
        plan.codec.check(part)
        if dtype != plan.codec.dtype:
            found = np.empty(tile.blocks.elements, plan.codec.dtype)
        with np.errstate(over="ignore"):
            plan.codec.decode(part, tile.blocks, part_of(scales, tile.grid), found)
        if beyond or dtype != plan.codec.dtype:
            out[tile.elements] = narrowed(found, dtype, beyond)

    in_parallel(work, plan.codec.tiles(fine))
    return out
