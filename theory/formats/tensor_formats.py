"""Files that name a format for every tensor of a model: JSON, an object with a list `tensors` of names and formats."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .format import Format
from .spec import parse_format

__all__ = ["read_tensor_formats"]


def read_tensor_formats(path: str | os.PathLike[str]) -> dict[str, Format]:
    """Formats by name of the tensor.

    Parameters
    ----------
    path : path
        `{"tensors": [{"name": "a", "format": "nf4"}, ...]}`, as `bitlaw llm allocate --output` writes it; other keys
        are passed over.

    Raises
    ------
    ValueError
        If the file is missing or holds something else, names a tensor twice, or a format in it is unknown; the file
        and the tensor are named.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    found: dict[str, Format] = {}
    for entry in _entries(content, path):
        name = entry["name"]
        if name in found:
            raise ValueError(f"{path}: {name} stands there twice")
        try:
            found[name] = parse_format(entry["format"])
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: {name}: {error}") from error
    return found


def _entries(content: Any, path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Entries of the list of tensors, each with a name and a format in words."""
    entries = content.get("tensors") if isinstance(content, dict) else None
    whole = isinstance(entries, list) and all(
        isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("name", "format"))
        for entry in entries
    )
    if not whole or not entries:
        raise ValueError(
            f"{path}: not what `bitlaw llm allocate --output` writes: an object with a list `tensors`, "
            "whose entries have a `name` and a `format`"
        )
    return list(entries)
