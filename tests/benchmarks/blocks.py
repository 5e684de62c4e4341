"""Encoding and decoding blocks, scale included, beside torch's usual way and a copy of the same data."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bitlaw.theory.formats.codecs.encoding import decode, encode
from bitlaw.theory.formats.codecs.plan import plan_of
from bitlaw.theory.formats.spec import parse_format
from tests.benchmarks.timing import seconds

TITLE = "Blocks of float32: nanoseconds an element, all cores (cpu: of all cores together)"
SIZE = 1 << 26
# The usual way and bitsandbytes are timed on fewer elements: they take 20 to 100 times as long.
FEW = 1 << 22
FORMATS = (
    "int4,block=128",
    "nf4,block=128",
    "nf4",
    "mxfp4",
    "nvfp4",
    "q4_0",
    "q4_k",
    "int8,block=128",
    "fp8_e4m3",
    "int4,block=128x128",
    "int4,block=128,scale=rms",
)


def run(size: int = SIZE) -> list[dict[str, Any]]:
    """One row per format, after copies of the same array."""
    x = np.random.default_rng(0).standard_normal(size, dtype=np.float32).reshape(-1, 4096)
    tensor = torch.from_numpy(x)
    copies = {
        "copy, numpy": _row(size, lambda: x.copy(), 8),
        "copy, torch, all cores": _row(size, lambda: tensor.clone(), 8),
    }
    rows = [{"what": what} | row for what, row in copies.items()]
    fastest = max(row["GB/s"] for row in copies.values())
    for name in FORMATS:
        rows += [row | {"of copy": row["GB/s"] / fastest} for row in _format_rows(name, x)]
    return [*rows, *_bitsandbytes_rows(tensor)]


def _row(size: int, work: Callable[[], Any], moved: float) -> dict[str, Any]:
    """Time of one piece of work on `size` elements, and bytes moved for each of them by the second."""
    elapsed = seconds(work)
    start = time.process_time()
    work()
    cpu = time.process_time() - start
    return {"ns": 1e9 * elapsed / size, "cpu": 1e9 * cpu / size, "GB/s": 1e-9 * moved * size / elapsed}


def _format_rows(name: str, x: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    format = parse_format(name)
    encoded = encode(format, x)
    stored = encoded.codes.itemsize + 4 * encoded.scales.size / x.size
    few = x[: max(1, FEW // x.shape[1])]
    usual = seconds(lambda: _usual(format, few), 2) / few.size
    found = [
        (f"encode {name}", _row(x.size, lambda: encode(format, x), 4 + stored)),
        (f"decode {name}", _row(x.size, lambda: decode(encoded), 4 + stored)),
    ]
    return [
        {"what": what} | row | {"torch ns": 1e9 * usual, "times": 1e9 * usual / row["ns"]}
        for what, row in found
    ]


def _usual(format: Any, x: np.ndarray[Any, Any]) -> torch.Tensor:
    """Quantise as torch code usually does: amax, divide, bucketize, gather.

    Scales are not rounded, and two-dimensional blocks and whole tensors are taken as runs of as many elements.
    """
    plan = plan_of(format, x.shape, np.dtype(np.float32))
    size = min(plan.blocks.height * plan.blocks.width, x.size)
    quantiser = format.element.quantiser(format.scale.statistic, size)
    codepoints = torch.tensor(quantiser.codepoints, dtype=torch.float32)
    thresholds = torch.tensor(quantiser.thresholds, dtype=torch.float32)
    blocks = torch.from_numpy(x).reshape(-1, size)
    scale = blocks.abs().amax(dim=1, keepdim=True) / abs(plan.scaler.reach)
    return codepoints[torch.bucketize(blocks / scale, thresholds)] * scale


def _bitsandbytes_rows(tensor: torch.Tensor) -> list[dict[str, Any]]:
    """NF4 of bitsandbytes on the CPU, where it is installed."""
    if importlib.util.find_spec("bitsandbytes") is None:
        return []
    from bitsandbytes import functional

    few = tensor.reshape(-1)[:FEW]
    codes, state = functional.quantize_4bit(few, blocksize=64, quant_type="nf4")
    return [
        {"what": "encode nf4, bitsandbytes"}
        | _row(few.numel(), lambda: functional.quantize_4bit(few, blocksize=64, quant_type="nf4"), 4.5625),
        {"what": "decode nf4, bitsandbytes"}
        | _row(few.numel(), lambda: functional.dequantize_4bit(codes, state), 4.5625),
    ]
