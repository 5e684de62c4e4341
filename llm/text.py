"""Text for language models: read from a file, a folder, a dataset, or the standard library; cut into sequences."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .standard_text import standard_documents

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["STANDARD", "Sequences", "check_text", "load_text", "token_sequences"]

STANDARD = "standard"
_DATASET = "dataset:"
# A split may be a slice, which holds a colon: train[:10%].
_DATASET_NAME = re.compile(
    r"dataset:(?P<name>[^:]+)(?::(?P<config>[^:]+))?:(?P<split>(?:[^:\[\]]|\[[^\[\]]*\])+)"
)
# Tokens are seldom longer on average: enough characters to see that a sequence fits.
_CHARACTERS = 64
_SUFFIXES = (".txt", ".md", ".rst")


@dataclass(frozen=True, eq=False)
class Sequences:
    """Token sequences of one length.

    Attributes
    ----------
    tokens : torch.Tensor of int64, shape (sequences, length)
    source : str
        Where the text came from.
    left_out : int
        Tokens of the text that were not used.
    """

    tokens: torch.Tensor
    source: str
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def length(self) -> int:
        """Tokens in a sequence."""
        return int(self.tokens.shape[1])

    @property
    def digest(self) -> str:
        """Digest of the tokens."""
        return hashlib.sha256(self.tokens.numpy().tobytes()).hexdigest()[:32]


def load_text(source: str | os.PathLike[str] = STANDARD) -> str:
    """Read a text.

    Parameters
    ----------
    source : str or path
        A file; a folder (its .txt, .md and .rst files in order of their names, also in subfolders);
        `dataset:NAME[:CONFIG]:SPLIT` as the `datasets` library reads it (NAME is a folder or a hub id, SPLIT may be
        a slice such as `train[:10%]`), its column `text`; or "standard", the held-out part of the standard
        library's documentation.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If nothing is there, a file is no UTF-8 text, the text is empty, or a dataset has no such split or column.
    OSError
        If a dataset cannot be fetched (`HF_HUB_OFFLINE=1` is honoured).
    ImportError
        If a dataset is asked for and `datasets` is not installed.
    """
    name = str(source)
    if name == STANDARD:
        return "\n\n".join(standard_documents("test"))
    if not name:
        raise ValueError("text must be a file, a folder, a dataset or 'standard', got an empty name")
    text = _dataset(name) if name.startswith(_DATASET) else _files(Path(source))
    if not text.strip():
        raise ValueError(f"text {name}: it is empty")
    return text


def check_text(source: str | os.PathLike[str], tokenizer: PreTrainedTokenizerBase, *, length: int) -> None:
    """Raise what `token_sequences` would raise for a text, without downloads and without reading all tokens.

    Parameters
    ----------
    source, tokenizer, length
        As `token_sequences` takes them.
    """
    if str(source).startswith(_DATASET):
        _dataset_path(str(source))
        return
    text = load_text(source)
    start = text[: _CHARACTERS * length]
    if len(_tokens(start, tokenizer)) < length:
        _fitting(source, _tokens(text, tokenizer), length, length - len(_start_token(tokenizer)))


def _files(path: Path) -> str:
    if path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            raise ValueError(f"text {path}: no permission to read the folder")
        files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        if not files:
            raise ValueError(f"text {path}: the folder holds no {', '.join(_SUFFIXES)} file")
        return "\n\n".join(_read(file) for file in files)
    if not path.exists():
        raise ValueError(f"text {path}: there is no such file or folder")
    return _read(path)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"text {path}: not UTF-8 ({error.reason} at byte {error.start})") from None
    if "\0" in text:
        raise ValueError(f"text {path}: no text, it holds zero bytes")
    return text


def _dataset(name: str) -> str:
    path, split = _dataset_path(name)
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        rows = load_dataset(*path, split=split)
    except ConnectionError as error:  # also where the hub is there and the dataset is not
        raise OSError(f"text {name}: neither a folder nor a dataset that can be fetched ({error})") from error
    except (ValueError, OSError, DatasetsError) as error:
        raise ValueError(f"text {name}: cannot be read as a dataset ({error})") from error
    if "text" not in rows.column_names:
        raise ValueError(f"text {name}: the dataset has no column 'text', but {', '.join(rows.column_names)}")
    texts = [text for text in rows["text"] if text is not None]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"text {name}: the column 'text' of the dataset holds other things than text")
    return "\n\n".join(texts)


def _dataset_path(name: str) -> tuple[list[str], str]:
    """Name (with configuration) and split (or a slice of it) of a dataset, where its library is there."""
    parts = _DATASET_NAME.fullmatch(name)
    if parts is None:
        raise ValueError(f"text {name}: must be dataset:NAME:SPLIT or dataset:NAME:CONFIG:SPLIT")
    if importlib.util.find_spec("datasets") is None:
        raise ImportError(f"text {name}: needs the library `datasets`: pip install 'bitlaw[datasets]'")
    return [part for part in parts.group("name", "config") if part is not None], parts["split"]


def token_sequences(
    text: str | os.PathLike[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    length: int = 512,
    count: int | None = None,
) -> Sequences:
    """Cut a text into sequences of tokens that do not overlap.

    Parameters
    ----------
    text : str or path
        What `load_text` reads.
    tokenizer : PreTrainedTokenizerBase
    length : int >= 2
        Tokens in a sequence, the beginning-of-sequence token included where the tokenizer has one.
    count : int >= 1, optional
        Sequences wanted, spread evenly over the text; all that fit when left out.

    Returns
    -------
    Sequences

    Raises
    ------
    ValueError
        If length or count is too small, or the text is shorter than one sequence.
    """
    if length < 2:
        raise ValueError(f"length must be at least 2 tokens, got {length}")
    if count is not None and count < 1:
        raise ValueError(f"count must be at least 1 sequence, got {count}")
    start = _start_token(tokenizer)
    body = length - len(start)
    ids = _tokens(load_text(text), tokenizer)
    fitting = _fitting(text, ids, length, body)
    rows = torch.tensor(ids[: fitting * body]).reshape(fitting, body)
    if count is not None and count < fitting:
        rows = rows[torch.arange(count) * fitting // count]
    first = torch.tensor(start, dtype=rows.dtype).expand(len(rows), len(start))
    return Sequences(torch.cat([first, rows], dim=1), str(text), len(ids) - rows.numel())


def _tokens(text: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _fitting(text: str | os.PathLike[str], ids: list[int], length: int, body: int) -> int:
    """Sequences that fit, at least one."""
    if len(ids) < body:
        raise ValueError(f"text {text}: it has {len(ids)} tokens, fewer than one sequence of {length}")
    return len(ids) // body


def _start_token(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Beginning-of-sequence token, where the tokenizer puts one before a text."""
    ids = tokenizer("")["input_ids"]
    return list(ids[:1]) if tokenizer.bos_token_id is not None and ids[:1] == [tokenizer.bos_token_id] else []
