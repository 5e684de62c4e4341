"""Checks that several elements share."""

from __future__ import annotations

import operator

__all__ = ["checked_width", "refuse_statistic", "shortest"]


def checked_width(width: object, least: int, most: int) -> int:
    """Return `width` as an int of the range, or raise."""
    try:
        count = operator.index(width)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"width must be an integer, got {width!r}") from None
    if isinstance(width, bool):
        raise TypeError(f"width must be an integer, got {width!r}")
    if not least <= count <= most:
        raise ValueError(f"width must be {least} to {most} bits, got {count}")
    return count


def refuse_statistic(element: object, statistic: str) -> ValueError:
    """Error of an element that is not designed for a statistic."""
    return ValueError(f"statistic must be absmax, signmax, rms or none for {element}, got {statistic!r}")


def shortest(value: float) -> str:
    """Shortest text from which a number is read back; whole numbers without a point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
