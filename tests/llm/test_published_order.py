"""Families of formats are ordered as the literature has them, on real models, at equal bits.

Orr, Ribar and Luschi (arXiv 2505.12988): entropy-coded formats first, then formats with scales of blocks or with
outliers kept apart, which are codes of variable length in disguise, then codes of fixed length under one scale.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest

from bitlaw.llm.allocation import allocate_formats
from bitlaw.llm.audit import model_statistics
from bitlaw.llm.divergence import Divergence, measure_divergence
from bitlaw.llm.estimates import paired_difference
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.models import LanguageModel, load_model
from bitlaw.llm.quantise import Assignment, assign, quantised
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.text import token_sequences
from bitlaw.theory import parse_format

from ..conftest import shared_path
from .trained import trained_model

# Bits at which families are compared; every family has a format on both sides.
BITS = 4.3
CODED = tuple(f"int12sym,scale=rms:float32,reach=1,multiplier={step},code=entropy" for step in (0.3, 0.15))
BLOCKS = tuple(f"cbrt{width}:normal,block=64,scale=signmax:float16" for width in (4, 5))
SPARSE = tuple(f"cbrt{width}:normal,scale=rms:float32,outliers=0.5%" for width in (4, 5))
FIXED = tuple(f"cbrt{width}:normal,scale=rms:float32" for width in (4, 5))
# Models and numbers of sequences.
EMBEDDED = pytest.param("embedded", 12, id="embedded")
STORIES = pytest.param("stories260K", 12, id="stories260K", marks=pytest.mark.shared)
MORE_STORIES = pytest.param("stories3M-from-int8", 4, id="stories3M", marks=pytest.mark.shared)


@cache
def reference(name: str, count: int) -> tuple[LanguageModel, Reference]:
    if name == "embedded":
        model, text = trained_model(), "standard"
    else:
        model = load_model(shared_path(f"models/{name}"), device="cpu")
        text = str(shared_path("text/tinystories_val"))
    return model, build_reference(
        model, token_sequences(text, model.tokenizer, length=256, count=count), batch=count
    )


def measured(model: LanguageModel, known: Reference, chosen: Assignment) -> tuple[float, Divergence]:
    """Bits stored per element, and the divergence."""
    with quantised(model, chosen) as records:
        bits = sum(record.bits for record in records) / sum(record.elements for record in records)
        return bits, measure_divergence(model, known)


def at_equal_bits(model: LanguageModel, known: Reference, formats: Iterable[str]) -> np.ndarray:
    """KL of each sequence between two formats, log KL being straight in bits."""
    points = []
    for format in formats:
        chosen = assign(model.model, parse_format(format), parts=("embedding", "decoder", "head"))
        bits, found = measured(model, known, chosen)
        points.append((bits, np.log(found.kl.mean(axis=1))))
    (lower, first), (upper, second) = points
    assert lower <= BITS <= upper
    share = (BITS - lower) / (upper - lower)
    return np.exp((1 - share) * first + share * second)[:, None]


@pytest.mark.parametrize(("name", "count"), [EMBEDDED, STORIES, MORE_STORIES])
def test_coded_formats_come_before_blocks_and_sparse_ones_and_those_before_fixed_ones(
    name: str, count: int
) -> None:
    model, known = reference(name, count)
    coded, blocks, sparse, fixed = (at_equal_bits(model, known, f) for f in (CODED, BLOCKS, SPARSE, FIXED))
    better = min(blocks, sparse, key=np.mean)
    assert paired_difference(coded, better).upper < 0
    assert paired_difference(better, fixed).upper < 0


@pytest.mark.parametrize(("name", "count"), [EMBEDDED, STORIES])
@pytest.mark.parametrize("parts", [("decoder",), ("embedding", "decoder", "head")])
def test_an_allocation_is_never_worse_than_one_format_beyond_the_interval(
    name: str, count: int, parts: tuple[str, ...]
) -> None:
    model, known = reference(name, count)
    statistics = model_statistics(model)
    fisher = fisher_information(model, known.sequences, batch=count)
    control = parse_format("int4_g64")
    found = allocate_formats(
        statistics,
        fisher,
        [parse_format(f"int{width}_g64") for width in (2, 3, 4, 5, 6, 8)],
        control,
        parts=parts,  # type: ignore[arg-type]
    )
    assert found.uniform is not None
    assert found.uniform.format == control
    bits, allocated = measured(model, known, found.assignment)
    control_bits, uniform = measured(model, known, found.uniform.assignment)
    assert bits <= control_bits
    assert allocated.less(uniform).lower <= 0
