"""What has to be there before a model can be audited: the model, the text, the reference's answers, Fisher information.

All of it is expensive and shared by every format, so it can be kept in a folder: each piece lies there under a
digest of what it was made from, is written under its name only when complete, and is taken up where it exists.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from safetensors import SafetensorError

from .. import theory
from .argument_checks import check_choice, check_seed, check_whole
from .audit import model_statistics
from .device_maps import SPREADS
from .files import write_whole
from .fingerprint import weights_fingerprint
from .fisher import Fisher, Kept, Targets, Unit, fisher_information
from .models import DTYPES, LanguageModel, load_model
from .reference import Reference, build_reference
from .statistics import TensorStatistics
from .statistics_record import read_statistics, statistics_record
from .text import Sequences, token_sequences

__all__ = [
    "Opened",
    "Parts",
    "Workload",
    "code_fingerprint",
    "kept_folder",
    "open_workload",
    "prepare_parts",
    "read_kept_statistics",
    "told_plainly",
]

# Files that decide no number begin with this word.
_NOT_COMPUTING = "study"


@dataclass(frozen=True)
class Workload:
    """What a model is measured on, and how.

    Attributes
    ----------
    text : str
        What `load_text` reads.
    sequences, length : int
        How many sequences, and of how many tokens.
    batch : int
        Sequences run at once.
    device, dtype : str
        As `load_model` takes them.
    targets : {"sampled", "text"}
        Of the Fisher information.
    seed : int >= 0
        Of the sampled targets.
    fisher : {"diagonal", "rows"}
        What is kept of the Fisher information.
    device_map : {"auto", "balanced", "balanced_low_0", "sequential"}, optional
        Spreads a model over all GPUs, instead of `device`.
    unit : {"sequence", "position"}, optional
        Whose gradients are squared for the Fisher information, as `fisher_information` takes it.
    checkpointing : bool
        Recompute activations for it.

    Raises
    ------
    ValueError
        If a value is impossible (it is named); whether the devices are there, `open_workload` finds out.
    """

    text: str = "standard"
    sequences: int = 64
    length: int = 256
    batch: int = 8
    device: str = "auto"
    dtype: str = "auto"
    targets: Targets = "sampled"
    seed: int = 0
    fisher: Kept = "diagonal"
    device_map: str | None = None
    unit: Unit | None = None
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text:
            raise ValueError(f"text must be a text that is not empty, got {self.text!r}")
        for name, least in (("sequences", 1), ("length", 2), ("batch", 1)):
            check_whole(name, getattr(self, name), least)
        check_seed(self.seed)
        check_choice("dtype", self.dtype, DTYPES)
        check_choice("targets", self.targets, ("sampled", "text"))
        check_choice("fisher", self.fisher, ("diagonal", "rows"))
        if self.unit is not None:
            check_choice("unit", self.unit, ("sequence", "position"))
        if not isinstance(self.checkpointing, bool):
            raise ValueError(f"checkpointing must be true or false, got {self.checkpointing!r}")
        if not isinstance(self.device, str):
            raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {self.device!r}")
        if self.device_map is not None:
            check_choice("device_map", self.device_map, SPREADS)
            if self.device != "auto":
                raise ValueError(
                    f"device and device_map exclude one another, got {self.device!r} and {self.device_map!r}"
                )


@dataclass(frozen=True, eq=False)
class Opened:
    """A model and its text, loaded.

    Attributes
    ----------
    language_model : LanguageModel
    sequences : Sequences
    workload : Workload
    digests : dict of str to str
        Of what decides every number but the format: weights, tokens, Fisher settings, code.
    """

    language_model: LanguageModel
    sequences: Sequences
    workload: Workload
    digests: dict[str, str]


@dataclass(frozen=True, eq=False)
class Parts:
    """All that an audit needs."""

    language_model: LanguageModel
    reference: Reference
    statistics: Mapping[str, TensorStatistics]
    fisher: Fisher


def open_workload(model: str, workload: Workload) -> Opened:
    """Load a model and its text.

    Raises
    ------
    ValueError, OSError
        As `load_model` and `token_sequences`.
    """
    language_model = load_model(
        model, device=workload.device, dtype=workload.dtype, device_map=workload.device_map
    )
    sequences = token_sequences(
        workload.text, language_model.tokenizer, length=workload.length, count=workload.sequences
    )
    digests = {
        "weights": weights_fingerprint(language_model.model),
        "tokens": sequences.digest,
        "measuring": _measuring(workload),
        "code": code_fingerprint(),
    }
    return Opened(language_model, sequences, workload, digests)


def _measuring(workload: Workload) -> str:
    """What decides how a model is measured, in words; the usual is left out."""
    words = [f"batch {workload.batch}", f"{workload.targets} targets", f"seed {workload.seed}"]
    if workload.fisher != "diagonal":
        words.append("Fisher information by rows")
    if workload.unit is not None:
        words.append(f"by {workload.unit}s")
    if workload.checkpointing:
        words.append("checkpointing")
    return ", ".join(words)


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """Version of bitlaw, and a digest of the sources that decide numbers."""
    digest = hashlib.sha256()
    rooms = (Path(theory.__file__).parent, Path(__file__).parent)
    for room in rooms:
        for file in sorted(room.rglob("*.py")):
            inner = file.relative_to(room)
            if inner.parts[0] != "derivations" and not file.name.startswith(_NOT_COMPUTING):
                digest.update(f"{room.name}/{inner.as_posix()}\0".encode())
                digest.update(file.read_bytes())
    return f"{version('bitlaw')}+{digest.hexdigest()[:16]}"


def prepare_parts(
    opened: Opened,
    folder: str | os.PathLike[str] | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> Parts:
    """Reference, Fisher information and statistics of a model, made or taken up.

    Parameters
    ----------
    opened : Opened
    folder : path, optional
        Where they are kept, in a sub-folder of their own; in memory when left out.
    progress : callable, optional
        Called with what is being done, steps done and steps in all.

    Returns
    -------
    Parts

    Raises
    ------
    OSError
        If the folder cannot be written; what is complete in it stays.
    ValueError
        As `fisher_information` and `tensor_statistics`.
    """
    tell = progress or (lambda what, done, total: None)
    model, workload = opened.language_model, opened.workload
    kept = None if folder is None else kept_folder(opened, folder)
    with told_plainly(kept):
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            about = json.dumps(opened.digests)
            write_whole(kept / "about.json", lambda path: path.write_text(about, encoding="utf-8"))
        statistics = _statistics(opened, kept, tell)
        reference = build_reference(
            model,
            opened.sequences,
            folder=None if kept is None else kept / "reference",
            batch=workload.batch,
            progress=lambda done, total: tell("reference", done, total),
        )
        return Parts(model, reference, statistics, _fisher(opened, kept, tell))


def kept_folder(opened: Opened, folder: str | os.PathLike[str]) -> Path:
    """Where in a work folder the parts of a model lie; `about.json` in it has the digests behind its name."""
    content = json.dumps(opened.digests, sort_keys=True)
    return Path(folder) / hashlib.sha256(content.encode()).hexdigest()[:16]


@contextmanager
def told_plainly(folder: Path | None) -> Iterator[None]:
    """Errors of safetensors are none of the kinds that callers know."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(f"{folder}: cannot keep what was computed ({error}); what is complete stays") from error


