"""Small models of random weights, of architectures whose weights lie in unusual places."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bitlaw.llm.models import LanguageModel
from bitlaw.llm.text import Sequences

_SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 48,
    "max_position_embeddings": 32,
    "initializer_range": 0.3,
    "pad_token_id": None,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "tie_word_embeddings": False,
}

# Rows that are inputs and positions that are looked up; embeddings that are scaled; experts in stacks, of both
# layouts; positions of every sequence.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32},
    "gemma3_text": {"head_dim": 8},
    "mixtral": {"num_local_experts": 3},
    "gpt_oss": {"num_local_experts": 3, "num_experts_per_tok": 2, "head_dim": 8},
    "opt": {"ffn_dim": 24, "word_embed_proj_dim": 16},
}


def random_model(kind: str, **settings: Any) -> LanguageModel:
    """A causal model without a tokenizer."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **_SIZES | ARCHITECTURES[kind] | settings)
    model = AutoModelForCausalLM.from_config(config).float().eval().requires_grad_(False)
    return LanguageModel(kind, model, None)  # type: ignore[arg-type]


def random_tokens(sequences: int, length: int, seed: int = 0) -> Sequences:
    generator = torch.Generator().manual_seed(seed)
    return Sequences(torch.randint(0, 48, (sequences, length), generator=generator), "random")


class ListedExperts(nn.Module):
    """Experts as modules of a list, run where a token is sent to them; no output head; one matrix used otherwise."""

    def __init__(self, *, unusual: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(48, 8)
        self.experts = nn.ModuleList([nn.Linear(8, 8, bias=False) for _ in range(4)])
        self.mix = nn.Linear(8, 8, bias=False)
        self.unusual = unusual

    def get_input_embeddings(self) -> nn.Module:
        return self.embed

    def forward(self, input_ids: torch.Tensor, use_cache: bool = False) -> Any:
        states = self.embed(input_ids)
        expert = input_ids % 4  # tokens are sent by their number
        added = torch.zeros_like(states)
        for number, module in enumerate(self.experts):
            if (expert == number).any():
                added = added.masked_scatter(
                    (expert == number)[..., None], module(states[expert == number]).tanh()
                )
        states = states + added
        mixed = torch.einsum("bti,oi->bto", states, self.mix.weight) if self.unusual else self.mix(states)
        return SimpleNamespace(logits=functional.linear(mixed, self.embed.weight))


def listed_experts(*, unusual: bool = False) -> LanguageModel:
    torch.manual_seed(0)
    model = ListedExperts(unusual=unusual).eval().requires_grad_(False)
    return LanguageModel("listed experts", model, None)  # type: ignore[arg-type]
