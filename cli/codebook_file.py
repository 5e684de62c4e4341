"""Reading someone's codebook: JSON, NumPy, CSV, or numbers in a text file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .errors import UsageError

__all__ = ["read_codebook"]


def read_codebook(path: str) -> Any:
    """Codepoints of a file, in its order; "-" is standard input.

    A .npy array; a JSON list, or an object with "codepoints" (as `bitlaw design --json` writes it); CSV with
    a column "codepoint" or "codepoints"; or plain text, numbers separated by line ends, commas or blanks,
    with comments behind "#".
    """
    if path == "-":
        return _from_text(sys.stdin.read(), "standard input")
    file = Path(path)
    if file.is_dir():
        raise UsageError(f"{path}: is a folder, a file was expected")
    if file.suffix == ".npy":
        return _from_npy(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not text; a codebook is .json, .csv, .txt or .npy") from None
    return _from_text(text, path)


def _from_npy(file: Path) -> Any:
    try:
        return np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UsageError(f"{file}: truncated, damaged or not a plain .npy array ({error})") from error


def _from_text(text: str, path: str) -> list[float]:
    start = text.lstrip()[:1]
    if not start:
        raise UsageError(f"{path}: is empty")
    if start in "[{":
        return _from_json(text, path)
    lines = [(k, line.split("#")[0].strip()) for k, line in enumerate(text.splitlines(), 1)]
    lines = [(k, line) for k, line in lines if line]
    header = [title.strip().lower() for title in lines[0][1].split(",")] if lines else []
    for title in ("codepoint", "codepoints"):
        if title in header:
            column = header.index(title)
            return [_number(_field(line, column), path, k) for k, line in lines[1:]]
    return [_number(word, path, k) for k, line in lines for word in line.replace(",", " ").split()]


def _field(line: str, column: int) -> str:
    fields = line.split(",")
    return fields[column].strip() if column < len(fields) else ""


def _number(word: str, path: str, line: int) -> float:
    try:
        return float(word)
    except ValueError:
        raise UsageError(f"{path}: line {line}: {word!r} is not a number") from None


def _from_json(text: str, path: str) -> list[float]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is truncated or not JSON ({error})") from error
    if isinstance(content, dict):
        content = content.get("quantiser", content)
        content = content.get("codepoints") if isinstance(content, dict) else None
    if not isinstance(content, list):
        raise UsageError(f'{path}: expected a list of numbers, or an object with "codepoints"')
    return [_real(value, path, k) for k, value in enumerate(content)]


def _real(value: Any, path: str, place: int) -> float:
    if not isinstance(value, bool) and isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            pass
    raise UsageError(f"{path}: codepoint {place} is {json.dumps(value)[:40]}, not a real number in range")
