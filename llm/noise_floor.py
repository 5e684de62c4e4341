"""What divergence the arithmetic of a model shows by itself, when weights change by next to nothing.

Every change of a weight, however small, rounds the numbers inside a model anew: activations, sums of a residual
stream, what enters and leaves attention.  In bfloat16 these roundings alone moved the predictions of small models by
a KL divergence of 3e-5 to 6e-4.  Running the same weights a second time, or in other batches, need not show it: where
every sum is added up in the same order, nothing is rounded anew.

So the weights themselves are moved: the last bit of every twelfth weight is turned over.  The squared error of that
is a twelfth of a step squared, which is what a format without any error of its own has that is restored in the type
of the weights.  The divergence is what such a format would show.

What it is not: noise to subtract.  A format with larger errors rounds more numbers anew, and its noise is larger, up
to about 1.6 times, which is where all roundings are independent: twice the divergence between these weights run in
their type and in float32.  And the weights' own rounding is a part of it (13% for the embedded model in bfloat16),
which a prediction knows of already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from .divergence import Divergence, measure_divergence
from .models import LanguageModel, weight_tensors
from .reference import Reference

__all__ = ["audit_floor", "is_near_floor", "noise_floor", "weights_dtype"]

# One weight of so many moves by a step: the mean square of rounding is a twelfth of a step squared.
_EVERY = 12
_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
# Divergences beyond this many squared roundings are not compared with the floor, which was 2 to 38 of them.
_LOOKED_AT = 2e3
# Share of a divergence from which the floor is told beside it; predictions are held to a quarter.
_NAMED = 0.1
# Tokens on which an audit measures the floor, to about a tenth.
_TOKENS = 1024


def noise_floor(
    language_model: LanguageModel,
    reference: Reference,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Divergence:
    """Divergence of a model from itself with one weight of twelve moved to a neighbouring number of its type.

    Parameters
    ----------
    language_model : LanguageModel
        The model of `reference`; its weights are as before afterwards, bit for bit.
    reference : Reference
    progress : callable, optional
        Called with batches done and in all.

    Returns
    -------
    Divergence
        Of which the mean KL is about the least that a format can be told to have.

    Raises
    ------
    ValueError
        If the model has no weights in memory that could be moved.

    Notes
    -----
    It answers for the device, the types and the text that it was measured on, and for no other.
    """
    with _moved(language_model):
        return measure_divergence(language_model, reference, progress=progress)


def audit_floor(language_model: LanguageModel, reference: Reference, kl: float) -> float | None:
    """Noise floor on the first thousand tokens, where a divergence is small enough to be looked at beside it.

    Parameters
    ----------
    language_model : LanguageModel
    reference : Reference
    kl : float
        The divergence, in nats per token.

    Returns
    -------
    float or None
        Mean KL; None where `kl` is more than two thousand squared roundings of the weights' type.
    """
    rounding = torch.finfo(weights_dtype(language_model.model)).eps / 2
    if kl > _LOOKED_AT * rounding**2 or not _movable(language_model.model):
        return None
    count = max(1, _TOKENS // reference.sequences.length)
    return float(noise_floor(language_model, reference.first(count)).kl.mean())


def is_near_floor(kl: float, floor: float | None) -> bool:
    """Whether the noise of the arithmetic makes a visible part of a divergence; of none where no weight moved."""
    return floor is not None and kl > 0 and floor > _NAMED * kl


def weights_dtype(model: nn.Module) -> torch.dtype:
    """Coarsest type among the weight tensors."""
    kinds = {w.parameter.dtype for w in weight_tensors(model)}
    return max(kinds, key=lambda kind: torch.finfo(kind).eps, default=torch.float32)


@contextmanager
def _moved(language_model: LanguageModel) -> Iterator[None]:
    """Weights with some last bits turned over; doing it again brings them back."""
    tensors = _movable(language_model.model)
    if not tensors:
        raise ValueError(f"{language_model.name}: the model has no weights in memory that could be moved")
    done = []
    try:
        for tensor in tensors:
            done.append(tensor)
            _turn_over(tensor)
        yield
    finally:
        for tensor in done:
            _turn_over(tensor)


def _movable(model: nn.Module) -> list[torch.Tensor]:
    found = [w.parameter.data for w in weight_tensors(model)]
    return [x for x in found if not x.is_meta and x.element_size() in _BITS and x.is_contiguous()]


def _turn_over(tensor: torch.Tensor) -> None:
    """Turn over the last bit of one element of twelve: a step within its binade, which no finite value leaves."""
    step = _EVERY
    # A step that shares a factor with the rows' length would move some of the columns only.
    while math.gcd(step, tensor.shape[-1]) > 1:
        step += 1
    tensor.view(-1).view(_BITS[tensor.element_size()])[::step] ^= 1
