r"""Second-order KL divergence of a change of the weights, with the full Fisher matrix and not its diagonal alone.

For weights changed by d the divergence per token is 1/2 d^T F d to second order, F the Fisher information at the
model's own predictions.  F is never formed: d^T F d is the variance, under the predicted distribution p, of the
change J d of the logits (that of the log-probabilities differs by a constant, which has no variance), and J d is one
forward-mode derivative of the model.  Several changes give all inner products a^T F b, so a change can be taken apart
into a sum of others, cross terms included.

The catch: forward mode needs attention without fused kernels and costs about four forward passes for each change.
Where an operation of a model has no forward-mode derivative, a central difference of the logits takes its place.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..theory._typing import FloatArray
from .argument_checks import check_choice, check_whole
from .estimates import Estimate, clustered_mean
from .models import LanguageModel, weight_tensors
from .text import Sequences

__all__ = ["Changes", "QuadraticDivergence", "quadratic_divergence"]

# Name of a weight tensor -> what is added to it, in its shape; tensors that are not named stay as they are.
Changes = Mapping[str, torch.Tensor]

Derivative = Literal["forward", "difference"]

# Central differences move weights by this share of their rms.  Rounding of float32 logits then costs about 1e-4 of
# the derivative, the third order as much; a tenfold step makes it 1e-2, a tenth of it 1e-3.
_STEP = 2.0**-8
# Numbers of one array of tangents that are handled at once: 64 MiB in float32.
_SLICE = 1 << 24


@dataclass(frozen=True, eq=False)
class QuadraticDivergence:
    """Inner products of changes of the weights under the Fisher matrix, sequence by sequence.

    Attributes
    ----------
    names : tuple of str
        Of the changes.
    products : ndarray of float64, shape (changes, changes, sequences)
        Half of a^T F b, as means over the tokens of each sequence, in nats per token; the diagonal holds each
        change's own second-order KL.
    derivative : {"forward", "difference"}
        How the logits were differentiated.
    """

    names: tuple[str, ...]
    products: FloatArray
    derivative: Derivative

    def kl(self, *names: str, confidence: float = 0.95) -> Estimate:
        """Second-order KL of the sum of some changes (all of them when none is named), in nats per token."""
        return clustered_mean(self.per_sequence(*names), confidence)

    def per_sequence(self, *names: str) -> FloatArray:
        """What `kl` is the mean of, shape (sequences, 1): for paired differences on the same sequences.

        Raises
        ------
        ValueError
            If a name is no change that was measured.
        """
        rows = [self._index(name) for name in names or self.names]
        found: FloatArray = self.products[np.ix_(rows, rows)].sum(axis=(0, 1))[:, None]
        return found

    def cross(self, first: str, second: str, confidence: float = 0.95) -> Estimate:
        """What two changes together have beyond the sum of their own divergences: a^T F b, of either sign."""
        product = 2 * self.products[self._index(first), self._index(second)]
        return clustered_mean(product[:, None], confidence)

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise ValueError(f"there is no change {name!r}; there are {', '.join(self.names)}")
        return self.names.index(name)


def quadratic_divergence(
    language_model: LanguageModel,
    sequences: Sequences,
    changes: Mapping[str, Changes],
    *,
    derivative: Derivative | None = None,
    batch: int = 4,
    progress: Callable[[int, int], object] | None = None,
) -> QuadraticDivergence:
    """Second-order KL of changes of the weights and all their cross terms, in nats per token.

    Parameters
    ----------
    language_model : LanguageModel
        Unquantised; it is not altered.
    sequences : Sequences
    changes : mapping of str to Changes
        Under a name of your own each: tensors to add to the weights, such as restored minus original ones.
    derivative : {"forward", "difference"}, optional
        Forward mode, or central differences with a step of 2^-8 of the weights' rms (float32 or better).  When left
        out: forward mode where torch has it for all the model does, else differences.
    batch : int >= 1
        Sequences run at once; logits of a batch are held once for each change.
    progress : callable, optional
        Called with batches done and in all.

    Returns
    -------
    QuadraticDivergence

    Raises
    ------
    ValueError
        If there are no changes or no sequences, a change names no weight tensor or has another shape, a derivative
        is not finite, or differences are asked of a model in less than float32.

    References
    ----------
    Martens, JMLR 21 (2020), section 5: F as the expected Hessian of the KL divergence.
    """
    if derivative is not None:
        check_choice("derivative", derivative, ("forward", "difference"))
    batch = check_whole("batch", batch, 1)
    if len(sequences) == 0 or sequences.length < 2:
        shape = tuple(sequences.tokens.shape)
        raise ValueError(
            f"sequences must hold at least one sequence of two tokens, got tokens of shape {shape}"
        )
    weights = {w.name: w.parameter.detach() for w in weight_tensors(language_model.model)}
    tangents = _tangents(weights, changes)
    chosen = derivative or _possible(language_model, sequences.tokens[:1], weights, tangents[0])
    total = -(-len(sequences) // batch)
    pieces = []
    for index in range(total):
        tokens = sequences.tokens[index * batch : (index + 1) * batch].to(language_model.device)
        pieces.append(_products(language_model, tokens, weights, tangents, chosen))
        if progress is not None:
            progress(index + 1, total)
    return QuadraticDivergence(tuple(changes), np.concatenate(pieces, axis=-1), chosen)


def _tangents(
    weights: Mapping[str, torch.Tensor], changes: Mapping[str, Changes]
) -> list[dict[str, torch.Tensor]]:
    """The changes on their weights' devices, zero where a change leaves a tensor alone."""
    if not changes or not all(changes.values()):
        raise ValueError("changes must hold at least one change of at least one tensor")
    for change in changes.values():
        for name, values in change.items():
            if name not in weights:
                raise ValueError(f"{name}: the model has no weight tensor of this name")
            if values.shape != weights[name].shape:
                shapes = tuple(weights[name].shape), tuple(values.shape)
                raise ValueError(f"{name}: the change must have the shape {shapes[0]}, got {shapes[1]}")
            if not torch.isfinite(values).all():
                raise ValueError(f"{name}: a change is NaN or infinite")
    return [
        {name: values.to(weights[name]) for name, values in change.items()} for change in changes.values()
    ]


