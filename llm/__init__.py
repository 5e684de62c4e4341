"""The theory applied to torch tensors, on whatever device they lie."""

from .scalar_codec import decode, encode, quantise

__all__ = ["decode", "encode", "quantise"]
