"""A recommended format, with what it costs and why it stands where it does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ..format import Format

__all__ = ["Recommendation"]


@dataclass(frozen=True)
class Recommendation:
    """A format that fits a budget, with what it costs and why it stands where it does.

    Attributes
    ----------
    format : Format
    name : str
        The name that people write, or "".
    bits : float
        Bits per element of everything stored, codes as the format stores them.
    element_bits, scale_bits, outlier_bits, codebook_bits : float
        Its parts.
    entropy : float
        Bits per element of the index.
    R : float
        Root mean squared error over root mean square of the data.
    method : {"measured", "exact", "simulation"}
        Measured on the data, or predicted for the law (see `Prediction`).
    gap_bits : float
        Bits above the rate-distortion function of the law at this distortion; NaN for data.
    reasons : tuple of str
        What each part costs, and what formats that differ in one part would give.
    """

    format: Format
    name: str
    bits: float
    element_bits: float
    scale_bits: float
    outlier_bits: float
    codebook_bits: float
    entropy: float
    R: float
    method: Literal["measured", "exact", "simulation"]
    gap_bits: float
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists for JSON; None where there is no gap."""
        return vars(self) | {
            "format": str(self.format),
            "reasons": list(self.reasons),
            "gap_bits": None if math.isnan(self.gap_bits) else self.gap_bits,
        }
