"""What elements share whose codebook follows a law: a width, the law, and codepoints in units of the statistic."""

from __future__ import annotations

from dataclasses import dataclass

from ...source_names import source_name
from ...sources import Source
from ._checks import checked_width
from .element import Element

__all__ = ["LawElement"]


@dataclass(frozen=True)
class LawElement(Element):
    """An element of 2 to 8 bits for a named law of standard deviation 1; raises where either is something else."""

    width: int
    source: Source

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", checked_width(self.width, 2, 8))
        source_name(self.source)
        if self.source.std != 1.0:
            raise ValueError(f"source must have a standard deviation of 1, got {self.source!r}")

    @property
    def bits(self) -> float:
        """Width of a code."""
        return float(self.width)

    def reach(self, statistic: str, block_size: float) -> float:
        """1: the codepoints are in units of the statistic."""
        return 1.0

    @property
    def design_rms(self) -> float:
        """1, the standard deviation of the law."""
        return 1.0
