"""Statistics of a tensor as plain values, for files."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import numpy as np

from ..theory.source_names import parse_source, source_name
from .histogram import Histogram
from .law_fits import FamilyFit
from .statistics import BlockMaxima, TensorStatistics

__all__ = ["read_statistics", "statistics_record"]

_ARRAYS = ("row_rms", "row_kurtosis", "row_largest", "column_rms")
_FITS = ("fits", "whole_fits")


def statistics_record(statistics: TensorStatistics) -> dict[str, Any]:
    """Statistics as values that JSON holds; a law is its name and its spread, and NaN is None."""
    record = {field.name: getattr(statistics, field.name) for field in fields(TensorStatistics)}
    record |= {name: [_or_none(x) for x in record[name].tolist()] for name in _ARRAYS}
    record |= {name: [_fit_record(fit) for fit in record[name]] for name in _FITS}
    return record | {
        "shape": list(statistics.shape),
        "kurtosis": _or_none(statistics.kurtosis),
        "histogram": statistics.histogram.counts.tolist(),
        "blocks": {str(size): asdict(found) for size, found in statistics.blocks.items()},
    }


def read_statistics(record: dict[str, Any]) -> TensorStatistics:
    """Inverse of `statistics_record`, to the last bit; records without a type of the weights are of float32."""
    found = record | {name: np.array(record[name], dtype=np.float64) for name in _ARRAYS}
    found |= {name: tuple(_read_fit(fit) for fit in record[name]) for name in _FITS}
    found |= {
        "shape": tuple(record["shape"]),
        "kurtosis": float("nan") if record["kurtosis"] is None else record["kurtosis"],
        "histogram": Histogram(np.array(record["histogram"], dtype=np.int64)),
        "blocks": {int(size): BlockMaxima(**kept) for size, kept in record["blocks"].items()},
    }
    return TensorStatistics(**found)


def _or_none(value: float) -> float | None:
    return None if value != value else value


def _fit_record(fit: FamilyFit) -> dict[str, Any]:
    record = {field.name: getattr(fit, field.name) for field in fields(FamilyFit)}
    return record | {"source": {"name": source_name(fit.source), "std": float(fit.source.std)}}


def _read_fit(record: dict[str, Any]) -> FamilyFit:
    source = parse_source(record["source"]["name"], record["source"]["std"])
    return FamilyFit(**record | {"source": source})
