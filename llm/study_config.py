"""What a study sweeps over, read from one TOML file and checked before anything runs.

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

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from ..theory.formats.format import Format
from ..theory.formats.spec import parse_format
from .models import Part
from .workload import Workload

__all__ = ["Allocation", "Run", "Study", "read_study"]

_PARTS = ("embedding", "decoder", "head")
_TABLES: dict[str, tuple[str, ...]] = {
    "": ("models", "formats", "text", "fisher", "run", "allocation"),
    "text": ("source", "sequences", "length"),
    "fisher": ("targets",),
    "run": ("device", "dtype", "batch", "seed"),
    "allocation": ("name", "parts", "ends", "bits", "fused", "rule"),
}
_RULES = ("least", "published")
_DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Allocation:
    """Which tensors get a format.

    Attributes
    ----------
    name : str
        For tables.
    parts : tuple of {"embedding", "decoder", "head"}
    ends : Format, optional
        For the first and the last layer of the decoder.
    bits : float, optional
        A budget for each weight of the parts: every tensor gets the format of the study that is best for it.
    fused : bool
        Whether projections that are merged when a model is served share a format.
    rule : {"least", "published"}
        How a budget is spent: at the least predicted KL divergence, or as `fisher_bits` has it.
    """

    name: str = "decoder"
    parts: tuple[Part, ...] = ("decoder",)
    ends: Format | None = None
    bits: float | None = None
    fused: bool = False
    rule: Literal["least", "published"] = "least"

    def __post_init__(self) -> None:
        if self.bits is not None and self.ends is not None:
            raise ValueError("bits and ends cannot both decide formats")
        if self.bits is None and self.fused:
            raise ValueError("fused is of no use without bits: one format goes to all tensors")
        if self.rule == "published" and (self.bits is None or self.fused):
            raise ValueError("the published rule needs bits, and knows no fused tensors")

    def identity(self) -> dict[str, Any]:
        """What decides the numbers; the name does not."""
        return {
            "parts": sorted(self.parts),
            "ends": None if self.ends is None else str(self.ends),
            "bits": self.bits,
            "fused": self.fused,
            "rule": self.rule,
        }


@dataclass(frozen=True)
class Run:
    """One point of a sweep.

    Attributes
    ----------
    model : str
    formats : tuple of Format
        One, or those that a budget chooses from.
    format_name : str
        As it was asked for.
    allocation : Allocation
    """

    model: str
    formats: tuple[Format, ...]
    format_name: str
    allocation: Allocation

    @property
    def specification(self) -> str:
        """All that decides the formats, in words that are read back."""
        return " | ".join(str(format) for format in self.formats)

    def __str__(self) -> str:
        return f"{self.model}, {self.format_name}, {self.allocation.name}"


@dataclass(frozen=True)
class Study:
    """A sweep over models, formats and allocations.

    Attributes
    ----------
    models : tuple of str
    formats : dict of str to Format
        By the name they were asked for by.
    allocations : tuple of Allocation
    workload : Workload
    """

    models: tuple[str, ...]
    formats: Mapping[str, Format]
    allocations: tuple[Allocation, ...] = (Allocation(),)
    workload: Workload = field(default_factory=Workload)

    def runs(self, model: str) -> list[Run]:
        """All runs of one model, in the order of the file."""
        found = []
        for allocation in self.allocations:
            if allocation.bits is not None:
                found.append(Run(model, tuple(self.formats.values()), "allocated", allocation))
                continue
            found += [Run(model, (format,), name, allocation) for name, format in self.formats.items()]
        return found

    def __len__(self) -> int:
        return sum(len(self.runs(model)) for model in self.models)


def read_study(path: str | os.PathLike[str]) -> Study:
    """Read a study.

    Parameters
    ----------
    path : path
        A TOML file; paths of models and texts in it are relative to its folder.

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


def _study(content: dict[str, Any], base: Path) -> Study:
    _known(content, "")
    models = tuple(_located(name, base) for name in _strings(content, "models", required=True))
    formats = {name: _format(name, "formats") for name in _strings(content, "formats", required=True)}
    allocations = tuple(
        _allocation(table, index) for index, table in enumerate(_tables(content, "allocation"))
    )
    names = [allocation.name for allocation in allocations]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"allocation: the name {name!r} is given to {names.count(name)} of them")
    return Study(models, formats, allocations or (Allocation(),), _workload(content, base))


