"""The TOML file of a study, checked before anything runs.

models = ["embedded"]
formats = ["nf4", "int4_g64"]

[text]
source = "standard"
sequences = 64
length = 256

[run]
dtype = "float32"

[[allocation]]
name = "decoder"

[[allocation]]
name = "ends in 8 bits"
parts = ["embedding", "decoder", "head"]
ends = "q8_0"
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, cast

from ..theory.formats.format import Format
from ..theory.formats.spec import parse_format
from ..theory.formats.tensor_formats import read_tensor_formats
from .models import DTYPES
from .parts import check_parts
from .study_config import Allocation, Study
from .study_tables import (
    Content,
    check_keys,
    read_choice,
    read_flag,
    read_positive,
    read_table,
    read_tables,
    read_text,
    read_texts,
    read_whole,
)
from .workload import Workload

__all__ = ["read_study"]

_KEYS = ("models", "formats", "text", "fisher", "run", "allocation")
_TEXT_KEYS = ("source", "sequences", "length")
_FISHER_KEYS = ("targets", "keep", "unit", "checkpointing")
_RUN_KEYS = ("device", "device_map", "dtype", "batch", "seed")
_ALLOCATION_KEYS = (
    "name",
    "parts",
    "ends",
    "bits",
    "bytes",
    "like",
    "fused",
    "exact",
    "rule",
    "file",
)


def read_study(path: str | os.PathLike[str]) -> Study:
    """Read a study.

    Parameters
    ----------
    path : path
        A TOML file; paths of models, texts, codebooks and allocations in it are relative to its folder.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        If the file is missing or no TOML (with line and column), a key is unknown or missing, or a value is
        impossible (with its key).
    """
    file = Path(path)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{file}: there is no such file") from None
    except IsADirectoryError:
        raise ValueError(f"{file}: is a folder, a TOML file was expected") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 ({error.reason} at byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file}: not TOML: {error}") from None
    try:
        return _study(content, file.parent)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file}: {error}") from error


def _study(content: Content, base: Path) -> Study:
    check_keys(content, _KEYS)
    models = tuple(_located(name, base) for name in read_texts(content, "models", required=True))
    names = read_texts(content, "formats", required=True)
    formats = {name: _format(name, "formats", base) for name in names}
    allocations = tuple(
        _allocation(table, f"allocation[{index}]", base)
        for index, table in enumerate(read_tables(content, "allocation"))
    )
    titles = [allocation.name for allocation in allocations]
    for title in titles:
        if titles.count(title) > 1:
            raise ValueError(f"allocation: the name {title!r} is given to {titles.count(title)} of them")
    return Study(models, formats, allocations or (Allocation(),), _workload(content, base))


def _workload(content: Content, base: Path) -> Workload:
    text = read_table(content, "text", _TEXT_KEYS)
    fisher = read_table(content, "fisher", _FISHER_KEYS)
    run = read_table(content, "run", _RUN_KEYS)
    default = Workload()
    unit = read_choice(fisher, "fisher.unit", "", ("sequence", "position")) if "unit" in fisher else None
    spread = read_text(run, "run.device_map", "") if "device_map" in run else None
    words: dict[str, Any] = {
        "targets": read_choice(fisher, "fisher.targets", default.targets, ("sampled", "text")),
        "fisher": read_choice(fisher, "fisher.keep", default.fisher, ("diagonal", "rows")),
        "unit": unit,
    }
    try:
        return Workload(
            text=_located(read_text(text, "text.source", "standard"), base),
            sequences=read_whole(text, "text.sequences", default.sequences, 1),
            length=read_whole(text, "text.length", default.length, 2),
            batch=read_whole(run, "run.batch", default.batch, 1),
            device=read_text(run, "run.device", default.device),
            device_map=spread,
            dtype=read_choice(run, "run.dtype", default.dtype, DTYPES),
            seed=read_whole(run, "run.seed", default.seed, 0),
            checkpointing=read_flag(fisher, "fisher.checkpointing"),
            **words,
        )
    except ValueError as error:
        told = str(error)
        raise ValueError(f"run.{told}" if told.startswith("device") else told) from None


def _allocation(table: Content, where: str, base: Path) -> Allocation:
    check_keys(table, _ALLOCATION_KEYS, where)
    if "file" in table:
        return _of_file(table, where, base)
    parts = cast("tuple[Any, ...]", read_texts(table, f"{where}.parts")) or ("decoder",)
    ends = _format_of(table, f"{where}.ends", base)
    bits, like = read_positive(table, f"{where}.bits"), _format_of(table, f"{where}.like", base)
    size = read_whole(table, f"{where}.bytes", 0, 1) if "bytes" in table else None
    told = [f"{bits:g} bits"] if bits else [f"{size} bytes"] if size else [str(like)] if like else []
    name = read_text(table, f"{where}.name", " at ".join(["+".join(parts), *told]))
    fused, exact = read_flag(table, f"{where}.fused"), read_flag(table, f"{where}.exact")
    rule: Any = read_choice(table, f"{where}.rule", "least", ("least", "published"))
    try:
        return Allocation(
            name, check_parts(parts), ends, bits, fused, rule, bytes=size, like=like, exact=exact
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _of_file(table: Content, where: str, base: Path) -> Allocation:
    """Formats by tensor, which leave nothing else to decide."""
    others = [key for key in table if key not in ("file", "name")]
    if others:
        raise ValueError(f"{where}: file says which tensor gets what, so {others[0]} does not go with it")
    path = read_text(table, f"{where}.file", "")
    try:
        formats = read_tensor_formats(_located(path, base))
    except ValueError as error:
        raise ValueError(f"{where}.file: {error}") from error
    return Allocation(read_text(table, f"{where}.name", path), tensors=tuple(formats.items()))


def _located(name: str, base: Path) -> str:
    """A path beside the file if there is one, else the name itself (a hub id, a keyword)."""
    return str(base / name) if (base / name).exists() else name


def _format_of(table: Content, key: str, base: Path) -> Format | None:
    text = read_text(table, key, "")
    return _format(text, key, base) if text else None


def _format(text: str, key: str, base: Path) -> Format:
    element, comma, rest = text.partition(",")
    if element[:5].lower() == "file:":
        element = f"file:{_located(element[5:], base)}"
    try:
        return parse_format(f"{element}{comma}{rest}")
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{key}: {text!r} is no format: {error}") from error
