"""Progress bars on standard error, where it is a terminal; silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

__all__ = ["Bar", "Bars", "progress_bars"]


class Bar:
    """One task of known length."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=None)

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        self._progress.update(self._task, completed=done, total=total)


class Bars:
    """Makes bars, one under the other."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def bar(self, what: str) -> Bar:
        """Start a new bar."""
        return Bar(self._progress, what)


@contextmanager
def progress_bars() -> Iterator[Bars]:
    """Bars that vanish at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    silent = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=silent) as progress:
        yield Bars(progress)
