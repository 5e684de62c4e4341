"""Bits that a format takes for a tensor of a given shape, before anything is known of its elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .layout import layout_of
from .stored_bits import StoredBits, stored_bits

if TYPE_CHECKING:
    from ..format import Format

__all__ = ["StoredBits", "storage"]


def storage(format: Format, shape: tuple[int, ...]) -> StoredBits:
    """Bits of each stream of a tensor: codes of fixed length, scales, zero points, outer scales, codebook.

    Parameters
    ----------
    format : Format
    shape : tuple of int
        Of the tensor, each length at least 1.

    Returns
    -------
    StoredBits
        What `encode` makes of any tensor of this shape, without its outliers, which depend on the elements.

    Raises
    ------
    ValueError
        If a rotation does not fit the last axis.

    Examples
    --------
    >>> from bitlaw.theory import parse_format
    >>> found = storage(parse_format("int4,block=32,scale=absmax:float16"), (8, 64))
    >>> found.codes, found.scales
    (2048, 256)
    """
    if format.rotation is not None:
        if not shape:
            raise ValueError("shape must have an axis to rotate, got ()")
        shape = (*shape[:-1], format.rotation.stored_length(shape[-1]))
    return stored_bits(format, layout_of(format, shape), shape)
