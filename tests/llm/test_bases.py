"""Least squared error and least divergence part where largest weights meet the strongest inputs."""

from __future__ import annotations

import pytest
import torch

from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.models import LanguageModel
from bitlaw.llm.quantise import assign, quantised
from bitlaw.llm.reference import build_reference
from bitlaw.llm.text import token_sequences
from bitlaw.theory import parse_format

from .bases import principal_basis, random_basis, rotated
from .trained import trained_model

FREE = parse_format("lloyd3:normal,block=128,scale=absmax:float16")
CLOSED = parse_format("lloyd3:normal:closed,block=128,scale=absmax:float16")


def test_a_rotation_keeps_the_function_and_nothing_else_does(tiny: LanguageModel) -> None:
    tokens = torch.randint(0, 300, (2, 12), generator=torch.Generator().manual_seed(0))
    basis = random_basis(32)
    expected = tiny.model(tokens).logits
    torch.testing.assert_close(rotated(tiny, basis).model(tokens).logits, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(rotated(tiny, 1.01 * basis).model(tokens).logits, expected, atol=1e-3)


@pytest.mark.parametrize("principal", [False, True])
def test_free_ends_lose_in_the_principal_basis_alone(principal: bool) -> None:
    plain = trained_model()
    text = token_sequences("standard", plain.tokenizer, length=256, count=12)
    model = rotated(plain, principal_basis(plain, text.tokens)) if principal else plain
    reference = build_reference(model, text)
    errors, measured = [], []
    for format in (FREE, CLOSED):
        with quantised(model, assign(model.model, format)) as records:
            errors.append(sum(record.squared_error for record in records))
            measured.append(measure_divergence(model, reference))
    assert errors[0] < errors[1]
    difference = measured[0].less(measured[1])
    assert (difference.lower > 0) if principal else (difference.upper < 0)
