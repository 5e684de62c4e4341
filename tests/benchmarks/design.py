"""Design of Lloyd-Max and entropy-constrained quantisers, warm and in a fresh process."""

import subprocess
import sys
import time

import numpy as np

from bitlaw.theory import Laplace, Normal, StudentT, compand, entropy_constrained, lloyd_max
from tests.benchmarks.timing import seconds
from tests.naive import lloyd_iteration

TITLE = "Design of one quantiser: Newton against Lloyd's iteration (to 1e-6 of the codepoints)"

COLD = """
import time
start = time.perf_counter()
from bitlaw.theory import Normal, lloyd_max
imported = time.perf_counter()
lloyd_max(Normal(), {levels})
print(imported - start, time.perf_counter() - imported)
"""


def lloyd_seconds(source, levels):
    """Time and steps of Lloyd's iteration from the cube-root start; cut off after 20,000 steps."""
    target = lloyd_max(source, levels).codepoints
    q, steps, start = compand(source, levels).codepoints, 0, time.perf_counter()
    while np.max(np.abs(q - target)) > 1e-6 and steps < 20_000:
        q, steps = lloyd_iteration(source, q, 100), steps + 100
    return time.perf_counter() - start, steps


def cold(levels):
    """Import and first design in a new process (compiled kernels may come from the cache)."""
    out = subprocess.run(
        [sys.executable, "-c", COLD.format(levels=levels)], capture_output=True, text=True, check=True
    ).stdout.split()
    return float(out[0]), float(out[1])


def run():
    """Rows of the table."""
    rows = []
    for levels in (16, 256, 4096):
        imported, first = cold(levels)
        rows.append(
            {"design": "Lloyd-Max, new process", "levels": levels, "import s": imported, "ms": first * 1e3}
        )
    for source in (Normal(), Laplace(), StudentT(5)):
        for levels in (16, 256, 4096):
            row = {
                "design": f"Lloyd-Max, {source}",
                "levels": levels,
                "ms": 1e3 * seconds(lambda: lloyd_max(source, levels)),  # noqa: B023
                "steps": lloyd_max(source, levels).design.iterations,
            }
            if levels == 16:
                slow, steps = lloyd_seconds(source, levels)
                row |= {"Lloyd's iteration ms": slow * 1e3, "its steps": steps}
            rows.append(row)
        for rate in (2.0, 6.0):
            rows.append(
                {
                    "design": f"entropy-constrained, {source}",
                    "levels": f"{rate:g} bit",
                    "ms": 1e3 * seconds(lambda: entropy_constrained(source, rate=rate), repeats=3),  # noqa: B023
                }
            )
    return rows
