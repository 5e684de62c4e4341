"""Second moments of activations go to files and come back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bitlaw.llm.activation_files import load_activations, save_activations
from bitlaw.llm.activations import Activations, activation_moments
from bitlaw.llm.models import LanguageModel, weight_tensors
from bitlaw.llm.text import Sequences
from bitlaw.llm.weighted_codebook import weighted_codebook
from bitlaw.theory import parse_format

from .unusual import random_model, random_tokens


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("kind", ["gpt2", "mixtral"])
def test_moments_come_back_as_they_were(tmp_path: Path, kind: str, full: bool) -> None:
    found = activation_moments(random_model(kind), random_tokens(3, 12), full=full)
    save_activations(found, tmp_path / "moments.safetensors")
    again = load_activations(tmp_path / "moments.safetensors")
    assert list(again.tokens.items()) == list(found.tokens.items())
    assert set(again.moments) == set(found.moments)
    assert all(torch.equal(again.moments[name], value) for name, value in found.moments.items())


def test_what_was_left_out_comes_back(tmp_path: Path) -> None:
    save_activations(Activations({"w": torch.ones(3)}, {"w": [4]}, ("conv",)), tmp_path / "a")
    assert load_activations(tmp_path / "a").left_out == ("conv",)


def test_moments_of_a_file_weight_codebooks(
    tiny: LanguageModel, sequences: Sequences, tmp_path: Path
) -> None:
    found = activation_moments(tiny, sequences)
    save_activations(found, tmp_path / "a")
    tensors = [w for w in weight_tensors(tiny.model) if w.part == "decoder"][:2]
    format = parse_format("int3,block=16,scale=absmax:float32")
    read, kept = (
        weighted_codebook(tensors, moments, format, 8)
        for moments in (load_activations(tmp_path / "a").moments, found.moments)
    )
    assert read == kept


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(ValueError, match="not a file of activation moments"):
        load_activations(path)
    save_file({"w": torch.ones(2)}, path, {"tokens": "3", "left_out": "[]", "unit": "position"})
    with pytest.raises(ValueError, match=r"a\.safetensors: not a file of activation moments"):
        load_activations(path)
    save_activations(Activations({"w": torch.ones(300)}, {"w": [4]}), path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"a\.safetensors: damaged"):
        load_activations(path)
