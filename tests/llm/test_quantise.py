"""Formats on whole models: what changes, what it costs, and that it is taken back."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from bitlaw.llm import quantise
from bitlaw.llm.format_codec import to_numpy
from bitlaw.llm.models import LanguageModel, Part, weight_tensors
from bitlaw.llm.quantise import assign, assign_tensors, model_bits, quantised
from bitlaw.theory import parse_format

FORMAT = parse_format("int4_g64")


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_weights_are_what_the_format_restores_and_come_back(tiny: LanguageModel) -> None:
    before = weights(tiny.model)
    with quantised(tiny, assign(tiny.model, FORMAT)) as records:
        for name, now in weights(tiny.model).items():
            changed = name in {record.name for record in records}
            expected = FORMAT.quantise(to_numpy(before[name])) if changed else to_numpy(before[name])
            np.testing.assert_array_equal(to_numpy(now), expected)
    assert all(torch.equal(value, before[name]) for name, value in weights(tiny.model).items())


def test_records_say_what_was_done(tiny: LanguageModel) -> None:
    before = weights(tiny.model)
    with quantised(tiny, assign(tiny.model, FORMAT)) as records:
        now = weights(tiny.model)
    for record in records:
        old, new = before[record.name].double(), now[record.name].double()
        assert record.error == pytest.approx(float((new - old).norm() / old.norm()), rel=1e-12)
        assert record.squared_error == pytest.approx(float((new - old).square().sum()), rel=1e-12)
        assert record.bits == FORMAT.encode(to_numpy(before[record.name])).bits
        # The part of what was restored that lies along the weights: the rest is at right angles to them.
        assert record.gain != 1.0
        assert abs(float(((new - record.gain * old) * old).sum())) < 1e-9 * float(old.square().sum())


def test_records_do_not_depend_on_slices(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with quantised(tiny, assign(tiny.model, FORMAT)) as records:
        whole = list(records)
    monkeypatch.setattr(quantise, "_SLICE", 100)
    with quantised(tiny, assign(tiny.model, FORMAT)) as records:
        for one, other in zip(whole, records, strict=True):
            for number in ("rms", "error", "gain"):
                assert getattr(other, number) == pytest.approx(getattr(one, number), rel=1e-12)


def test_bits_of_the_model_are_those_of_its_tensors(tiny: LanguageModel) -> None:
    with quantised(tiny, assign(tiny.model, FORMAT)) as records:
        bits = model_bits(tiny.model, records)
    stored = {record.name: record.bits for record in records}
    by_hand = sum(stored.get(n, 32 * p.numel()) for n, p in tiny.model.named_parameters())
    assert bits.total == by_hand
    assert bits.parameters == sum(p.numel() for p in tiny.model.parameters())
    assert 4 < bits.per_decoder_parameter < bits.per_parameter < 32


def test_parts_and_ends_are_chosen(tiny: LanguageModel) -> None:
    better = parse_format("int8_g64")
    tensors: list[tuple[str, Part]] = [
        ("model.embed_tokens.weight", "embedding"),
        *((f"model.layers.{k}.mlp.up_proj.weight", "decoder") for k in range(4)),
        ("lm_head.weight", "head"),
    ]
    found = assign_tensors(tensors, FORMAT, parts=("embedding", "decoder", "head"), ends=better)
    assert [found[name] == better for name, _ in tensors] == [True, True, False, False, True, True]
    found = assign_tensors(tensors, FORMAT, ends=better)
    assert [found.get(name) for name, _ in tensors] == [None, better, FORMAT, FORMAT, better, None]
    assert assign_tensors(tensors, FORMAT, parts=("head",)) == {"lm_head.weight": FORMAT}
    everything = assign(tiny.model, FORMAT, parts=("embedding", "decoder", "head"))
    assert everything == {w.name: FORMAT for w in weight_tensors(tiny.model)}
    assert all(".layers." in name for name in assign(tiny.model, FORMAT))


def test_tied_weights_change_once(tiny: LanguageModel) -> None:
    model = copy.deepcopy(tiny.model)
    model.lm_head.weight = model.model.embed_tokens.weight
    tied = LanguageModel("tied", model, tiny.tokenizer)
    with quantised(tied, assign(model, FORMAT, parts=("embedding",))) as records:
        assert len(records) == 1
        assert model.lm_head.weight is model.model.embed_tokens.weight
        assert model_bits(model, records).parameters == sum(p.numel() for p in model.parameters())


def test_failure_leaves_all_weights_as_they_were(tiny: LanguageModel) -> None:
    model = copy.deepcopy(tiny.model)
    model.model.layers[1].mlp.down_proj.weight.data[0, 0] = float("nan")
    broken = LanguageModel("broken", model, tiny.tokenizer)
    before = weights(model)
    with (
        pytest.raises(ValueError, match=r"layers\.1\.mlp\.down_proj\.weight: .*nan"),
        quantised(broken, assign(model, FORMAT)),
    ):
        pass
    assert all(torch.equal(v, before[n]) for n, v in weights(model).items() if not v.isnan().any())


def test_unknown_names_and_parts_are_refused(tiny: LanguageModel) -> None:
    with (
        pytest.raises(ValueError, match="nothing: the model has no weight tensor"),
        quantised(tiny, {"nothing": FORMAT}),
    ):
        pass
    with pytest.raises(ValueError, match="parts must be embedding, decoder or head, got 'tail'"):
        assign(tiny.model, FORMAT, parts=("tail",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no weights in head"):
        assign(torch.nn.Linear(2, 2), FORMAT, parts=("head",))
