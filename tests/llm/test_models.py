"""Models by folder, and which of their tensors hold weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bitlaw.llm.models import LanguageModel, load_model, pick_device, weight_tensors
from bitlaw.theory.fitting.weight_names import part_of

from .unusual import listed_experts


def test_every_matrix_is_found_once(tiny: LanguageModel) -> None:
    found = list(weight_tensors(tiny.model))
    expected = {id(p) for p in tiny.model.parameters() if p.ndim >= 2}
    assert [id(w.parameter) for w in found] == list(dict.fromkeys(id(w.parameter) for w in found))
    assert {id(w.parameter) for w in found} == expected
    assert {w.part for w in found} == {"embedding", "decoder", "head"}


def test_tied_weights_are_one_tensor_with_two_names(tiny: LanguageModel) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Embedding(5, 3)
            self.last = nn.Linear(3, 5, bias=False)
            self.last.weight = self.first.weight

    (only,) = weight_tensors(Tied())
    assert (only.name, only.tied) == ("first.weight", ("last.weight",))


def test_towers_vectors_and_integers_are_left_out() -> None:
    model = nn.ModuleDict(
        {"vision_tower": nn.Linear(3, 3), "norm": nn.LayerNorm(3), "language": nn.Linear(3, 2)}
    )
    assert [w.name for w in weight_tensors(model)] == ["language.weight"]


def test_experts_of_three_dimensions_are_weights() -> None:
    model = nn.Module()
    model.experts = nn.Parameter(torch.zeros(2, 3, 4))
    assert [w.parameter.ndim for w in weight_tensors(model)] == [3]


def test_biases_of_experts_are_no_weights() -> None:
    model = nn.Module()
    model.gate_up_proj = nn.Parameter(torch.zeros(2, 3, 4))
    model.gate_up_proj_bias = nn.Parameter(torch.zeros(2, 3))
    assert [w.name for w in weight_tensors(model)] == ["gate_up_proj"]


def test_loading_asks_for_a_type(tiny_folder: Path) -> None:
    model = load_model(tiny_folder, device="cpu", dtype="bfloat16").model
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("name", "message"),
    [("/nowhere/at/all", "there is no such folder"), ("./nowhere", "there is no such folder")],
)
def test_a_missing_folder_is_named(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        load_model(name)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no config\.json"):
        load_model(tmp_path)


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "abacus"}')
    with pytest.raises(ValueError, match="not a causal language model that transformers knows"):
        load_model(tmp_path)


def test_a_hub_id_that_cannot_be_fetched_is_named() -> None:
    with pytest.raises(OSError, match="nobody/nothing: neither a model folder nor a hub id"):
        load_model("nobody/nothing")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="torch finds no GPU here"):
        pick_device("cuda")


def test_unknown_devices_and_types_are_refused(tiny_folder: Path) -> None:
    with pytest.raises(ValueError, match="device must be 'auto', 'cpu'"):
        pick_device("abacus")
    with pytest.raises(
        ValueError, match="dtype must be 'auto', 'float32', 'bfloat16' or 'float16', got 'int4'"
    ):
        load_model(tiny_folder, dtype="int4")


PARTS: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "opt": {"word_embed_proj_dim": 8},
    "openai-gpt": {"n_embd": 16, "n_head": 2},
    "gpt_neox": {},
    "bloom": {},
    "biogpt": {},
    "bert": {"is_decoder": True},
    "roberta": {"is_decoder": True},
    "mixtral": {"num_local_experts": 2},
}


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", PARTS)
def test_names_tell_the_parts_of_the_model(kind: str, tied: bool) -> None:
    """Files are told apart by names alone; tables of positions are embeddings in both."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "vocab_size": 48,
        "max_position_embeddings": 32,
        "pad_token_id": 0,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "tie_word_embeddings": tied,
    }
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes | PARTS[kind]))
    found = list(weight_tensors(model))
    assert {w.name: part_of(w.name) for w in found} == {w.name: w.part for w in found}
    tables = {name for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    assert {w.name.removesuffix(".weight") for w in found if w.part == "embedding"} == tables
    assert sum(w.part == "head" for w in found) == (0 if tied else 1)


def test_a_model_without_a_head_has_parts() -> None:
    parts = {w.name: w.part for w in weight_tensors(listed_experts().model)}
    assert parts.pop("embed.weight") == "embedding"
    assert set(parts.values()) == {"decoder"}
