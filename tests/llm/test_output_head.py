"""Logits in float32 of heads of any type, and whether a head is all that makes a model's logits."""

from __future__ import annotations

import copy
from types import MethodType

import pytest
import torch
from torch import nn
from transformers import Gemma2Config, Gemma2ForCausalLM

from bitlaw.llm import output_head as module
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.models import LanguageModel
from bitlaw.llm.output_head import OutputHead, output_head
from bitlaw.llm.reference import build_reference
from bitlaw.llm.text import Sequences

KINDS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def drawn(kind: torch.dtype) -> tuple[OutputHead, torch.Tensor]:
    """A head with logits of rms 3, and states."""
    generator = torch.Generator().manual_seed(0)
    weight, bias, states = (
        torch.randn(shape, generator=generator) for shape in ((500, 64), (500,), (2, 40, 64))
    )
    return OutputHead((3 / 8 * weight).to(kind), (0.1 * bias).to(kind)), states.to(kind)


def own(head: OutputHead, states: torch.Tensor) -> torch.Tensor:
    """Logits as a module of the head's type computes them."""
    return nn.functional.linear(states, head.weight, head.bias)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_exact_weights(kind: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    head, states = drawn(kind)
    exact = nn.functional.linear(states.double(), head.weight.double(), head.bias.double())  # type: ignore[union-attr]
    whole = head(states)
    assert whole.dtype == (torch.float64 if kind == torch.float64 else torch.float32)
    torch.testing.assert_close(whole.double(), exact, rtol=1e-5, atol=1e-5)
    monkeypatch.setattr(module, "_SLICE", 64 * 7)  # seven rows at once
    torch.testing.assert_close(head(states), whole, rtol=1e-5, atol=1e-5)
    bare = OutputHead(head.weight)
    torch.testing.assert_close(bare(states) + head.bias, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_is_known_by_its_own_logits_alone(kind: torch.dtype) -> None:
    head, states = drawn(kind)
    logits = own(head, states)
    assert head.gives(logits, states)
    assert not head.gives(30 * torch.tanh(logits / 30), states)  # a soft cap
    assert not head.gives(1.02 * logits, states)
    assert not head.gives(logits[..., :-1], states)
    spiked, masked = logits.clone(), logits.clone()
    spiked[..., 7] += 1
    masked[..., 7] = -torch.inf
    assert not head.gives(spiked, states)
    assert not head.gives(masked, states)


def test_a_copy_does_not_change_with_the_model(tiny: LanguageModel) -> None:
    model = copy.deepcopy(tiny.model)
    shared = output_head(model)
    assert shared is not None
    kept = shared.copy()
    model.get_output_embeddings().weight.data.zero_()
    assert not shared.weight.any()
    assert torch.equal(kept.weight, tiny.model.get_output_embeddings().weight)


def test_models_without_a_linear_head_at_hand_have_none(tiny: LanguageModel) -> None:
    assert output_head(nn.Linear(2, 2)) is None
    away = copy.deepcopy(tiny.model)
    away.get_output_embeddings().to("meta")
    assert output_head(away) is None


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_a_model_without_an_output_head_is_compared_by_its_logits(
    tiny: LanguageModel, sequences: Sequences, kind: str
) -> None:
    before, after, bare = (copy.deepcopy(tiny.model).to(getattr(torch, kind)) for _ in range(3))
    bare.get_output_embeddings = MethodType(lambda self: None, bare)
    named, whole, changed = (LanguageModel("named", one, tiny.tokenizer) for one in (bare, before, after))
    reference = build_reference(named, sequences)
    assert reference.head is None
    assert reference.states(0).shape[-1] == tiny.model.config.vocab_size
    for one in (bare, after):
        one.lm_head.weight.data[::2] *= 1.25
    found = measure_divergence(named, reference).kl.mean()
    expected = measure_divergence(changed, build_reference(whole, sequences)).kl.mean()
    assert expected > 0
    assert found == pytest.approx(expected, rel=1e-5 if kind == "float32" else 0.05)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_what_a_reference_keeps_is_decided_in_every_type(
    tiny: LanguageModel, sequences: Sequences, kind: torch.dtype
) -> None:
    torch.manual_seed(0)
    for cap, kept in ((None, True), (2.0, False)):
        config = Gemma2Config(
            vocab_size=300,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            tie_word_embeddings=False,
            final_logit_softcapping=cap,
        )
        model = Gemma2ForCausalLM(config).eval().requires_grad_(False)
        model.lm_head.weight.data *= 8
        named = LanguageModel("gemma", model.to(kind), tiny.tokenizer)
        reference = build_reference(named, sequences)
        assert (reference.head is not None) == kept
        assert measure_divergence(named, reference).kl.max() < 1e-9


def test_a_spread_model_in_sixteen_bits_has_a_head_in_float32(
    tiny: LanguageModel, sequences: Sequences
) -> None:
    accelerate = pytest.importorskip("accelerate")
    whole, spread = (copy.deepcopy(tiny.model).bfloat16() for _ in range(2))
    modules = {"model": "cpu", "lm_head": "cpu"}
    accelerate.dispatch_model(spread, modules, force_hooks=True)
    found = []
    for model in (whole, spread):
        named = LanguageModel("named", model, tiny.tokenizer)
        reference = build_reference(named, sequences)
        assert reference.head is not None
        model.model.layers[0].mlp.down_proj.weight.data *= 1.25
        found.append(measure_divergence(named, reference).kl)
    assert (found[0] == found[1]).all()
    assert found[0].mean() > 0
