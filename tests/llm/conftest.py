"""A model of a few thousand weights, trained for two steps, in the form that every real one has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from bitlaw.llm.embedded import Recipe, embedded_model_folder
from bitlaw.llm.models import LanguageModel, load_model
from bitlaw.llm.study import Outcome
from bitlaw.llm.text import Sequences, token_sequences
from bitlaw.paper_figures.model_study import ModelStudy

from .constructed import real_study
from .studies import carry_out, small

RECIPE = Recipe(
    vocabulary=300, hidden=32, layers=2, heads=2, key_value_heads=1, context=64, steps=2, batch=2, sequence=16
)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return embedded_model_folder(RECIPE, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> LanguageModel:
    return load_model(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def sequences(tiny: LanguageModel) -> Sequences:
    return token_sequences("standard", tiny.tokenizer, length=24, count=10)


@pytest.fixture(scope="session")
def finished(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a study that went through."""
    folder = tmp_path_factory.mktemp("study")
    outcome, rows = carry_out(small(tiny_folder), folder)
    assert (outcome, len(rows)) == (Outcome(3, 0, ()), 3)
    return folder


@pytest.fixture(scope="session")
def whole_study(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelStudy:
    """Two formats on all tensors, a budget by each rule, and both kinds of Fisher information."""
    return real_study(tiny_folder, tmp_path_factory.mktemp("parts"))
