"""On models that were trained, R and KL are as predicted from statistics and Fisher information."""

from __future__ import annotations

import numpy as np
import pytest

from bitlaw.llm.audit import model_statistics, predict_assignment
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.fisher import Fisher, fisher_information
from bitlaw.llm.models import LanguageModel, load_model
from bitlaw.llm.quantise import assign, quantised
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.statistics import TensorStatistics
from bitlaw.llm.text import token_sequences
from bitlaw.theory import parse_format

from ..conftest import shared_path
from .trained import trained_model

Known = tuple[LanguageModel, Reference, dict[str, TensorStatistics], Fisher]

FORMATS = (
    "nf4",
    "mxfp4",
    "nvfp4",
    "q4_k",
    "fp8_e4m3",
    "int6,block=tensor",
    "nf4,block=channel",
    "int5,block=channel,outliers=1%",
    "int6,block=tensor,outliers=0.5%",
    "int5,block=64,outliers=>3",
    "int5,block=32,rotation=hadamard",
    "int5,block=8x8",
)
# Rows of 64 and of 172 take no other rotation; KL is above 0.05 in four bits.
FEW = ("mxfp6", "fp8_e4m3", "int6,block=tensor,outliers=0.5%", "int6_g64", "int4,block=64,outliers=1%")


def known(model: LanguageModel, text: object, count: int) -> Known:
    sequences = token_sequences(text, model.tokenizer, length=256, count=count)
    fisher = fisher_information(model, sequences)
    return model, build_reference(model, sequences), model_statistics(model), fisher


@pytest.fixture(scope="module")
def embedded() -> Known:
    return known(trained_model(), "standard", 16)


@pytest.fixture(scope="module", params=["stories260K", "stories3M-from-int8"])
def real(request: pytest.FixtureRequest) -> Known:
    model = load_model(shared_path(f"models/{request.param}"), device="cpu", dtype="float32")
    return known(model, shared_path("text/tinystories_val/tinystories_val.txt"), 8)


def ratios(of: Known, spec: str) -> tuple[list[float], float, float]:
    """Measured over predicted R of all tensors, measured KL and predicted KL."""
    model, reference, statistics, fisher = of
    assignment = assign(model.model, parse_format(spec), parts=("embedding", "decoder", "head"))
    predicted = predict_assignment(assignment, statistics, fisher)
    with quantised(model, assignment) as records:
        kl = float(measure_divergence(model, reference).kl.mean())
    found = [record.error / predicted[record.name][0].R for record in records]
    return found, kl, sum(part for _, part in predicted.values())


def assert_predicted(of: Known, spec: str) -> list[float]:
    found, kl, predicted = ratios(of, spec)
    assert np.median(found) == pytest.approx(1, abs=0.03)
    if kl < 0.05:
        assert predicted == pytest.approx(kl, rel=0.25)
    return found


@pytest.mark.parametrize("spec", FORMATS)
def test_the_embedded_model_is_predicted(embedded: Known, spec: str) -> None:
    found = assert_predicted(embedded, spec)
    # Nine tensors of ten lie within 5%: the median is no lucky one.
    assert np.mean(np.abs(np.log(found)) < 0.05) > 0.9


@pytest.mark.shared
@pytest.mark.parametrize("spec", FEW)
def test_real_models_are_predicted(real: Known, spec: str) -> None:
    assert_predicted(real, spec)


@pytest.mark.shared
def test_weights_that_came_from_eight_bits_are_no_draws_of_a_smooth_law() -> None:
    model = load_model(shared_path("models/stories3M-from-int8"), device="cpu", dtype="float32")
    text = shared_path("text/tinystories_val/tinystories_val.txt")
    found, _, _ = ratios(known(model, text, 1), "q8_0")
    assert np.median(found) < 0.8
