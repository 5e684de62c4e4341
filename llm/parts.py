"""Parts of a model, as arguments name them."""

from __future__ import annotations

from collections.abc import Iterable

from ..theory.fitting.weight_names import PARTS, Part

__all__ = ["check_parts"]


def check_parts(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return parts as a tuple, or raise ValueError."""
    found = tuple(parts)
    unknown = [part for part in found if part not in PARTS]
    if unknown:
        raise ValueError(f"parts must be embedding, decoder or head, got {unknown[0]!r}")
    return found
