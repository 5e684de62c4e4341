"""What the unquantised model says about a text, kept compactly so that it need not be run or held again.

The logits of a corpus do not fit: a vocabulary of 128,000 in float32 is half a megabyte a token.  But they are a
linear function of the last hidden state, which is a hundred times smaller.  The cache keeps the inputs of the
output head, and a copy of the head, and restores logits a few tokens at a time, in float32 where the head itself is
of 16 bits.  Where a model does something to its logits after the head (a soft cap, a factor), the first sequence
shows it, and the logits themselves are kept, in the type they have; so they are where there is no linear head, or
its weights are not at hand.

With a folder the cache is written batch by batch, each under its final name only when it is complete; a run that
was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from .files import write_whole
from .fingerprint import weights_fingerprint
from .models import LanguageModel
from .output_head import OutputHead, output_head
from .text import Sequences

__all__ = ["Reference", "build_reference", "head_inputs"]

# Tokens on which a head is compared with the model's logits.
_COMPARED = 256


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference model's answers to a set of sequences.

    Attributes
    ----------
    sequences : Sequences
    head : OutputHead, optional
        Copy of the reference's output head; None where the kept states are logits.
    batch : int
        Sequences in a kept batch.
    """

    sequences: Sequences
    head: OutputHead | None
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
        return self.head(states).float()

    def first(self, count: int) -> Reference:
        """The same of the first few sequences alone."""
        kept = Sequences(self.sequences.tokens[:count], self.sequences.source)
        return replace(self, sequences=kept)


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
    head = output_head(language_model.model)
    faithful = head is not None and _gives_logits(head, language_model, sequences.tokens[:1])
    store = _Store(folder, language_model, sequences, batch, faithful)
    total = -(-len(sequences) // batch)
    for index in range(total):
        if not store.has(index):
            tokens = sequences.tokens[index * batch : (index + 1) * batch]
            states, logits = head_inputs(language_model.model, tokens, language_model.device)
            store.put(index, (states if faithful and states is not None else logits).cpu())
        if progress is not None:
            progress(index + 1, total)
    return Reference(sequences, head.copy() if head is not None and faithful else None, batch, store.get)


@torch.no_grad()
def head_inputs(
    model: nn.Module, tokens: torch.Tensor, device: torch.device
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Inputs of the output head, None where no module is one, and the logits, of a batch of tokens."""
    seen: list[torch.Tensor] = []
    head = getattr(model, "get_output_embeddings", lambda: None)()
    with ExitStack() as stack:
        if isinstance(head, nn.Module):
            hook = head.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[:1]))
            stack.callback(hook.remove)
        logits = model(input_ids=tokens.to(device), use_cache=False).logits
    return (seen[0] if seen else None), logits


def _gives_logits(head: OutputHead, language_model: LanguageModel, tokens: torch.Tensor) -> bool:
    """Whether the head alone turns its inputs into the model's logits."""
    states, logits = head_inputs(language_model.model, tokens, language_model.device)
    return states is not None and head.gives(logits[:, :_COMPARED], states[:, :_COMPARED])


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
