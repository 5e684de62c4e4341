"""Checks of arguments that several public functions share."""

from __future__ import annotations

import math
import operator

__all__ = ["MAX_LEVELS", "check_choice", "check_levels", "check_positive"]

# Indices are at most sixteen bits wide: a larger codebook is a number format of its own.
MAX_LEVELS = 65_536


def check_levels(levels: object, least: int = 2) -> int:
    """Return `levels` as an int between `least` and 65,536, or raise."""
    if isinstance(levels, bool):
        raise TypeError(f"levels must be an integer, got {levels!r}")
    try:
        count = operator.index(levels)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"levels must be an integer, got {levels!r}") from None
    if not least <= count <= MAX_LEVELS:
        raise ValueError(f"levels must be between {least} and {MAX_LEVELS}, got {count}")
    return count


def check_positive(name: str, value: object) -> float:
    """Return `value` as a finite positive float, or raise."""
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be positive and finite, got {number}")
    return number


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`, or raise."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return str(value)
