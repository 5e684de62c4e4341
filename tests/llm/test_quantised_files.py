"""Copies of a model's files with other values are what the loaded model is saved as."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import torch

from bitlaw.llm.models import LanguageModel, load_model
from bitlaw.llm.quantise import assign, model_bits, quantised
from bitlaw.llm.quantised_files import quantise_files
from bitlaw.theory import Format, parse_format

from .studies import save_mixtral

FORMAT = parse_format("int4,block=channel,scale=absmax:float16")
BETTER = parse_format("int8,block=channel,scale=absmax:float16")
PARTS = ("embedding", "decoder", "head")


def copied(source: Path, target: Path, assignment: dict[str, Format]) -> LanguageModel:
    """The copy, loaded; its records and bits are those of the loaded model that is quantised in place."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors*"))
    told = []
    records, bits = quantise_files(source, target, assignment, progress=told.append)
    new, model = (load_model(path, device="cpu") for path in (target, source))
    with quantised(model, assignment) as expected:
        assert records == expected
        assert sorted(told, key=lambda r: r.name) == sorted(expected, key=lambda r: r.name)
        assert bits == model_bits(model.model, expected)
        wanted = dict(model.model.named_parameters())
        for name, parameter in new.model.named_parameters():
            assert parameter.dtype == wanted[name].dtype
            assert torch.equal(parameter, wanted[name]), name
    return new


def saved(model: LanguageModel, folder: Path, kind: torch.dtype, tied: bool = False) -> Path:
    other = copy.deepcopy(model.model).to(kind)
    if tied:
        other.config.tie_word_embeddings = True
        other.lm_head.weight = other.model.embed_tokens.weight
    other.save_pretrained(folder, max_shard_size="20KB")
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_shards_are_copied_with_other_values(tiny: LanguageModel, tmp_path: Path, kind: torch.dtype) -> None:
    source = saved(tiny, tmp_path / "source", kind)
    assert len(list(source.glob("*.safetensors"))) > 2
    assignment = assign(tiny.model, FORMAT, parts=PARTS) | assign(tiny.model, BETTER, parts=("head",))
    copied(source, tmp_path / "target", assignment)
    names = {path.name for path in source.iterdir()}
    assert {path.name for path in (tmp_path / "target").iterdir()} == names


def test_tied_weights_are_counted_and_changed_once(tiny: LanguageModel, tmp_path: Path) -> None:
    source = saved(tiny, tmp_path / "source", torch.float32, tied=True)
    model = load_model(source, device="cpu").model
    new = copied(source, tmp_path / "target", assign(model, FORMAT, parts=PARTS))
    assert new.model.lm_head.weight is new.model.model.embed_tokens.weight


def test_both_copies_of_a_tied_weight_change(tiny: LanguageModel, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    source = saved(tiny, tmp_path / "source", torch.float32, tied=True)
    tensors: dict[str, torch.Tensor] = {}
    for file in source.glob("*.safetensors*"):
        tensors |= load_file(file) if file.suffix == ".safetensors" else {}
        file.unlink()
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, source / "model.safetensors", {"format": "pt"})
    model = load_model(source, device="cpu").model
    assert model.lm_head.weight is model.model.embed_tokens.weight
    new = copied(source, tmp_path / "target", assign(model, FORMAT, parts=PARTS))
    assert new.model.lm_head.weight is new.model.model.embed_tokens.weight


def test_what_cannot_be_copied_so_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing: the model has no weight tensor"):
        quantise_files(tiny_folder, tmp_path, {"nothing": FORMAT})
    save_mixtral(tmp_path / "experts", layers=1)
    name = "model.layers.0.mlp.experts.gate_up_proj"
    with pytest.raises(ValueError, match="lies in 6 pieces on file, so the model has to be loaded"):
        quantise_files(tmp_path / "experts", tmp_path, {name: FORMAT})
    assert not list(tmp_path.glob("*.safetensors"))
