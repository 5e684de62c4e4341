"""Candidates that a caller adds: whole formats, and outliers or rotations for all others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..format import Format
from ..outliers import Outliers
from ..rotation import Rotation
from ..spec import parse_format

__all__ = ["Widened", "widened_by"]

_PLAIN = "int4"


@dataclass(frozen=True)
class Widened:
    """Formats, and pairs of outliers and rotation (None for either that is not there)."""

    formats: tuple[Format, ...]
    parts: tuple[tuple[Outliers | None, Rotation | None], ...]

    def with_parts(self, formats: Iterable[Format]) -> list[Format]:
        """The formats, and each of them with each pair in place of its own outliers and rotation."""
        plain = list(formats)
        return plain + [
            replace(format, outliers=outliers or format.outliers, rotation=rotation or format.rotation)
            for outliers, rotation in self.parts
            for format in plain
        ]


def widened_by(also: Sequence[Format | str], parts: Sequence[str]) -> Widened:
    """Formats and parts of their texts."""
    for name, given in (("also", also), ("parts", parts)):
        if isinstance(given, str | Format):
            raise TypeError(f"{name} must be a sequence of texts, got {given!r}")
    formats = tuple(one if isinstance(one, Format) else parse_format(one) for one in also)
    return Widened(formats, tuple(_part(text) for text in parts))


def _part(text: str) -> tuple[Outliers | None, Rotation | None]:
    if not isinstance(text, str):
        raise TypeError(f"parts must be texts, got {text!r}")
    try:
        found = parse_format(f"{_PLAIN},{text}")
    except ValueError as error:
        raise ValueError(f"parts: {error}") from error
    if found == parse_format(_PLAIN) or replace(found, outliers=None, rotation=None) != parse_format(_PLAIN):
        raise ValueError(f"parts must be outliers=... or rotation=... or both between commas, got {text!r}")
    return found.outliers, found.rotation
