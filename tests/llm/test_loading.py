"""Models whose files are damaged, short of something, or no model: each is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bitlaw.llm.loading import check_finite
from bitlaw.llm.models import load_model

NAME = "model.layers.0.mlp.up_proj.weight"


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the small model, to be damaged."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Let a change be made to the weights on the disk."""
    path = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    change(tensors)
    path.unlink()
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_named(folder: Path, value: float) -> None:
    rewrite(folder, lambda tensors: tensors[NAME][3].fill_(value))
    with pytest.raises(ValueError, match=f"{NAME}: a weight is NaN or infinite"):
        load_model(folder, device="cpu")


def test_every_type_is_checked_for_finite_weights() -> None:
    model = torch.nn.Linear(3, 2).to(torch.bfloat16)
    check_finite(model)
    model.bias.data[1] = float("nan")
    with pytest.raises(ValueError, match="bias: a weight is NaN or infinite"):
        check_finite(model)


def test_a_weight_that_is_missing_is_not_made_up(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rewrite(folder, lambda tensors: tensors.pop(NAME))
    with pytest.raises(ValueError, match=f"the files hold no {NAME}, which the configuration wants"):
        load_model(folder, device="cpu")
    assert "MISSING" not in capfd.readouterr().err


def test_a_weight_of_another_shape_is_named(folder: Path) -> None:
    rewrite(folder, lambda tensors: tensors.update({NAME: torch.zeros(5, 7)}))
    with pytest.raises(ValueError, match=rf"{NAME} has shape \(5, 7\) in the files, but .* wants \(80, 32\)"):
        load_model(folder, device="cpu")


@pytest.mark.parametrize("kept", [0, 5, 5000])
def test_a_file_that_is_cut_off_is_told(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[:kept])
    with pytest.raises(ValueError, match=r"model: a \.safetensors file is truncated or damaged"):
        load_model(folder, device="cpu")


def test_a_folder_without_weights_is_told(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"transformers cannot read this folder: .*model\.safetensors"):
        load_model(folder, device="cpu")


def test_a_tokenizer_that_is_missing_or_damaged_is_told(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"x":')
    with pytest.raises(ValueError, match=r"model: no tokenizer that transformers can read .* lies beside"):
        load_model(folder, device="cpu")
    for path in folder.glob("*token*"):
        path.unlink()
    with pytest.raises(ValueError, match=r"model: no tokenizer that transformers can read .* lies beside"):
        load_model(folder, device="cpu")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "abacus"}, "not a causal language model that transformers knows: .*`abacus`"),
        ({"model_type": "resnet"}, "not a causal language model that transformers knows: .*'resnet'"),
        (
            {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}},
            "needs code that lies beside it, and such code is not run",
        ),
    ],
)
def test_a_configuration_of_something_else_is_told(folder: Path, config: object, reason: str) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('this was run')")
    with pytest.raises(ValueError, match=reason) as caught:
        load_model(folder, device="cpu")
    assert len(str(caught.value)) < 600


def test_names_that_cannot_be_models_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name of a model must not be empty"):
        load_model("")
    (tmp_path / "file").write_text("words")
    with pytest.raises(ValueError, match="file: is a file, the folder of a model was expected"):
        load_model(tmp_path / "file")
