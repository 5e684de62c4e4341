"""Overwritten weights come back bit for bit, from the files of the model where those hold them."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from bitlaw.llm import restore
from bitlaw.llm.models import LanguageModel, load_model, weight_tensors
from bitlaw.llm.quantise import assign, quantised
from bitlaw.llm.reference import build_reference
from bitlaw.llm.restore import Keeper, kept_weights
from bitlaw.llm.sensitivity import noise_sensitivity
from bitlaw.llm.text import Sequences
from bitlaw.theory import parse_format
from bitlaw.theory.fitting.safetensors_files import read_header

from .studies import save_mixtral

FORMAT = parse_format("int3,block=channel,scale=absmax:float16")
PARTS = ("embedding", "decoder", "head")


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def loaded(folder: Path) -> LanguageModel:
    """A model without a tokenizer."""
    from transformers import AutoModelForCausalLM

    again = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval().requires_grad_(False)
    return LanguageModel("saved", again, None, folder)  # type: ignore[arg-type]


def bits(model: nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone().view(torch.uint8) for n, p in model.named_parameters()}


def there_and_back(language_model: LanguageModel, harm: Callable[[], object] = lambda: None) -> Keeper:
    """Destroy all weights; they must be the same bits afterwards. The keeper, for what it held meanwhile."""
    before = bits(language_model.model)
    seen = {}
    with kept_weights(language_model) as keeper:
        for tensor in weight_tensors(language_model.model):
            keeper.keep(tensor)
            tensor.parameter.data.fill_(7.0)
        seen = dict(keeper.copies)
        harm()
    after = bits(language_model.model)
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    keeper.copies.update(seen)
    return keeper


@pytest.mark.parametrize("size", [1 << 24, 1000])  # many slices, the last one short
def test_a_loaded_model_is_not_held_twice(folder: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(restore, "_SLICE", size)
    model = load_model(folder, device="cpu")
    assert model.folder == folder.resolve()
    keeper = there_and_back(model)
    assert not keeper.copies
    assert keeper.on_file == {w.name for w in weight_tensors(model.model)}


def test_formats_are_taken_back_from_the_files(folder: Path) -> None:
    model = load_model(folder, device="cpu")
    before = bits(model.model)
    with quantised(model, assign(model.model, FORMAT, parts=PARTS)) as records:
        changed = bits(model.model)
        assert all(not torch.equal(changed[r.name], before[r.name]) for r in records)
    assert all(torch.equal(value, before[name]) for name, value in bits(model.model).items())


def test_weights_that_are_not_those_on_file_are_copied(folder: Path) -> None:
    model = load_model(folder, device="cpu")
    name = "model.layers.1.mlp.up_proj.weight"
    weight = dict(model.model.named_parameters())[name]
    weight.data[0, 0] = torch.nextafter(weight.data[0, 0], torch.tensor(9.0))
    assert set(there_and_back(model).copies) == {name}


def test_the_sign_of_a_zero_is_a_difference(tiny: LanguageModel, tmp_path: Path) -> None:
    changed = copy.deepcopy(tiny.model)
    changed.lm_head.weight.data[1] = 0.0
    changed.save_pretrained(tmp_path)
    model = loaded(tmp_path)
    assert not there_and_back(model).copies
    model.model.lm_head.weight.data[1] = -0.0
    assert set(there_and_back(model).copies) == {"lm_head.weight"}


def test_models_without_a_folder_are_copied(tiny: LanguageModel, tmp_path: Path) -> None:
    for folder in (None, tmp_path / "none", tmp_path):
        model = LanguageModel("bare", copy.deepcopy(tiny.model), tiny.tokenizer, folder)
        assert not there_and_back(model).on_file


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_other_types_are_converted_again(tiny: LanguageModel, tmp_path: Path, kind: torch.dtype) -> None:
    copy.deepcopy(tiny.model).to(torch.bfloat16).save_pretrained(tmp_path / "half")
    tiny.tokenizer.save_pretrained(tmp_path / "half")
    model = load_model(tmp_path / "half", device="cpu", dtype=str(kind).removeprefix("torch."))
    assert next(model.model.parameters()).dtype == kind
    assert not there_and_back(model).copies


def test_shards_and_tied_weights_are_found(tiny: LanguageModel, tmp_path: Path) -> None:
    from transformers import LlamaForCausalLM

    config = copy.deepcopy(tiny.model.config)
    config.tie_word_embeddings = True
    LlamaForCausalLM(config).save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    model = loaded(tmp_path)
    assert model.model.lm_head.weight is model.model.model.embed_tokens.weight
    assert not there_and_back(model).copies


def test_experts_that_files_hold_one_by_one_are_put_together(tmp_path: Path) -> None:
    save_mixtral(tmp_path, layers=2)
    keeper = there_and_back(loaded(tmp_path))
    assert {name for name in keeper.on_file if "experts" in name} == {
        f"model.layers.{layer}.mlp.experts.{kind}"
        for layer in (0, 1)
        for kind in ("gate_up_proj", "down_proj")
    }


def test_names_with_another_prefix_are_found(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model

    config = GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    GPT2Model(config).save_pretrained(tmp_path)
    again = GPT2LMHeadModel.from_pretrained(tmp_path).eval().requires_grad_(False)
    model = LanguageModel("bare names", again, None, tmp_path)  # type: ignore[arg-type]
    assert not there_and_back(model).copies


def test_a_folder_may_vanish_meanwhile(folder: Path) -> None:
    assert not there_and_back(load_model(folder, device="cpu"), lambda: shutil.rmtree(folder)).copies


@pytest.mark.parametrize("harm", ["change", "shorten"])
def test_files_overwritten_meanwhile_are_an_error(folder: Path, harm: str) -> None:
    model = load_model(folder, device="cpu")
    copied = copy.deepcopy(model.model)  # the loaded one may be the file itself, mapped
    model = LanguageModel("copied", copied, model.tokenizer, folder)
    file, name = folder / "model.safetensors", "model.layers.1.mlp.down_proj.weight"
    entries, origin = read_header(file)
    end = origin + entries[name]["data_offsets"][1]

    def overwrite() -> None:
        data = bytearray(file.read_bytes())
        data[end - 1] ^= 1
        file.write_bytes(data if harm == "change" else data[: end - 1])

    before = bits(copied)
    with pytest.raises(OSError, match=r"files of the model changed .* load the model anew") as caught:
        there_and_back(model, overwrite)
    lost = {n for n, entry in entries.items() if entry["data_offsets"][1] >= end - origin}
    if harm == "change":
        lost = {name}
        assert f"so {name} could" in str(caught.value)
    else:
        assert f"and {len(lost & {w.name for w in weight_tensors(copied)}) - 1} more" in str(caught.value)
    after = bits(copied)
    assert all(torch.equal(before[n], after[n]) for n in before if n not in lost)


def test_an_error_inside_brings_the_weights_back(folder: Path) -> None:
    model = load_model(folder, device="cpu")
    before = bits(model.model)
    with pytest.raises(KeyboardInterrupt), quantised(model, assign(model.model, FORMAT)):
        raise KeyboardInterrupt
    assert all(torch.equal(value, before[name]) for name, value in bits(model.model).items())


def test_a_copy_that_fails_is_told_and_the_others_come_back(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LanguageModel("bare", copy.deepcopy(tiny.model), tiny.tokenizer)
    before = bits(model.model)
    first, second, *_ = weight_tensors(model.model)

    def full(*_: object, **__: object) -> None:
        raise MemoryError("no room")

    def overwrite() -> None:
        with kept_weights(model) as keeper:
            keeper.keep(first)
            first.parameter.data.fill_(7.0)
            monkeypatch.setattr(torch.Tensor, "to", full)
            keeper.keep(second)

    with pytest.raises(MemoryError, match="no room"):
        overwrite()
    assert all(torch.equal(value, before[name]) for name, value in bits(model.model).items())


def test_disturbed_tensors_come_back(folder: Path, sequences: Sequences) -> None:
    model = load_model(folder, device="cpu")
    before = bits(model.model)
    name = "model.layers.0.mlp.down_proj.weight"
    reference = build_reference(model, Sequences(sequences.tokens[:2], "few"))
    (found,) = noise_sensitivity(model, reference, names=[name])
    assert found.kl.value > 0
    assert all(torch.equal(value, before[name]) for name, value in bits(model.model).items())


@pytest.fixture(autouse=True)
def _files_are_closed(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    yield
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]
