"""The second-order KL of a change, against the divergence itself, against the diagonal, and where they must differ."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from bitlaw.llm import quadratic
from bitlaw.llm.estimates import paired_difference
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.models import LanguageModel, weight_tensors
from bitlaw.llm.quadratic import quadratic_divergence
from bitlaw.llm.text import Sequences


@pytest.fixture(scope="module")
def few(sequences: Sequences) -> Sequences:
    return Sequences(sequences.tokens[:3], sequences.source)


@pytest.fixture(scope="module")
def fine(tiny: LanguageModel) -> LanguageModel:
    """The tiny model in float64, for limits."""
    return LanguageModel("fine", copy.deepcopy(tiny.model).double(), tiny.tokenizer)


def noise(language_model: LanguageModel, seed: int, size: float = 0.1) -> dict[str, torch.Tensor]:
    """White noise on every tensor, relative to its rms."""
    generator = torch.Generator().manual_seed(seed)
    return {
        w.name: size
        * w.parameter.detach().square().mean().sqrt()
        * torch.randn(w.parameter.shape, generator=generator, dtype=torch.float64).to(w.parameter.dtype)
        for w in weight_tensors(language_model.model)
    }


@torch.no_grad()
def divergence(language_model: LanguageModel, tokens: torch.Tensor, change: Any, t: float) -> np.ndarray:
    """KL itself, per sequence, with t times a change on the weights."""
    moved = copy.deepcopy(language_model.model)
    parameters = dict(moved.named_parameters())
    for name, values in change.items():
        parameters[name].data += t * values
    p, q = (functional.log_softmax(m(tokens).logits[:, :-1], -1) for m in (language_model.model, moved))
    return (p.exp() * (p - q)).sum(-1).mean(-1).numpy()


@torch.no_grad()
def test_it_is_the_limit_of_the_divergence_over_the_squared_step(fine: LanguageModel, few: Sequences) -> None:
    change = noise(fine, 1)
    found = quadratic_divergence(fine, few, {"noise": change}, batch=2)
    assert found.derivative == "forward"
    errors = []
    for t in (0.1, 0.05):
        both = [divergence(fine, few.tokens, change, sign * t) for sign in (1, -1)]  # odd orders cancel
        errors.append(np.abs(np.mean(both, axis=0) / t**2 / found.per_sequence()[:, 0] - 1))
    assert np.all(errors[1] < 1e-3)
    np.testing.assert_allclose(errors[0] / errors[1], 4, rtol=0.1)  # the rest is of fourth order


def squared_gradients(language_model: LanguageModel, tokens: torch.Tensor, seed: int) -> dict[str, float]:
    """Sum of squared gradients of whole sequences with drawn targets, whose mean is the trace of F."""
    model = copy.deepcopy(language_model.model).requires_grad_(True)
    generator = torch.Generator().manual_seed(seed)
    found = dict.fromkeys((w.name for w in weight_tensors(model)), 0.0)
    for row in tokens:
        logits = model(row[None]).logits[0, :-1]
        drawn = torch.multinomial(logits.detach().softmax(-1), 1, generator=generator).squeeze(-1)
        model.zero_grad()
        functional.cross_entropy(logits, drawn, reduction="sum").backward()
        for w in weight_tensors(model):
            found[w.name] += float(w.parameter.grad.square().sum())
    return found


def test_white_noise_costs_what_the_diagonal_predicts(tiny: LanguageModel, few: Sequences) -> None:
    found = quadratic_divergence(tiny, few, {str(k): noise(tiny, k, 1.0) for k in range(40)})
    measured = np.array([found.kl(name).value for name in found.names])
    variances = {w.name: float(w.parameter.square().mean()) for w in weight_tensors(tiny.model)}
    count = len(few) * (few.length - 1)
    draws = [squared_gradients(tiny, few.tokens, seed) for seed in range(40)]
    predicted = np.array([sum(variances[n] * g for n, g in draw.items()) / (2 * count) for draw in draws])
    error = np.sqrt((measured.var(ddof=1) + predicted.var(ddof=1)) / 40)
    assert abs(measured.mean() - predicted.mean()) < 4 * error
    assert error < 0.05 * predicted.mean()  # so that the band says something


def test_a_change_that_moves_all_logits_alike_costs_nothing_whatever_the_diagonal_says(
    tiny: LanguageModel, few: Sequences
) -> None:
    head = tiny.model.get_output_embeddings().weight.detach()
    name = next(w.name for w in weight_tensors(tiny.model) if w.part == "head")
    row = torch.randn(head.shape[1], generator=torch.Generator().manual_seed(0))
    alike = row.expand(head.shape).contiguous()
    signs = torch.randint(0, 2, head.shape, generator=torch.Generator().manual_seed(1)) * 2.0 - 1
    found = quadratic_divergence(tiny, few, {"alike": {name: alike}, "signs": {name: alike * signs}})
    diagonal = 0.5 * float(
        (fisher_information(tiny, few).diagonals[name].double() * alike.double().square()).sum()
    )
    assert found.kl("alike").value < 1e-6 * diagonal
    assert found.kl("signs").value == pytest.approx(diagonal, rel=0.3)


def test_parts_and_their_cross_terms_make_the_whole(tiny: LanguageModel, few: Sequences) -> None:
    a, b = noise(tiny, 1), noise(tiny, 2)
    whole = {name: a[name] + b[name] for name in a}
    found = quadratic_divergence(tiny, few, {"a": a, "b": b, "whole": whole})
    parts = found.kl("a").value + found.kl("b").value + found.cross("a", "b").value
    assert found.kl("whole").value == pytest.approx(parts, rel=1e-4)
    assert found.kl("a", "b").value == pytest.approx(parts, rel=1e-12)
    assert found.kl("a").sequences == len(few)
    difference = paired_difference(found.per_sequence("a", "b"), found.per_sequence("whole"))
    assert abs(difference.value) < 1e-4 * parts
    np.testing.assert_array_equal(found.products, found.products.swapaxes(0, 1))


def test_it_grows_with_the_square_of_the_change(tiny: LanguageModel, few: Sequences) -> None:
    a = noise(tiny, 1)
    found = quadratic_divergence(tiny, few, {"one": a, "three": {n: -3 * x for n, x in a.items()}})
    assert found.kl("three").value == pytest.approx(9 * found.kl("one").value, rel=1e-4)


def test_differences_agree_with_forward_mode(tiny: LanguageModel, few: Sequences) -> None:
    changes = {"noise": noise(tiny, 1), "shrunken": {n: 0.01 * x for n, x in noise(tiny, 2).items()}}
    forward = quadratic_divergence(tiny, few, changes, derivative="forward")
    difference = quadratic_divergence(tiny, few, changes, derivative="difference")
    assert difference.derivative == "difference"
    np.testing.assert_allclose(difference.products, forward.products, rtol=2e-3, atol=1e-9)


def test_an_operation_without_forward_mode_is_differentiated_by_differences(
    tiny: LanguageModel, few: Sequences, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*arguments: object) -> torch.Tensor:
        raise NotImplementedError("Trying to use forward AD with an operation that does not support it")

    expected = quadratic_divergence(tiny, few, {"noise": noise(tiny, 1)})
    monkeypatch.setattr(quadratic, "_forward", missing)
    found = quadratic_divergence(tiny, few, {"noise": noise(tiny, 1)})
    assert found.derivative == "difference"
    np.testing.assert_allclose(found.products, expected.products, rtol=2e-3)


def test_tied_weights_move_at_both_ends(few: Sequences) -> None:
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=300,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=True,
    )
    model: Any = LlamaForCausalLM(shape).double().eval().requires_grad_(False)
    tied = LanguageModel("tied", model, None)  # type: ignore[arg-type]
    change = noise(tied, 3)
    assert len(change) == 8  # the embedding once
    found = quadratic_divergence(tied, few, {"noise": change})
    both = [divergence(tied, few.tokens, change, sign * 0.02) for sign in (1, -1)]
    np.testing.assert_allclose(np.mean(both, axis=0) / 0.02**2, found.per_sequence()[:, 0], rtol=1e-3)


def test_the_model_is_not_altered(tiny: LanguageModel, few: Sequences) -> None:
    before = {name: p.clone() for name, p in tiny.model.named_parameters()}
    for derivative in ("forward", "difference"):
        quadratic_divergence(tiny, few, {"noise": noise(tiny, 1)}, derivative=derivative)
    assert all(torch.equal(p, before[name]) for name, p in tiny.model.named_parameters())


def test_what_cannot_be_differentiated_is_refused(tiny: LanguageModel, few: Sequences) -> None:
    change = noise(tiny, 1)
    name = next(iter(change))
    with pytest.raises(ValueError, match="at least one change"):
        quadratic_divergence(tiny, few, {})
    with pytest.raises(ValueError, match="at least one change"):
        quadratic_divergence(tiny, few, {"nothing": {}})
    with pytest.raises(ValueError, match="no weight tensor of this name"):
        quadratic_divergence(tiny, few, {"a": {"model.absent": change[name]}})
    with pytest.raises(ValueError, match=r"must have the shape \(300, 32\), got \(32, 300\)"):
        quadratic_divergence(tiny, few, {"a": {name: change[name].T}})
    with pytest.raises(ValueError, match="NaN or infinite"):
        quadratic_divergence(tiny, few, {"a": {name: change[name] / 0}})
    with pytest.raises(ValueError, match="batch must be a whole number of at least 1"):
        quadratic_divergence(tiny, few, {"a": change}, batch=0)
    with pytest.raises(ValueError, match="derivative must be"):
        quadratic_divergence(tiny, few, {"a": change}, derivative="reverse")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there is no change 'b'; there are a"):
        quadratic_divergence(tiny, few, {"a": change}).kl("b")
    rough = LanguageModel("rough", copy.deepcopy(tiny.model).bfloat16(), tiny.tokenizer)
    with pytest.raises(ValueError, match="need float32 weights"):
        quadratic_divergence(rough, few, {"a": change}, derivative="difference")
