"""Peak memory of passes over a model that is larger than memory would allow to hold twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.timing import device_name, devices

TITLE = "Peak memory beyond that of the libraries, over the bytes of a model's weights"
# 304 million weights in float32, 1.2 GB.
LAYERS, WIDTH = 6, 2048
TASKS = (
    "load",
    "quantise and restore",
    "KL divergence",
    "KL divergence of a second copy",
    "statistics, streamed",
    "quantised copy, streamed",
    "Fisher information by rows",
    "Fisher information, diagonal",
)
# What streams tensors does so on the CPU.
STREAMED = ("statistics, streamed", "quantised copy, streamed")
# A process that may hold so many times the weights audits the model, but cannot hold it twice.
LIMIT = 1.5
LIMITED = ("audit", "KL divergence of a second copy")

_SAVE = "from pathlib import Path; from tests.benchmarks._memory_task import save; save(Path({!r}), {}, {})"


def run(device: str = "auto") -> list[dict[str, Any]]:
    """Each task in a process of its own, and two under a limit of memory (on the CPU that needs Linux)."""
    chosen = [one for one in devices(device) if one != "cpu" or Path("/proc/self/status").exists()]
    if not chosen:
        return [{"what": "needs Linux, which tells how much memory a process has held"}]
    with tempfile.TemporaryDirectory() as folder:
        _python("-c", _SAVE.format(folder, LAYERS, WIDTH), check=True)
        return [row for one in chosen for row in _on(one, folder)]


def _on(device: str, folder: str) -> list[dict[str, Any]]:
    tasks = [task for task in TASKS if device == "cpu" or task not in STREAMED]
    rows = [_measured(device, folder, task) for task in tasks]
    return rows + [_measured(device, folder, task, LIMIT) for task in LIMITED]


def _measured(device: str, folder: str, task: str, limit: float | None = None) -> dict[str, Any]:
    words = [] if limit is None else [str(limit)]
    done = _python("-m", "tests.benchmarks._memory_task", folder, task, device, *words, check=limit is None)
    told = task if limit is None else f"{task}, {limit:g} times the weights allowed"
    row: dict[str, Any] = {"device": device_name(device), "what": told}
    if done.returncode:
        if "memory" not in done.stderr:
            raise RuntimeError(f"{task}: {done.stderr[-2000:]}")
        return row | {"outcome": "out of memory"}
    found = json.loads(done.stdout.splitlines()[-1])
    held = found["peak"] - found["before"]
    return row | {
        "outcome": "done",
        "peak, GB": held / 1e9,
        "over the weights": held / found["weights"],
        "seconds": found["seconds"],
        "CPU": found["cpu"],
    }


def _python(*words: str, check: bool) -> subprocess.CompletedProcess[str]:
    """A process whose threads share one pool of memory, and which must end well if `check` says so."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, check=False
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return done
