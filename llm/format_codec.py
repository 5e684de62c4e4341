"""Formats on torch tensors, on whatever device they lie: the codes and values of the numpy codec, bit for bit.

Statistics and elements stay on the device; the scales, which are few, are rounded by the numpy code itself.  What
is not arithmetic on blocks (outliers, rotations, searched scales, vector codebooks, mean squares of rectangles) goes
through the numpy codec, and so does everything that already lies in the CPU's memory, where its compiled kernels
are faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch.nn import functional

from ..theory.formats.codecs.block_codec import ScalarCodec
from ..theory.formats.codecs.block_scales import BlockScales, Statistics
from ..theory.formats.codecs.blocks import Blocks
from ..theory.formats.codecs.encoded import Encoded
from ..theory.formats.codecs.encoding import decode, encode
from ..theory.formats.codecs.plan import Plan, nominal_size, plan_of, quantiser_of
from ..theory.formats.format import Format
from ..theory.quantisers.evaluation import entropy_bits

__all__ = ["QuantisedTensor", "quantise_on_device", "quantise_tensor", "to_numpy"]

_KINDS = {
    torch.float16: np.dtype(np.float16),
    torch.bfloat16: np.dtype(ml_dtypes.bfloat16),
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}

# Elements whose codes and quotients exist at once.
_SLICE = 1 << 24


@dataclass(frozen=True, eq=False)
class QuantisedTensor:
    """A tensor as a format restores it, with the bits it takes.

    Attributes
    ----------
    restored : torch.Tensor
        Of the shape, dtype and device of the tensor.
    bits : int
        Of everything stored.
    entropy : float
        Of the codes, bits per code.
    """

    restored: torch.Tensor
    bits: int
    entropy: float


def quantise_tensor(format: Format, x: torch.Tensor) -> QuantisedTensor:
    """Store a tensor in a format and restore it.

    Parameters
    ----------
    format : Format
    x : torch.Tensor
        float16, bfloat16, float32 or float64, finite, of any shape, on any device.

    Returns
    -------
    QuantisedTensor
        Equal to the last bit to what `format.quantise` makes of the same values.

    Raises
    ------
    TypeError
        If `x` is of another type.
    ValueError
        If an element is not finite.
    """
    if not isinstance(x, torch.Tensor) or x.dtype not in _KINDS:
        raise TypeError(f"x must be a floating torch tensor, got {getattr(x, 'dtype', type(x).__name__)}")
    if x.device.type == "cpu" or not on_device(format, x):
        return _on_host(format, x)
    return quantise_on_device(format, x)


def on_device(format: Format, x: torch.Tensor) -> bool:
    """Whether `quantise_on_device` knows all that the format does."""
    plan = _plan(format, x)
    flat_rms = format.scale.statistic != "rms" or plan.blocks.height == 1
    whole = format.outliers is None and format.rotation is None and format.scale.search == "none"
    return whole and flat_rms and isinstance(plan.codec, ScalarCodec)


def to_numpy(x: torch.Tensor) -> np.ndarray[Any, Any]:
    """Elements of a tensor as a numpy array, bfloat16 included."""
    host = x.detach().cpu().contiguous()
    if host.dtype == torch.bfloat16:
        return host.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    array: np.ndarray[Any, Any] = host.numpy()
    return array


def _of_numpy(array: np.ndarray[Any, Any], like: torch.Tensor) -> torch.Tensor:
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(like.device)
    return torch.from_numpy(array).to(like.device)


def _on_host(format: Format, x: torch.Tensor) -> QuantisedTensor:
    encoded = encode(format, to_numpy(x))
    return QuantisedTensor(_of_numpy(decode(encoded), x), encoded.bits, encoded.entropy())


def _plan(format: Format, x: torch.Tensor) -> Plan:
    arithmetic = np.dtype(np.float64 if x.dtype == torch.float64 else np.float32)
    return plan_of(format, tuple(x.shape), arithmetic)


@torch.no_grad()
def quantise_on_device(format: Format, x: torch.Tensor) -> QuantisedTensor:
    """`quantise_tensor` by torch operations alone, for formats that `on_device` accepts."""
    if not torch.isfinite(x).all():
        position = int((~torch.isfinite(x.reshape(-1))).nonzero()[0])
        raise ValueError(f"x must be finite, but element {position} is {x.reshape(-1)[position]}")
    plan = _plan(format, x)
    kind = torch.float64 if plan.codec.dtype == np.float64 else torch.float32
    blocks = _blocked(x.detach().to(kind).reshape(-1), plan.blocks)
    inside = _inside(plan.blocks, x.device)
    scales = plan.scaler.scales(_statistics(format, plan, blocks, inside))
    through = _Through(plan, nominal_size(format, tuple(x.shape)), scales, x.device)
    restored = torch.empty_like(blocks)
    counts = torch.zeros(len(through.codepoints), dtype=torch.int64, device=x.device)
    for part in _slices(blocks):
        codes, restored[part] = through(blocks[part], part[0])
        used = codes if inside is None else codes[inside[part]]
        counts += torch.bincount(used.reshape(-1), minlength=len(counts))
    limit = torch.finfo(x.dtype).max
    flat = _unblocked(restored, plan.blocks).clamp_(-limit, limit)
    return QuantisedTensor(flat.to(x.dtype).reshape(x.shape), *_counted(format, x, plan, scales, counts))


def _slices(blocks: torch.Tensor) -> Iterator[tuple[slice, slice]]:
    """Parts of an array of blocks that are handled at once: codes and quotients need not exist for all of it."""
    down = max(1, _SLICE // max(blocks.shape[1], 1))
    for first in range(0, blocks.shape[0], down):
        for left in range(0, blocks.shape[1], _SLICE):
            yield slice(first, first + down), slice(left, left + _SLICE)


def _blocked(flat: torch.Tensor, blocks: Blocks) -> torch.Tensor:
    """Elements as (block, place in it), blocks in the order of the grid, filled up with zeros."""
    planes = blocks.rows // blocks.plane if blocks.plane else 0
    down, right = blocks.bands_in_plane * blocks.height, blocks.across * blocks.width
    x = flat.reshape(planes, blocks.plane, blocks.columns)
    x = functional.pad(x, (0, right - blocks.columns, 0, down - blocks.plane))
    x = x.reshape(planes * blocks.bands_in_plane, blocks.height, blocks.across, blocks.width)
    return x.transpose(1, 2).reshape(blocks.count, blocks.height * blocks.width)


def _unblocked(x: torch.Tensor, blocks: Blocks) -> torch.Tensor:
    """The inverse of `_blocked`, flat."""
    planes = blocks.rows // blocks.plane if blocks.plane else 0
    x = x.reshape(planes * blocks.bands_in_plane, blocks.across, blocks.height, blocks.width).transpose(1, 2)
    x = x.reshape(planes, blocks.bands_in_plane * blocks.height, blocks.across * blocks.width)
    return x[:, : blocks.plane, : blocks.columns].reshape(-1)


def _inside(blocks: Blocks, device: torch.device) -> torch.Tensor | None:
    """Which places hold elements; None where all do."""
    if blocks.columns % blocks.width == 0 and (blocks.plane or 1) % blocks.height == 0:
        return None
    return _blocked(torch.ones(blocks.elements, dtype=torch.bool, device=device), blocks)


def _statistics(format: Format, plan: Plan, x: torch.Tensor, inside: torch.Tensor | None) -> Statistics:
    """Statistics of the blocks, on the host, some blocks at a time."""
    step = max(1, _SLICE // max(x.shape[1], 1))
    found = []
    for start in range(0, max(len(x), 1), step):
        part = slice(start, start + step)
        sizes = plan.blocks.sizes().reshape(-1)[part]
        found.append(_some_statistics(format, plan, x[part], None if inside is None else inside[part], sizes))
    if found[0].least is None:
        return Statistics(np.concatenate([one.values for one in found]))
    least = np.concatenate([one.least for one in found if one.least is not None])
    return Statistics(np.concatenate([one.values for one in found]), least)


def _some_statistics(
    format: Format, plan: Plan, x: torch.Tensor, inside: torch.Tensor | None, sizes: np.ndarray[Any, Any]
) -> Statistics:
    statistic = format.scale.statistic
    if statistic == "none":
        return Statistics(np.ones(len(x)))
    if statistic == "rms":
        sums = _sum_by_halves(x.double().square())
        return Statistics(_float64(torch.sqrt(sums / torch.from_numpy(sizes).to(x.device))))
    if statistic == "minmax":
        low = x if inside is None else x.masked_fill(~inside, math.inf)
        high = x if inside is None else x.masked_fill(~inside, -math.inf)
        return plan.scaler.range_of(_float64(low.amin(1)), _float64(high.amax(1)))
    largest = x.abs().amax(1)
    if statistic == "absmax":
        return Statistics(_float64(largest) + 0.0)
    place = torch.arange(x.shape[1], device=x.device)
    first = torch.where(x.abs() == largest[:, None], place, x.shape[1]).amin(1)
    return Statistics(_float64(x.gather(1, first[:, None])[:, 0]) + 0.0)


def _float64(x: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    array: np.ndarray[Any, np.dtype[np.float64]] = x.double().cpu().numpy()
    return array


def _sum_by_halves(x: torch.Tensor) -> torch.Tensor:
    size = 1 << max(x.shape[1] - 1, 0).bit_length()
    x = functional.pad(x, (0, size - x.shape[1]))
    while x.shape[1] > 1:
        half = x.shape[1] // 2
        x = x[:, :half] + x[:, half:]
    return x[:, 0]


class _Through:
    """Codes of blocked elements and what they are restored as."""

    def __init__(self, plan: Plan, size: float, scales: BlockScales, device: torch.device) -> None:
        quantiser = quantiser_of(plan.format.element, plan.format.scale.statistic, size)
        self._thresholds, self.codepoints = (
            torch.tensor(table.astype(plan.codec.dtype), device=device)
            for table in (quantiser.thresholds, quantiser.codepoints)
        )
        self._scales = scales

    def __call__(self, x: torch.Tensor, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Of some elements of some blocks."""
        scale = _column(self._scales.scales[rows], x)
        offset = _column(self._scales.offsets[rows], x) if self._scales.offsets.size else None
        zero = _column(self._scales.zeros[rows], x) if self._scales.zeros.size else None
        moved = x if offset is None else x - offset
        divided = torch.where(scale == 0, torch.zeros_like(x), moved / scale)
        if zero is not None:
            divided = divided + zero
        codes = torch.bucketize(divided, self._thresholds)
        points = self.codepoints[codes]
        restored = scale * (points if zero is None else points - zero)
        return codes, restored if offset is None else restored + offset


def _column(values: np.ndarray[Any, Any], like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(like.device, like.dtype)[:, None]


def _counted(
    format: Format, x: torch.Tensor, plan: Plan, scales: BlockScales, counts: torch.Tensor
) -> tuple[int, float]:
    """Bits of everything stored, and the entropy of the codes, of which each was found so many times."""
    entropy = entropy_bits(counts.double().cpu().numpy() / max(x.numel(), 1))
    same = np.broadcast_to(np.zeros((), plan.codec.code_type), (x.numel(),))  # only counted
    stored = Encoded(
        format,
        tuple(x.shape),
        _KINDS[x.dtype].name,
        same,
        scales.stored,
        scales.stored_zeros,
        scales.groups,
        scales.zero_groups,
    )
    bits = stored.bits
    if format.code == "entropy":
        bits += math.ceil(entropy * x.numel()) - stored.element_bits
    return bits, entropy