def _workload(content: dict[str, Any], base: Path) -> Workload:
    text, fisher, run = (_table(content, name) for name in ("text", "fisher", "run"))
    source = _string(text, "text.source", "standard")
    default = Workload()
    return Workload(
        text=_located(source, base),
        sequences=_whole(text, "text.sequences", default.sequences, 1),
        length=_whole(text, "text.length", default.length, 2),
        batch=_whole(run, "run.batch", default.batch, 1),
        device=_string(run, "run.device", default.device),
        dtype=_choice(run, "run.dtype", default.dtype, _DTYPES),
        targets=cast(Any, _choice(fisher, "fisher.targets", default.targets, ("sampled", "text"))),
        seed=_whole(run, "run.seed", default.seed, 0),
    )


def _allocation(table: dict[str, Any], index: int) -> Allocation:
    where = f"allocation[{index}]"
    _known(table, "allocation", where)
    parts = _strings(table, "parts", where=where) or ("decoder",)
    for part in parts:
        if part not in _PARTS:
            raise ValueError(f"{where}.parts must hold {', '.join(_PARTS)}, got {part!r}")
    ends = _string(table, f"{where}.ends", "")
    bits, fused = table.get("bits"), table.get("fused", False)
    if bits is not None and (not isinstance(bits, int | float) or isinstance(bits, bool) or not bits > 0):
        raise ValueError(f"{where}.bits must be a positive number, got {bits!r}")
    if not isinstance(fused, bool):
        raise ValueError(f"{where}.fused must be true or false, got {fused!r}")
    name = _string(table, f"{where}.name", "+".join(parts) + (f" at {bits:g} bits" if bits else ""))
    asked = _format(ends, f"{where}.ends") if ends else None
    rule = _choice(table, f"{where}.rule", "least", _RULES)
    try:
        return Allocation(name, cast(tuple[Part, ...], parts), asked, bits, fused, cast(Any, rule))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _located(name: str, base: Path) -> str:
    """A path beside the file if there is one, else the name itself (a hub id, a keyword)."""
    return str(base / name) if (base / name).exists() else name


def _format(text: str, key: str) -> Format:
    try:
        return parse_format(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{key}: {text!r} is no format: {error}") from error


def _known(table: Mapping[str, Any], name: str, where: str = "") -> None:
    """Raise for a key that means nothing here."""
    for key in table:
        if key not in _TABLES[name]:
            near = difflib.get_close_matches(key, _TABLES[name], n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(_TABLES[name])}"
            raise ValueError(f"unknown key {where or name}{'.' if where or name else ''}{key}; {hint}")


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise ValueError(f"{name} must be a table, [{name}], got {table!r}")
    _known(table, name)
    return table


def _tables(content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    tables = content.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError(f"{name} must be tables, each under [[{name}]], got {tables!r}")
    return tables


def _value(table: dict[str, Any], key: str, default: Any) -> Any:
    return table.get(key.rpartition(".")[2], default)


def _string(table: dict[str, Any], key: str, default: str) -> str:
    value = _value(table, key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text in quotes, got {value!r}")
    return value


def _choice(table: dict[str, Any], key: str, default: str, choices: tuple[str, ...]) -> str:
    value = _string(table, key, default)
    if value not in choices:
        raise ValueError(f"{key} must be one of {', '.join(choices)}, got {value!r}")
    return value


def _whole(table: dict[str, Any], key: str, default: int, least: int) -> int:
    value = _value(table, key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{key} must be a whole number of at least {least}, got {value!r}")
    return value


def _strings(table: dict[str, Any], key: str, *, where: str = "", required: bool = False) -> tuple[str, ...]:
    value = table.get(key, [])
    name = f"{where}.{key}" if where else key
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{name} must be a list of texts in quotes, got {value!r}")
    if required and not value:
        raise ValueError(f"{name} is missing or empty: a study needs at least one")
    return tuple(dict.fromkeys(value))
