"""Weights streamed from files beside those of the loaded model."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bitlaw.llm.models import LanguageModel, load_model, weight_tensors
from bitlaw.llm.weight_files import fetch_weights, stream_weights

from ..conftest import shared_path

SIZES = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 64,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
}

# Architectures whose modules follow one another in the common order.
ALIKE: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama tied": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 8},
    "gemma2": {"head_dim": 8},
    "olmo2": {},
    "stablelm": {},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32},
    "bloom": {"n_layer": 2, "n_head": 2},
    "mixtral": {"num_local_experts": 3},
    "qwen2_moe": {
        "num_experts": 3,
        "moe_intermediate_size": 8,
        "shared_expert_intermediate_size": 8,
        "num_experts_per_tok": 2,
    },
    "olmoe": {"num_experts": 3, "num_experts_per_tok": 2},
    "gpt_oss": {"num_local_experts": 3, "num_experts_per_tok": 2, "head_dim": 8},
}

# Those with another order within a layer, of query, key and value or of router and experts.
OTHERWISE: dict[str, dict[str, Any]] = {
    "opt": {"ffn_dim": 24, "word_embed_proj_dim": 16},
    "phi3": {},
    "qwen3_moe": {"num_experts": 3, "moe_intermediate_size": 8, "num_experts_per_tok": 2, "head_dim": 8},
}


def saved(folder: Path, kind: str, settings: dict[str, Any], **how: Any) -> torch.nn.Module:
    """A model of random weights as transformers saves it, loaded again."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(kind.removesuffix(" tied"), **SIZES | settings)
    AutoModelForCausalLM.from_config(config).float().save_pretrained(folder, **how)
    model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(folder)
    return model


def told(weights: Any) -> list[tuple[Any, ...]]:
    return [(w.name, w.part, w.tied, tuple(w.parameter.shape), w.parameter.dtype) for w in weights]


