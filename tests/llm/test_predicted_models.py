"""On models that were trained, R and KL of whole models are as predicted from statistics and Fisher information."""

from __future__ import annotations

import numpy as np
import pytest

from bitlaw.llm.audit import predict_assignment
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.quantise import assign, quantised
from bitlaw.theory import parse_format

from .trained import Known, known

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
# Of models whose KL is above 0.05 in four bits.
FEW = ("mxfp6", "fp8_e4m3", "int6,block=tensor,outliers=0.5%", "int6_g64")


def ratios(of: Known, spec: str) -> tuple[list[float], float, float]:
    """Measured over predicted R of all tensors, measured KL and predicted KL."""
    assignment = assign(of.model.model, parse_format(spec), parts=("embedding", "decoder", "head"))
    predicted = predict_assignment(assignment, of.statistics, of.fisher)
    with quantised(of.model, assignment) as records:
        kl = float(measure_divergence(of.model, of.reference).kl.mean())
    found = [record.error / predicted[record.name][0].R for record in records]
    return found, kl, sum(part for _, part in predicted.values())


def assert_predicted(of: Known, spec: str) -> list[float]:
    found, kl, predicted = ratios(of, spec)
    assert np.median(found) == pytest.approx(1, abs=0.03)
    assert kl < 0.05, "too large to be predicted"
    assert predicted == pytest.approx(kl, rel=0.25)
    return found


@pytest.mark.parametrize("spec", FORMATS)
def test_the_embedded_model_is_predicted(spec: str) -> None:
    found = assert_predicted(known("embedded"), spec)
    # Nine tensors of ten lie within 5%: the median is no lucky one.
    assert np.mean(np.abs(np.log(found)) < 0.05) > 0.9


@pytest.mark.shared
@pytest.mark.parametrize("name", ["stories260K", "stories3M-from-int8"])
@pytest.mark.parametrize("spec", FEW)
def test_real_models_are_predicted(name: str, spec: str) -> None:
    assert_predicted(known(name), spec)
