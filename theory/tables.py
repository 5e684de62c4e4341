"""Certified tables: optimal quantisers of the named families, each row with its proof of quality.

A row states what was found (codepoints, distortion, entropy), how well the conditions of optimality hold
(residual, status), why it is the global optimum (certificate), and how far the Shannon lower bound lies below
it.  Lloyd-Max quantisers of log-concave laws are optimal by theorem; those of other laws are certified by
dynamic programming, up to a number of levels.

Rows are independent of each other and are shared between processes.  The catch of that is the usual one: a
script that asks for several must guard its main part with `if __name__ == "__main__":`.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from ._arguments import check_levels, check_positive
from .limits import shannon_lower_bound
from .limits.shannon import shannon_lower_bound_rate
from .quantisers import ScalarQuantiser, entropy_constrained, evaluate, lloyd_max
from .source_names import source_name
from .sources import GeneralisedNormal, Laplace, Logistic, Normal, Source, StudentT, Uniform

__all__ = [
    "TABLE_LEVELS",
    "TABLE_RATES",
    "TABLE_SOURCES",
    "TableRow",
    "describe",
    "entropy_constrained_table",
    "lloyd_max_table",
]

TABLE_SOURCES: tuple[Source, ...] = (
    Normal(),
    Laplace(),
    Logistic(),
    Uniform(),
    *(StudentT(df) for df in (3.0, 4.0, 5.0, 7.0, 10.0)),
    *(GeneralisedNormal(beta) for beta in (0.5, 1.5, 4.0)),
)
TABLE_LEVELS: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 64, 128, 256)
TABLE_RATES: tuple[float, ...] = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)

# Certificates of laws that are not log-concave cost 512 atoms a level: a tenth of a second at this many.
_MOST_CERTIFIED = 256
# Codebooks that a row's dictionary spells out; heavy tails at a given entropy have tens of thousands.
_MOST_LISTED = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class TableRow:
    """One quantiser on one source, with what it costs and what bounds it.

    Attributes
    ----------
    source : Source
    quantiser : ScalarQuantiser
        Its `.design` holds method, status, residual and certificate.
    rate : float
        Bits an index costs: log2 of the levels, or the entropy for a quantiser that an entropy code follows.
    distortion : float
        Mean squared error.
    entropy : float
        Entropy of the index in bits.
    snr_db : float
        10 log10(variance / distortion).
    shannon_lower_bound : float
        Distortion that no code of `rate` bits falls below; 0 where the source has no density.
    gap_bits : float
        `rate` less the Shannon bound on the rate at this distortion; infinite where there is no bound.
    """

    source: Source
    quantiser: ScalarQuantiser
    rate: float
    distortion: float
    entropy: float
    snr_db: float
    shannon_lower_bound: float
    gap_bits: float

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; codepoints and thresholds of over 256 levels become None."""
        listed = self.quantiser.levels <= _MOST_LISTED
        row = self.to_flat_dict()
        row["codepoints"] = self.quantiser.codepoints.tolist() if listed else None
        row["thresholds"] = self.quantiser.thresholds.tolist() if listed else None
        return row

    def to_flat_dict(self) -> dict[str, Any]:
        """Numbers and text alone, for a line of CSV; what is not finite becomes None."""
        design = self.quantiser.design
        return {
            "source": source_name(self.source),
            **self.numbers(),
            "slope": _finite(design.slope) if design else None,
            "residual": _finite(design.residual) if design else None,
            "status": design.status if design else "given",
            "certificate": design.certificate if design else "none",
        }

    def numbers(self) -> dict[str, Any]:
        """Performance alone, by name; what is not finite becomes None."""
        return {
            "levels": self.quantiser.levels,
            "rate": self.rate,
            "distortion": self.distortion,
            "relative_error": self.relative_error,
            "snr_db": _finite(self.snr_db),
            "entropy": self.entropy,
            "shannon_lower_bound": self.shannon_lower_bound,
            "gap_bits": _finite(self.gap_bits),
        }

    @property
    def relative_error(self) -> float:
        """R: root-mean-square error over the root mean square of the source."""
        return math.sqrt(self.distortion) / math.hypot(self.source.std, self.source.mean)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def describe(quantiser: ScalarQuantiser, source: Source, *, entropy_coded: bool) -> TableRow:
    """Evaluate a quantiser and set the Shannon lower bound beside it.

    Parameters
    ----------
    quantiser : ScalarQuantiser
    source : Source
    entropy_coded : bool
        Whether an index costs the entropy, or log2 of the levels.

    Returns
    -------
    TableRow

    Raises
    ------
    TypeError
        If quantiser or source are none.

    Examples
    --------
    >>> from bitlaw.theory import Normal, lloyd_max
    >>> row = describe(lloyd_max(Normal(), 4), Normal(), entropy_coded=False)
    >>> row.rate, f"{row.distortion:.7f}", row.shannon_lower_bound, f"{row.gap_bits:.4f}"
    (2.0, '0.1174818', 0.0625, '0.4553')
    """
    found = evaluate(quantiser, source)
    rate = found.entropy if entropy_coded else found.rate
    bounded = not source.discrete and found.distortion > 0
    return TableRow(
        source=source,
        quantiser=quantiser,
        rate=rate,
        distortion=found.distortion,
        entropy=found.entropy,
        snr_db=found.snr_db,
        shannon_lower_bound=shannon_lower_bound(source, rate),
        gap_bits=rate - shannon_lower_bound_rate(source, found.distortion) if bounded else math.inf,
    )


