"""Matrices of models as headers tell them."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from bitlaw.theory.fitting import list_weights, read_weight
from bitlaw.theory.fitting.model_weights import stored_tensors
from bitlaw.theory.fitting.weight_names import in_tower, is_bias, model_order, part_of


def matrix(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def experts(prefix, names, count, rows=3, columns=4):
    """Matrices of single experts; the last of the names has rows and columns swapped."""
    found = {}
    for number in range(count):
        for k, name in enumerate(names):
            shape = (columns, rows) if k == len(names) - 1 else (rows, columns)
            found[f"{prefix}.experts.{number}.{name}.weight"] = matrix(*shape, seed=10 * number + k)
    return found


@pytest.fixture
def model(tmp_path):
    """Write a model of some tensors and configuration."""

    def write(tensors, **config):
        save_file(tensors, tmp_path / "model.safetensors")
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.embed_tokens.weight", "embedding"),
        ("transformer.wte.weight", "embedding"),
        ("gpt_neox.embed_in.weight", "embedding"),
        ("backbone.embeddings.weight", "embedding"),
        ("bert.embeddings.word_embeddings.weight", "embedding"),
        ("bert.embeddings.position_embeddings.weight", "embedding"),
        ("transformer.wpe.weight", "embedding"),
        ("bert.embeddings_project.weight", "decoder"),
        ("roberta.lm_head.dense.weight", "decoder"),
        ("lm_head.decoder.weight", "head"),
        ("lm_head.weight", "head"),
        ("embed_out.weight", "head"),
        ("output.weight", "head"),
        ("encoder.layer.0.attention.output.dense.weight", "decoder"),
        ("model.layers.0.mlp.up_proj.weight", "decoder"),
        ("weight", "decoder"),
    ],
)
def test_names_tell_the_part(name, part):
    assert part_of(name) == part


def test_names_tell_towers_and_biases():
    assert in_tower("model.vision_tower.layers.0.weight")
    assert in_tower("multi_modal_projector.linear.weight")
    assert not in_tower("model.language_model.layers.0.weight")
    assert is_bias("a.bias")
    assert is_bias("a.experts.gate_up_proj_bias")
    assert not is_bias("a.biased.weight")


def test_layers_follow_one_another_by_number():
    expected = [
        "model.embed_tokens.weight",
        "model.embed_positions.weight",
        *(
            f"model.layers.{layer}.{leaf}.weight"
            for layer in (0, 2, 10)
            for leaf in (
                "self_attn.q_proj",
                "self_attn.k_proj",
                "self_attn.v_proj",
                "self_attn.o_proj",
                "mlp.gate",
                "mlp.experts.gate_up_proj",
                "mlp.experts.down_proj",
                "mlp.shared_expert.gate_proj",
                "mlp.shared_expert.up_proj",
                "mlp.shared_expert.down_proj",
                "mlp.shared_expert_gate",
            )
        ),
        "pooler.dense.weight",
        "lm_head.weight",
    ]
    assert sorted(reversed(expected), key=model_order) == expected


@pytest.mark.parametrize(
    ("parent", "names", "stack"),
    [
        ("mlp", ("gate_proj", "up_proj", "down_proj"), "mlp"),
        ("block_sparse_moe", ("w1", "w3", "w2"), "mlp"),
    ],
)
def test_experts_are_stacked(model, parent, names, stack):
    tensors = experts(f"model.layers.0.{parent}", names, 12)
    merged, down = list_weights(model(tensors))
    assert (merged.name, merged.shape) == (f"model.layers.0.{stack}.experts.gate_up_proj", (12, 6, 4))
    assert (down.name, down.shape) == (f"model.layers.0.{stack}.experts.down_proj", (12, 4, 3))
    values = read_weight(merged)
    one = f"model.layers.0.{parent}.experts.11"
    np.testing.assert_array_equal(values[11, :3], tensors[f"{one}.{names[0]}.weight"])
    np.testing.assert_array_equal(values[11, 3:], tensors[f"{one}.{names[1]}.weight"])
    np.testing.assert_array_equal(read_weight(down)[11], tensors[f"{one}.{names[2]}.weight"])


@pytest.mark.parametrize("fault", ["missing", "shape", "type", "far", "deep"])
def test_experts_that_are_no_stack_stay_single(model, fault):
    tensors = experts("model.layers.0.mlp", ("gate_proj", "up_proj", "down_proj"), 3)
    name = "model.layers.0.mlp.experts.1.up_proj.weight"
    changed = {
        "shape": matrix(5, 4),
        "type": matrix(3, 4).astype(ml_dtypes.bfloat16),
        "deep": matrix(1, 3, 4),
    }
    if fault == "missing":
        del tensors[name]
    elif fault == "far":
        tensors[name.replace(".1.", ".900000000.")] = tensors.pop(name)
    else:
        tensors[name] = changed[fault]
    found = list_weights(model(tensors))
    assert {weight.name for weight in found} == set(tensors)
    assert all(len(weight.pieces) == 1 for weight in found)


@pytest.mark.parametrize(
    ("config", "stored", "tied"),
    [
        ({"architectures": ["AForCausalLM"], "tie_word_embeddings": True}, False, True),
        ({"architectures": ["AForCausalLM"]}, False, True),
        ({"architectures": ["ALMHeadModel"]}, False, True),
        ({"architectures": ["AForCausalLM"], "text_config": {"tie_word_embeddings": True}}, True, True),
        ({"architectures": ["AForCausalLM"], "tie_word_embeddings": True}, True, True),
        ({"architectures": ["AForCausalLM"], "tie_word_embeddings": False}, True, False),
        ({"architectures": ["AForCausalLM"], "tie_word_embeddings": False}, False, False),
        ({"architectures": ["AForCausalLM"]}, True, False),
        ({"architectures": ["AModel"], "tie_word_embeddings": True}, False, False),
        ({}, False, False),
    ],
)
def test_heads_are_tied_as_the_configuration_says(model, config, stored, tied):
    tensors = {"model.embed_tokens.weight": matrix(5, 4), "model.layers.0.weight": matrix(4, 4)}
    if stored:
        tensors["lm_head.weight"] = matrix(5, 4)
    found = list_weights(model(tensors, **config), compare_ties=True)
    assert found[0].tied == (("lm_head.weight",) if tied else ())
    assert len(found) == 2 + (stored and not tied)


def test_values_keep_their_type_and_other_tensors_are_left_out(model):
    tensors = {
        "a.weight": matrix(3, 4).astype(ml_dtypes.bfloat16),
        "b.weight": matrix(3, 4).astype(np.float16),
        "norm.weight": matrix(4),
        "a.bias": matrix(3, 1),
        "vision.weight": matrix(3, 4),
        "ids": np.zeros((3, 4), np.int64),
    }
    folder = model(tensors, quantization_config=None)
    found = {weight.name: read_weight(weight) for weight in list_weights(folder)}
    assert {name: values.dtype.name for name, values in found.items()} == {
        "a.weight": "bfloat16",
        "b.weight": "float16",
    }
    assert all(np.array_equal(values, tensors[name]) for name, values in found.items())
    assert set(stored_tensors(folder)) == set(tensors)


def test_the_whole_file_goes_before_shards(model):
    folder = model({"a.weight": matrix(3, 4)})
    save_file({"a.weight": matrix(3, 4, seed=1)}, folder / "consolidated.safetensors")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a.weight": "none.safetensors"}}')
    (weight,) = list_weights(folder)
    np.testing.assert_array_equal(read_weight(weight), matrix(3, 4))


def test_a_file_is_needed_as_long_as_it_is_read(model):
    folder = model({"a.weight": matrix(3, 4)})
    (weight,) = list_weights(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="model"):
        read_weight(weight)
