"""Fisher information against gradients formed one token at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from bitlaw.llm.audit import audit, model_statistics
from bitlaw.llm.fingerprint import weights_fingerprint
from bitlaw.llm.fisher import Fisher, _sample, fisher_information
from bitlaw.llm.fisher_bits import fisher_bits
from bitlaw.llm.models import LanguageModel, weight_tensors
from bitlaw.llm.quantise import assign
from bitlaw.llm.reference import build_reference
from bitlaw.llm.text import Sequences
from bitlaw.theory import parse_format


def token_gradients(language_model: LanguageModel, tokens: torch.Tensor, name: str, targets: torch.Tensor):
    """Sum over positions of squared gradients, from a copy of the weight for every position."""
    model, copies = language_model.model, []
    weight = dict(model.named_parameters())[name]

    def own_weight(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        flat = inputs[0].reshape(-1, *inputs[0].shape[2:])
        change = torch.zeros(len(flat), *weight.shape, requires_grad=True)
        copies.append(change)
        if isinstance(module, nn.Embedding):
            return output + change[torch.arange(len(flat)), flat].reshape(output.shape)
        return output + torch.einsum("toi,ti->to", change, flat).reshape(output.shape)

    hooks = [
        m.register_forward_hook(own_weight) for m in model.modules() if getattr(m, "weight", None) is weight
    ]
    try:
        with torch.enable_grad():
            logits = model(input_ids=tokens, use_cache=False).logits[:, :-1].float()
            functional.cross_entropy(
                logits.reshape(-1, logits.shape[-1]), targets, reduction="sum"
            ).backward()
    finally:
        for hook in hooks:
            hook.remove()
    return sum(change.grad.square().sum(0) for change in copies)


@pytest.mark.parametrize("kind", ["text", "sampled"])
@pytest.mark.parametrize("which", ["embed_tokens", "v_proj", "down_proj", "lm_head"])
def test_diagonals_are_squared_token_gradients(
    tiny: LanguageModel, sequences: Sequences, kind: str, which: str
) -> None:
    few = Sequences(sequences.tokens[:2, :8], "few")
    found = fisher_information(tiny, few, targets=kind, unit="position", batch=2)
    name = next(w.name for w in weight_tensors(tiny.model) if which in w.name)
    targets = few.tokens[:, 1:].reshape(-1)
    if kind == "sampled":
        with torch.no_grad():
            logits = tiny.model(input_ids=few.tokens, use_cache=False).logits[:, :-1].float()
        targets = _sample(logits.reshape(-1, logits.shape[-1]), 0)
    expected = token_gradients(tiny, few.tokens, name, targets) / found.tokens
    torch.testing.assert_close(found.diagonals[name], expected, rtol=1e-5, atol=1e-5 * float(expected.max()))


@pytest.mark.parametrize("tied", [False, True])
def test_whole_sequences_have_the_squares_of_their_gradients(tied: bool) -> None:
    """Two uses of a tied tensor are one gradient."""
    model = small_llama(tied)
    tokens = torch.randint(0, 48, (3, 10), generator=torch.Generator().manual_seed(1))
    found = fisher_information(model, Sequences(tokens, "random"))
    assert found.unit == "sequence"
    parameters = dict(model.model.named_parameters())
    expected = {name: torch.zeros_like(parameters[name]) for name in found.names}
    for k, sequence in enumerate(tokens):
        weights = [parameters[name].requires_grad_(True) for name in found.names]
        logits = model.model(input_ids=sequence[None], use_cache=False).logits[0, :-1].float()
        lost = functional.cross_entropy(logits, _sample(logits.detach(), k), reduction="sum")
        for name, gradient in zip(found.names, torch.autograd.grad(lost, weights), strict=True):
            expected[name] += gradient.square()
    assert all(p.grad is None for p in parameters.values())
    assert ("lm_head.weight" in found.names) != tied
    for name, value in expected.items():
        torch.testing.assert_close(
            found.diagonals[name], value / (3 * 9), rtol=1e-5, atol=1e-6 * float(value.max())
        )


def test_sequences_hold_what_positions_leave_out() -> None:
    """The diagonal of the whole Fisher matrix, for targets of all kinds, is what sequences estimate."""
    model = small_llama(tied=False)
    tokens = torch.randint(0, 48, (1, 10), generator=torch.Generator().manual_seed(1))
    weight = model.model.model.layers[0].self_attn.v_proj.weight
    name = "model.layers.0.self_attn.v_proj.weight"
    weight.requires_grad_(True)
    logits = model.model(input_ids=tokens, use_cache=False).logits[0, :-1]
    chances = logits.detach().softmax(-1)
    exact = torch.zeros_like(weight)
    for position, row in enumerate(logits.log_softmax(-1)):
        for token, log_chance in enumerate(row):
            (gradient,) = torch.autograd.grad(log_chance, weight, retain_graph=True)
            exact += chances[position, token] * gradient.square()
    weight.requires_grad_(False)
    truth = float(exact.sum()) / 9
    copies = Sequences(tokens.repeat(400, 1), "the same again")  # targets are drawn anew for each
    sums = {
        unit: float(fisher_information(model, copies, unit=unit, batch=400).rows(name).sum())
        for unit in ("sequence", "position")
    }
    drawn = torch.stack([sequence_sum(model, weight, tokens, seed) for seed in range(100)])
    error = float(drawn.std()) / 20 / 9
    assert abs(sums["sequence"] - truth) < 4 * error
    assert abs(sums["position"] - truth) > 4 * error  # what lies between positions is not small


def sequence_sum(language_model: LanguageModel, weight: nn.Parameter, tokens: torch.Tensor, seed: int):
    """Sum of the squared gradient for one draw of targets."""
    weight.requires_grad_(True)
    logits = language_model.model(input_ids=tokens, use_cache=False).logits[0, :-1]
    lost = functional.cross_entropy(logits, _sample(logits.detach(), seed), reduction="sum")
    (gradient,) = torch.autograd.grad(lost, weight)
    weight.requires_grad_(False)
    return gradient.square().sum()


def small_llama(tied: bool) -> LanguageModel:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=48,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=tied,
        initializer_range=0.3,
    )
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    return LanguageModel("small", model, None)  # type: ignore[arg-type]


def test_targets_are_drawn_from_the_predictions() -> None:
    logits = torch.log(torch.tensor([0.1, 0.2, 0.7])).repeat(20_000, 1)
    share = torch.bincount(_sample(logits, 0), minlength=3) / 20_000
    error = (torch.tensor([0.09, 0.16, 0.21]) / 20_000).sqrt()
    assert ((share - torch.tensor([0.1, 0.2, 0.7])).abs() < 4 * error).all()


def test_an_interrupted_run_goes_on_with_the_same_result(
    tiny: LanguageModel, sequences: Sequences, tmp_path: Path
) -> None:
    path = tmp_path / "fisher.safetensors"
    whole = fisher_information(tiny, sequences, batch=4)

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fisher_information(tiny, sequences, batch=4, resume=path, progress=interrupt)
    assert Fisher.load(path).tokens < whole.tokens
    resumed = fisher_information(tiny, sequences, batch=4, resume=path)
    assert resumed.tokens == whole.tokens
    assert all(torch.equal(resumed.diagonals[k], whole.diagonals[k]) for k in whole.diagonals)


def test_a_complete_run_is_taken_up_and_no_other_one(
    tiny: LanguageModel, sequences: Sequences, tmp_path: Path
) -> None:
    path = tmp_path / "fisher.safetensors"
    whole = fisher_information(tiny, sequences, resume=path)
    again = fisher_information(tiny, sequences, resume=path)
    assert all(torch.equal(again.diagonals[k], whole.diagonals[k]) for k in whole.diagonals)
    other = Sequences(sequences.tokens.flip(0), "another text")
    with pytest.raises(ValueError, match="belongs to another model or text"):
        fisher_information(tiny, other, resume=path)
    with pytest.raises(ValueError, match="belongs to another model or text"):
        fisher_information(tiny, sequences, seed=1, resume=path)


def test_models_that_drop_activations_are_not_run_in_training_mode(
    tiny: LanguageModel, sequences: Sequences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny.model.config, "attention_dropout", 0.1)
    with pytest.raises(ValueError, match=r"drops activations: .'attention_dropout': 0.1"):
        fisher_information(tiny, sequences, checkpointing=True)


def test_a_fingerprint_holds_how_weights_are_used(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = weights_fingerprint(tiny.model)
    assert weights_fingerprint(tiny.model) == before
    monkeypatch.setattr(tiny.model.config, "rms_norm_eps", 1e-3)
    assert weights_fingerprint(tiny.model) != before


def agree(rows: Fisher, whole: Fisher) -> None:
    """Row sums, tensor means and predictions are those of the whole diagonal."""
    assert not rows.diagonals
    assert rows.names == whole.names
    for name in whole.names:
        expected = whole.rows(name)
        torch.testing.assert_close(rows.rows(name), expected, rtol=1e-5, atol=1e-6 * float(expected.max()))
        assert rows.mean(name) == pytest.approx(whole.mean(name), rel=1e-5)


@pytest.mark.parametrize("kind", ["text", "sampled"])
def test_sums_of_rows_need_no_diagonal(tiny: LanguageModel, sequences: Sequences, kind: str) -> None:
    whole, rows = (
        fisher_information(tiny, sequences, targets=kind, keep=keep, batch=3) for keep in ("diagonal", "rows")
    )
    agree(rows, whole)
    by_hand = {n: d.double().sum(-1).flatten() for n, d in whole.diagonals.items()}
    assert all(torch.allclose(whole.rows(n), value, rtol=1e-13) for n, value in by_hand.items())
    held = sum(t.numel() * t.itemsize for t in rows.row_sums.values())
    assert held < sum(t.numel() * t.itemsize for t in whole.diagonals.values()) / 8


def test_a_change_costs_what_its_rows_say_where_they_alone_are_known(
    tiny: LanguageModel, sequences: Sequences
) -> None:
    whole, rows = (fisher_information(tiny, sequences, keep=keep) for keep in ("diagonal", "rows"))
    name = "model.layers.1.mlp.down_proj.weight"
    diagonal = whole.diagonals[name].double()
    change = torch.randn(diagonal.shape, generator=torch.Generator().manual_seed(0))
    expected = 0.5 * float((diagonal * change.double().square()).sum())
    assert whole.quadratic(name, change) == pytest.approx(expected, rel=1e-12)
    even = torch.full_like(change, 0.1)
    assert rows.quadratic(name, even) == pytest.approx(whole.quadratic(name, even), rel=1e-5)
    # Both are means over the columns of one sum; squares of noise have a variance of 2.
    spread = 0.5 * float((2 * diagonal.square()).sum().sqrt())
    assert abs(rows.quadratic(name, change) - expected) < 4 * 2**0.5 * spread


def test_rows_predict_what_the_diagonal_predicts(tiny: LanguageModel, sequences: Sequences) -> None:
    whole, rows = (fisher_information(tiny, sequences, keep=keep) for keep in ("diagonal", "rows"))
    statistics, reference = model_statistics(tiny), build_reference(tiny, sequences)
    assignment = assign(tiny.model, parse_format("int4,block=channel,scale=absmax:float16"))
    told, bare = (audit(tiny, assignment, reference, statistics, fisher) for fisher in (whole, rows))
    assert bare.predicted_kl == pytest.approx(told.predicted_kl, rel=1e-5)
    assert not any("kept by rows alone" in words for words in told.warnings)
    assert any("heavy tails within rows were not looked for" in words for words in bare.warnings)
    for name, bits in fisher_bits(statistics, whole, 4.0).items():
        assert fisher_bits(statistics, rows, 4.0)[name] == pytest.approx(bits, abs=1e-4)


def test_an_interrupted_run_of_rows_goes_on(
    tiny: LanguageModel, sequences: Sequences, tmp_path: Path
) -> None:
    path = tmp_path / "rows.safetensors"
    whole = fisher_information(tiny, sequences, batch=4, keep="rows")

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fisher_information(tiny, sequences, batch=4, keep="rows", resume=path, progress=interrupt)
    with pytest.raises(ValueError, match="is of a run that keeps rows"):
        fisher_information(tiny, sequences, batch=4, resume=path)
    resumed = fisher_information(tiny, sequences, batch=4, keep="rows", resume=path)
    resumed.save(path)
    again = Fisher.load(path)
    assert (again.tokens, again.columns) == (whole.tokens, whole.columns)
    assert all(torch.equal(again.row_sums[k], whole.row_sums[k]) for k in whole.row_sums)


def test_recomputed_activations_change_nothing(tiny: LanguageModel, sequences: Sequences) -> None:
    few = Sequences(sequences.tokens[:2], "few")
    hooks = {name: len(module._forward_hooks) for name, module in tiny.model.named_modules()}
    plain, recomputed = (fisher_information(tiny, few, checkpointing=value) for value in (False, True))
    assert all(torch.equal(plain.diagonals[k], recomputed.diagonals[k]) for k in plain.diagonals)
    assert not tiny.model.training
    assert {name: len(module._forward_hooks) for name, module in tiny.model.named_modules()} == hooks


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unit": "token"}, "unit must be 'sequence' or 'position', got 'token'"),
        ({"unit": 1}, "unit must be 'sequence' or 'position', got 1"),
        ({"targets": "drawn"}, "targets must be 'sampled' or 'text', got 'drawn'"),
        ({"keep": "columns"}, "keep must be 'diagonal' or 'rows', got 'columns'"),
        ({"batch": 0}, "batch must be a whole number of at least 1, got 0"),
        ({"batch": True}, "batch must be a whole number of at least 1, got True"),
        ({"batch": 2.0}, r"batch must be a whole number of at least 1, got 2\.0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": float("nan")}, "seed must be a whole number of at least 0, got nan"),
        ({"seed": 2**63}, r"seed must be less than 2\^63"),
    ],
)
def test_wrong_settings_are_refused(
    tiny: LanguageModel, sequences: Sequences, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fisher_information(tiny, sequences, **settings)


@pytest.mark.parametrize("shape", [(0, 24), (3, 1)])
def test_texts_without_a_target_are_refused(tiny: LanguageModel, shape: tuple[int, int]) -> None:
    nothing = Sequences(torch.zeros(shape, dtype=torch.int64), "nothing")
    with pytest.raises(ValueError, match=rf"at least one sequence of two tokens, got .* \({shape[0]}, "):
        fisher_information(tiny, nothing)


def test_files_of_something_else_are_refused(
    tiny: LanguageModel, sequences: Sequences, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="damaged"):
        Fisher.load(damaged)
    with pytest.raises(ValueError, match="nothing: the Fisher information holds no such tensor"):
        Fisher({}, 1, "sampled").mean("nothing")
    other = tmp_path / "other"
    Fisher({"x": torch.zeros(2, 2)}, 3, "sampled").save(other)
    with pytest.raises(ValueError, match="belongs to another model or text"):
        fisher_information(tiny, sequences, resume=other)
