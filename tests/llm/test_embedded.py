"""The embedded model: the same every time, whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bitlaw.llm.embedded import Recipe, embedded_model_folder, train_embedded_model
from bitlaw.llm.standard_text import standard_documents

from .conftest import RECIPE


def test_two_trainings_give_the_same_weights_and_leave_the_global_generator_alone(
    tiny_folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    train_embedded_model(tmp_path, RECIPE)
    assert torch.equal(torch.rand(4), expected)
    first, second = (load_file(folder / "model.safetensors") for folder in (tiny_folder, tmp_path))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights(tiny_folder: Path, tmp_path: Path) -> None:
    other = Recipe(**{**vars(RECIPE), "seed": 1})
    train_embedded_model(tmp_path, other)
    first, second = (load_file(folder / "model.safetensors") for folder in (tiny_folder, tmp_path))
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_a_cached_model_is_not_trained_again(tiny_folder: Path) -> None:
    def refuse(step: int, loss: float) -> None:
        raise AssertionError("trained again")

    assert embedded_model_folder(RECIPE, tiny_folder.parent, refuse) == tiny_folder


def test_an_interrupted_training_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(step: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedded_model_folder(RECIPE, tmp_path, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_training_learns(tmp_path: Path) -> None:
    losses: list[float] = []
    recipe = Recipe(**{**vars(RECIPE), "steps": 30, "warmup": 3, "batch": 4})
    train_embedded_model(tmp_path, recipe, lambda step, loss: losses.append(loss))
    assert sum(losses[-5:]) / 5 < losses[0] - 0.5


def test_no_held_out_document_is_trained_on() -> None:
    train, test = standard_documents("train"), standard_documents("test")
    assert not set(train) & set(test)
    assert len(test) > len(train) / 12


def test_an_unknown_part_of_the_text_is_refused() -> None:
    with pytest.raises(ValueError, match="part must be 'train' or 'test', got 'dev'"):
        standard_documents("dev")
