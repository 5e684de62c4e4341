"""What became of a format that was fitted to a model: errors, divergences, and how people read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from bitlaw.theory.formats import Format, storage

from ..output import Block, Table, number

if TYPE_CHECKING:
    import torch

    from bitlaw.llm.models import WeightTensor
    from bitlaw.llm.workload import Opened

    Step = Callable[[str, int, int], None]
    Weights = Mapping[str, torch.Tensor]

__all__ = ["design_blocks", "measured_record", "tensor_record"]


def tensor_record(tensor: WeightTensor, weights: Weights, before: Format, after: Format) -> dict[str, Any]:
    """One tensor, in the format as it was and as it is now."""
    from bitlaw.llm.weighted_codebook import weighted_error

    return {
        "name": tensor.name,
        "format": str(after),
        "codebook_bits": storage(after, tuple(tensor.parameter.shape)).codebook,
        "multiplier": after.scale.multiplier,
        "error": weighted_error(tensor, weights, after),
        "error_of": weighted_error(tensor, weights, before),
    }


def measured_record(
    opened: Opened, before: Format, after: Mapping[str, Format], step: Step
) -> dict[str, Any]:
    """KL divergence of both on the same sequences."""
    from bitlaw.llm.divergence import measure_divergence
    from bitlaw.llm.quantise import quantised
    from bitlaw.llm.reference import build_reference

    model = opened.language_model
    reference = build_reference(
        model, opened.sequences, batch=opened.workload.batch, progress=partial(step, "reference")
    )
    found = []
    for assignment in (after, dict.fromkeys(after, before)):
        with quantised(model, assignment):
            found.append(measure_divergence(model, reference, progress=partial(step, "measuring")))
    difference = found[0].less(found[1])
    return {
        "kl": float(found[0].kl.mean()),
        "kl_of": float(found[1].kl.mean()),
        "difference": difference.value,
        "interval": None if difference.sequences == 1 else [difference.lower, difference.upper],
    }


def design_blocks(record: dict[str, Any]) -> list[Block]:
    """The record for people."""
    lines = [
        (
            row["name"],
            number(row["multiplier"], 4) if isinstance(row["multiplier"], float) else row["multiplier"],
            number(row["error_of"], 4),
            number(row["error"], 4),
            f"{row['error'] / row['error_of']:.4f}" if row["error_of"] else "-",
        )
        for row in record["tensors"]
    ]
    titles = ("tensor", "multiplier", "weighted error before", "after", "ratio")
    blocks: list[Block] = [Table(titles, lines, left=("tensor",))]
    if record["error_of"]:
        blocks.append(
            f"weighted by {record['weights']}: {record['error'] / record['error_of']:.4f} of the error "
            f"of {record['of']}"
        )
    if record["codebook_bits"]:
        blocks.append(f"codebooks take {number(record['codebook_bits'], 3)} bits for each weight")
    if record["format"] is not None:
        blocks.append(f"one format for all: {record['format']}")
    if record["measured"] is not None:
        blocks.append(_verdict(record["measured"]))
    return blocks


def _verdict(measured: dict[str, Any]) -> str:
    told = f"measured KL {number(measured['kl'], 4)}, {number(measured['kl_of'], 4)} before"
    if measured["interval"] is None:
        return f"{told}; one sequence has no interval"
    lower, upper = measured["interval"]
    words = "lower" if upper < 0 else "higher" if lower > 0 else "no difference beyond the interval"
    interval = f"[{number(lower, 4)}, {number(upper, 4)}]"
    return f"{told}: {words} (difference {number(measured['difference'], 4)} {interval}, 95%)"
