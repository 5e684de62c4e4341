"""Tables of a TOML file, key by key: what is unknown or impossible is told by its key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "check_keys",
    "read_choice",
    "read_flag",
    "read_positive",
    "read_table",
    "read_tables",
    "read_text",
    "read_texts",
    "read_whole",
]

Content = Mapping[str, Any]


def check_keys(content: Content, known: Sequence[str], where: str = "") -> None:
    """Raise for a key that means nothing here."""
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise ValueError(f"unknown key {where}{'.' if where else ''}{key}; {hint}")


def read_table(content: Content, name: str, known: Sequence[str]) -> Content:
    """A table by its name; empty where it is missing."""
    found = content.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"{name} must be a table, [{name}], got {found!r}")
    check_keys(found, known, name)
    return found


def read_tables(content: Content, name: str) -> list[Content]:
    """Tables of one name."""
    found = content.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{name} must be tables, each under [[{name}]], got {found!r}")
    return found


def read_text(content: Content, key: str, default: str) -> str:
    """A text; a key is told in full (`run.device`), and its last word is looked up."""
    value = _value(content, key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text in quotes, got {value!r}")
    return value


def read_choice(content: Content, key: str, default: str, choices: Sequence[str]) -> str:
    """One of several words."""
    value = read_text(content, key, default)
    if value not in choices:
        raise ValueError(f"{key} must be one of {', '.join(choices)}, got {value!r}")
    return value


def read_whole(content: Content, key: str, default: int, least: int) -> int:
    """A whole number of at least `least`."""
    value = _value(content, key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{key} must be a whole number of at least {least}, got {value!r}")
    return value


def read_positive(content: Content, key: str) -> float | None:
    """A positive, finite number; None where it is missing."""
    value = _value(content, key, None)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise ValueError(f"{key} must be a positive number, got {value!r}")
    return value


def read_flag(content: Content, key: str) -> bool:
    """True or false; false where it is missing."""
    value = _value(content, key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false, got {value!r}")
    return value


def read_texts(content: Content, key: str, *, required: bool = False) -> tuple[str, ...]:
    """A list of texts, each once."""
    value = _value(content, key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{key} must be a list of texts in quotes, got {value!r}")
    if required and not value:
        raise ValueError(f"{key} is missing or empty: a study needs at least one")
    return tuple(dict.fromkeys(value))


def _value(content: Content, key: str, default: Any) -> Any:
    return content.get(key.rpartition(".")[2], default)
