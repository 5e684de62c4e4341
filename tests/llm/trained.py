"""The embedded model, for tests that say something of trained weights."""

from __future__ import annotations

import pytest

from bitlaw.llm.embedded import embedded_model_path
from bitlaw.llm.models import LanguageModel, load_model


def trained_model() -> LanguageModel:
    """In float32 on the CPU; skips the test where it is not trained yet, which takes a minute or two."""
    if not (embedded_model_path() / "config.json").exists():
        pytest.skip("the embedded model is not trained yet: bitlaw llm report does it")
    return load_model("embedded", device="cpu", dtype="float32")
