"""Models of unusual shape go all the way from statistics to an audit and an allocation."""

from __future__ import annotations

import pytest
import torch

from bitlaw.llm.allocation import allocate_formats
from bitlaw.llm.audit import audit, model_statistics
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.fisher_bits import fisher_bits
from bitlaw.llm.models import LanguageModel, weight_tensors
from bitlaw.llm.quantise import assign
from bitlaw.llm.reference import build_reference
from bitlaw.llm.text import Sequences
from bitlaw.theory import parse_format

from .unusual import ARCHITECTURES, listed_experts, random_model, random_tokens

FORMAT = parse_format("int6,block=8,scale=absmax:float16")
COARSE = parse_format("int4,block=8,scale=absmax:float16")
PARTS = ("embedding", "decoder", "head")


def of_kind(kind: str) -> LanguageModel:
    if kind not in ARCHITECTURES:
        return listed_experts(unusual=kind == "einsum")
    # Tokens that change their expert jump, which no second order knows of: they go to all three.
    return random_model(
        kind, **{"num_experts_per_tok": 3} if "num_local_experts" in ARCHITECTURES[kind] else {}
    )


@pytest.mark.parametrize("kind", [*ARCHITECTURES, "listed experts", "einsum"])
def test_a_prediction_meets_the_measurement(kind: str) -> None:
    """Six bits are within the second order; a handful of sequences draws Fisher information to a third or so."""
    model, text = of_kind(kind), random_tokens(16, 12)
    statistics, fisher = model_statistics(model), fisher_information(model, text)
    assert fisher.unseen == []
    found = audit(
        model, assign(model.model, FORMAT, parts=PARTS), build_reference(model, text), statistics, fisher
    )
    assert len(found.tensors) == len(list(weight_tensors(model.model)))
    assert 0.5 < found.measured.mean().value / found.predicted_kl < 2


def test_tensors_without_fisher_information_get_the_fewest_bits() -> None:
    model = listed_experts()
    text = Sequences(random_tokens(4, 12).tokens // 4 * 4, "one expert")
    statistics, fisher = model_statistics(model), fisher_information(model, text)
    idle = {f"experts.{number}.weight" for number in (1, 2, 3)}
    assert set(fisher.unseen) == idle
    found = allocate_formats(statistics, fisher, [COARSE, FORMAT], 6.8, parts=PARTS)
    chosen = {tensor.name: tensor for tensor in found.tensors}
    assert all(chosen[name].format == COARSE and chosen[name].kl == 0 for name in idle)
    assert any(tensor.format == FORMAT for tensor in found.tensors)
    widths = fisher_bits(statistics, fisher, 4.0, widths=(2, 3, 4, 5, 6))
    assert all(widths[name] == 2 for name in idle)
    with pytest.raises(ValueError, match=r"experts\.1\.weight: .* all zero, so that the rule has no answer"):
        fisher_bits(statistics, fisher, 4.0)


def test_an_idle_expert_may_be_anything() -> None:
    """Zero Fisher information is right: on this text the weights do not matter."""
    model = listed_experts()
    text = Sequences(random_tokens(4, 12).tokens // 4 * 4, "one expert")
    reference = build_reference(model, text)
    statistics, fisher = model_statistics(model), fisher_information(model, text)
    found = audit(model, {"experts.2.weight": COARSE}, reference, statistics, fisher)
    assert found.predicted_kl == 0
    assert float(found.measured.kl.max()) == pytest.approx(0, abs=1e-12)
    assert torch.equal(fisher.rows("experts.2.weight"), torch.zeros(8, dtype=torch.float64))
