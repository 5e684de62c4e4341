"""Any codebook: values written out, or those of a file."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from ...quantisers import ScalarQuantiser
from ._checks import shortest
from .element import Element

__all__ = ["Codebook"]

# Bits in which a codepoint is stored beside the tensor: a float32, whatever the tensor's type.
_CODEPOINT_BITS = 32


@dataclass(frozen=True)
class Codebook(Element):
    """Codepoints of one's own: {-1;0;0.5}, {-1;0;1|-0.4;0.4} with thresholds, or file:PATH.

    Since no name says what they are, the codepoints count as stored with the tensor, as float32.

    Parameters
    ----------
    codepoints : sequence of 2 to 65,536 finite numbers, ascending
    thresholds : sequence of one number less, optional
        Ascending; halfway between the codepoints when left out.
    path : str, optional
        Where they were read (`from_file`); the text then names the file, and reading it again must give the
        same numbers.

    Raises
    ------
    TypeError, ValueError
        If the numbers are no quantiser, or the path has a comma.

    Examples
    --------
    >>> element = Codebook((-1.0, 0.0, 0.5))
    >>> str(element), element.bits, element.stored_codebook_bits
    ('{-1;0;0.5}', 2.0, 96)
    """

    codepoints: tuple[float, ...]
    thresholds: tuple[float, ...] | None = None
    path: str | None = field(default=None)

    EXAMPLES: ClassVar[tuple[str, ...]] = ("{-1;0;1}", "file:codebook.json")

    def __post_init__(self) -> None:
        quantiser = ScalarQuantiser(self.codepoints, self.thresholds)  # type: ignore[arg-type]
        if not 2 <= quantiser.levels <= 65_536:
            raise ValueError(f"codepoints must number 2 to 65536, but there are {quantiser.levels}")
        if self.path is not None and "," in self.path:
            raise ValueError(f"path must have no comma, got {self.path!r}")
        own = quantiser != ScalarQuantiser(quantiser.codepoints)
        object.__setattr__(self, "codepoints", tuple(quantiser.codepoints.tolist()))
        object.__setattr__(self, "thresholds", tuple(quantiser.thresholds.tolist()) if own else None)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Codebook:
        """Codebook of a JSON file that holds what `ScalarQuantiser.to_dict` returns.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it holds no quantiser; the file is named.
        """
        name = os.fspath(path)
        text = Path(name).read_text(encoding="utf-8")
        try:
            data = json.loads(text)
            if not isinstance(data, dict):
                raise ValueError(f"it must hold an object, got {type(data).__name__}")
            quantiser = ScalarQuantiser.from_dict(data)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must hold a quantiser as JSON: {error}") from error
        return cls(tuple(quantiser.codepoints.tolist()), tuple(quantiser.thresholds.tolist()), name)

    @classmethod
    def parse(cls, text: str) -> Codebook | None:
        """Element of its text (case matters in paths), or None where the text is of another family."""
        if text[:5].lower() == "file:":
            return cls.from_file(text[5:])
        found = re.fullmatch(r"\{(.*)\}", text)
        if found is None:
            return None
        codepoints, bar, thresholds = found[1].partition("|")
        return cls(_numbers(codepoints, text), _numbers(thresholds, text) if bar else None)

    def __str__(self) -> str:
        if self.path is not None:
            return f"file:{self.path}"
        parts = [self.codepoints] if self.thresholds is None else [self.codepoints, self.thresholds]
        return "{" + "|".join(";".join(map(shortest, part)) for part in parts) + "}"

    @property
    def bits(self) -> float:
        """Width of a code."""
        return float(math.ceil(math.log2(len(self.codepoints))))

    @property
    def stored_codebook_bits(self) -> int:
        """32 bits for each codepoint."""
        return _CODEPOINT_BITS * len(self.codepoints)

    @cached_property
    def _quantiser(self) -> ScalarQuantiser:
        return ScalarQuantiser(self.codepoints, self.thresholds)  # type: ignore[arg-type]

    def quantiser(self, statistic: str, block_size: float) -> ScalarQuantiser:
        """The codepoints and thresholds as given."""
        return self._quantiser


def _numbers(part: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in part.split(";"))
    except ValueError as error:
        raise ValueError(f"codebook must be numbers with ; between, got {text!r}: {error}") from None
