r"""How far a quantised model's predictions are from the reference's, per token over the full vocabulary.

KL(p || q) = sum_v p_v (r_v - 1 - log r_v) with r = q / p: every term is non-negative, so that a divergence of
1e-8 nats comes out of float32 logits with its digits, where the difference of two cross-entropies would be noise.
(The added sum of p_v (r_v - 1) is zero.)

Where a model's weights are of 16 bits, its last product is done again in float32, on both sides.  What stays is the
noise of everything before it (`noise_floor`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch.nn import functional

from ..theory._typing import FloatArray
from .estimates import Estimate, clustered_mean, clustered_quantile, paired_difference
from .models import LanguageModel
from .output_head import output_head
from .reference import Reference, head_inputs

__all__ = ["Divergence", "kl_per_token", "measure_divergence", "top_kl_per_token"]

# Logits restored and compared at once: 64 MiB in float32.
_SLICE = 1 << 24
# Tokens of a batch on which a head is compared with the model's logits.
_COMPARED = 32
# Likeliest tokens kept apart, and where the probability of the others is clipped, as in Orr et al. (arXiv 2505.12988).
_TOP = 128
_TAIL_FLOOR = 1e-6


@dataclass(frozen=True, eq=False)
class Divergence:
    """Predictions of a model against those of the reference, token by token.

    Attributes
    ----------
    kl : ndarray of float64, shape (sequences, tokens - 1)
        KL(reference || model) in nats, over the full vocabulary.
    top_kl : ndarray
        The same over the reference's 128 likeliest tokens and one tail, as some tables have it.
    loss, reference_loss : ndarray
        Negative log likelihood of the text's next token, in nats.
    same_top : ndarray of float64
        1 where both models find the same token likeliest.
    """

    kl: FloatArray
    top_kl: FloatArray
    loss: FloatArray
    reference_loss: FloatArray
    same_top: FloatArray

    def mean(self, what: str = "kl", confidence: float = 0.95) -> Estimate:
        """Mean of one of the attributes, with an interval over sequences; that of a divergence begins at 0 or above."""
        found = clustered_mean(getattr(self, what), confidence)
        known = what in ("kl", "top_kl") and found.sequences > 1
        return replace(found, lower=max(found.lower, 0.0)) if known else found

    def quantile(self, level: float, confidence: float = 0.95) -> Estimate:
        """Quantile of the KL over tokens, with an interval over sequences."""
        return clustered_quantile(self.kl, level, confidence)

    def less(self, other: Divergence, confidence: float = 0.95) -> Estimate:
        """Mean KL minus that of another model on the same sequences."""
        return paired_difference(self.kl, other.kl, confidence)

    @property
    def perplexity(self) -> float:
        """Exponential of the mean loss."""
        return float(np.exp(self.loss.mean()))

    @property
    def reference_perplexity(self) -> float:
        """Perplexity of the reference."""
        return float(np.exp(self.reference_loss.mean()))


def kl_per_token(reference_logits: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """KL(reference || model) in nats, shape (...), of logits of shape (..., vocabulary).

    Computed in float32, or float64 where either is; see the module for why it keeps small values.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if reference_logits.shape != logits.shape:
        raise ValueError(
            f"logits must have the reference's shape {tuple(reference_logits.shape)}, got {tuple(logits.shape)}"
        )
    kind = torch.promote_types(torch.promote_types(reference_logits.dtype, logits.dtype), torch.float32)
    log_p, log_q = (functional.log_softmax(x.to(kind), dim=-1) for x in (reference_logits, logits))
    return _kl(log_p, log_q)


