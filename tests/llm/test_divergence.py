"""Divergence from the reference against direct computation."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.llm.divergence import Divergence, kl_per_token, measure_divergence, top_kl_per_token
from bitlaw.llm.estimates import clustered_mean
from bitlaw.llm.models import LanguageModel, weight_tensors
from bitlaw.llm.reference import build_reference
from bitlaw.llm.sensitivity import noise_sensitivity
from bitlaw.llm.text import Sequences


@pytest.fixture(scope="module")
def disturbed(tiny: LanguageModel) -> LanguageModel:
    model = copy.deepcopy(tiny.model)
    generator = torch.Generator().manual_seed(0)
    for w in weight_tensors(model):
        noise = torch.randn(w.parameter.shape, generator=generator)
        w.parameter.data += 0.2 * w.parameter.std() * noise
    return LanguageModel("disturbed", model, tiny.tokenizer)


def test_all_numbers_equal_direct_computation(
    tiny: LanguageModel, disturbed: LanguageModel, sequences: Sequences
) -> None:
    found = measure_divergence(disturbed, build_reference(tiny, sequences, batch=4))
    with torch.no_grad():
        p, q = (
            m.model(input_ids=sequences.tokens).logits[:, :-1].double().log_softmax(-1)
            for m in (tiny, disturbed)
        )
    direct = (p.exp() * (p - q)).sum(-1).numpy()
    np.testing.assert_allclose(found.kl, direct, rtol=1e-4, atol=1e-9)
    targets = sequences.tokens[:, 1:, None]
    np.testing.assert_allclose(found.loss, -q.gather(-1, targets)[..., 0].numpy(), rtol=1e-5)
    np.testing.assert_allclose(found.reference_loss, -p.gather(-1, targets)[..., 0].numpy(), rtol=1e-5)
    assert found.same_top.mean() == (p.argmax(-1) == q.argmax(-1)).double().mean().item()
    assert found.perplexity == pytest.approx(np.exp(found.loss.mean()))


def test_small_divergences_keep_their_digits() -> None:
    p = torch.randn(50, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    q = p + 1e-4 * torch.randn(50, 1000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    exact = kl_per_token(p, q)
    single = kl_per_token(p.float(), q.float()).double()
    naive = (p.float().softmax(-1) * (p.float().log_softmax(-1) - q.float().log_softmax(-1))).sum(-1).double()
    assert ((single - exact).abs() / exact).max() < 0.02
    assert ((naive - exact).abs() / exact).max() > 1  # what the plain formula would give


@given(st.integers(2, 400), st.floats(0.01, 3.0))
def test_divergence_is_never_negative_and_the_top_is_a_coarser_view(size: int, spread: float) -> None:
    generator = torch.Generator().manual_seed(size)
    p, q = (spread * torch.randn(4, size, generator=generator) for _ in range(2))
    kl = kl_per_token(p, q)
    assert (kl >= 0).all()
    assert (top_kl_per_token(p, q) <= kl + 1e-4 * (1 + kl)).all()


def test_the_reference_does_not_diverge_from_itself(tiny: LanguageModel, sequences: Sequences) -> None:
    reference = build_reference(tiny, sequences, batch=4)
    floor = measure_divergence(tiny, reference, batch=3)
    assert floor.kl.max() < 1e-9
    assert floor.same_top.min() == 1.0


def test_a_cache_on_disk_resumes_and_is_the_same(
    tiny: LanguageModel, disturbed: LanguageModel, sequences: Sequences, tmp_path: Path
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_reference(tiny, sequences, folder=tmp_path, batch=3, progress=interrupt)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}
    assert len(before) == 2
    resumed = build_reference(tiny, sequences, folder=tmp_path, batch=3)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in before} == before
    first, second = (
        measure_divergence(disturbed, r).kl for r in (resumed, build_reference(tiny, sequences, batch=3))
    )
    assert np.array_equal(first, second)


def test_the_cache_is_smaller_than_the_logits(tiny: LanguageModel, sequences: Sequences) -> None:
    states = build_reference(tiny, sequences).states(0)
    assert states.shape[-1] == tiny.model.config.hidden_size < tiny.model.config.vocab_size


def test_a_model_that_changes_its_logits_after_the_head_is_kept_whole(
    tiny: LanguageModel, sequences: Sequences
) -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        final_logit_softcapping=0.05,
    )
    capped = LanguageModel("capped", Gemma2ForCausalLM(config).eval().requires_grad_(False), tiny.tokenizer)
    reference = build_reference(capped, sequences)
    assert reference.head is None
    assert measure_divergence(capped, reference).kl.max() < 1e-9


def test_the_cache_of_another_model_is_refused(
    tiny: LanguageModel, disturbed: LanguageModel, sequences: Sequences, tmp_path: Path
) -> None:
    build_reference(tiny, sequences, folder=tmp_path)
    with pytest.raises(ValueError, match="reference of another model, text or batch size"):
        build_reference(disturbed, sequences, folder=tmp_path)


def test_broken_models_are_refused(tiny: LanguageModel, sequences: Sequences) -> None:
    broken = LanguageModel("broken", copy.deepcopy(tiny.model), tiny.tokenizer)
    next(weight_tensors(broken.model)).parameter.data[:] = float("nan")
    with pytest.raises(ValueError, match="broken: the model's logits are not finite"):
        measure_divergence(broken, build_reference(tiny, sequences))
    with pytest.raises(ValueError, match="batch must be at least 1"):
        build_reference(tiny, sequences, batch=0)
    with pytest.raises(ValueError, match="reference's shape"):
        kl_per_token(torch.zeros(2, 3), torch.zeros(2, 4))


def test_noise_on_one_tensor_is_measured_and_taken_back(tiny: LanguageModel, sequences: Sequences) -> None:
    before = {n: p.clone() for n, p in tiny.model.named_parameters()}
    reference = build_reference(tiny, sequences)
    name = next(w.name for w in weight_tensors(tiny.model))
    small, large = (noise_sensitivity(tiny, reference, noise=x, names=[name])[0] for x in (0.01, 0.02))
    assert large.kl.value / small.kl.value == pytest.approx(4, rel=0.1)  # quadratic
    assert all(torch.equal(p, before[n]) for n, p in tiny.model.named_parameters())
    with pytest.raises(ValueError, match="noise must be positive"):
        noise_sensitivity(tiny, reference, noise=0)
    with pytest.raises(ValueError, match="nothing: the model has no weight tensor"):
        noise_sensitivity(tiny, reference, names=["nothing"])


def test_intervals_of_a_divergence_do_not_reach_below_zero() -> None:
    kl = np.array([[0.1, 0.3], [2.0, 4.0]])
    found = Divergence(kl, kl, kl - 1.0, kl, np.ones_like(kl))
    plain = clustered_mean(kl)
    assert plain.lower < 0
    for what in ("kl", "top_kl"):
        assert found.mean(what) == replace(plain, lower=0.0)
    alone = Divergence(kl[:1], kl[:1], kl[:1], kl[:1], kl[:1])
    assert alone.mean().lower == -np.inf
    assert found.mean("loss").lower == plain.lower - 1.0
    assert found.less(Divergence(0 * kl, kl, kl, kl, kl)).lower == plain.lower
