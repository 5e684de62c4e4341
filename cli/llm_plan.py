"""What a task on a model would take, told from its configuration and the headers of its files alone."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitlaw.theory.fitting import list_tensors
from bitlaw.theory.formats import Format, encode

from .errors import UsageError
from .output import Block, Table, number

__all__ = ["ModelPlan", "Work", "plan_blocks", "plan_record", "read_model_plan", "undivided"]

# Names of modules as the architectures of transformers have them.
_TOWERS = ("vision", "visual", "image", "audio", "multi_modal_projector", "mm_projector")
_EMBEDDINGS = ("embed_tokens", "wte", "embed_in", "word_embeddings", "tok_embeddings")
_HEADS = ("lm_head", "embed_out", "output")
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class ModelPlan:
    """A model as its headers tell.

    Attributes
    ----------
    name : str
    architecture : str
    parameters : int
    stored : int
        Bytes of all values as they are stored.
    element : int
        Bytes of a weight when it is loaded.
    hidden, vocabulary : int
    weights : dict of str to (str, tuple of int)
        Part and shape of each matrix.
    """

    name: str
    architecture: str
    parameters: int
    stored: int
    element: int
    hidden: int
    vocabulary: int
    weights: Mapping[str, tuple[str, tuple[int, ...]]]

    def elements(self, parts: Sequence[str]) -> int:
        """Weights in the matrices of some parts."""
        return sum(math.prod(shape) for part, shape in self.weights.values() if part in parts)


@dataclass(frozen=True)
class Work:
    """What a task does with a model; sequences are 0 where it runs none.

    Attributes
    ----------
    sequences, length, batch : int
    forwards : int
        Passes over all sequences.
    fisher : bool
    copies : tuple of str
        Parts whose weights are kept while they are overwritten.
    keeps_reference : bool
        Whether the reference's states go to the disk.
    writes : int
        Bytes of other files that are written.
    """

    sequences: int = 0
    length: int = 0
    batch: int = 0
    forwards: int = 0
    fisher: bool = False
    copies: tuple[str, ...] = ()
    keeps_reference: bool = False
    writes: int = 0


def read_model_plan(name: str, dtype: str = "auto") -> ModelPlan:
    """Read configuration and headers of a model that is here.

    Raises
    ------
    UsageError
        If it is not here: a plan downloads and trains nothing.
    """
    folder = _folder(name)
    config = _config(folder)
    infos = [info for info in list_tensors(folder) if info.skipped is None]
    weights = {
        info.name: (_part(info.name), info.shape)
        for info in infos
        if len(info.shape) >= 2 and not _in_tower(info.name)
    }
    stored = sum(info.nbytes for info in infos)
    count = sum(math.prod(info.shape) for info in infos)
    text = config.get("text_config", config)
    return ModelPlan(
        name=name,
        architecture=(config.get("architectures") or ["unknown"])[0],
        parameters=count,
        stored=stored,
        element=_BYTES.get(dtype, max(1, round(stored / max(count, 1)))),
        hidden=int(text.get("hidden_size", text.get("n_embd", 0))),
        vocabulary=int(text.get("vocab_size", 0)),
        weights=weights,
    )


def _folder(name: str) -> Path:
    if name == "embedded":
        if importlib.util.find_spec("torch") is None:
            raise UsageError("--model embedded needs torch: install it with  pip install 'bitlaw[llm]'")
        from bitlaw.llm.embedded import embedded_model_path

        folder = embedded_model_path()
        if not folder.is_dir():
            raise UsageError(
                "the embedded model is not trained yet (a minute or two on two cores, a million weights, 4 MB); "
                "a dry run trains nothing"
            )
        return folder
    if not Path(name).is_dir():
        raise UsageError(f"--model {name}: there is no such folder, and a dry run downloads nothing")
    return Path(name)


def _config(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder}: the folder holds no config.json, so it is no model of transformers"
        ) from None
    except ValueError as error:
        raise UsageError(f"{folder / 'config.json'}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise UsageError(f"{folder / 'config.json'}: not the configuration of a model")
    return content


def _part(name: str) -> str:
    pieces = name.split(".")
    if any(piece in _EMBEDDINGS for piece in pieces):
        return "embedding"
    return "head" if any(piece in _HEADS for piece in pieces[:-1][:2]) else "decoder"


def _in_tower(name: str) -> bool:
    return any(piece.startswith(tower) for piece in name.split(".") for tower in _TOWERS)


def undivided(
    model: ModelPlan, formats: Mapping[str, Format], parts: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Formats, tensors and what does not divide or cannot be stored, one line for each width of rows."""
    found = []
    for name, format in formats.items():
        widths: dict[int, list[str]] = {}
        for tensor, (part, shape) in model.weights.items():
            if part in parts:
                widths.setdefault(shape[-1], []).append(tensor)
        for width, tensors in widths.items():
            reason = _reason(format, width)
            if reason:
                more = f" and {len(tensors) - 1} more" if len(tensors) > 1 else ""
                found.append((name, f"{tensors[0]}{more}", reason))
    return found


