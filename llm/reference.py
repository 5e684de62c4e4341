"""What the unquantised model says about a text, kept compactly so that it need not be run or held again.

The logits of a corpus do not fit: a vocabulary of 128,000 in float32 is half a megabyte a token.  But they are a
linear function of the last hidden state, which is a hundred times smaller.  The cache keeps the inputs of the
output head, and a copy of the head, and restores logits a few tokens at a time.  Where a model does something to
its logits after the head (a soft cap, a factor), the first batch shows it, and the logits themselves are kept.

With a folder the cache is written batch by batch, each under its final name only when it is complete; a run that
was interrupted goes on where it stopped.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from .files import write_whole
from .fingerprint import weights_fingerprint
from .models import LanguageModel
from .text import Sequences

__all__ = ["Reference", "build_reference", "head_inputs"]


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference model's answers to a set of sequences.

    Attributes
    ----------
    sequences : Sequences
    head : nn.Module, optional
        Copy of the reference's output head; None where the kept states are logits.
    batch : int
        Sequences in a kept batch.
    """

    sequences: Sequences
    head: nn.Module | None
    batch: int
    _load: Callable[[int], torch.Tensor]

    def __len__(self) -> int:
        """Number of batches."""
        return -(-len(self.sequences) // self.batch)

    def tokens(self, index: int) -> torch.Tensor:
        """Tokens of a batch, shape (sequences, length)."""
        return self.sequences.tokens[index * self.batch : (index + 1) * self.batch]

    def states(self, index: int) -> torch.Tensor:
        """Kept states of a batch, shape (sequences, length, hidden or vocabulary)."""
        return self._load(index)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Logits of some kept states in float32, on the head's device."""
        if self.head is None:
            return states.float()
        weight = next(self.head.parameters())
        logits: torch.Tensor = self.head(states.to(weight.device))
        return logits.float()


def build_reference(
    language_model: LanguageModel,
    sequences: Sequences,
    *,
    folder: str | os.PathLike[str] | None = None,
    batch: int = 8,
    progress: Callable[[int, int], object] | None = None,
) -> Reference:
    """Run the reference model over the sequences, or take up what an earlier run left.

    Parameters
    ----------
    language_model : LanguageModel
        Unquantised.
    sequences : Sequences
    folder : path, optional
        Where the cache lies; kept in memory when left out.
    batch : int >= 1
        Sequences run at once.
    progress : callable, optional
        Called with batches done and in all.

    Returns
    -------
    Reference

    Raises
    ------
    ValueError
        If the folder holds the cache of another model or text, or batch is not positive.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1 sequence, got {batch}")
    head = language_model.model.get_output_embeddings()
    faithful = head is not None and _head_gives_logits(language_model, sequences.tokens[:1])
    store = _Store(folder, language_model, sequences, batch, faithful)
    total = -(-len(sequences) // batch)
    for index in range(total):
        if not store.has(index):
            tokens = sequences.tokens[index * batch : (index + 1) * batch]
            states, logits = head_inputs(language_model.model, tokens, language_model.device)
            store.put(index, (states if faithful else logits).cpu())
        if progress is not None:
            progress(index + 1, total)
    return Reference(sequences, copy.deepcopy(head) if faithful else None, batch, store.get)


@torch.no_grad()
def head_inputs(
    model: nn.Module, tokens: torch.Tensor, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs of the output head, and the logits, of a batch of tokens."""
    seen: list[torch.Tensor] = []
    head = model.get_output_embeddings()  # type: ignore[operator]
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        logits = model(input_ids=tokens.to(device), use_cache=False).logits
    finally:
        hook.remove()
    return seen[0], logits


def _head_gives_logits(language_model: LanguageModel, tokens: torch.Tensor) -> bool:
    """Whether the head alone turns its inputs into the model's logits."""
    states, logits = head_inputs(language_model.model, tokens, language_model.device)
    with torch.no_grad():
        restored = language_model.model.get_output_embeddings()(states)
    return bool(torch.allclose(restored.float(), logits.float(), rtol=1e-5, atol=1e-5))


class _Store:
    """States of batches, in memory or in a folder."""

    def __init__(
        self,
        folder: str | os.PathLike[str] | None,
        language_model: LanguageModel,
        sequences: Sequences,
        batch: int,
        faithful: bool,
    ) -> None:
        self._kept: dict[int, torch.Tensor] = {}
        self._folder = None if folder is None else Path(folder)
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        told: dict[str, Any] = {
            "weights": weights_fingerprint(language_model.model),
            "tokens": sequences.digest,
            "batch": batch,
            "states": "hidden" if faithful else "logits",
        }
        record = self._folder / "reference.json"
        if record.exists() and json.loads(record.read_text(encoding="utf-8")) != told:
            raise ValueError(
                f"folder {self._folder} holds the reference of another model, text or batch size"
            )
        if not record.exists():
            write_whole(record, lambda path: path.write_text(json.dumps(told), encoding="utf-8"))

    def has(self, index: int) -> bool:
        return index in self._kept if self._folder is None else self._path(index).exists()

    def put(self, index: int, states: torch.Tensor) -> None:
        if self._folder is None:
            self._kept[index] = states
            return
        tensors = {"states": states.contiguous()}
        write_whole(self._path(index), lambda path: save_file(tensors, path))

    def get(self, index: int) -> torch.Tensor:
        return self._kept[index] if self._folder is None else load_file(self._path(index))["states"]

    def _path(self, index: int) -> Path:
        assert self._folder is not None
        return self._folder / f"batch-{index:06d}.safetensors"
