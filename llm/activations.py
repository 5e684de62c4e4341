"""Second moments of what a layer's weights are multiplied with: the importance matrix, or the whole covariance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .linear_maps import observed_maps
from .models import LanguageModel, weight_tensors
from .text import Sequences

__all__ = ["Activations", "activation_moments"]


@dataclass(frozen=True, eq=False)
class Activations:
    """Second moments of layer inputs, not centred.

    Attributes
    ----------
    moments : dict of str to torch.Tensor
        By name of the weight: the mean of x x^T, shape (in, in), or its diagonal, shape (in,); float32.  Experts
        of one tensor have one entry each along a first axis.  An embedding that is not tied has none.
    tokens : dict of str to list of int
        Inputs behind each entry; an expert that saw none has zeros.
    """

    moments: dict[str, torch.Tensor]
    tokens: dict[str, list[int]]


@torch.no_grad()
def activation_moments(
    language_model: LanguageModel,
    sequences: Sequences,
    *,
    full: bool = False,
    batch: int = 8,
    progress: Callable[[int, int], object] | None = None,
) -> Activations:
    """Second moments of the inputs of every linear map.

    Parameters
    ----------
    language_model : LanguageModel
    sequences : Sequences
    full : bool
        Whole covariance matrices instead of their diagonals.
    batch : int >= 1
        Sequences in one pass.
    progress : callable, optional
        Called with batches done and in all.

    Returns
    -------
    Activations

    Raises
    ------
    ValueError
        If batch is not positive or a moment is not finite.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1 sequence, got {batch}")
    weights = list(weight_tensors(language_model.model))
    slots = {w.name: 1 if w.parameter.ndim == 2 else w.parameter.shape[0] for w in weights}
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, list[int]] = {}

    def on_map(name: str, slot: int, x: torch.Tensor, output: torch.Tensor) -> None:
        rows = x.detach().reshape(-1, x.shape[-1]).float()
        n = rows.shape[-1]
        if name not in sums:
            shape = (slots[name], n, n) if full else (slots[name], n)
            sums[name] = torch.zeros(shape, device=rows.device)
            counts[name] = [0] * slots[name]
        sums[name][slot] += rows.T @ rows if full else rows.square().sum(0)
        counts[name][slot] += len(rows)

    total = -(-len(sequences) // batch)
    with observed_maps(language_model.model, weights, on_map):
        for index in range(total):
            tokens = sequences.tokens[index * batch : (index + 1) * batch].to(language_model.device)
            language_model.model(input_ids=tokens, use_cache=False)
            if progress is not None:
                progress(index + 1, total)
    return Activations({name: _mean(name, value, counts[name]) for name, value in sums.items()}, counts)


def _mean(name: str, total: torch.Tensor, counts: list[int]) -> torch.Tensor:
    divisor = torch.tensor(counts, device=total.device).clamp(min=1).reshape(-1, *[1] * (total.ndim - 1))
    mean = total / divisor
    if not torch.isfinite(mean).all():
        raise ValueError(f"{name}: the second moments of its inputs are not finite")
    return mean[0] if len(counts) == 1 else mean
