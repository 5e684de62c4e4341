"""The law a command works on: a named one, or the data of a file."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlaw.theory import Empirical, Source
from bitlaw.theory.fitting import TensorInfo, iterate_tensors, list_tensors, prepare
from bitlaw.theory.source_names import SOURCE_NAMES, parse_source

from .errors import UsageError, unknown

__all__ = ["Origin", "add_source_options", "resolve_source"]

# Names listed when a file has many tensors and none, or a wrong one, is given.
_MOST_NAMED = 8


@dataclass(frozen=True)
class Origin:
    """A source, and how it was asked for."""

    source: Source
    name: str
    record: dict[str, Any]


def add_source_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Options --source, --data and --std."""
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument("--source", metavar="NAME", help=f"a law: {', '.join(SOURCE_NAMES)}")
    group.add_argument(
        "--data",
        metavar="FILE[:TENSOR]",
        help="the values of a .npy, .npz or .safetensors file; TENSOR picks one of several",
    )
    parser.add_argument("--std", type=float, metavar="S", help="standard deviation of the law (default 1)")


def resolve_source(args: argparse.Namespace, default: str = "normal") -> Origin:
    """Source that the options ask for."""
    if args.data is not None:
        if args.std is not None:
            raise UsageError("--std goes with --source; data have their own")
        return _data(args.data)
    name = args.source or default
    source = parse_source(name, 1.0 if args.std is None else args.std)
    return Origin(source, name, {"name": name, "std": source.std})


def _data(text: str) -> Origin:
    path, wanted = _split(text)
    info = _chosen(path, wanted)
    array = next(array for name, array in iterate_tensors(path) if name == info.name)
    try:
        law: Empirical = prepare(array).law
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: tensor {info.name!r}: {error}") from error
    record = {
        "data": path,
        "tensor": info.name,
        "shape": list(info.shape),
        "dtype": info.dtype,
        "values": round(law.total),
        "distinct": law.distinct,
        "mean": law.mean,
        "std": law.std,
    }
    return Origin(law, f"{info.name} of {path}", record)


def _split(text: str) -> tuple[str, str | None]:
    """File and tensor; a colon belongs to the file where a file of the whole name exists."""
    path, colon, tensor = text.rpartition(":")
    if Path(text).exists() or not colon or (not Path(path).exists() and len(path) < 2):
        return text, None
    return path, tensor


def _chosen(path: str, wanted: str | None) -> TensorInfo:
    infos = [info for info in list_tensors(path)]
    usable = [info for info in infos if info.skipped is None]
    if wanted is not None:
        for info in infos:
            if info.name == wanted:
                if info.skipped:
                    raise UsageError(f"{path}: tensor {wanted!r}: {info.skipped}")
                return info
        raise unknown(f"tensor of {path}", wanted, [info.name for info in usable])
    if len(usable) == 1:
        return usable[0]
    if not usable:
        raise UsageError(f"{path}: holds no tensor of floating-point numbers ({infos[0].skipped})")
    names = ", ".join(info.name for info in usable[:_MOST_NAMED])
    more = f" and {len(usable) - _MOST_NAMED} more" if len(usable) > _MOST_NAMED else ""
    raise UsageError(f"{path} holds {len(usable)} tensors; add one as {path}:NAME, of {names}{more}")
