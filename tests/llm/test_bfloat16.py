"""On a trained model in 16 bits, R and KL are as predicted, the noise of the arithmetic told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bitlaw.llm.audit import audit, model_statistics
from bitlaw.llm.fisher import Fisher, fisher_information
from bitlaw.llm.models import LanguageModel, load_model
from bitlaw.llm.noise_floor import noise_floor
from bitlaw.llm.quantise import assign
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.statistics import TensorStatistics
from bitlaw.llm.tensor_prediction import predict_tensor
from bitlaw.llm.text import token_sequences
from bitlaw.theory import parse_format

from .trained import trained_model

Known = tuple[LanguageModel, Reference, dict[str, TensorStatistics], Fisher]

# Eight bits are as coarse as bfloat16, scales that are powers of two restore its own numbers, and five are coarser.
FORMATS = ("int8_g32", "mxfp6", "int5_g64")


@pytest.fixture(scope="module", params=["bfloat16", "float16"])
def known(request: pytest.FixtureRequest) -> Known:
    trained_model()
    model = load_model("embedded", device="cpu", dtype=request.param)
    sequences = token_sequences("standard", model.tokenizer, length=128, count=8)
    fisher = fisher_information(model, sequences, keep="rows")
    return model, build_reference(model, sequences), model_statistics(model), fisher


@pytest.mark.parametrize("spec", FORMATS)
def test_models_in_sixteen_bits_are_predicted(known: Known, spec: str) -> None:
    model, reference, statistics, fisher = known
    coarse = model.model.dtype == torch.bfloat16
    assignment = assign(model.model, parse_format(spec), parts=("embedding", "decoder", "head"))
    found = audit(model, assignment, reference, statistics, fisher)
    assert found.median_ratio == pytest.approx(1, abs=0.012)
    kl, floor = float(found.measured.kl.mean()), found.floor or 0.0
    assert found.predicted_kl + floor == pytest.approx(kl, rel=0.25)
    near = coarse and spec == "int8_g32"
    assert any("near the noise floor of the arithmetic" in words for words in found.warnings) == near
    assert not any("errors are correlated" in words for words in found.warnings)
    # A control: without the floor eight bits would be far off.
    assert (kl > 1.4 * found.predicted_kl) == near


def test_without_the_rounding_of_what_is_restored_eight_bits_would_be_predicted_too_well(
    known: Known,
) -> None:
    _, _, statistics, _ = known
    format, longer = parse_format("int8_g32"), 0.0
    some = list(statistics.values())[:6]
    for one in some:
        longer += predict_tensor(format, one).R / predict_tensor(format, replace(one, dtype="float32")).R
    if some[0].dtype == "bfloat16":
        assert longer / len(some) == pytest.approx(1.05, abs=0.02)
    else:
        assert longer / len(some) == pytest.approx(1, abs=0.005)


def test_the_floor_is_about_four_squared_roundings(known: Known) -> None:
    model, reference, _, _ = known
    rounding = torch.finfo(model.model.dtype).eps / 2
    found = float(noise_floor(model, reference.first(4)).kl.mean())
    assert 1 < found / rounding**2 < 8
