"""Second moments of layer inputs against the inputs themselves."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bitlaw.llm.activations import activation_moments
from bitlaw.llm.models import LanguageModel, weight_tensors
from bitlaw.llm.text import Sequences
from bitlaw.llm.weighted_codebook import weighted_codebook, weighted_sample, weighted_scale
from bitlaw.theory import parse_format

from .unusual import listed_experts, random_model, random_tokens

FORMAT = parse_format("int4,block=4,scale=absmax:float32")


def inputs_of(language_model: LanguageModel, module: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """What a module is called with, one row for a token, in float64."""
    seen: list[torch.Tensor] = []
    hook = module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        language_model.model(input_ids=tokens)
    hook.remove()
    return torch.cat([one.reshape(-1, one.shape[-1]) for one in seen]).double()


def test_moments_are_those_of_the_inputs(tiny: LanguageModel, sequences: Sequences) -> None:
    diagonal = activation_moments(tiny, sequences, batch=3).moments
    full = activation_moments(tiny, sequences, full=True, batch=10).moments
    for name, value in full.items():
        torch.testing.assert_close(value.diagonal(), diagonal[name], rtol=1e-5, atol=1e-7)
        assert float(torch.linalg.eigvalsh(value.double()).min()) > -1e-6 * float(value.diagonal().max())
    rows = inputs_of(tiny, tiny.model.model.layers[1].mlp.down_proj, sequences.tokens)
    expected = (rows.T @ rows / len(rows)).float()
    torch.testing.assert_close(full["model.layers.1.mlp.down_proj.weight"], expected, rtol=1e-4, atol=1e-8)


def test_rows_that_are_inputs_have_moments_that_go_with_them() -> None:
    """GPT-2 stores a row for each input; a square matrix does not tell."""
    model, tokens = random_model("gpt2"), random_tokens(4, 12)
    found = activation_moments(model, tokens)
    assert found.left_out == ()
    assert set(found.moments) == {
        w.name for w in weight_tensors(model.model) if w.name.split(".")[-2] not in ("wte", "wpe")
    }
    name, module = "transformer.h.0.attn.c_proj.weight", model.model.transformer.h[0].attn.c_proj
    rows = inputs_of(model, module, tokens.tokens)
    expected = rows.square().mean(0).float()[:, None]
    assert module.weight.shape == (16, 16)
    torch.testing.assert_close(found.moments[name], expected, rtol=1e-5, atol=1e-9)
    full = activation_moments(model, tokens, full=True).moments[name]
    torch.testing.assert_close(full.diagonal()[:, None], expected, rtol=1e-5, atol=1e-9)


def test_weights_of_rows_that_are_inputs_reach_the_right_elements() -> None:
    model = random_model("gpt2")
    (tensor,) = (w for w in weight_tensors(model.model) if w.name.endswith("attn.c_proj.weight"))
    moments = activation_moments(model, random_tokens(4, 12)).moments
    whole = {tensor.name: moments[tensor.name].expand(tensor.parameter.shape).contiguous()}
    found, expected = (weighted_sample([tensor], weights, FORMAT) for weights in (moments, whole))
    assert (found.weights == expected.weights).all()


@pytest.mark.parametrize("kind", ["mixtral", "gpt_oss"])
def test_experts_have_moments_of_their_own(kind: str) -> None:
    model, tokens = random_model(kind), random_tokens(4, 12)
    shape: tuple[int, ...] = (3, 16, 1) if kind == "gpt_oss" else (3, 16)
    for full in (False, True):
        found = activation_moments(model, tokens, full=full)
        name = next(name for name in found.moments if name.endswith("gate_up_proj"))
        assert found.moments[name].shape == ((3, 16, 16) if full else shape)
        assert sum(found.tokens[name]) == 2 * 4 * 12  # each token goes to two experts
    (tensor,) = (w for w in weight_tensors(model.model) if w.name == name)
    moments = activation_moments(model, tokens).moments
    assert len(weighted_sample([tensor], moments, FORMAT).values) == tensor.parameter.numel()


def test_a_stack_of_one_expert_is_a_stack() -> None:
    model = random_model("mixtral", num_local_experts=1, num_experts_per_tok=1)
    (found,) = (
        value
        for name, value in activation_moments(model, random_tokens(1, 4)).moments.items()
        if name.endswith("gate_up_proj")
    )
    assert found.shape == (1, 16)


def test_experts_without_tokens_have_zeros() -> None:
    model = listed_experts()
    few = Sequences(random_tokens(4, 6).tokens // 4 * 4, "one expert")
    found = activation_moments(model, few)
    assert found.tokens["experts.0.weight"] == [24]
    for name in ("experts.1.weight", "experts.2.weight", "experts.3.weight"):
        assert found.tokens[name] == [0]
        assert torch.equal(found.moments[name], torch.zeros(8))
        assert torch.equal(activation_moments(model, few, full=True).moments[name], torch.zeros(8, 8))
    assert set(found.moments) == {w.name for w in weight_tensors(model.model)}  # the tied head included
    tensors = {w.name: w for w in weight_tensors(model.model)}
    nothing = [tensors["experts.1.weight"], tensors["experts.2.weight"]]
    for design in (weighted_sample, lambda *given: weighted_codebook(*given, 4)):
        with pytest.raises(ValueError, match=r"weights of experts\.1\.weight and 1 more are all zero"):
            design(nothing, found.moments, FORMAT)
    assert weighted_scale(nothing[0], found.moments, FORMAT) == FORMAT
    mixed = weighted_sample([*nothing, tensors["mix.weight"]], found.moments, FORMAT)
    assert mixed.effective_count > 0


def test_weights_used_in_unknown_ways_are_listed() -> None:
    found = activation_moments(listed_experts(unusual=True), random_tokens(2, 6))
    assert found.left_out == ("mix.weight",)
    assert "mix.weight" not in found.moments


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 0}, "batch must be a whole number of at least 1, got 0"),
        ({"batch": True}, "batch must be a whole number of at least 1, got True"),
    ],
)
def test_wrong_settings_are_refused(
    tiny: LanguageModel, sequences: Sequences, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        activation_moments(tiny, sequences, **settings)


def test_no_text_and_infinite_inputs_are_refused(tiny: LanguageModel, sequences: Sequences) -> None:
    with pytest.raises(ValueError, match=r"sequences must hold tokens, got shape \(0, 24\)"):
        activation_moments(tiny, Sequences(sequences.tokens[:0], "nothing"))
    model = listed_experts()
    model.model.embed.weight.data.fill_(1e30)
    with pytest.raises(ValueError, match="the second moments of its inputs are not finite"):
        activation_moments(model, random_tokens(2, 6))
