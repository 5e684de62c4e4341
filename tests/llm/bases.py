"""One function in another basis: a Llama-style model whose residual stream is rotated.

RMS norms with gains of 1 commute with rotations, so gains go into the matrices that follow and every matrix beside the
residual stream is rotated.  Errors of a format then fall on other weights, and nothing else differs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

from bitlaw.llm.models import LanguageModel


def _followed(model: nn.Module) -> Iterator[tuple[nn.Module, tuple[nn.Module, ...]]]:
    """Norms, and the maps that they feed."""
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        yield layer.input_layernorm, (attention.q_proj, attention.k_proj, attention.v_proj)
        yield layer.post_attention_layernorm, (mlp.gate_proj, mlp.up_proj)
    yield model.model.norm, (model.lm_head,)


def without_gains(language_model: LanguageModel) -> nn.Module:
    """A float64 copy whose norms have gains of 1, with a head of its own."""
    model = copy.deepcopy(language_model.model).double()
    head = model.lm_head.weight.detach().clone()
    model.lm_head.weight = nn.Parameter(head, requires_grad=False)
    model.config.tie_word_embeddings = False
    for norm, maps in _followed(model):
        for one in maps:
            one.weight.data *= norm.weight.data
        norm.weight.data.fill_(1.0)
    return model


def rotated(language_model: LanguageModel, basis: torch.Tensor) -> LanguageModel:
    """The model with the columns of a float64 orthogonal matrix as the axes of its residual stream."""
    model = without_gains(language_model)
    model.model.embed_tokens.weight.data @= basis
    for _, maps in _followed(model):
        for one in maps:
            one.weight.data @= basis
    for layer in model.model.layers:
        for one in (layer.self_attn.o_proj, layer.mlp.down_proj):
            one.weight.data = basis.T @ one.weight.data
    return LanguageModel(language_model.name, model.float(), language_model.tokenizer)


def random_basis(size: int, seed: int = 0) -> torch.Tensor:
    """An orthogonal matrix drawn at random."""
    draws = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(draws)[0]


@torch.no_grad()
def principal_basis(language_model: LanguageModel, tokens: torch.Tensor) -> torch.Tensor:
    """Principal components of what the layers' norms put out, the strongest first."""
    model = without_gains(language_model)
    moments: list[torch.Tensor] = []

    def watch(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        flat = output.reshape(-1, output.shape[-1])
        moments.append(flat.T @ flat / len(flat))

    norms = [norm for norm, _ in _followed(model)][:-1]
    hooks = [norm.register_forward_hook(watch) for norm in norms]
    model(input_ids=tokens, use_cache=False)
    for hook in hooks:
        hook.remove()
    return torch.linalg.eigh(sum(moments)).eigenvectors.flip(1)
