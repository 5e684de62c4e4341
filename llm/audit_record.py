"""Audits as rows of plain numbers, for tables and files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .audit import Audit
from .estimates import paired_difference

__all__ = ["BIT_PARTS", "run_row", "tensor_rows"]

# What the predicted bits are the sum of.
BIT_PARTS = ("element", "scale", "outlier", "codebook")


def run_row(found: Audit) -> dict[str, Any]:
    """Numbers of an audit; R of the whole model weighs tensors by their squares."""
    records = [tensor.record for tensor in found.tensors]
    elements = sum(record.elements for record in records)
    energy = sum(record.elements * record.rms**2 for record in records)
    predicted = sum(t.record.elements * (t.record.rms * t.prediction.R) ** 2 for t in found.tensors)
    measured, kl = found.measured, found.measured.mean()
    change = paired_difference(measured.loss, measured.reference_loss)
    return {
        "bits": sum(record.bits for record in records) / elements,
        "model_bits": found.bits.per_parameter,
        "decoder_bits": found.bits.per_decoder_parameter,
        "predicted_bits": sum(t.prediction.bits * t.record.elements for t in found.tensors) / elements,
        **{f"{name}_bits": _per_element(found, f"{name}_bits") for name in BIT_PARTS},
        "predicted_r": math.sqrt(predicted / energy) if energy else 0.0,
        "r": math.sqrt(sum(record.squared_error for record in records) / energy) if energy else 0.0,
        "median_r_ratio": found.median_ratio,
        "predicted_kl": found.predicted_kl,
        "kl": kl.value,
        "kl_lower": _finite(kl.lower),
        "kl_upper": _finite(kl.upper),
        "kl_standard_error": _finite(kl.standard_error),
        "kl_median": float(np.median(measured.kl)),
        "kl_99": float(np.quantile(measured.kl, 0.99)),
        "noise_floor": found.floor,
        "top_kl": float(measured.top_kl.mean()),
        "loss": float(measured.loss.mean()),
        "loss_change": change.value,
        "loss_change_lower": _finite(change.lower),
        "loss_change_upper": _finite(change.upper),
        "reference_loss": float(measured.reference_loss.mean()),
        "perplexity": measured.perplexity,
        "reference_perplexity": measured.reference_perplexity,
        "same_top": float(measured.same_top.mean()),
        "warnings": list(found.warnings),
    }


def tensor_rows(found: Audit) -> list[dict[str, Any]]:
    """One row for each tensor, in the order of the model."""
    return [
        {
            "name": tensor.record.name,
            "part": tensor.record.part,
            "format": tensor.record.format,
            "elements": tensor.record.elements,
            "rms": tensor.record.rms,
            "bits": tensor.record.bits_per_element,
            "predicted_bits": tensor.prediction.bits,
            "entropy": tensor.record.entropy,
            "r": tensor.record.error,
            "gain": tensor.record.gain,
            "predicted_r": tensor.prediction.R,
            "predicted_kl": tensor.kl,
        }
        for tensor in found.tensors
    ]


def _per_element(found: Audit, name: str) -> float:
    """Mean over elements of what the tensors' predictions say."""
    elements = sum(tensor.record.elements for tensor in found.tensors)
    return float(sum(getattr(t.prediction, name) * t.record.elements for t in found.tensors)) / elements


def _finite(value: float) -> float | None:
    """None for what an interval of a single sequence does not tell."""
    return value if math.isfinite(value) else None
