"""The last product of a model, of hidden states with the rows of its head, in float32 whatever the weights' type.

In bfloat16 a logit of 10 is known to 0.03.  Two models whose weights differ by far less would so differ by a KL
divergence of 1e-4 for no other reason than that, and the product is the one place where it can be avoided without
running the model in another type.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

__all__ = ["OutputHead", "output_head"]

# Weights turned to float32 at once: 64 MiB.
_SLICE = 1 << 24
# Relative difference of logits in float32 that is rounding.
_ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class OutputHead:
    """A linear output head.

    Attributes
    ----------
    weight : torch.Tensor, shape (vocabulary, hidden)
    bias : torch.Tensor, shape (vocabulary,), optional
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """Logits of hidden states of shape (..., hidden), in float32 or float64, on the device of the head."""
        kind = torch.promote_types(self.weight.dtype, torch.float32)
        states, bias = states.to(self.weight.device, kind), None if self.bias is None else self.bias.to(kind)
        if self.weight.dtype == kind:
            return functional.linear(states, self.weight, bias)
        logits = states.new_empty(*states.shape[:-1], len(self.weight))
        step = max(1, _SLICE // self.weight.shape[1])
        for start in range(0, len(self.weight), step):
            rows = slice(start, start + step)
            logits[..., rows] = functional.linear(
                states, self.weight[rows].to(kind), None if bias is None else bias[rows]
            )
        return logits

    def copy(self) -> OutputHead:
        """One that does not change with the model."""
        return OutputHead(self.weight.clone(), None if self.bias is None else self.bias.clone())

    @property
    def is_coarse(self) -> bool:
        """Whether the model computes its logits in less than float32."""
        return torch.finfo(self.weight.dtype).bits < 32

    def gives(self, logits: torch.Tensor, states: torch.Tensor) -> bool:
        """Whether logits that a model computed are those of the head, to the rounding of its weights' type.

        Heads of 16 bits hide what changes logits by less than half a step on average, and by two at most.
        """
        found, expected = (
            self(states).to(logits.device),
            logits.to(torch.promote_types(logits.dtype, torch.float32)),
        )
        rms = float(expected.square().mean().sqrt())
        if found.shape != expected.shape or not rms < float("inf"):
            return False
        step = torch.finfo(self.weight.dtype).eps if self.is_coarse else 2 * _ROUNDING
        off = float((found - expected).square().mean().sqrt())
        return off <= 0.5 * step * rms and torch.allclose(
            found.to(expected.dtype), expected, rtol=2 * step, atol=2 * step * rms
        )


def output_head(model: nn.Module) -> OutputHead | None:
    """Output head of a causal model, sharing its weights; None where it has none that is linear and at hand."""
    head = getattr(model, "get_output_embeddings", lambda: None)()
    weight = getattr(head, "weight", None)
    if (
        not isinstance(weight, torch.Tensor)
        or weight.ndim != 2
        or weight.is_meta
        or not weight.is_floating_point()
    ):
        return None
    bias = getattr(head, "bias", None)
    return OutputHead(weight.detach(), bias.detach() if isinstance(bias, torch.Tensor) else None)