def same(model: torch.nn.Module, folder: Path) -> None:
    """Streamed weights are those of the model, in its order and to the last bit."""
    expected, found = list(weight_tensors(model)), list(stream_weights(folder))
    assert told(found) == told(expected)
    assert all(torch.equal(a.parameter, b.parameter) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize("kind", ALIKE)
def test_streamed_weights_are_those_of_the_model(tmp_path: Path, kind: str) -> None:
    same(saved(tmp_path, kind, ALIKE[kind]), tmp_path)


@pytest.mark.parametrize("kind", OTHERWISE)
def test_where_the_order_is_another_the_weights_are_the_same(tmp_path: Path, kind: str) -> None:
    expected = {w.name: w for w in weight_tensors(saved(tmp_path, kind, OTHERWISE[kind]))}
    found = {w.name: w for w in stream_weights(tmp_path)}
    assert expected.keys() == found.keys()
    assert all(torch.equal(w.parameter, found[name].parameter) for name, w in expected.items())


def test_shards_are_one_model(tmp_path: Path) -> None:
    model = saved(tmp_path, "mixtral", ALIKE["mixtral"], max_shard_size="8KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 3
    same(model, tmp_path)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_keep_the_type_they_are_stored_in(tiny_folder: Path, tmp_path: Path, dtype: str) -> None:
    folder = tmp_path / "model"
    load_model(tiny_folder, device="cpu", dtype=dtype).model.save_pretrained(folder)
    shutil.copy(tiny_folder / "tokenizer.json", folder)
    shutil.copy(tiny_folder / "tokenizer_config.json", folder)
    same(load_model(folder, device="cpu").model, folder)
    assert {w.parameter.dtype for w in stream_weights(folder)} == {getattr(torch, dtype)}


def test_a_causal_model_saved_without_its_head_s_prefix_has_its_names(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = saved(tmp_path, "gpt2", ALIKE["gpt2"])
    tensors = load_file(tmp_path / "model.safetensors")
    bare = {name.removeprefix("transformer."): value for name, value in tensors.items()}
    assert bare.keys() != tensors.keys()
    save_file(bare, tmp_path / "model.safetensors", metadata={"format": "pt"})
    same(AutoModelForCausalLM.from_pretrained(tmp_path), tmp_path)
    assert told(stream_weights(tmp_path)) == told(weight_tensors(model))


@pytest.mark.parametrize("factor", [1, 2])
def test_a_stored_head_is_tied_if_it_is_the_embedding(tmp_path: Path, factor: int) -> None:
    from transformers import AutoModelForCausalLM

    saved(tmp_path, "llama", ALIKE["llama tied"])
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] * factor
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    same(AutoModelForCausalLM.from_pretrained(tmp_path), tmp_path)


def test_an_architecture_that_nobody_knows_is_streamed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "abacus"}')
    tensors = {
        "encoder.layer.10.dense.weight": torch.ones(3, 4),
        "encoder.layer.2.dense.weight": torch.ones(3, 4, 5),
        "encoder.layer.2.experts.bias": torch.ones(3, 4),
        "encoder.layer.2.norm.weight": torch.ones(3),
        "vision_tower.layer.0.dense.weight": torch.ones(3, 4),
        "positions": torch.arange(6).reshape(2, 3),
        "embeddings.word_embeddings.weight": torch.ones(7, 4, dtype=torch.float16),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    assert [(w.name, w.part) for w in stream_weights(tmp_path)] == [
        ("embeddings.word_embeddings.weight", "embedding"),
        ("encoder.layer.2.dense.weight", "decoder"),
        ("encoder.layer.10.dense.weight", "decoder"),
    ]


def test_the_stream_holds_no_tensor(tiny_folder: Path) -> None:
    stream = stream_weights(tiny_folder)
    for _ in range(5):
        weight = next(stream)
        held = weakref.ref(weight.parameter)
        del weight
        gc.collect()
        assert held() is None


def test_no_more_than_one_tensor_is_in_memory(tmp_path: Path) -> None:
    import tracemalloc

    (tmp_path / "config.json").write_text("{}")
    size = 4 << 20
    save_file(
        {f"layers.{k}.weight": torch.zeros(1024, 1024) for k in range(6)}, tmp_path / "model.safetensors"
    )
    tracemalloc.start()
    try:
        for weight in stream_weights(tmp_path):
            assert weight.parameter.nbytes == size
            del weight
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size <= peak < 1.5 * size


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    saved(tmp_path, "llama", {}, max_shard_size="8KB")
    return tmp_path


def test_a_missing_shard_is_named(sharded: Path) -> None:
    shard = sorted(sharded.glob("*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{shard.name}: shard named by .* does not exist"):
        stream_weights(sharded)


def test_a_shard_without_its_tensor_is_named(sharded: Path) -> None:
    index = sharded / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    shard = sorted(sharded.glob("*.safetensors"))[0].name
    content["weight_map"]["model.lost.weight"] = shard
    index.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"{shard}: lacks the tensor 'model\.lost\.weight'"):
        stream_weights(sharded)


def test_a_tensor_in_two_shards_is_named(sharded: Path) -> None:
    first, second = sorted(sharded.glob("*.safetensors"))[:2]
    save_file(load_file(first) | load_file(second), second)
    with pytest.raises(ValueError, match=rf"{second.name}: tensor '.*' is in {first.name} too"):
        stream_weights(sharded)


def test_a_truncated_file_is_named(tmp_path: Path, tiny_folder: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors: .*truncated or damaged"):
        stream_weights(tmp_path / "model")


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path: Path, tiny_folder: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "model")
    stream = stream_weights(tmp_path / "model")
    save_file({"other": torch.ones(2, 2)}, tmp_path / "model" / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors: tensor 'model\.embed.*' is no longer there"):
        next(stream)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_weights_that_are_not_finite_are_named(tmp_path: Path, tiny_folder: Path, value: str) -> None:
    shutil.copytree(tiny_folder, tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    tensors = load_file(file)
    name = "model.layers.1.mlp.up_proj.weight"
    tensors[name][-1, -1] = float(value)
    save_file(tensors, file)
    with pytest.raises(
        ValueError, match=rf"model\.safetensors: tensor '{name}': a weight is NaN or infinite"
    ):
        list(stream_weights(tmp_path / "model"))


def test_weights_of_eight_bits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    save_file({"layers.0.weight": torch.ones(4, 4).to(torch.float8_e4m3fn)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"tensor 'layers\.0\.weight' is of float8_e4m3fn"):
        next(stream_weights(tmp_path))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"holds no config\.json"),
        ("{", r"config\.json: not JSON"),
        ("[]", r"config\.json: not the configuration of a model"),
        ("{}", r"the folder holds no \.safetensors file"),
        ('{"quantization_config": {"quant_method": "gptq"}}', r"quantised already \(gptq\)"),
    ],
)
def test_folders_that_hold_no_weights_are_refused(tmp_path: Path, config: str | None, message: str) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        stream_weights(tmp_path)


def test_names_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="there is no such folder"):
        stream_weights("./nowhere")
    for name in ("nobody/nothing", "no such id"):
        with pytest.raises(OSError, match=f"{name}: neither a model folder nor a hub id"):
            stream_weights(name)


def test_a_snapshot_in_the_cache_is_found(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    shutil.copytree(tiny_folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    assert fetch_weights("someone/tiny") == repository / "snapshots" / commit
    assert told(stream_weights("someone/tiny")) == told(stream_weights(tiny_folder))


def test_a_tiny_model_is_streamed_as_it_is_loaded(tiny: LanguageModel, tiny_folder: Path) -> None:
    same(tiny.model, tiny_folder)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["stories260K", "stories3M-from-int8"])
def test_real_models_are_streamed_as_they_are_loaded(name: str) -> None:
    folder = shared_path(f"models/{name}")
    same(load_model(folder, device="cpu").model, folder)
