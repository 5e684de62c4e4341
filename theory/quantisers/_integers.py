"""The check of whole-number arguments."""

from __future__ import annotations

import operator

__all__ = ["checked_integer"]


def checked_integer(name: str, value: object, least: int, most: int) -> int:
    """Return `value` as an int between `least` and `most`, or raise."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} must be between {least} and {most}, got {number}")
    return number
