"""An allocation of formats as plain values, and as people read it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..output import Block, Table, number

if TYPE_CHECKING:
    from bitlaw.llm.model_allocation import ModelAllocation
    from bitlaw.llm.quantise import Assignment
    from bitlaw.llm.workload import Parts

__all__ = ["allocation_blocks", "allocation_record", "published_record"]


def allocation_record(found: ModelAllocation) -> dict[str, Any]:
    """What was chosen, as plain values."""
    control = found.uniform
    elements = sum(one.prediction.elements for one in found.tensors)
    return {
        "bits": found.bits_per_element,
        "bytes": found.bits_per_element * elements / 8,
        "predicted_kl": found.kl,
        "bound": found.bound,
        "gap": found.gap,
        "feasible": list(found.feasible),
        "uniform": None
        if control is None
        else {"format": str(control.format), "bits": control.bits_per_element, "predicted_kl": control.kl},
        "uniform_is_as_good": found.uniform_is_as_good,
        "statement": found.statement,
        "tensors": [
            {
                "name": one.name,
                "format": str(one.format),
                "bits": one.prediction.bits,
                "predicted_r": one.prediction.R,
                "predicted_kl": one.kl,
            }
            for one in found.tensors
        ],
    }


def published_record(assignment: Assignment, shared: Parts) -> dict[str, Any]:
    """What the published rule chose, predicted as the allocation is."""
    from bitlaw.llm.audit import predict_assignment

    found = predict_assignment(assignment, shared.statistics, shared.fisher).values()
    bits = sum(one.bits * one.elements for one, _ in found) / sum(one.elements for one, _ in found)
    return {
        "bits": bits,
        "predicted_kl": sum(kl for _, kl in found),
        "formats": {name: str(format) for name, format in assignment.items()},
    }


def allocation_blocks(record: dict[str, Any]) -> list[Block]:
    """The record for people."""
    lines = [
        (
            one["name"],
            one["format"],
            number(one["bits"], 4),
            number(one["predicted_r"], 4),
            number(one["predicted_kl"], 3),
        )
        for one in record["tensors"]
    ]
    counted = Counter(one["format"] for one in record["tensors"])
    blocks: list[Block] = [
        Table(("tensor", "format", "bits", "R predicted", "KL predicted"), lines, left=("tensor", "format")),
        "; ".join(f"{count} tensors in {format}" for format, count in sorted(counted.items())),
        record["statement"],
    ]
    rule = record["published"]
    if rule is not None:
        told = (
            f"By the published rule: {rule['bits']:.4f} bits, predicted KL {number(rule['predicted_kl'], 4)}"
        )
        if record["predicted_kl"] > 0:
            told += f", {rule['predicted_kl'] / record['predicted_kl']:.3g} times that of the allocation"
        blocks.append(f"{told}.")
    if record["measured"] is not None:
        blocks += record["measured"]["statement"].splitlines()
    return blocks
