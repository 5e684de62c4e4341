"""Trellis encoding: speed against what it buys, by number of states and by width of the window."""

from __future__ import annotations

from typing import Any

import numpy as np

from bitlaw.theory import Laplace, Normal, Source, StudentT
from bitlaw.theory.quantisers import entropy_constrained_trellis, measure, shift_trellis, trellis_coded
from bitlaw.theory.quantisers.trellises.codes import STATES
from tests.benchmarks.timing import seconds

TITLE = "Trellises: million values encoded a second on all cores, and the gap to the bound in bits"
LENGTH = 1024
WINDOWS = (8, 10, 12, 14, 16)
RATES = (0.5, 1.0, 2.0, 4.0)
SOURCES = {"Gaussian": Normal(), "Laplace": Laplace(), "Student-t(5)": StudentT(5)}
# Values in a timing: a tenth of a second of work at 256 states, done often, which other work disturbs least.
TIMED, REPEATS = 1 << 20, 20
MEASURED = 1 << 18


def run() -> list[dict[str, Any]]:
    """Fixed rate by states and by window, then entropy-constrained by law and rate."""
    rows = [_fixed(states) for states in STATES]
    rows += [_window(window) for window in WINDOWS]
    for name, source in SOURCES.items():
        rows += [_entropy(name, source, rate, states) for rate in RATES for states in (8, 256)]
    return rows


def _row(kind: str, law: str, size: int, quantiser: Any, source: Source, timed: int, measured: int) -> dict:
    x = np.random.default_rng(0).permutation(source.ppf((np.arange(timed) + 0.5) / timed))
    x = x.reshape(-1, LENGTH)
    speed = timed / seconds(lambda: quantiser.encode(x), REPEATS if timed == TIMED else 2) / 1e6
    found = measure(quantiser, source, samples=measured)
    return {
        "kind": kind,
        "law": law,
        "states": size,
        "million/s": speed,
        "rate": found.rate,
        "distortion": found.distortion,
        "dB": found.snr_db,
        "gap": found.shannon_gap_bits,
        "+-": found.gap_error,
    }


def _fixed(states: int) -> dict[str, Any]:
    quantiser = trellis_coded(Normal(), 2, states=states)
    return _row("fixed rate", "Gaussian", states, quantiser, Normal(), TIMED, MEASURED)


def _window(window: int) -> dict[str, Any]:
    quantiser = shift_trellis(Normal(), 2, window=window)
    values = min(TIMED, 1 << (32 - window))
    return _row("bit shift", "Gaussian", 2 ** (window - 2), quantiser, Normal(), values, max(values, 1 << 16))


def _entropy(law: str, source: Source, rate: float, states: int) -> dict[str, Any]:
    quantiser = entropy_constrained_trellis(source, rate=rate, states=states)
    return _row("entropy", law, states, quantiser, source, TIMED, MEASURED)