def _reason(format: Format, width: int) -> str:
    """What is wrong with rows of a width; nothing where it divides."""
    try:
        encode(format, np.zeros((1, width), dtype=np.float32))
    except (ValueError, TypeError) as error:
        return f"cannot be stored: {error}"
    block = format.block[1] if isinstance(format.block, tuple) else format.block
    if isinstance(block, int) and width % block:
        return f"rows of {width}: the last block has {width % block} of {block}"
    return ""


def _estimates(model: ModelPlan, work: Work) -> dict[str, float]:
    tokens = work.sequences * work.length
    # Two operations a weight and token forwards; backwards two for inputs and two for the squares.
    operations = 2.0 * model.parameters * tokens * (work.forwards + (3 if work.fisher else 0))
    logits = work.batch * work.length * model.vocabulary * (model.element + 4)
    memory = model.parameters * model.element + model.elements(work.copies) * model.element + logits
    fisher = 8 * model.elements(("embedding", "decoder", "head")) if work.fisher else 0
    kept = tokens * model.hidden * model.element if work.keeps_reference else 0
    return {
        "tokens": tokens,
        "operations": operations,
        "memory_bytes": memory + fisher,
        "disk_bytes": work.writes + kept + (fisher // 2 if work.keeps_reference else 0),
    }


def plan_record(model: ModelPlan, work: Work, faults: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """The plan as plain values."""
    about = {
        "model": model.name,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "stored_bytes": model.stored,
        "matrices": len(model.weights),
    }
    rows = [{"format": name, "tensors": tensors, "reason": reason} for name, tensors, reason in faults]
    return about | _estimates(model, work) | {"undivided": rows}


def plan_blocks(model: ModelPlan, work: Work, faults: Sequence[tuple[str, str, str]]) -> list[Block]:
    """The plan for people."""
    found = _estimates(model, work)
    passes = f"{work.forwards} forward passes" + (", one Fisher pass" if work.fisher else "")
    rows = [
        ("model", f"{model.name}: {model.architecture}, {model.parameters:,} weights, {_size(model.stored)}"),
        ("matrices", ", ".join(_counted(model, part) for part in ("embedding", "decoder", "head"))),
    ]
    if work.sequences:
        text = f"at most {work.sequences} sequences of {work.length} tokens"
        rows += [("text", text), ("work", f"{passes}: {number(found['operations'], 2)} operations")]
    rows += [("memory", f"about {_size(found['memory_bytes'])}"), ("disk", _size(found["disk_bytes"]))]
    blocks: list[Block] = [Table(("", " "), rows, left=("", " "))]
    if faults:
        blocks.append(
            Table(
                ("format", "tensors", "does not divide"),
                faults,
                left=("format", "tensors", "does not divide"),
            )
        )
    return blocks


def _counted(model: ModelPlan, part: str) -> str:
    count = sum(found == part for found, _ in model.weights.values())
    return f"{count} in the {part} ({model.elements((part,)):,} weights)"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"
