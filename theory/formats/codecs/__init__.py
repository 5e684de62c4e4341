"""Arrays to what a format stores of them, and back: blocks, scales, codes, and their kernels."""

from .encoded import Encoded
from .encoding import decode, encode, quantise

__all__ = ["Encoded", "decode", "encode", "quantise"]
