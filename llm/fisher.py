r"""Diagonal Fisher information of a model's weights, from squared inputs and squared output gradients.

The gradient of one token's log likelihood with respect to a linear layer is an outer product g x^T of the layer's
output gradient and input, so its square needs no gradient formed: the sum over tokens of (g x^T)^2 is the matrix
product of the squares.  One backward pass serves all layers.  The passes of different positions are taken as
independent, which they are in expectation where the targets are sampled from the model's own predictions.

The catch: this counts per position of the layer, not per loss term; the two have one expectation only for sampled
targets.  With the text's own tokens (the "empirical Fisher") the result is another quantity, often used in its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional

from .files import write_whole
from .linear_maps import observed_maps
from .models import LanguageModel, WeightTensor, weight_tensors
from .text import Sequences

__all__ = ["Fisher", "Targets", "fisher_information"]

Targets = Literal["sampled", "text"]


@dataclass(frozen=True, eq=False)
class Fisher:
    """Diagonal Fisher information, as a mean over tokens.

    Attributes
    ----------
    diagonals : dict of str to torch.Tensor
        By name of the parameter, float32, in its shape: with weights changed by d, the KL divergence per token is
        about half the sum of diagonal * d^2, in nats.
    tokens : int
        Loss terms behind the mean.
    targets : {"sampled", "text"}
    """

    diagonals: dict[str, torch.Tensor]
    tokens: int
    targets: Targets

    def mean(self, name: str) -> float:
        """Mean of the diagonal of one tensor."""
        return float(self.diagonals[name].double().mean())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write as safetensors, under its name only when complete."""
        tensors = {name: tensor.contiguous() for name, tensor in self.diagonals.items()}
        about = {"tokens": str(self.tokens), "targets": self.targets}
        write_whole(Path(path), lambda file: save_file(tensors, file, about))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Fisher:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is no Fisher information.
        """
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
                diagonals = {name: file.get_tensor(name) for name in file.keys()}
            return cls(diagonals, int(about["tokens"]), about["targets"])
        except (KeyError, OSError) as error:
            raise ValueError(f"{path}: not a file of Fisher information ({error})") from error
        except Exception as error:  # safetensors has its own error for damaged files
            raise ValueError(f"{path}: damaged ({error})") from error


def fisher_information(
    language_model: LanguageModel,
    sequences: Sequences,
    *,
    targets: Targets = "sampled",
    batch: int = 4,
    seed: int = 0,
    checkpointing: bool = False,
    resume: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Fisher:
    """Diagonal Fisher information of all weight tensors, embeddings and experts included.

    Parameters
    ----------
    language_model : LanguageModel
    sequences : Sequences
    targets : {"sampled", "text"}
        Targets drawn from the model's predictions, or the text's next tokens.
    batch : int >= 1
        Sequences in one pass.
    seed : int
        Of the drawn targets; each batch has a stream of its own, so that a resumed run draws the same.
    checkpointing : bool
        Recompute activations layer by layer, for models that do not fit otherwise.
    resume : path, optional
        A file that holds the sums so far; written after each batch, taken up where it exists, and left complete.
    progress : callable, optional
        Called with batches done and in all.

    Returns
    -------
    Fisher

    Raises
    ------
    ValueError
        If `targets` or `batch` is impossible, the model's gradients are not finite, or the file to resume from
        belongs to another run.

    References
    ----------
    Orr, Ribar and Luschi (arXiv 2505.12988), section on Fisher information; Martens, JMLR 21 (2020).
    """
    if targets not in ("sampled", "text"):
        raise ValueError(f"targets must be 'sampled' or 'text', got {targets!r}")
    if batch < 1:
        raise ValueError(f"batch must be at least 1 sequence, got {batch}")
    weights = list(weight_tensors(language_model.model))
    sums = {w.name: torch.zeros(w.parameter.shape, device=w.parameter.device) for w in weights}
    done = _take_up(resume, sums, targets)
    per_batch = sequences.length - 1
    total = -(-len(sequences) // batch)
    with _recording(language_model.model, weights, sums, checkpointing):
        for index in range(total):
            tokens = sequences.tokens[index * batch : (index + 1) * batch]
            if min((index + 1) * batch, len(sequences)) * per_batch > done:
                _backward(language_model, tokens, targets, seed + index)
                done += tokens.shape[0] * per_batch
                if resume is not None:
                    Fisher(sums, done, targets).save(resume)
            if progress is not None:
                progress(index + 1, total)
    for name, value in sums.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name}: the squared gradients are not finite")
    return Fisher({name: value / done for name, value in sums.items()}, done, targets)


def _take_up(path: str | os.PathLike[str] | None, sums: dict[str, torch.Tensor], targets: Targets) -> int:
    """Add the sums of an earlier run; the tokens it has seen."""
    if path is None or not Path(path).exists():
        return 0
    earlier = Fisher.load(path)
    shapes = {name: tuple(tensor.shape) for name, tensor in earlier.diagonals.items()}
    if earlier.targets != targets or shapes != {name: tuple(t.shape) for name, t in sums.items()}:
        raise ValueError(f"resume: {path} belongs to another model or other targets")
    for name, value in earlier.diagonals.items():
        sums[name] += value.to(sums[name].device)
    return earlier.tokens


def _backward(language_model: LanguageModel, tokens: torch.Tensor, targets: Targets, seed: int) -> None:
    """One pass: the sum of the log likelihoods of the targets, differentiated."""
    inputs = tokens.to(language_model.device)
    with torch.enable_grad():
        logits = language_model.model(input_ids=inputs, use_cache=False).logits[:, :-1].float()
        flat = logits.reshape(-1, logits.shape[-1])
        wanted = _sample(flat.detach(), seed) if targets == "sampled" else inputs[:, 1:].reshape(-1)
        functional.cross_entropy(flat, wanted, reduction="sum").backward()  # type: ignore[no-untyped-call]


def _sample(logits: torch.Tensor, seed: int) -> torch.Tensor:
    """One target for each row, drawn on the CPU so that every device draws the same."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64)
    cumulative = logits.double().softmax(-1).cumsum(-1)
    drawn = torch.searchsorted(cumulative, uniform.to(logits.device)).squeeze(-1)
    return drawn.clamp(max=logits.shape[-1] - 1)


