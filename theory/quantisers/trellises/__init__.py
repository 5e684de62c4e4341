"""Quantisers whose next choice of codepoints depends on the codes before it."""

from .entropy_trellis import entropy_constrained_trellis
from .shift_trellis import ShiftTrellisQuantiser, shift_trellis
from .trellis import TrellisQuantiser
from .trellis_coded import trellis_coded

__all__ = [
    "ShiftTrellisQuantiser",
    "TrellisQuantiser",
    "entropy_constrained_trellis",
    "shift_trellis",
    "trellis_coded",
]
