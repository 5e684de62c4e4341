"""Formats worth trying at a budget: all named ones, and a grid of elements, blocks and scales."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...source_names import source_name
from ...sources import Laplace, Normal, Source, StudentT
from ..elements import Binary, Designed, Element, Float, Integer, NormalFloat, Ternary, parse_element
from ..format import Format
from ..names import FORMAT_NAMES
from ..number_types import number_type
from ..predictions.storage import storage
from ..scaling import GroupedScale, Scale
from ..spec import parse_format

if TYPE_CHECKING:
    from ..format import Block

__all__ = [
    "DEFAULT_LAWS",
    "grid",
    "has_name",
    "least_bits",
    "named",
    "neighbours",
    "overhead",
    "stepped",
    "stored",
]

DEFAULT_LAWS: tuple[Source, ...] = (Normal(), Laplace(), StudentT(5.0))

_BLOCKS: tuple[Block, ...] = (16, 32, 64, 128, 256, "channel", "tensor")
_WIDEST = 16
# Designs of more levels take seconds for each block size, and gain little over integers.
_WIDEST_DESIGN = 6
_FINE, _COARSE, _EIGHT = number_type("bfloat16"), number_type("e8m0"), number_type("e4m3")
_TENSOR = GroupedScale("tensor")
# Step sizes fitted to an entropy: the grid's blocks and scales.  Half of an extreme's block says more than its rms.
_STEPPED = (
    ("tensor", "rms:float32"),
    ("channel", "rms"),
    ("128", "rms"),
    ("64", "rms"),
    ("128", "absmax"),
    ("64", "absmax"),
    ("32", "absmax:e4m3,group=tensor"),
)


def named() -> list[Format]:
    """Formats that have a name."""
    return [parse_format(name) for name in FORMAT_NAMES]


def grid(budget: float, laws: Sequence[Source]) -> Iterator[Format]:
    """Formats of fixed length whose codes alone fit a budget and come within 2 bits of it."""
    for element in _elements(budget, laws):
        for block in _BLOCKS:
            for scale, group in _scales(element):
                candidate = Format(element, block, scale, group)
                if _sensible(candidate):
                    yield candidate


def stepped(budget: float) -> list[Format]:
    """Uniform grids to be entropy-coded, whose step (`Scale.reach`) is still to be fitted."""
    # Wide enough that no value is cut off: 30 times the rms at 4 bits, 16 times at 8.
    width = 8 if budget <= 4 else 12 if budget <= 8 else 16
    return [parse_format(f"int{width},block={block},scale={scale},code=entropy") for block, scale in _STEPPED]


def neighbours(format: Format, laws: Sequence[Source]) -> list[tuple[str, Format]]:
    """Formats that differ in one part, each with the part that differs."""
    changed = [
        *((f"block={block}", replace(format, block=block)) for block in _beside(format.block)),
        *(_scale_change(format, scale, group) for scale, group in _scales(format.element)),
        *_unsearched(format),
        ("outliers=none", replace(format, outliers=None)),
        ("rotation=none", replace(format, rotation=None)),
        *((str(e), replace(format, element=e)) for e in _of_width(format.element.bits, laws)),
    ]
    return [(what, other) for what, other in changed if other != format and _sensible(other)]


def overhead(format: Format, shapes: Iterable[tuple[int, ...]]) -> tuple[int, int]:
    """Bits of the scales (zero points and outer scales among them), and of codebooks, over tensors."""
    scales = codebooks = 0
    for shape in shapes:
        widths = storage(format, shape)
        scales += widths.scales + widths.zeros + widths.groups
        codebooks += widths.codebook
    return scales, codebooks


def stored(format: Format, shapes: Sequence[tuple[int, ...]]) -> float:
    """Bits per element of fixed-length codes and everything beside them; no outliers beyond a threshold."""
    codes = sum(storage(format, shape).codes for shape in shapes)
    apart = sum(_outlier_bits(format, math.prod(shape)) for shape in shapes)
    return (codes + apart + sum(overhead(format, shapes))) / sum(map(math.prod, shapes))


def least_bits(shapes: Sequence[tuple[int, ...]]) -> float:
    """Least bits per element of any format tried here with codes of fixed length."""
    return stored(Format(Binary(), "tensor", Scale("rms")), shapes)


def _outlier_bits(format: Format, size: int) -> float:
    count = None if format.outliers is None else format.outliers.count(size)
    return (
        0.0
        if not count or format.outliers is None
        else size * format.outliers.expected_bits(count / size, size)
    )


def _elements(budget: float, laws: Sequence[Source]) -> list[Element]:
    widths = [width for width in range(1, _WIDEST + 1) if budget - 2.0 < width <= budget + 1e-9]
    found = [element for width in widths for element in _of_width(float(width), laws)]
    return [*found, Ternary()] if budget - 2.0 < 1.6 <= budget else found


def _of_width(bits: float, laws: Sequence[Source]) -> list[Element]:
    """Elements of a width, the simplest first."""
    width = round(bits)
    if width == 1:
        return [Binary()]
    if width != bits:
        return []
    found: list[Element] = [Integer(width), Integer(width, "unsigned")]
    if 3 <= width <= 8:
        found.append(Float(number_type(f"e2m{width - 3}")))
    if 4 <= width <= 8:
        found.append(Float(number_type(f"e3m{width - 4}")))
    if width <= 8:
        found.append(NormalFloat(width))
    if width == 4:
        found += [parse_element(text) for text in ("sf4", "iq4_nl")]
    if width <= _WIDEST_DESIGN:
        found += [Designed(width, law) for law in laws]
    return found


def has_name(law: Source) -> bool:
    """Whether a law belongs to a family that elements can name."""
    try:
        source_name(law)
    except TypeError:
        return False
    return True


def _scales(element: Element) -> list[tuple[Scale, GroupedScale | None]]:
    """Scales of an element, the usual one first."""
    if isinstance(element, Ternary | Binary):
        return [(Scale("rms", search="tensor"), None)]
    if isinstance(element, Integer) and element.kind == "unsigned":
        return [(Scale("minmax"), None)]
    extremes: list[tuple[Scale, GroupedScale | None]] = [
        (Scale("absmax", _FINE), None),
        (Scale("absmax", _EIGHT), _TENSOR),
        (Scale("absmax", _COARSE, "up"), None),
        (Scale("signmax", _FINE), None),
    ]
    return [*extremes, (Scale("rms", _FINE), None)] if isinstance(element, Designed) else extremes


def _scale_change(format: Format, scale: Scale, group: GroupedScale | None) -> tuple[str, Format]:
    """The format with another scale, still searched if its own is."""
    search = format.scale.search if format.block != "tensor" else scale.search
    number = f":{scale.number}" if scale.number != _FINE or format.scale.number != _FINE else ""
    what = f"scale={scale.statistic}{number}{',group=tensor' if group else ''}"
    return what, replace(format, scale=replace(scale, search=search), group=group)


def _unsearched(format: Format) -> list[tuple[str, Format]]:
    plain = replace(format, scale=replace(format.scale, search="none"))
    return [("search=none", plain)] if format.scale.search == "block" else []


def _beside(block: Block) -> tuple[Block, ...]:
    if block not in _BLOCKS:
        return ()
    place = _BLOCKS.index(block)
    return _BLOCKS[max(place - 1, 0) : place] + _BLOCKS[place + 1 : place + 2]


def _sensible(format: Format) -> bool:
    """Whether the parts go together: what a scale needs of its element, and no group without blocks."""
    element, scale = format.element, format.scale
    if format.block == "tensor" and (format.group is not None or isinstance(element, Designed)):
        return scale.statistic == "rms" and format.group is None
    unsigned = isinstance(element, Integer) and element.kind == "unsigned"
    if unsigned or scale.statistic == "minmax":
        return unsigned and scale.statistic == "minmax" and format.group is None
    if scale.statistic == "rms":
        return format.group is None and isinstance(element, Designed | Ternary | Binary)
    return not isinstance(element, Ternary | Binary)