@contextmanager
def _recording(
    model: Any, weights: list[WeightTensor], sums: dict[str, torch.Tensor], checkpointing: bool
) -> Iterator[None]:
    """Hooks on every layer that add squared gradients to the sums during backward passes."""

    def on_map(name: str, slot: int, x: torch.Tensor, output: torch.Tensor) -> None:
        if output.requires_grad:
            squares = _squares(x)
            total = sums[name].reshape(-1, *sums[name].shape[-2:])[slot]
            output.register_hook(lambda gradient: _add(total, gradient, squares))  # type: ignore[no-untyped-call]

    def on_lookup(name: str, rows: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            return output
        # The weights themselves ask for no gradient, so the graph starts at the embedding's output.
        started = output.requires_grad_() if output.is_leaf else output
        started.register_hook(  # type: ignore[no-untyped-call]
            lambda gradient: _scatter(sums[name], rows.reshape(-1), gradient)
        )
        return started

    with ExitStack() as stack:
        seen = stack.enter_context(observed_maps(model, weights, on_map, on_lookup))
        if checkpointing:
            stack.enter_context(_checkpointing(model))
        yield
    unseen = {w.name for w in weights} - seen
    if unseen:
        raise ValueError(f"{min(unseen)}: the model uses this tensor in no linear map that can be observed")


@contextmanager
def _checkpointing(model: Any) -> Iterator[None]:
    name = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    getattr(model, f"{name}_checkpointing_enable")({"use_reentrant": False})
    model.train()  # transformers recomputes in training mode only; dropout is 0 in today's causal models
    try:
        yield
    finally:
        model.eval()
        getattr(model, f"{name}_checkpointing_disable")()


def _squares(x: torch.Tensor) -> torch.Tensor:
    return x.detach().reshape(-1, x.shape[-1]).float().square()


def _add(total: torch.Tensor, gradient: torch.Tensor, squares: torch.Tensor) -> None:
    total.addmm_(_squares(gradient).T.to(total.device), squares.to(total.device))


def _scatter(total: torch.Tensor, rows: torch.Tensor, gradient: torch.Tensor) -> None:
    total.index_add_(0, rows.to(total.device), _squares(gradient).to(total.device))
