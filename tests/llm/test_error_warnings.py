"""Warnings of errors that are correlated or fall where they matter, and their silence where they are not."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from bitlaw.llm.audit import audit, model_statistics
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.error_parts import largest_part
from bitlaw.llm.error_structure import measure_changes
from bitlaw.llm.error_warnings import error_warnings, largest_weights_matter, shrinkage_divergence
from bitlaw.llm.fisher import Fisher, fisher_information
from bitlaw.llm.models import LanguageModel, weight_tensors
from bitlaw.llm.quantise import assign, quantised
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.text import Sequences
from bitlaw.theory import parse_format

FREE = "lloyd2:normal,block=16,scale=absmax:float32"
CLOSED = "lloyd2:normal:closed,block=16,scale=absmax:float32"
# 33 levels whose cells are even and whose codepoints are 0.7 of the cells' middles: hardly more than a shrinkage.
_MIDDLES = np.linspace(-1, 1, 33)
_POINTS, _EDGES = 0.7 * _MIDDLES, (_MIDDLES[1:] + _MIDDLES[:-1]) / 2
SHRINKING = (
    f"{{{';'.join(f'{x:.6g}' for x in _POINTS)}|{';'.join(f'{x:.6g}' for x in _EDGES)}}},"
    "block=16,scale=absmax:float32,reach=1"
)


@pytest.fixture(scope="module")
def reference(tiny: LanguageModel, sequences: Sequences) -> Reference:
    return build_reference(tiny, sequences, batch=4)


@pytest.fixture(scope="module")
def fisher(tiny: LanguageModel, sequences: Sequences) -> Fisher:
    return fisher_information(tiny, sequences)


def even(tiny: LanguageModel) -> Fisher:
    return Fisher({w.name: torch.ones(w.parameter.shape) for w in weight_tensors(tiny.model)}, 1, "sampled")


def on_largest(language_model: LanguageModel, share: float) -> Fisher:
    """Fisher information of which weights beyond twice the rms have more."""
    return Fisher(
        {
            w.name: 1.0 + share * (w.parameter.abs() > 2 * w.parameter.square().mean().sqrt())
            for w in weight_tensors(language_model.model)
        },
        1,
        "sampled",
    )


def told(
    language_model: LanguageModel, reference: Reference, spec: str, fisher: Fisher, predicted: float = 1.0
) -> list[str]:
    assignment = assign(language_model.model, parse_format(spec), parts=("embedding", "decoder", "head"))
    with quantised(language_model, assignment) as records:
        measured = measure_divergence(language_model, reference)
    kl = predicted * float(measured.kl.mean())
    return error_warnings(language_model, reference, assignment, records, fisher, kl, measured)


def test_factors_on_tensors_are_measured_without_touching_them(
    tiny: LanguageModel, reference: Reference
) -> None:
    before = {w.name: w.parameter.clone() for w in weight_tensors(tiny.model)}
    gains = {name: 0.8 + 0.02 * k for k, name in enumerate(before)}
    changes = {name: (gains[name] - 1) * values for name, values in before.items()}
    found = shrinkage_divergence(tiny, reference, gains)
    np.testing.assert_allclose(found.kl, measure_changes(tiny, reference, changes).kl, rtol=1e-3, atol=1e-7)
    assert all(torch.equal(w.parameter, before[w.name]) for w in weight_tensors(tiny.model))
    assert float(shrinkage_divergence(tiny, reference, {}).kl.max()) < 1e-9
    with pytest.raises(ValueError, match="no weight tensor of this name"):
        shrinkage_divergence(tiny, reference, {"model.absent": 0.9})


def test_a_shrinkage_is_named_where_it_makes_much_of_the_divergence(
    tiny: LanguageModel, reference: Reference
) -> None:
    def shrinks(words: list[str]) -> bool:
        return any("weights change together by a gain" in one for one in words)

    words = told(tiny, reference, SHRINKING, even(tiny))
    assert shrinks(words)
    assert "on 4 sequences" in words[0]  # the first batch
    assert not shrinks(told(tiny, reference, "int8_g64", even(tiny)))


def test_largest_weights_are_named_where_they_are_shrunk_and_dear(
    tiny: LanguageModel, reference: Reference
) -> None:
    def named(spec: str, fisher: Fisher) -> bool:
        return any("the largest weights of blocks move by" in w for w in told(tiny, reference, spec, fisher))

    assert named(FREE, on_largest(tiny, 20.0))
    assert not named(FREE, even(tiny))  # they matter no more than others
    assert not named(CLOSED, on_largest(tiny, 20.0))  # they stay as they are
    assert not named("lloyd2:normal,scale=rms:float32", on_largest(tiny, 20.0))  # there are no maxima


def test_largest_weights_matter_as_much_as_the_fisher_information_on_them(tiny: LanguageModel) -> None:
    assignment = assign(tiny.model, parse_format(FREE))
    assert largest_weights_matter(tiny, assignment, even(tiny)) == pytest.approx(1)
    assert np.isnan(largest_weights_matter(tiny, {}, even(tiny)))
    whole = {w.name: w.parameter for w in weight_tensors(tiny.model) if w.parameter.shape[-1] == 32}
    ones = {name: torch.ones_like(w) for name, w in whole.items()}
    fourfold = {name: ones[name] + 3 * largest_part(w, ones[name], 16) for name, w in whole.items()}
    found = largest_weights_matter(tiny, assignment, Fisher(fourfold, 1, "sampled"))
    assert found == pytest.approx(4 / (1 + 3 / 16))


def test_a_divergence_far_from_its_prediction_is_named(
    tiny: LanguageModel, reference: Reference, fisher: Fisher
) -> None:
    def off(predicted: float) -> bool:
        return any("from its prediction of" in w for w in told(tiny, reference, FREE, fisher, predicted))

    assert off(0.3)
    assert off(3.0)
    assert not off(1.0)
    assert any("where none was predicted" in w for w in told(tiny, reference, FREE, fisher, 0.0))


def test_audits_hold_these_warnings(tiny: LanguageModel, reference: Reference) -> None:
    assignment = assign(tiny.model, parse_format(FREE))
    found = audit(tiny, assignment, reference, model_statistics(tiny), on_largest(tiny, 20.0))
    assert any("the largest weights of blocks move by" in words for words in found.warnings)


def test_stacked_experts_are_left_as_they_are(reference: Reference, tiny: LanguageModel) -> None:
    model = copy.deepcopy(tiny.model)
    model.extra = torch.nn.Module()
    model.extra.stack = torch.nn.Parameter(torch.ones(2, 4, 4), requires_grad=False)
    wider = LanguageModel("wider", model, tiny.tokenizer)
    assert float(shrinkage_divergence(wider, reference, {"extra.stack": 0.5}).kl.max()) < 1e-9
