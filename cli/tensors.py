"""Tensors of a file that a command works on, and the law fitted to one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from bitlaw.theory import Source
from bitlaw.theory.fitting import TensorInfo, fit_all, iterate_tensors, list_tensors

from .errors import UsageError, unknown

__all__ = ["add_tensor_option", "check_values", "chosen_tensors", "fitted_law", "law_or_none", "read_tensors"]

# A law is fitted to so many values, evenly spaced: its shape comes out to better than a hundredth.
_MOST_FITTED = 1 << 20
_CHUNK = 1 << 16


def add_tensor_option(parser: argparse.ArgumentParser) -> None:
    """Option --tensor."""
    parser.add_argument(
        "--tensor",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only tensors of such a name, * and ? standing for anything; may be repeated",
    )


def chosen_tensors(path: str, patterns: Sequence[str], *, vectors: bool = False) -> list[TensorInfo]:
    """Tensors of floating-point numbers that a pattern matches, in stored order.

    Those of one dimension (biases, gains) are left out, unless they are asked for or the file has no others.
    """
    infos = list_tensors(path)
    named = [info for info in infos if _matches(info, patterns)]
    for pattern in patterns:
        if not any(fnmatchcase(info.name, pattern) for info in infos):
            raise unknown(f"tensor of {path}", pattern, [info.name for info in infos])
    usable = [info for info in named if info.skipped is None and not info.dtype.startswith("float8")]
    usable = [info for info in usable if info.nbytes]
    if not usable:
        reason = next((f" ({info.name}: {info.skipped})" for info in named if info.skipped), "")
        raise UsageError(f"{path}: no tensor of floating-point numbers to work on{reason}")
    return [info for info in usable if vectors or len(info.shape) > 1] or usable


def read_tensors(path: str, infos: Sequence[TensorInfo]) -> Iterator[tuple[TensorInfo, Any]]:
    """Values of some tensors, one at a time; all must be finite."""
    wanted = {info.name: info for info in infos}
    for name, array in iterate_tensors(path):
        if name in wanted:
            check_values(path, name, array)
            yield wanted[name], array


def check_values(path: str, name: str, array: Any) -> None:
    """Raise where a value is not finite, with the tensor and the place."""
    flat = array.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        with np.errstate(invalid="ignore"):
            good = np.isfinite(flat[start : start + _CHUNK])
        if not good.all():
            place = start + int(np.argmin(good))
            index = ", ".join(str(int(k)) for k in np.unravel_index(place, array.shape))
            raise UsageError(f"{path}: tensor {name!r}: element [{index}] is {float(flat[place])}")


def fitted_law(array: Any) -> Source:
    """Law that fits best, at the root mean square of all values; ValueError where none fits."""
    flat = array.reshape(-1)
    step = max(1, -(-flat.size // _MOST_FITTED))
    law = fit_all(flat[::step])[0].source
    return replace(law, std=_rms(flat))  # type: ignore[type-var]


def law_or_none(array: Any) -> Source | None:
    """Law that fits best; None for values that no law fits, as where all are equal."""
    try:
        return fitted_law(array)
    except ValueError:
        return None


def _rms(flat: Any) -> float:
    total = 0.0
    for start in range(0, flat.size, _CHUNK):
        values = flat[start : start + _CHUNK].astype(np.float64)
        total += float(np.square(values).sum())
    return float(np.sqrt(total / flat.size))


def _matches(info: TensorInfo, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(info.name, pattern) for pattern in patterns)
