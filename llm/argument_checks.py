"""Checks of arguments that several functions share."""

from __future__ import annotations

import operator

__all__ = ["check_choice", "check_seed", "check_whole"]

# Generators of torch take 64 bits, and seeds are counted up from the one given.
_MOST_SEED = 1 << 63


def check_whole(name: str, value: object, least: int) -> int:
    """Return a whole number of at least `least` as an int, or raise ValueError."""
    try:
        found = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        found = None
    if found is None or found < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return found


def check_seed(value: object) -> int:
    """Return a seed as an int, or raise ValueError."""
    seed = check_whole("seed", value, 0)
    if seed >= _MOST_SEED:
        raise ValueError(f"seed must be less than 2^63, got {seed}")
    return seed


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    """Return a text that is one of `choices`, or raise ValueError."""
    if not isinstance(value, str) or value not in choices:
        *most, last = map(repr, choices)
        raise ValueError(f"{name} must be {', '.join(most)} or {last}, got {value!r}")
    return value
