"""How benchmarks take time: the best of several runs, which other work on the machine disturbs least; and where."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["device_name", "devices", "seconds", "timed"]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one run, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def seconds(work: Callable[[], Any], repeats: int = 5) -> float:
    """Fewest seconds of several runs, after one that is not counted (compilation, first touch of memory)."""
    work()
    return min(timed(work)[0] for _ in range(repeats))


def devices(asked: str) -> list[str]:
    """`cpu`, `cuda`, or for `auto` the CPU and a GPU where there is one."""
    import torch

    if asked == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU here")
    return ["cpu"] + ["cuda"] * torch.cuda.is_available() if asked == "auto" else [asked]


def device_name(device: str) -> str:
    """What torch calls a GPU, and for the CPU its model and how many threads torch uses."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    """Model of the processor where Linux tells it, its architecture elsewhere."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
