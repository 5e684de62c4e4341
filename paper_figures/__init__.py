"""Figures of the literature, drawn from exact values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike

from . import (
    beyond_scalar,
    block_cube_root,
    block_density,
    block_layouts,
    block_maximum,
    block_optimum,
    block_size,
    codepoint_spacing,
    error_against_bits,
    exponent_bits,
    format_gaps,
    gap_to_bound,
    high_resolution,
    moment_matching,
    normal_cube_root,
    other_formats,
    power_sweep,
    practical_compression,
    rate_distortion,
    scale_bits,
    water_filling,
)
from .render import FigureModule, RenderedFigure, render_all

__all__ = ["FIGURES", "FigureModule", "RenderedFigure", "render"]

FIGURES: dict[str, FigureModule] = {
    "normal_cube_root": normal_cube_root,
    "codepoint_spacing": codepoint_spacing,
    "power_sweep": power_sweep,
    "rate_distortion": rate_distortion,
    "gap_to_bound": gap_to_bound,
    "high_resolution": high_resolution,
    "beyond_scalar": beyond_scalar,
    "water_filling": water_filling,
    "block_cube_root": block_cube_root,
    "block_maximum": block_maximum,
    "block_layouts": block_layouts,
    "block_density": block_density,
    "moment_matching": moment_matching,
    "block_optimum": block_optimum,
    "error_against_bits": error_against_bits,
    "block_size": block_size,
    "other_formats": other_formats,
    "exponent_bits": exponent_bits,
    "scale_bits": scale_bits,
    "practical_compression": practical_compression,
    "format_gaps": format_gaps,
}


def render(
    names: Iterable[str],
    folder: str | PathLike[str],
    progress: Callable[[RenderedFigure], object] | None = None,
    processes: int | None = None,
) -> list[RenderedFigure]:
    """Compute, draw and write figures as PNG and PDF.

    Parameters
    ----------
    names : iterable of str
        Keys of `FIGURES`, in the order to render.
    folder : path
        Where the files go; made where it is missing.  Files of the same name are replaced.
    progress : callable, optional
        Called with each `RenderedFigure` when it is written, in whatever order they are finished.
    processes : int, >= 1, optional
        Number of processes that share the work; one for each processor when left out, or one alone for fewer
        than four figures.

    Returns
    -------
    list of RenderedFigure
        One for each name.  The same numbers give the same bytes.

    Raises
    ------
    ValueError
        If a name is unknown, or processes is less than 1; nothing is rendered then.
    TypeError
        If processes is no integer.
    ImportError
        If matplotlib is not installed (it comes with the extra `figures`).
    """
    return render_all(FIGURES, names, folder, progress, processes)