def lloyd_max_table(
    sources: Sequence[Source] = TABLE_SOURCES,
    levels: Iterable[int] = TABLE_LEVELS,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[TableRow]:
    """Certified Lloyd-Max quantisers of every source at every number of levels.

    Parameters
    ----------
    sources : sequence of Source
        Laws of the named families.
    levels : iterable of int, 2 to 65,536
    workers : int >= 1
        Processes that share the work; 1 computes in this one.
    progress : callable, optional
        Called with the number of rows done and the number of rows in all.

    Returns
    -------
    list of TableRow
        Source by source.  Laws that are not log-concave carry the bracket proved by dynamic programming up
        to 256 levels, and "local minimum" above.

    Raises
    ------
    TypeError, ValueError
        For impossible levels or workers.

    Examples
    --------
    >>> from bitlaw.theory import Laplace, Normal
    >>> [f"{row.distortion:.6f}" for row in lloyd_max_table([Normal(), Laplace()], [2, 4])]
    ['0.363380', '0.117482', '0.500000', '0.176195']
    """
    sizes = [check_levels(size) for size in levels]
    return _rows(_lloyd_max_row, [(source, size) for source in sources for size in sizes], workers, progress)


def entropy_constrained_table(
    sources: Sequence[Source] = TABLE_SOURCES,
    rates: Iterable[float] = TABLE_RATES,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[TableRow]:
    """Entropy-constrained quantisers of every source at every rate.

    Parameters
    ----------
    sources, workers, progress
        As for `lloyd_max_table`.
    rates : iterable of float, 0.01 to 12 bits

    Returns
    -------
    list of TableRow
        Source by source; `design.residual` bounds the error of the threshold conditions and of the rate.

    Raises
    ------
    TypeError, ValueError
        For impossible rates or workers.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> [f"{row.distortion:.6f}" for row in entropy_constrained_table([Normal()], [1.0, 2.0])]
    ['0.348261', '0.088923']
    """
    wanted = [check_positive("rate", rate) for rate in rates]
    tasks = [(source, rate) for source in sources for rate in wanted]
    return _rows(_entropy_constrained_row, tasks, workers, progress)


def _lloyd_max_row(task: tuple[Source, int]) -> TableRow:
    source, levels = task
    certify = not source.log_concave and levels <= _MOST_CERTIFIED
    return describe(lloyd_max(source, levels, certify=certify), source, entropy_coded=False)


def _entropy_constrained_row(task: tuple[Source, float]) -> TableRow:
    source, rate = task
    return describe(entropy_constrained(source, rate=rate), source, entropy_coded=True)


def _rows(
    compute: Callable[[Any], TableRow], tasks: list[Any], workers: int, progress: Progress | None
) -> list[TableRow]:
    """Rows in the order of the tasks, reported as they come in."""
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise TypeError(f"workers must be an integer, got {workers!r}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if workers == 1 or len(tasks) < 2:
        return _collected(map(compute, tasks), len(tasks), progress)
    with _interrupts_ignored():  # fresh interpreters, as a fork of a process with threads can hang
        pool = get_context("spawn").Pool(min(workers, len(tasks)))
    with pool:  # at the end, or at an interrupt, its processes are stopped
        return _collected(pool.imap(compute, tasks), len(tasks), progress)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let processes that are started here inherit that an interrupt is their parent's to handle."""
    if threading.current_thread() is not threading.main_thread():  # handlers are the main thread's alone
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _collected(rows: Iterator[TableRow], total: int, progress: Progress | None) -> list[TableRow]:
    done = []
    for row in rows:
        done.append(row)
        if progress is not None:
            progress(len(done), total)
    return done