def _fisher(opened: Opened, folder: Path | None, tell: Callable[[str, int, int], object]) -> Fisher:
    complete = None if folder is None else folder / "fisher.safetensors"
    if complete is not None and complete.exists():
        tell("Fisher information", 1, 1)
        return Fisher.load(complete)
    sums = None if folder is None else folder / "fisher-sums.safetensors"
    fisher = fisher_information(
        opened.language_model,
        opened.sequences,
        targets=opened.workload.targets,
        unit=opened.workload.unit,
        batch=opened.workload.batch,
        seed=opened.workload.seed,
        keep=opened.workload.fisher,
        checkpointing=opened.workload.checkpointing,
        resume=sums,
        progress=lambda done, total: tell("Fisher information", done, total),
    )
    if complete is not None and sums is not None:
        fisher.save(complete)
        sums.unlink(missing_ok=True)
    return fisher


def read_kept_statistics(file: Path) -> dict[str, TensorStatistics]:
    """Statistics by tensor from `statistics.json` of a work folder."""
    records = json.loads(file.read_text(encoding="utf-8"))
    return {record["name"]: read_statistics(record) for record in records}


def _statistics(
    opened: Opened, folder: Path | None, tell: Callable[[str, int, int], object]
) -> dict[str, TensorStatistics]:
    file = None if folder is None else folder / "statistics.json"
    tell("weight statistics", 0, 1)
    if file is not None and file.exists():
        found = read_kept_statistics(file)
    else:
        found = model_statistics(opened.language_model)
        if file is not None:
            text = json.dumps([statistics_record(one) for one in found.values()])
            write_whole(file, lambda path: path.write_text(text, encoding="utf-8"))
    tell("weight statistics", 1, 1)
    return found
