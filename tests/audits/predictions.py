"""Predictions against simulations of 2^22 values: `python -m tests.audits.predictions [COMBINATIONS] [VALUES]`.

The same combinations as in tests/formats/test_prediction_audit.py, drawn first to last, with 32 times as many
values.  Prints every combination beyond four standard errors, and how the distances are spread.
"""

import sys
import time

import numpy as np
from hypothesis import given, settings

from bitlaw.theory.formats.predictions.prediction import predict

from ..formats.audit import combinations, compare


def run(count, values):
    """Distances of R and entropy in standard errors, and the relative standard error of R, for each."""
    rows = []

    @settings(max_examples=count, deadline=None, derandomize=True, database=None)
    @given(combinations())
    def audit(combination):
        found = compare(combination, predict, elements=values)
        rows.append((found.error, found.entropy, found.error_spread))
        if max(abs(found.error), abs(found.entropy)) > 4:
            print(f"{found.error:+.2f} {found.entropy:+.2f} {combination}", flush=True)
        if len(rows) % 25 == 0:
            print(f"{len(rows)} combinations, {time.process_time():.0f} s of CPU", flush=True)

    audit()
    return np.array(rows)


def report(rows):
    """Print how the distances are spread."""
    for name, distance in (("R", rows[:, 0]), ("entropy", rows[:, 1])):
        print(
            f"{name}: {len(rows)} combinations, largest distance {np.abs(distance).max():.2f} standard errors, "
            f"mean {distance.mean():+.3f}, root mean square {np.sqrt(np.mean(distance**2)):.3f}, "
            f"{np.count_nonzero(np.abs(distance) > 4)} beyond four"
        )
    print(f"median standard error of R: {np.median(rows[:, 2]):.2%}, least {rows[:, 2].min():.2%}")


if __name__ == "__main__":
    asked = [int(text) for text in sys.argv[1:]]
    report(run(*(asked + [300, 1 << 22][len(asked) :])))