def _possible(
    language_model: LanguageModel,
    tokens: torch.Tensor,
    weights: Mapping[str, torch.Tensor],
    tangents: Mapping[str, torch.Tensor],
) -> Derivative:
    """Forward mode, unless an operation of the model lacks it."""
    try:
        _forward(language_model, tokens.to(language_model.device), weights, tangents)
    except (NotImplementedError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return "difference"
    return "forward"


def _products(
    language_model: LanguageModel,
    tokens: torch.Tensor,
    weights: Mapping[str, torch.Tensor],
    tangents: list[dict[str, torch.Tensor]],
    derivative: Derivative,
) -> FloatArray:
    """Half the covariances under p of all changes of logits, means over each sequence of a batch."""
    differentiate = _forward if derivative == "forward" else _difference
    with torch.no_grad():
        logits = language_model.model(input_ids=tokens, use_cache=False).logits[:, :-1]
        moved = [differentiate(language_model, tokens, weights, t)[:, :-1] for t in tangents]
        found = torch.zeros(len(moved), len(moved), len(tokens), dtype=torch.float64)
        step = max(1, _SLICE // (logits.shape[-1] * len(tokens)))
        for start in range(0, logits.shape[1], step):
            part = slice(start, start + step)
            p = logits[:, part].float().softmax(-1)
            centred = [_centred(m[:, part].float(), p) for m in moved]
            for i, j in combinations_with_replacement(range(len(moved)), 2):
                found[i, j] += (centred[i] * centred[j]).double().sum((-1, -2)).cpu()
                found[j, i] = found[i, j]
    if not torch.isfinite(found).all():
        raise ValueError(f"{language_model.name}: a derivative of the logits is not finite")
    products: FloatArray = found.numpy() / (2 * logits.shape[1])
    return products


def _centred(moved: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Changes of logits less their mean under p, times the root of p: their inner products are covariances."""
    return (moved - (p * moved).sum(-1, keepdim=True)) * p.sqrt()


def _logits(
    language_model: LanguageModel, tokens: torch.Tensor, weights: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    arguments = {"input_ids": tokens, "use_cache": False}
    found = torch.func.functional_call(language_model.model, dict(weights), kwargs=arguments)
    logits: torch.Tensor = found.logits
    return logits


def _forward(
    language_model: LanguageModel,
    tokens: torch.Tensor,
    weights: Mapping[str, torch.Tensor],
    tangents: Mapping[str, torch.Tensor],
) -> torch.Tensor:
    """Derivative of the logits along the tangents, by forward mode."""
    changed = {name: weights[name] for name in tangents}
    with sdpa_kernel(SDPBackend.MATH), torch.no_grad(), warnings.catch_warnings():
        # torch's own rules for forward mode are compiled on first use, in a way that torch itself deprecates.
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        found = torch.func.jvp(
            lambda values: _logits(language_model, tokens, values), (changed,), (dict(tangents),)
        )
    moved: torch.Tensor = found[1]
    return moved


def _difference(
    language_model: LanguageModel,
    tokens: torch.Tensor,
    weights: Mapping[str, torch.Tensor],
    tangents: Mapping[str, torch.Tensor],
) -> torch.Tensor:
    """Derivative of the logits along the tangents, by a central difference."""
    kinds = {weights[name].dtype for name in tangents} - {torch.float32, torch.float64}
    if kinds:
        raise ValueError(f"differences of logits need float32 weights, got {min(map(str, kinds))}")
    ratios = [_ratio(tangents[name], weights[name]) for name in tangents]
    if max(ratios) == 0.0:
        return torch.zeros_like(_logits(language_model, tokens, {}))
    step = _STEP / max(ratios)
    ends = [
        _logits(language_model, tokens, {n: weights[n] + sign * step * t for n, t in tangents.items()})
        for sign in (1, -1)
    ]
    return (ends[0] - ends[1]) / (2 * step)


def _ratio(change: torch.Tensor, weights: torch.Tensor) -> float:
    """Norm of a change over that of the weights; 1 where the weights are zero."""
    size = float(weights.double().norm())
    return float(change.double().norm()) / size if size > 0 else 1.0
