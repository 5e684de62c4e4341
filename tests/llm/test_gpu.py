"""Every measurement on a GPU beside the same one on the CPU."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bitlaw.llm.activations import activation_moments
from bitlaw.llm.audit import audit, model_statistics
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.error_structure import error_structure
from bitlaw.llm.fingerprint import weights_fingerprint
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.models import LanguageModel, load_model, weight_tensors
from bitlaw.llm.quantise import assign, model_bits, quantised
from bitlaw.llm.reference import build_reference
from bitlaw.llm.restore import kept_weights
from bitlaw.llm.sensitivity import noise_sensitivity
from bitlaw.llm.text import Sequences
from bitlaw.llm.weighted_codebook import weighted_codebook, weighted_scale
from bitlaw.theory import parse_format

from .unusual import random_model, random_tokens

pytestmark = pytest.mark.gpu

DEVICE = "cuda"

# One that the device codes by itself, and one that goes through the numpy codec.
FORMATS = ("int3,block=16,scale=absmax:float16", "int4,block=channel,scale=absmax:float16,outliers=0.01")
PARTS = ("embedding", "decoder", "head")


@pytest.fixture(scope="module")
def there(tiny_folder: Path) -> LanguageModel:
    model = load_model(tiny_folder, device=DEVICE)
    assert {parameter.device.type for parameter in model.model.parameters()} == {DEVICE}
    return model


@pytest.fixture(scope="module")
def few(sequences: Sequences) -> Sequences:
    return Sequences(sequences.tokens[:4], "few")


def moved(language_model: LanguageModel) -> LanguageModel:
    """The same model on the GPU."""
    model = copy.deepcopy(language_model.model).to(DEVICE)
    return LanguageModel(language_model.name, model, language_model.tokenizer)


def near(found: torch.Tensor, expected: torch.Tensor, rtol: float) -> None:
    torch.testing.assert_close(found.cpu(), expected, rtol=rtol, atol=rtol * float(expected.abs().max()))


@pytest.mark.parametrize("spec", FORMATS)
def test_quantised_weights_are_the_same_bits_and_come_back(
    spec: str, there: LanguageModel, tiny: LanguageModel
) -> None:
    before = weights_fingerprint(there.model)
    assert before == weights_fingerprint(tiny.model)
    assignment = assign(tiny.model, parse_format(spec), parts=PARTS)
    with quantised(there, assignment) as records, quantised(tiny, assignment) as expected:
        assert weights_fingerprint(there.model) == weights_fingerprint(tiny.model) != before
        assert model_bits(there.model, records) == model_bits(tiny.model, expected)
        for one, other in zip(records, expected, strict=True):
            assert one.entropy == pytest.approx(other.entropy, rel=1e-12)
            assert one.error == pytest.approx(other.error, rel=1e-9)
    assert weights_fingerprint(there.model) == before


def test_weights_come_back_from_files_and_from_copies(there: LanguageModel) -> None:
    changed = LanguageModel("changed", copy.deepcopy(there.model), there.tokenizer, there.folder)
    name = "model.layers.1.mlp.up_proj.weight"
    dict(changed.model.named_parameters())[name].data[0, 0] += 1.0
    before = weights_fingerprint(changed.model)
    with kept_weights(changed) as keeper:
        for tensor in weight_tensors(changed.model):
            keeper.keep(tensor)
            tensor.parameter.data.fill_(7.0)
        assert set(keeper.copies) == {name}
    assert weights_fingerprint(changed.model) == before


def test_statistics_are_the_same(there: LanguageModel, tiny: LanguageModel) -> None:
    found, expected = model_statistics(there), model_statistics(tiny)
    for name, one in expected.items():
        assert (found[name].row_rms == one.row_rms).all()
        assert found[name].block_maxima == one.block_maxima
        assert found[name].law == one.law


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma3_text", "mixtral", "gpt_oss"])
@pytest.mark.parametrize("unit", ["sequence", "position"])
def test_fisher_information_agrees(
    kind: str, unit: Any, tiny: LanguageModel, few: Sequences, tmp_path: Path
) -> None:
    model = tiny if kind == "llama" else random_model(kind)
    text = few if kind == "llama" else random_tokens(4, 12)
    for keep in ("diagonal", "rows"):
        settings: dict[str, Any] = {"targets": "text", "unit": unit, "keep": keep}
        expected = fisher_information(model, text, **settings)
        found = fisher_information(moved(model), text, resume=tmp_path / keep, **settings)
        for name in expected.names:
            near(found.rows(name), expected.rows(name), 1e-3)
            assert found.mean(name) == pytest.approx(expected.mean(name), rel=1e-3, abs=1e-12)
        again = fisher_information(moved(model), text, resume=tmp_path / keep, **settings)
        assert all(torch.equal(again.rows(name), found.rows(name)) for name in found.names)


def test_the_same_targets_are_drawn(there: LanguageModel, tiny: LanguageModel, few: Sequences) -> None:
    """Draws differ where two cumulative sums round to different sides of a number: next to never."""
    found, expected = (fisher_information(model, few) for model in (there, tiny))
    for name in expected.names:
        near(found.rows(name), expected.rows(name), 1e-3)


def test_recomputed_activations_change_nothing(there: LanguageModel, few: Sequences) -> None:
    for unit in ("sequence", "position"):
        plain, recomputed = (
            fisher_information(there, few, unit=unit, targets="text", checkpointing=value)  # type: ignore[arg-type]
            for value in (False, True)
        )
        for name in plain.names:
            near(recomputed.rows(name), plain.rows(name).cpu(), 1e-5)


@pytest.mark.parametrize("full", [False, True])
def test_second_moments_agree(full: bool, tiny: LanguageModel, few: Sequences) -> None:
    for model, text in ((tiny, few), (random_model("gpt2"), random_tokens(4, 12))):
        expected = activation_moments(model, text, full=full)
        found = activation_moments(moved(model), text, full=full)
        assert found.tokens == expected.tokens
        for name, value in expected.moments.items():
            near(found.moments[name], value, 1e-4)


def test_codebooks_by_importance_agree(there: LanguageModel, tiny: LanguageModel, few: Sequences) -> None:
    format, found = parse_format("int4,block=16,scale=absmax:float32"), []
    for model in (there, tiny):
        tensors = [w for w in weight_tensors(model.model) if w.part == "decoder"]
        for weights in (
            fisher_information(model, few, targets="text").diagonals,
            activation_moments(model, few).moments,
        ):
            designed = weighted_codebook(tensors, weights, format, 8)
            scaled = weighted_scale(tensors[0], weights, format, (0.8, 0.9))
            found.append((np.array(designed.element.codepoints), scaled))  # type: ignore[attr-defined]
    for (points, scaled), (expected, other) in zip(found[:2], found[2:], strict=True):
        np.testing.assert_allclose(points, expected, atol=1e-3)
        assert scaled == other


def test_divergences_agree(there: LanguageModel, tiny: LanguageModel, few: Sequences, tmp_path: Path) -> None:
    assignment = assign(tiny.model, parse_format(FORMATS[0]), parts=PARTS)
    measured = []
    for number, model in enumerate((there, tiny)):
        reference = build_reference(model, few, folder=tmp_path / str(number), batch=3)
        assert float(measure_divergence(model, reference).kl.max()) < 1e-6
        with quantised(model, assignment):
            measured.append(measure_divergence(model, reference))
    found, expected = measured
    np.testing.assert_allclose(found.kl, expected.kl, rtol=1e-2, atol=1e-6)
    np.testing.assert_allclose(found.top_kl, expected.top_kl, rtol=1e-2, atol=1e-6)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-4)


@pytest.mark.parametrize("spec", FORMATS)
def test_audits_agree(spec: str, there: LanguageModel, tiny: LanguageModel, few: Sequences) -> None:
    found, expected = (
        audit(
            model,
            assign(model.model, parse_format(spec)),
            build_reference(model, few),
            model_statistics(model),
            fisher_information(model, few, targets="text"),
        )
        for model in (there, tiny)
    )
    assert found.bits == expected.bits
    assert found.predicted_bits == expected.predicted_bits
    assert found.predicted_kl == pytest.approx(expected.predicted_kl, rel=1e-3)
    assert found.measured.mean().value == pytest.approx(expected.measured.mean().value, rel=1e-2, abs=1e-7)
    assert found.median_ratio == pytest.approx(expected.median_ratio, rel=1e-6)


def test_errors_taken_apart_agree(there: LanguageModel, tiny: LanguageModel, few: Sequences) -> None:
    estimates = []
    for model in (there, tiny):
        assignment = assign(model.model, parse_format(FORMATS[0]))
        reference, fisher = build_reference(model, few), fisher_information(model, few, targets="text")
        estimates.append(error_structure(model, assignment, reference, fisher=fisher).estimates)
        name = "model.layers.1.mlp.down_proj.weight"
        (noise,) = noise_sensitivity(model, reference, fisher=fisher, names=[name])
        estimates[-1] = {**estimates[-1], "noise": noise.kl}
    found, expected = estimates
    size = expected["full"].value
    for name, one in expected.items():
        assert found[name].value == pytest.approx(one.value, rel=2e-2, abs=1e-2 * size), name


def test_a_model_in_bfloat16_is_measured(tiny_folder: Path, few: Sequences) -> None:
    """Both devices round alike but not the same; a format of three bits is far above that."""
    kl = []
    for device in (DEVICE, "cpu"):
        model = load_model(tiny_folder, device=device, dtype="bfloat16")
        assert next(model.model.parameters()).dtype == torch.bfloat16
        assignment = assign(model.model, parse_format(FORMATS[0]), parts=PARTS)
        found = audit(
            model,
            assignment,
            build_reference(model, few),
            model_statistics(model),
            fisher_information(model, few, targets="text"),
        )
        kl.append((found.measured.mean().value, found.predicted_kl))
    assert kl[0] == pytest.approx(kl[1], rel=0.1)


def test_a_map_of_devices_places_the_model(tiny_folder: Path, tiny: LanguageModel) -> None:
    pytest.importorskip("accelerate")
    model = load_model(tiny_folder, device_map="auto")
    assert {parameter.device.type for parameter in model.model.parameters()} == {DEVICE}
    assert weights_fingerprint(model.model) == weights_fingerprint(tiny.model)