def _kl(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    log_r = log_q - log_p
    return ((torch.expm1(log_r) - log_r) * log_p.exp()).sum(-1)


def top_kl_per_token(reference_logits: torch.Tensor, logits: torch.Tensor, top: int = _TOP) -> torch.Tensor:
    """KL over the reference's `top` likeliest tokens and one tail, tails clipped at 1e-6.

    References
    ----------
    Orr, Ribar and Luschi (arXiv 2505.12988), appendix on evaluation.
    """
    log_p, log_q = (functional.log_softmax(x.float(), dim=-1) for x in (reference_logits, logits))
    return _top_kl(log_p, log_q, top)


def _top_kl(log_p: torch.Tensor, log_q: torch.Tensor, top: int = _TOP) -> torch.Tensor:
    head_p, index = log_p.topk(min(top, log_p.shape[-1]), dim=-1)
    head_q = log_q.gather(-1, index)
    tail_p = (1 - head_p.exp().sum(-1)).clamp(min=_TAIL_FLOOR)
    tail_q = (1 - head_q.exp().sum(-1)).clamp(min=_TAIL_FLOOR)
    return (head_p.exp() * (head_p - head_q)).sum(-1) + tail_p * (tail_p.log() - tail_q.log())


def measure_divergence(
    language_model: LanguageModel,
    reference: Reference,
    *,
    batch: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Divergence:
    """Compare a model with the reference on the reference's sequences.

    Parameters
    ----------
    language_model : LanguageModel
        Quantised; run on its device.
    reference : Reference
    batch : int, optional
        Sequences run at once; the reference's batch when left out.
    progress : callable, optional
        Called with batches done and in all.

    Returns
    -------
    Divergence

    Raises
    ------
    ValueError
        If the model's logits are not finite, or of another vocabulary.
    """
    rows: list[dict[str, torch.Tensor]] = []
    for index in range(len(reference)):
        tokens, states = reference.tokens(index), reference.states(index)
        for start in range(0, len(tokens), batch or len(tokens)):
            part = slice(start, start + (batch or len(tokens)))
            rows.append(_compare(language_model, reference, tokens[part], states[part]))
        if progress is not None:
            progress(index + 1, len(reference))
    joined = {f.name: torch.cat([row[f.name] for row in rows]).double().numpy() for f in fields(Divergence)}
    return Divergence(**joined)


@torch.no_grad()
def _compare(
    language_model: LanguageModel, reference: Reference, tokens: torch.Tensor, states: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Per-token comparisons of one batch, a slice of tokens at a time."""
    inputs, logits = head_inputs(language_model.model, tokens, language_model.device)
    device = logits.device
    if not torch.isfinite(torch.stack(torch.aminmax(logits))).all():
        raise ValueError(f"{language_model.name}: the model's logits are not finite")
    flat = logits[:, :-1].reshape(-1, logits.shape[-1])
    exact = _exact_head(language_model, reference, inputs, logits)
    kept = states[:, :-1].reshape(-1, states.shape[-1])
    targets = tokens[:, 1:].reshape(-1).to(device)
    pieces: dict[str, list[torch.Tensor]] = {f.name: [] for f in fields(Divergence)}
    step = max(1, _SLICE // flat.shape[-1])
    for start in range(0, len(flat), step):
        part = slice(start, start + step)
        p, target = reference.logits(kept[part]).to(device), targets[part]
        q = (flat[part] if exact is None else exact(part)).to(device).float()
        log_p, log_q = functional.log_softmax(p, dim=-1), functional.log_softmax(q, dim=-1)
        pieces["kl"].append(_kl(log_p, log_q))
        pieces["top_kl"].append(_top_kl(log_p, log_q))
        pieces["loss"].append(functional.nll_loss(log_q, target, reduction="none"))
        pieces["reference_loss"].append(functional.nll_loss(log_p, target, reduction="none"))
        pieces["same_top"].append((p.argmax(-1) == q.argmax(-1)).float())
    shape = (len(tokens), tokens.shape[1] - 1)
    return {name: torch.cat(piece).reshape(shape).cpu() for name, piece in pieces.items()}


def _exact_head(
    language_model: LanguageModel,
    reference: Reference,
    inputs: torch.Tensor | None,
    logits: torch.Tensor,
) -> Callable[[slice], torch.Tensor] | None:
    """What computes logits of some tokens in float32, as the reference's are; None where the model's own are so."""
    head = None if reference.head is None else output_head(language_model.model)
    if head is None or inputs is None or not head.is_coarse:
        return None
    if not head.gives(logits[:1, :_COMPARED], inputs[:1, :_COMPARED]):
        return None
    flat = inputs[:, :-1].reshape(-1, inputs.shape[-1])
    return lambda part: head(flat[part])
