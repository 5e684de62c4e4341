"""Second moments of what a layer's weights are multiplied with: the importance matrix, or the whole covariance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .argument_checks import check_whole
from .linear_maps import Product, observed_maps
from .models import LanguageModel, WeightTensor, weight_tensors
from .text import Sequences

__all__ = ["Activations", "activation_moments"]


@dataclass(frozen=True, eq=False)
class Activations:
    """Second moments of layer inputs, not centred.

    Attributes
    ----------
    moments : dict of str to torch.Tensor
        By name of the weight: the mean of x x^T, shape (in, in), or its diagonal, shape (in,), or (in, 1) where
        the weight has a row for each input (GPT-2), so that it goes with the weight; float32.  Experts of one
        tensor have one entry each along a first axis.  An embedding that is not tied has none.
    tokens : dict of str to list of int
        Inputs behind each entry; an expert that saw none has zeros.
    left_out : tuple of str
        Weights that are used in other ways than products and look-ups (convolutions): no moments count those uses.
    """

    moments: dict[str, torch.Tensor]
    tokens: dict[str, list[int]]
    left_out: tuple[str, ...] = ()


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
        If batch is not a positive whole number, there are no tokens, or a moment is not finite.
    """
    batch = check_whole("batch", batch, 1)
    if sequences.tokens.numel() == 0:
        raise ValueError(f"sequences must hold tokens, got shape {tuple(sequences.tokens.shape)}")
    weights = list(weight_tensors(language_model.model))
    sums = _Sums(weights, full)
    total = -(-len(sequences) // batch)
    with observed_maps(language_model.model, weights, sums.add) as uses:
        for index in range(total):
            tokens = sequences.tokens[index * batch : (index + 1) * batch].to(language_model.device)
            language_model.model(input_ids=tokens, use_cache=False)
            if progress is not None:
                progress(index + 1, total)
    for weight in weights:
        if weight.name not in uses.used:
            sums.start(weight.name, weight.parameter.shape[-1], weight.parameter.device)
    left_out = tuple(weight.name for weight in weights if weight.name in uses.unknown)
    names = [weight.name for weight in weights if weight.name in sums.counts]
    return Activations(
        {name: sums.mean(name) for name in names}, {n: sums.counts[n] for n in names}, left_out
    )


class _Sums:
    """Sums of products of inputs, and how many inputs there were, by weight and expert."""

    def __init__(self, weights: list[WeightTensor], full: bool) -> None:
        self._slots = {w.name: 1 if w.parameter.ndim == 2 else w.parameter.shape[0] for w in weights}
        self._full, self._stacked = full, {w.name for w in weights if w.parameter.ndim > 2}
        self._sums: dict[str, torch.Tensor] = {}
        self._rowwise: set[str] = set()
        self.counts: dict[str, list[int]] = {}

    def start(self, name: str, inputs: int, device: torch.device) -> None:
        """Zeros."""
        shape = (self._slots[name], inputs, inputs) if self._full else (self._slots[name], inputs)
        self._sums[name] = torch.zeros(shape, device=device)
        self.counts[name] = [0] * self._slots[name]

    def add(self, product: Product) -> None:
        """The inputs of one product."""
        name, rows = product.name, product.inputs.detach().reshape(-1, product.inputs.shape[-1]).float()
        if name not in self._sums:
            self.start(name, rows.shape[-1], rows.device)
        self._sums[name][product.slot] += rows.T @ rows if self._full else rows.square().sum(0)
        self.counts[name][product.slot] += len(rows)
        if product.transposed:
            self._rowwise.add(name)

    def mean(self, name: str) -> torch.Tensor:
        """Sums over inputs seen."""
        total, counts = self._sums[name], self.counts[name]
        divisor = torch.tensor(counts, device=total.device).clamp(min=1).reshape(-1, *[1] * (total.ndim - 1))
        mean = total / divisor
        if not torch.isfinite(mean).all():
            raise ValueError(f"{name}: the second moments of its inputs are not finite")
        mean = mean if name in self._stacked else mean[0]
        return mean[..., None] if name in self._rowwise and not self._full else mean
