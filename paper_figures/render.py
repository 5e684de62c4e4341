"""Figures to files: PNG and PDF whose bytes depend on the numbers alone."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .style import settings
from .workers import grouped, render_shared

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FigureModule", "RenderedFigure", "render_all", "render_one"]

_FEW = 4  # figures below which starting another process costs more than it saves

# Dates and versions would make every file differ from the last.
_PNG = {"Software": None}
_PDF = {"CreationDate": None, "Producer": None, "Creator": None}


class FigureModule(Protocol):
    """A module that holds one figure."""

    title: str
    paper: str

    def compute(self) -> Any:
        """Return the numbers, remembered within a process."""

    def draw(self, data: Any) -> Figure:
        """Draw the numbers."""


@dataclass(frozen=True)
class RenderedFigure:
    """Files of a figure, and the seconds that computing, drawing and writing took."""

    name: str
    title: str
    paper: str
    png: Path
    pdf: Path
    seconds: float


def render_all(
    figures: Mapping[str, FigureModule],
    names: Iterable[str],
    folder: str | PathLike[str],
    progress: Callable[[RenderedFigure], object] | None,
    processes: int | None = 1,
) -> list[RenderedFigure]:
    """Render named figures; see `render`.  More than one process needs the figures of this package."""
    wanted = list(names)
    unknown = [name for name in wanted if name not in figures]
    if unknown:
        raise ValueError(f"names must be figures ({', '.join(figures)}), got {', '.join(map(repr, unknown))}")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    rendered: dict[str, RenderedFigure] = {}

    def report(figure: RenderedFigure) -> None:
        rendered[figure.name] = figure
        if progress is not None:
            progress(figure)

    unique = list(dict.fromkeys(wanted))
    count = min(_processes(processes, len(unique)), len(unique))
    render_shared(
        grouped(figures, unique), target, count, lambda name: render_one(name, figures[name], target), report
    )
    return [rendered[name] for name in wanted]


def _processes(wanted: int | None, figures: int) -> int:
    """How many processes to use: as many as asked for, or one for each processor if there are figures enough."""
    if wanted is None:
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return available if figures >= _FEW and sys.executable else 1
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise TypeError(f"processes must be an integer or None, got {wanted!r}")
    if wanted < 1:
        raise ValueError(f"processes must be at least 1, got {wanted}")
    return wanted


def render_one(name: str, module: FigureModule, folder: Path) -> RenderedFigure:
    """Compute, draw and write one figure."""
    start = time.perf_counter()
    figure = module.draw(module.compute())
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    with settings():
        figure.savefig(png, metadata=_PNG)
        figure.savefig(pdf, metadata=_PDF)
    return RenderedFigure(name, module.title, module.paper, png, pdf, time.perf_counter() - start)
