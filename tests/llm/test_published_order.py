"""Families of formats are ordered as the literature has them, on real models, at equal bits.

Orr, Ribar and Luschi (arXiv 2505.12988): entropy-coded formats first, then formats with scales of blocks or with
outliers kept apart, which are codes of variable length in disguise, then codes of fixed length under one scale.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from bitlaw.llm.allocation import allocate_formats
from bitlaw.llm.divergence import Divergence, measure_divergence
from bitlaw.llm.estimates import paired_difference
from bitlaw.llm.models import Part
from bitlaw.llm.quantise import Assignment, assign, quantised
from bitlaw.theory import Format, parse_format

from .trained import MODELS, Known, known

# Bits at which families are compared; every family has a format on both sides.
BITS = 4.3
CODED = tuple(f"int12sym,scale=rms:float32,reach=1,multiplier={step},code=entropy" for step in (0.3, 0.15))
BLOCKS = tuple(f"cbrt{width}:normal,block=64,scale=signmax:float16" for width in (4, 5))
SPARSE = tuple(f"cbrt{width}:normal,scale=rms:float32,outliers=0.5%" for width in (4, 5))
FIXED = tuple(f"cbrt{width}:normal,scale=rms:float32" for width in (4, 5))
DECODER: tuple[Part, ...] = ("decoder",)
ALL: tuple[Part, ...] = ("embedding", "decoder", "head")
# Share of the uniform format's KL that an allocation may be worse by, with the interval's end: what 0.035 bit make.
MARGIN = 0.05


def measured(of: Known, chosen: Assignment) -> tuple[float, Divergence]:
    """Bits stored per element, and the divergence."""
    with quantised(of.model, chosen) as records:
        bits = sum(record.bits for record in records) / sum(record.elements for record in records)
        return bits, measure_divergence(of.model, of.reference)


def at_equal_bits(of: Known, formats: Iterable[str]) -> np.ndarray:
    """KL of each sequence between two formats, log KL being straight in bits."""
    points = []
    for format in formats:
        bits, found = measured(of, assign(of.model.model, parse_format(format), parts=ALL))
        points.append((bits, np.log(found.kl.mean(axis=1))))
    (lower, first), (upper, second) = points
    assert lower <= BITS <= upper
    share = (BITS - lower) / (upper - lower)
    return np.exp((1 - share) * first + share * second)[:, None]


@pytest.mark.parametrize("name", MODELS)
def test_coded_formats_come_before_blocks_and_sparse_ones_and_those_before_fixed_ones(name: str) -> None:
    of = known(name)
    coded, blocks, sparse, fixed = (at_equal_bits(of, formats) for formats in (CODED, BLOCKS, SPARSE, FIXED))
    better = min(blocks, sparse, key=np.mean)
    assert paired_difference(coded, better).upper < 0
    assert paired_difference(better, fixed).upper < 0


def allocated(of: Known, parts: tuple[Part, ...]) -> tuple[dict[str, Format], dict[str, Format]]:
    """Formats of a budget, and the one format that has it all."""
    candidates = [parse_format(f"int{width}_g64") for width in (2, 3, 4, 5, 6, 8)]
    control = parse_format("int4_g64")
    found = allocate_formats(of.statistics, of.fisher, candidates, control, parts=parts)
    assert found.uniform is not None
    assert found.uniform.format == control
    return dict(found.assignment), dict(found.uniform.assignment)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("embedded", DECODER),
        ("embedded", ALL),
        pytest.param("stories260K", ALL, marks=pytest.mark.shared),
        pytest.param("stories3M-from-int8", DECODER, marks=pytest.mark.shared),
    ],
)
def test_an_allocation_is_not_worse_than_one_format(name: str, parts: tuple[Part, ...]) -> None:
    of = known(name)
    chosen, control = allocated(of, parts)
    bits, kl = measured(of, chosen)
    control_bits, uniform = measured(of, control)
    assert bits <= control_bits
    assert kl.less(uniform).upper < MARGIN * uniform.kl.mean()
    if name == "embedded":
        assert kl.less(uniform).upper < -0.25 * uniform.kl.mean()


def test_formats_given_to_the_wrong_tensors_are_seen_to_be_worse() -> None:
    of = known("embedded")
    chosen, control = allocated(of, DECODER)
    # The bits of the tensors that gain most from them go to those that gain least; sizes of kinds are kept.
    by_size: dict[int, list[str]] = {}
    for name in chosen:
        by_size.setdefault(of.statistics[name].elements, []).append(name)
    swapped = {}
    for names in by_size.values():
        ordered = sorted(names, key=lambda name: str(chosen[name]))
        swapped |= {name: chosen[other] for name, other in zip(ordered, ordered[::-1], strict=True)}
    bits, kl = measured(of, swapped)
    assert bits == pytest.approx(measured(of, chosen)[0], rel=1e-3)
    uniform = measured(of, control)[1]
    assert kl.less(uniform).lower > MARGIN * uniform.kl.mean()
