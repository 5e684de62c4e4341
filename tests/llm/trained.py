"""Models that were trained, and what is known of them before anything is quantised; built once in a process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pytest

from bitlaw.llm.audit import model_statistics
from bitlaw.llm.embedded import embedded_model_path
from bitlaw.llm.fisher import Fisher, fisher_information
from bitlaw.llm.models import LanguageModel, load_model
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.statistics import TensorStatistics
from bitlaw.llm.text import token_sequences

from ..conftest import shared_path

# Sequences of 256 tokens by model; the embedded one is always there, the others where material lies beside the
# repository.
SEQUENCES = {"embedded": 12, "stories260K": 12, "stories3M-from-int8": 4}
MODELS = (
    "embedded",
    *(pytest.param(name, marks=pytest.mark.shared) for name in ("stories260K", "stories3M-from-int8")),
)


def trained_model() -> LanguageModel:
    """The embedded model in float32 on the CPU; skips the test where it is not trained yet, which takes minutes."""
    if not (embedded_model_path() / "config.json").exists():
        pytest.skip("the embedded model is not trained yet: bitlaw llm report does it")
    return load_model("embedded", device="cpu", dtype="float32")


@cache
def real_model(name: str) -> LanguageModel:
    """A model of `MODELS`; skips the test where it is absent."""
    if name == "embedded":
        return trained_model()
    return load_model(shared_path(f"models/{name}"), device="cpu", dtype="float32")


@dataclass(frozen=True, eq=False)
class Known:
    """A model, and what is predicted from and measured against."""

    model: LanguageModel
    reference: Reference
    statistics: dict[str, TensorStatistics]
    fisher: Fisher


@cache
def known(name: str) -> Known:
    """A model of `MODELS` with its text, all that is known of it made from its own weights."""
    model = real_model(name)
    text = "standard" if name == "embedded" else shared_path("text/tinystories_val/tinystories_val.txt")
    sequences = token_sequences(str(text), model.tokenizer, length=256, count=SEQUENCES[name])
    reference = build_reference(model, sequences, batch=4)
    return Known(model, reference, model_statistics(model), fisher_information(model, sequences, batch=4))
