"""A number format: everything that says how a tensor is stored, in one frozen value."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .._arguments import check_choice
from .elements import Element
from .outliers import Outliers
from .rotation import Rotation
from .scaling import GroupedScale, Scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .codecs.encoded import Encoded

__all__ = ["Format"]

Block = int | tuple[int, int] | Literal["channel", "tensor"]


@dataclass(frozen=True)
class Format:
    """An element type with the scale its blocks share, and what is kept apart or coded.

    A tensor is stored in this order: rotation (of the last axis), outliers taken out (their places become
    zero), blocks along the last axis with a scale each, one code per element, and a lossless code if there
    is one.

    Attributes
    ----------
    element : Element
    block : int, (int, int), "channel" or "tensor"
        Elements that share a scale: that many along the last axis (the last block of a row may be shorter),
        a rectangle of the last two axes (rows, columns), a row of the last axis, or all.
    scale : Scale
    group : GroupedScale, optional
        A second level of scales.
    outliers : Outliers, optional
    rotation : Rotation, optional
    code : {"fixed", "entropy"}
        Codes of fixed length, or coded to their entropy by a lossless code for the whole tensor.
    """

    element: Element
    block: Block = "tensor"
    scale: Scale = field(default_factory=Scale)
    group: GroupedScale | None = None
    outliers: Outliers | None = None
    rotation: Rotation | None = None
    code: Literal["fixed", "entropy"] = "fixed"

    def __post_init__(self) -> None:
        if not isinstance(self.element, Element):
            raise TypeError(f"element must be an Element, such as Integer(4), got {self.element!r}")
        check_choice("code", self.code, ("fixed", "entropy"))
        object.__setattr__(self, "block", _block(self.block))
        if self.group is not None and self.scale.statistic not in ("absmax", "rms", "minmax"):
            raise ValueError(f"group needs block scales without a sign, got {self.scale.statistic}")

    def __str__(self) -> str:
        """Specification that `parse_format` reads back to an equal format."""
        from .spec import format_text

        return format_text(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain strings, numbers and lists for JSON, one key for each part; `from_dict` is the way back.

        Returns
        -------
        dict
            The keys of the specification with "element" before them; parts left at their default are missing.

        Examples
        --------
        >>> from bitlaw.theory import parse_format
        >>> parse_format("mxfp4").to_dict()
        {'element': 'e2m1', 'block': '32', 'scale': 'absmax:e8m0:down', 'reach': '4'}
        """
        from .spec import format_fields

        return format_fields(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, str]) -> Format:
        """Format of a dictionary made by `to_dict`.

        Raises
        ------
        ValueError, TypeError
            If a key is unknown, "element" is missing, or a value is no text that the key understands.
        """
        from .spec import format_of_fields

        return format_of_fields(data)

    def encode(self, array: NDArray[Any]) -> Encoded:
        """Codes, scales and what is kept apart, for an array (see `encode`)."""
        from .codecs.encoding import encode

        return encode(self, array)

    def quantise(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array as the format restores it: `decode(encode(array))`, of the type of the array."""
        from .codecs.encoding import quantise

        return quantise(self, array)


def _block(block: object) -> Block:
    """Return the granularity if it is one, or raise."""
    if block == "channel" or block == "tensor":
        return block
    if isinstance(block, tuple) and len(block) == 2:
        return (_side(block[0]), _side(block[1]))
    return _side(block)


def _side(size: object) -> int:
    try:
        count = operator.index(size)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"block must be a size, (rows, columns), 'channel' or 'tensor', got {size!r}"
        ) from None
    if isinstance(size, bool) or count < 1:
        raise ValueError(f"block must be a size of at least 1, got {size!r}")
    return count
