"""Encoding and decoding against numpy's and torch's searches, and against a copy of the same data."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import torch

from bitlaw.theory import Normal, ScalarQuantiser, compand
from tests.benchmarks.timing import seconds

TITLE = "Encoding: nanoseconds a value, all cores"
SIZE = 1 << 24
# numpy's and torch's searches are timed on fewer values: they take 20 to 100 times as long.
SEARCHED = 1 << 21
DTYPES = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)
LEVELS = (16, 256, 4096, 65536)


def run() -> list[dict[str, Any]]:
    """One row per type and number of codepoints."""
    x = np.random.default_rng(0).standard_normal(SIZE)
    quantisers = [compand(Normal(), levels) for levels in LEVELS]
    rows = []
    for dtype in DTYPES:
        values = x.astype(dtype)
        copy = seconds(lambda values=values: values.copy())
        rows += [_row(quantiser, values, copy) for quantiser in quantisers]
    return rows


def _row(quantiser: ScalarQuantiser, values: np.ndarray, copy: float) -> dict[str, Any]:
    few = values[:SEARCHED]
    thresholds = quantiser.thresholds.astype(values.dtype)
    index = quantiser.encode(values)
    row = {
        "dtype": values.dtype.name,
        "codepoints": quantiser.levels,
        "encode": seconds(lambda: quantiser.encode(values)) / SIZE,
        "copy": copy / SIZE,
        "numpy.searchsorted": None,
        "torch.bucketize": None,
        "decode": seconds(lambda: quantiser.decode(index, values.dtype)) / SIZE,
        "numpy.take": seconds(lambda: np.take(quantiser.codepoints, index[:SEARCHED])) / SEARCHED,
    }
    if values.dtype.itemsize > 2:
        searched = thresholds.searchsorted(few)
        tensor, borders = torch.from_numpy(few), torch.from_numpy(thresholds)
        row["numpy.searchsorted"] = seconds(lambda: thresholds.searchsorted(few), 2) / SEARCHED
        row["torch.bucketize"] = seconds(lambda: torch.bucketize(tensor, borders), 2) / SEARCHED
        # The three answer the same question (float32 thresholds are rounded for numpy and torch).
        assert np.mean(searched == index[:SEARCHED]) > 0.99
        assert np.array_equal(torch.bucketize(tensor, borders).numpy(), searched)
    return {key: round(1e9 * value, 2) if isinstance(value, float) else value for key, value in row.items()}
