"""How benchmarks take time: the best of several runs, which other work on the machine disturbs least."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["seconds", "timed"]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one run, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def seconds(work: Callable[[], Any], repeats: int = 5) -> float:
    """Fewest seconds of several runs, after one that is not counted (compilation, first touch of memory)."""
    work()
    return min(timed(work)[0] for _ in range(repeats))
