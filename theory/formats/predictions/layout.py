"""How a format cuts a tensor of a given shape into blocks and groups of blocks.

Blocks of one size and one place in their group have one law, so that a tensor is described by a handful of
parts, each with its share of the elements.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..format import Block, Format
    from ..scaling import GroupedScale

__all__ = ["Layout", "Part", "layout_of"]


@dataclass(frozen=True)
class Part:
    """Blocks that have one law.

    Attributes
    ----------
    size : int
        Elements that share a scale.
    group : float
        Elements that share an outer scale over `size`: the number of blocks in a group where all are of this
        size; 1 where there is none.
    elements : int
        Elements of the tensor in such blocks.
    """

    size: int
    group: float
    elements: int


@dataclass(frozen=True)
class Layout:
    """Numbers of elements, scales and outer scales of a tensor, and the laws among its blocks."""

    elements: int
    blocks: int
    groups: int
    parts: tuple[Part, ...]


def layout_of(format: Format, shape: tuple[int, ...]) -> Layout:
    """Blocks and groups of a tensor whose last axis has been rotated (and padded) already."""
    elements = math.prod(shape)
    lines = _lines(format.block, shape)
    counts: Counter[tuple[int, float]] = Counter()
    groups = 0
    if format.group is not None and format.group.blocks == "tensor":
        groups = 1
        for sizes, number in lines.items():
            for size, blocks in sizes:
                counts[size, elements / size] += number * blocks
    else:
        for sizes, number in lines.items():
            found, made = _grouped(sizes, format.group)
            groups += number * made
            for key, blocks in found.items():
                counts[key] += number * blocks
    parts = tuple(Part(size, group, size * blocks) for (size, group), blocks in sorted(counts.items()))
    return Layout(elements, sum(counts.values()), groups, parts)


_Line = tuple[tuple[int, int], ...]


def _lines(block: Block, shape: tuple[int, ...]) -> dict[_Line, int]:
    """Rows of blocks, as (size, number of blocks) from left to right, with the number of such rows."""
    elements = math.prod(shape)
    columns = shape[-1] if shape else 1
    if block == "tensor":
        return {((elements, 1),): 1}
    if block == "channel":
        return {((columns, 1),): elements // columns}
    if isinstance(block, tuple):
        rows = shape[-2] if len(shape) > 1 else 1
        planes = elements // (rows * columns)
        heights = ((min(block[0], rows), rows // block[0]), (rows % block[0], int(rows % block[0] > 0)))
        return {_line(columns, block[1], height): planes * number for height, number in heights if number}
    return {_line(columns, block, 1): elements // columns}


def _line(columns: int, width: int, height: int) -> _Line:
    full, rest = divmod(columns, width)
    return tuple((size * height, number) for size, number in ((width, full), (rest, 1)) if size and number)


def _grouped(line: _Line, group: GroupedScale | None) -> tuple[Counter[tuple[int, float]], int]:
    """Blocks of a row by size and by the elements their group holds over their size, and its groups."""
    counts: Counter[tuple[int, float]] = Counter()
    if group is None:
        for size, blocks in line:
            counts[size, 1.0] += blocks
        return counts, 0
    capacity = int(group.blocks)
    (size, blocks), *rest = line
    tails = [tail for tail, _ in rest]
    whole, left = divmod(blocks, capacity)
    counts[size, float(capacity)] += whole * capacity
    # A shorter block ends the group that is not full yet, or makes one of its own.
    members = [size] * left + tails
    for member in members:
        counts[member, sum(members) / member] += 1
    return +counts, whole + bool(members)
