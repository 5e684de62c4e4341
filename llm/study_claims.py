"""Runs that a study takes on while another one with the same work folder is under way: no run is done by both.

A run is claimed by a lock on a file of its own in the work folder, which the operating system gives back when a
program ends, in whatever way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .study_config import Run

__all__ = ["claimed_runs", "one_at_a_time"]


def claimed_runs(
    missing: Mapping[str, Run], present: Callable[[], set[str]], folder: Path
) -> Iterator[tuple[str, Run]]:
    """Runs one by one, each held until the next is asked for; those that others hold come last.

    Parameters
    ----------
    missing : mapping of str to Run
        By fingerprint.
    present : callable
        Fingerprints of the runs that are in the results by now; these are left out.
    folder : path
        Of the locks; made where it is missing.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held_by_others: list[tuple[str, Run]] = []
    for runs, patience in ((list(missing.items()), 0), (held_by_others, -1)):
        for key, run in runs:
            lock = FileLock(folder / f"{key}.lock")
            try:
                lock.acquire(timeout=patience)
            except Timeout:
                held_by_others.append((key, run))
                continue
            try:
                if key not in present():
                    yield key, run
            finally:
                lock.release()


@contextmanager
def one_at_a_time(folder: Path, tell: Callable[[str], object]) -> Iterator[None]:
    """Wait until no other study is within, which is told."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "shared.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell("waiting for another study on the same work folder")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
