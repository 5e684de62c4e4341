"""Parts of an error: what they are, that they sum up, and what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.error_parts import coherent_part, largest_part, random_signs, regained
from bitlaw.llm.error_structure import error_structure, format_changes, measure_changes
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.format_codec import quantise_tensor
from bitlaw.llm.models import LanguageModel, Part, load_model, weight_tensors
from bitlaw.llm.quantise import assign, quantised
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.text import Sequences
from bitlaw.theory import parse_format

from .unusual import random_model, random_tokens

LLOYD = parse_format("lloyd3:normal,block=16,scale=absmax:float32")


@pytest.fixture(scope="module")
def reference(tiny: LanguageModel, sequences: Sequences) -> Reference:
    return build_reference(tiny, sequences)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("span", "axes"), [("tensor", (0, 1, 2)), ("row", (2,)), ("column", (1,)), (5, (3,)), (4, (3,))]
)
def test_what_is_left_beside_the_coherent_part_is_orthogonal_to_the_weights(
    span: str | int, axes: tuple[int, ...]
) -> None:
    weights, change = normal(2, 6, 12), normal(2, 6, 12, seed=1)
    rest = weights * (change - coherent_part(weights, change, span))  # type: ignore[arg-type]
    if isinstance(span, int):
        rest = torch.nn.functional.pad(rest, (0, -12 % span)).unflatten(-1, (-1, span))
    assert float(rest.sum(axes).abs().max()) < 1e-12
    coarse = 1 if span == "tensor" else None
    if coarse is None:  # a factor of its own explains more
        assert coherent_part(weights, change, span).norm() > coherent_part(weights, change).norm()  # type: ignore[arg-type]


@pytest.mark.parametrize("span", ["tensor", "row", "column", 5])
def test_a_pure_shrinkage_is_all_coherent(span: str | int) -> None:
    weights = normal(6, 12)
    weights[2] = 0  # rows without weights have no factor
    found = coherent_part(weights, -0.1 * weights, span)  # type: ignore[arg-type]
    torch.testing.assert_close(found, -0.1 * weights, rtol=1e-12, atol=1e-15)


def test_a_codebook_of_least_squared_error_shrinks_by_the_square_of_R() -> None:
    weights = normal(256, 512)
    change = quantise_tensor(parse_format("lloyd3:normal,scale=rms:float32"), weights).restored - weights
    R2 = float(change.square().sum() / weights.square().sum())
    shrinkage = -float((weights * change).sum() / weights.square().sum())
    # The sample's own centroids differ from the law's by the cells' spread over the root of their counts.
    band = 4 * np.sqrt(R2 / weights.numel())
    assert shrinkage == pytest.approx(R2, abs=band)
    assert coherent_part(weights, change).norm() / weights.norm() == pytest.approx(shrinkage, rel=1e-9)
    closed = parse_format("lloyd3:normal:closed,block=16,scale=absmax:float32")
    held = quantise_tensor(closed, weights).restored - weights
    R2 = float(held.square().sum() / weights.square().sum())
    assert -float((weights * held).sum() / weights.square().sum()) < R2 - 10 * band


def test_regaining_makes_the_error_larger_and_orthogonal() -> None:
    weights = normal(256, 512)
    change = quantise_tensor(parse_format("lloyd2:normal,scale=rms:float32"), weights).restored - weights
    found = regained(weights, change)
    gain = 1 + float((weights * change).sum() / weights.square().sum())
    assert float((weights * found).sum()) == pytest.approx(0, abs=1e-9 * float(weights.square().sum()))
    torch.testing.assert_close(weights + found, (weights + change) / gain)
    assert float(found.square().sum() / change.square().sum()) == pytest.approx(1 / gain, rel=1e-3)
    torch.testing.assert_close(regained(weights, -weights), -weights)  # nothing is left to regain


def test_the_largest_part_falls_on_each_blocks_largest_weight() -> None:
    weights, change = normal(4, 10), normal(4, 10, seed=1)
    found = largest_part(weights, change, 4)  # blocks of 4, 4 and 2
    assert int((found != 0).sum()) == 12
    for start, stop in ((0, 4), (4, 8), (8, 10)):
        place = weights[:, start:stop].abs().argmax(1) + start
        rows = torch.arange(4)
        torch.testing.assert_close(found[rows, place], change[rows, place])
    assert int((largest_part(weights, change, "channel") != 0).sum()) == 4
    tensor = largest_part(weights, change, "tensor")
    assert int(tensor.abs().argmax()) == int(weights.abs().argmax())
    assert int((tensor != 0).sum()) == 1


def test_random_signs_keep_every_square_and_are_drawn_again_by_the_same_seed() -> None:
    changes = {"a": normal(64, 64), "b": normal(8, 8, seed=1)}
    found = random_signs(changes, 3)
    for name, change in changes.items():
        torch.testing.assert_close(found[name].square(), change.square())
        torch.testing.assert_close(found[name], random_signs(changes, 3)[name])
    assert not torch.equal(found["a"], random_signs(changes, 4)["a"])
    assert abs(float((found["a"] * changes["a"]).mean())) < 4 * float(changes["a"].square().std()) / 64


def test_changes_of_formats_are_what_quantising_does(tiny: LanguageModel, reference: Reference) -> None:
    assignment = assign(tiny.model, LLOYD)
    before = {w.name: w.parameter.clone() for w in weight_tensors(tiny.model)}
    changes = format_changes(tiny, assignment)
    assert set(changes) == set(assignment)
    with quantised(tiny, assignment):
        expected = measure_divergence(tiny, reference)
    found = measure_changes(tiny, reference, changes)
    np.testing.assert_allclose(found.kl, expected.kl, rtol=1e-3, atol=1e-7)
    assert all(torch.equal(w.parameter, before[w.name]) for w in weight_tensors(tiny.model))


def test_the_steps_lead_from_the_prediction_to_the_measurement(
    tiny: LanguageModel, sequences: Sequences, reference: Reference
) -> None:
    assignment = assign(tiny.model, LLOYD)
    fisher = fisher_information(tiny, sequences)
    found = error_structure(tiny, assignment, reference, fisher=fisher)
    steps = {name: estimate.value for name, estimate in found.estimates.items()}
    assert steps["independent"] + steps["correlation"] == pytest.approx(steps["full"], rel=1e-9)
    assert steps["full"] + steps["higher orders"] == pytest.approx(steps["measured"], rel=1e-9)
    cross = found.quadratic.cross("coherent", "remainder").value
    assert steps["coherent"] + steps["remainder"] + cross == pytest.approx(steps["full"], rel=1e-9)
    others = steps["largest"] + steps["others"] + found.quadratic.cross("largest", "others").value
    assert others == pytest.approx(steps["full"], rel=1e-3)
    assert steps["measured"] + steps["regaining"] == pytest.approx(float(found.regained.kl.mean()), rel=1e-9)
    assert steps["independent"] == pytest.approx(found.diagonal, rel=0.25)
    assert found.estimates["full"].sequences == len(sequences)
    assert np.isnan(error_structure(tiny, assignment, reference).diagonal)


def test_bad_arguments_are_named(tiny: LanguageModel, reference: Reference) -> None:
    weights, change = normal(4, 8), normal(4, 8, seed=1)
    for part in (coherent_part, regained):
        with pytest.raises(ValueError, match=r"change must have the shape of the weights, \(4, 8\)"):
            part(weights, change.T)
    with pytest.raises(ValueError, match="shape of the weights"):
        largest_part(weights, change.T, 4)
    with pytest.raises(ValueError, match="span must be"):
        coherent_part(weights, change, "layer")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="span must be a positive number"):
        coherent_part(weights, change, 0)
    with pytest.raises(ValueError, match="block must be"):
        largest_part(weights, change, "layer")
    with pytest.raises(ValueError, match="draws must be a whole number of at least 1"):
        error_structure(tiny, assign(tiny.model, LLOYD), reference, draws=0)
    with pytest.raises(ValueError, match="assignment must give at least one tensor a format"):
        error_structure(tiny, {}, reference)
    for act in (
        lambda: measure_changes(tiny, reference, {"model.absent": weights}),
        lambda: format_changes(tiny, {"model.absent": LLOYD}),
    ):
        with pytest.raises(ValueError, match=r"model\.absent: the model has no weight tensor of this name"):
            act()
    with pytest.raises(ValueError, match=r"change must have the shape of the weights, \(32, 32\)"):
        measure_changes(tiny, reference, {"model.layers.0.self_attn.q_proj.weight": torch.ones(1, 32)})


def test_changes_of_weights_of_16_bits_lead_to_what_formats_restore(
    tiny_folder: Path, sequences: Sequences
) -> None:
    model = load_model(tiny_folder, device="cpu", dtype="bfloat16")
    assignment = assign(model.model, LLOYD)
    changes = format_changes(model, assignment)
    assert {change.dtype for change in changes.values()} == {torch.float32}
    with quantised(model, assignment):
        restored = {w.name: w.parameter.clone() for w in weight_tensors(model.model)}
    for w in weight_tensors(model.model):
        if w.name in changes:
            assert torch.equal((w.parameter + changes[w.name]).bfloat16(), restored[w.name])
    few = build_reference(model, Sequences(sequences.tokens[:4], "few"))
    found = error_structure(model, assignment, few)
    with quantised(model, assignment) as records:
        expected = measure_divergence(model, few)
    np.testing.assert_array_equal(found.measured.kl, expected.kl)
    assert list(found.records) == records
    assert found.error == pytest.approx(0.18, abs=0.03)
    assert 0.9 < found.gain < 1 - 0.5 * found.error**2


@pytest.mark.parametrize(
    ("kind", "settings", "part"),
    [("gemma3_text", {"tie_word_embeddings": True}, "embedding"), ("mixtral", {}, "decoder")],
)
def test_tied_weights_and_stacks_of_experts_are_followed_to_second_order(
    kind: str, settings: dict[str, bool], part: Part
) -> None:
    model, text = random_model(kind, **settings), random_tokens(4, 12)
    fine = parse_format("lloyd6:normal,block=8,scale=absmax:float32")
    assignment = assign(model.model, fine, parts=(part,))
    shapes = {w.parameter.ndim for w in weight_tensors(model.model) if w.name in assignment}
    assert (3 in shapes) == (kind == "mixtral")
    found = error_structure(model, assignment, build_reference(model, text)).estimates
    assert found["measured"].value == pytest.approx(found["full"].value, rel=0.1)
