"""How the elements of a block share a scale, and how that scale is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from .._arguments import check_choice, check_positive
from .number_types import NumberType, number_type

__all__ = ["GroupedScale", "Rounding", "Scale", "Search", "Statistic"]

Statistic = Literal["absmax", "signmax", "rms", "minmax", "none"]
Rounding = Literal["nearest", "up", "down"]
Search = Literal["none", "tensor", "block"]

STATISTICS = ("absmax", "signmax", "rms", "minmax", "none")
ROUNDINGS = ("nearest", "up", "down")


@dataclass(frozen=True)
class Scale:
    """A block's scale: s = round(multiplier * statistic / reach), stored as a number type.

    Attributes
    ----------
    statistic : {"absmax", "signmax", "rms", "minmax", "none"}
        Largest magnitude; the signed element of largest magnitude; root mean square; the range from least to
        greatest element (with a zero point); or no scale at all (s = 1, nothing stored).
    number : NumberType
        How the scale is stored; its bits are counted.
    rounding : {"nearest", "up", "down"}
        To the nearest stored number (ties to even), to the next one not below in magnitude, or not above.
    multiplier : float or "moment"
        Factor on the statistic; "moment" matches the root mean square of the data to that of the law the
        element's codepoints are spread for (rms only).
    search : {"none", "tensor", "block"}
        Whether a further factor on the multiplier is searched for least squared error: one for the tensor, or
        one for each block (both cost no bits: the stored scale holds the product).
    reach : float, optional
        Element value the statistic is mapped on, where it is not the element's own (`Element.reach`).
    zero : "integer" or NumberType, optional
        How a minmax block stores its offset: as an integer code of the element's own width, or as a number
        (the value of the lowest code).  Default "integer" for minmax, and not allowed elsewhere.
    """

    statistic: Statistic = "absmax"
    number: NumberType = field(default_factory=partial(number_type, "bfloat16"))
    rounding: Rounding = "nearest"
    multiplier: float | Literal["moment"] = 1.0
    search: Search = "none"
    reach: float | None = None
    zero: Literal["integer"] | NumberType | None = None

    def __post_init__(self) -> None:
        check_choice("statistic", self.statistic, STATISTICS)
        check_choice("rounding", self.rounding, ROUNDINGS)
        check_choice("search", self.search, ("none", "tensor", "block"))
        if self.multiplier != "moment":
            object.__setattr__(self, "multiplier", check_positive("multiplier", self.multiplier))
        elif self.statistic != "rms":
            raise ValueError(f"multiplier 'moment' needs the statistic rms, got {self.statistic}")
        if self.reach is not None and not (self.reach == self.reach and 0 < abs(self.reach) < float("inf")):
            raise ValueError(f"reach must be finite and not zero, got {self.reach}")
        if self.statistic == "minmax" and self.zero is None:
            object.__setattr__(self, "zero", "integer")
        if self.statistic != "minmax" and self.zero is not None:
            raise ValueError(f"zero needs the statistic minmax, got {self.statistic}")
        if self.statistic == "signmax" and not self.number.signed:
            raise ValueError(f"number must have a sign to store a signed maximum, got {self.number}")


@dataclass(frozen=True)
class GroupedScale:
    """A scale of scales: block scales are stored relative to the largest one of their group.

    With S the largest magnitude of a group's exact block scales and L the largest number of `Scale.number`,
    the group stores T = round(S / L) as `number`, and each of its blocks stores round(s / T) as `Scale.number`.

    Attributes
    ----------
    blocks : int or "tensor"
        Blocks in a group, consecutive along a row; "tensor" makes one group of all.
    number : NumberType
        How the group's scale is stored.
    rounding : {"nearest", "up", "down"}
        As in `Scale`.
    """

    blocks: int | Literal["tensor"]
    number: NumberType = field(default_factory=partial(number_type, "float32"))
    rounding: Rounding = "nearest"

    def __post_init__(self) -> None:
        check_choice("rounding", self.rounding, ROUNDINGS)
        if self.blocks != "tensor" and (isinstance(self.blocks, bool) or int(self.blocks) < 1):
            raise ValueError(f"blocks must be a positive integer or 'tensor', got {self.blocks!r}")
