"""The noise of a model's arithmetic: seen when weights move by next to nothing, and told beside small divergences."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from bitlaw.llm.divergence import Divergence, measure_divergence
from bitlaw.llm.error_warnings import error_warnings
from bitlaw.llm.fingerprint import weights_fingerprint
from bitlaw.llm.fisher import Fisher
from bitlaw.llm.models import LanguageModel, weight_tensors
from bitlaw.llm.noise_floor import audit_floor, is_near_floor, noise_floor, weights_dtype
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.text import Sequences


@pytest.fixture(scope="module")
def narrow(tiny: LanguageModel) -> LanguageModel:
    return LanguageModel("narrow", copy.deepcopy(tiny.model).bfloat16(), tiny.tokenizer)


@pytest.fixture(scope="module")
def reference(narrow: LanguageModel, sequences: Sequences) -> Reference:
    return build_reference(narrow, sequences, batch=4)


def test_the_arithmetic_is_noisy_where_another_batch_size_shows_nothing(
    narrow: LanguageModel, reference: Reference, tiny: LanguageModel, sequences: Sequences
) -> None:
    before = weights_fingerprint(narrow.model)
    assert reference.head is not None
    assert measure_divergence(narrow, reference, batch=1).kl.max() < 1e-9
    found = float(noise_floor(narrow, reference).kl.mean())
    assert weights_fingerprint(narrow.model) == before
    # Steps of bfloat16 are 2^16 times those of float32, and KL goes with their square.
    single = float(noise_floor(tiny, build_reference(tiny, sequences)).kl.mean())
    assert 0 < single < 1e-3 * found


def test_one_weight_of_twelve_or_a_few_more_moves_by_one_step(
    narrow: LanguageModel, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {w.name: w.parameter.clone() for w in weight_tensors(narrow.model)}
    moved: dict[str, torch.Tensor] = {}

    def look(model: LanguageModel, *_: object, progress: Callable[[int, int], object] | None = None) -> None:
        for w in weight_tensors(model.model):
            moved[w.name] = w.parameter.view(torch.int16) - before[w.name].view(torch.int16)
        raise KeyboardInterrupt

    module = importlib.import_module("bitlaw.llm.noise_floor")  # the package has its function by this name
    monkeypatch.setattr(module, "measure_divergence", look)
    with pytest.raises(KeyboardInterrupt):
        noise_floor(narrow, reference)
    assert moved.keys() == before.keys()
    for steps in moved.values():
        assert set(steps.unique().tolist()) <= {-1, 0, 1}
        assert 1 / 14 < steps.abs().double().mean() < 1 / 11.5
        assert (steps != 0).any(0).all()  # every column
    assert all(torch.equal(w.parameter, before[w.name]) for w in weight_tensors(narrow.model))


def test_audits_look_at_the_floor_where_it_may_matter(
    narrow: LanguageModel, tiny: LanguageModel, reference: Reference, sequences: Sequences
) -> None:
    whole = float(noise_floor(narrow, reference).kl.mean())
    assert audit_floor(narrow, reference, 1e-5) == pytest.approx(whole)
    assert audit_floor(narrow, reference, 0.04) is None
    assert audit_floor(tiny, build_reference(tiny, sequences), 1e-5) is None
    assert (weights_dtype(narrow.model), weights_dtype(tiny.model)) == (torch.bfloat16, torch.float32)
    assert is_near_floor(1e-4, 2e-5)
    assert not is_near_floor(1e-4, 0.5e-5)
    assert not is_near_floor(1e-4, None)
    assert not is_near_floor(0.0, 2e-5)


def test_a_reference_of_its_first_sequences_is_the_same(narrow: LanguageModel, reference: Reference) -> None:
    changed = LanguageModel("changed", copy.deepcopy(narrow.model), narrow.tokenizer)
    next(weight_tensors(changed.model)).parameter.data *= 1.25
    whole, first = (measure_divergence(changed, one).kl for one in (reference, reference.first(5)))
    assert first.shape[0] == 5
    np.testing.assert_allclose(first, whole[:5], rtol=1e-4)


def test_a_model_without_weights_that_could_move_is_refused(
    narrow: LanguageModel, reference: Reference
) -> None:
    empty = LanguageModel("empty", torch.nn.Linear(2, 2).to(torch.float8_e4m3fn), narrow.tokenizer)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="empty: the model has no weights in memory that could be moved"):
        noise_floor(empty, reference)


def told(narrow: LanguageModel, reference: Reference, predicted: float, floor: float | None) -> list[str]:
    """Warnings of a divergence of about 1e-4 with a narrow interval."""
    spread = 1e-4 * (1 + 0.01 * np.arange(10)[:, None] / 10) * np.ones((10, 23))
    some = measure_divergence(narrow, reference)
    measured: Divergence = replace(some, kl=spread)
    return error_warnings(narrow, reference, {}, [], Fisher({}, 1, "sampled"), predicted, measured, floor)


def test_a_divergence_near_the_floor_is_told_its_reason(narrow: LanguageModel, reference: Reference) -> None:
    (near,) = told(narrow, reference, 5e-5, 5e-5)
    assert "near the noise floor of the arithmetic: 5e-05 nats in bfloat16" in near
    near, off = told(narrow, reference, 1e-5, 4e-5)
    assert "near the noise floor" in near
    assert "from its prediction of 1e-05 and the noise floor of 4e-05" in off
    (off,) = told(narrow, reference, 5e-5, 0.5e-5)
    assert "errors are correlated" in off
    assert "noise floor" not in off
    assert told(narrow, reference, 1e-4, 0.5e-5) == []
    assert told(narrow, reference, 1e-4, None) == []
