"""What of a model formats do not fit: rows that do not divide, tensors not to be stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bitlaw.theory.formats import Format, encode

from .headers import ModelPlan

__all__ = ["Fault", "faults_of", "faults_of_tensors"]


class Fault(NamedTuple):
    """A format, the tensors it does not fit, why, and whether they cannot be stored at all."""

    format: str
    tensors: str
    reason: str
    fatal: bool


def faults_of(
    model: ModelPlan,
    formats: Mapping[str, Format],
    parts: Sequence[str],
    ends: Mapping[str, Format] | None = None,
) -> list[Fault]:
    """What does not divide or cannot be stored, one entry for each format and width of rows.

    Parameters
    ----------
    model : ModelPlan
    formats : mapping of str to Format
        For the tensors of the parts.
    parts : sequence of str
    ends : mapping of str to Format, optional
        For those in the first and the last layer, the embedding and the head, in place of the others.
    """
    outer = model.ends(parts) if ends else set()
    inner = {name for name, (part, _) in model.weights.items() if part in parts} - outer
    chosen = [(name, format, inner) for name, format in formats.items()]
    return faults_of_tensors(model, chosen + [(name, format, outer) for name, format in (ends or {}).items()])


def faults_of_tensors(model: ModelPlan, chosen: Iterable[tuple[str, Format, Collection[str]]]) -> list[Fault]:
    """The same for formats, with their names, and the tensors that they are for."""
    return [fault for name, format, members in chosen for fault in _faults(model, name, format, members)]


def _faults(model: ModelPlan, name: str, format: Format, members: Collection[str]) -> list[Fault]:
    widths: dict[int, list[str]] = {}
    for tensor, (_, shape) in model.weights.items():
        if tensor in members:
            widths.setdefault(shape[-1], []).append(tensor)
    found = []
    for width, tensors in widths.items():
        reason, fatal = _reason(format, width)
        if reason:
            more = f" and {len(tensors) - 1} more" if len(tensors) > 1 else ""
            found.append(Fault(name, f"{tensors[0]}{more}", reason, fatal))
    return found


def _reason(format: Format, width: int) -> tuple[str, bool]:
    """What is wrong with rows of a width, if anything, and whether it is fatal."""
    try:
        encode(format, np.zeros((1, width), dtype=np.float32))
    except (ValueError, TypeError) as error:
        return f"cannot be stored: {error}", True
    block = format.block[1] if isinstance(format.block, tuple) else format.block
    if isinstance(block, int) and width % block:
        return f"rows of {width}: the last block has {width % block} of {block}", False
    return "", False
