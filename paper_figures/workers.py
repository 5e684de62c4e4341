"""Figures drawn by several processes at once, each with one figure or a few that share numbers.

A worker is this module run by the interpreter: names come in by lines, and one line of JSON goes back for each
figure.  Nothing of the calling program is run again, as it would be by `multiprocessing` in a script without a
guard.  A figure that a worker fails on is left to the caller, who meets the same error where it can be read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from .render import FigureModule, RenderedFigure

__all__ = ["grouped", "render_shared", "serve"]

Report = Callable[["RenderedFigure"], None]


def grouped(figures: Mapping[str, FigureModule], names: Sequence[str]) -> list[list[str]]:
    """Names that share numbers (modules with the same `numbers`) together, in order of appearance."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(getattr(figures[name], "numbers", name), []).append(name)
    return list(groups.values())


def render_shared(
    groups: Sequence[Sequence[str]],
    folder: Path,
    processes: int,
    here: Callable[[str], RenderedFigure],
    report: Report,
) -> None:
    """Render groups of names: this process by `here`, the others by workers; `report` is called by one at a time."""
    waiting: SimpleQueue[Sequence[str]] = SimpleQueue()
    for group in groups:
        waiting.put(group)
    failed: list[str] = []
    lock = threading.Lock()

    def tell(figure: RenderedFigure) -> None:
        with lock:
            report(figure)

    threads = [
        threading.Thread(target=_feed, args=(folder, waiting, tell, failed), daemon=True)
        for _ in range(processes - 1)
    ]
    for thread in threads:
        thread.start()
    try:
        for group in _taken(waiting):
            for name in group:
                tell(here(name))
    finally:
        list(_taken(waiting))  # after an error nobody is to go on
        for thread in threads:
            thread.join()
    for name in failed:
        tell(here(name))


def _taken(waiting: SimpleQueue[Sequence[str]]) -> Iterator[Sequence[str]]:
    while True:
        try:
            yield waiting.get_nowait()
        except Empty:
            return


def _feed(folder: Path, waiting: SimpleQueue[Sequence[str]], tell: Report, failed: list[str]) -> None:
    """Keep one worker busy; names it does not answer are added to the failed ones."""
    with _worker(folder) as (names, answers):
        for group in _taken(waiting):
            for done, name in enumerate(group):
                figure = _ask(names, answers, name)
                if figure is None:  # the worker has died of it
                    failed += group[done:]
                    return
                tell(figure)


def _ask(names: IO[str], answers: IO[str], name: str) -> RenderedFigure | None:
    from .render import RenderedFigure

    try:
        print(name, file=names, flush=True)
        record = json.loads(answers.readline())
    except (OSError, ValueError):
        return None
    return RenderedFigure(**{**record, "png": Path(record["png"]), "pdf": Path(record["pdf"])})


@contextmanager
def _worker(folder: Path) -> Iterator[tuple[IO[str], IO[str]]]:
    code = f"from {__package__}.workers import serve; serve({os.fspath(folder)!r})"
    path = os.pathsep.join(part or os.getcwd() for part in sys.path)
    environment = {**os.environ, "PYTHONPATH": path}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code],
        text=True,
        env=environment,
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdin, process.stdout
        finally:
            process.stdin.close()


def serve(folder: str) -> None:
    """Render the figures named by the lines of standard input; one line of JSON each."""
    from . import FIGURES
    from .render import render_one

    answers = sys.stdout
    sys.stdout = sys.stderr  # nothing else may come between the answers
    for line in sys.stdin:
        name = line.strip()
        figure = render_one(name, FIGURES[name], Path(folder))
        record = {**vars(figure), "png": str(figure.png), "pdf": str(figure.pdf)}
        print(json.dumps(record), file=answers, flush=True)
