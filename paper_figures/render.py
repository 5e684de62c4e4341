"""Figures to files: PNG and PDF whose bytes depend on the numbers alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .style import settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FigureModule", "RenderedFigure", "render_all"]

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
) -> list[RenderedFigure]:
    """Render named figures in turn; see `render`."""
    wanted = list(names)
    unknown = [name for name in wanted if name not in figures]
    if unknown:
        raise ValueError(f"names must be figures ({', '.join(figures)}), got {', '.join(map(repr, unknown))}")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    rendered: list[RenderedFigure] = []
    for name in wanted:
        rendered.append(_render_one(name, figures[name], target))
        if progress is not None:
            progress(rendered[-1])
    return rendered


def _render_one(name: str, module: FigureModule, folder: Path) -> RenderedFigure:
    start = time.perf_counter()
    figure = module.draw(module.compute())
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    with settings():
        figure.savefig(png, metadata=_PNG)
        figure.savefig(pdf, metadata=_PDF)
    return RenderedFigure(name, module.title, module.paper, png, pdf, time.perf_counter() - start)
