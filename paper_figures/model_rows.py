"""Formats of a model in rows, one series beside another: the numbers and the picture that several figures share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model_panels import Compared, row_panels, scaled
from .model_results import ModelResults
from .model_study import ModelStudy
from .style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Rows", "Series", "compute_rows", "draw_rows", "formats_of"]

# Format of each row, by series; the longest series has all rows.
Series = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Rows:
    """Scaled numbers by series and row."""

    results: ModelResults
    series: dict[str, dict[str, Compared]]


def formats_of(series: Series) -> tuple[str, ...]:
    """All formats, each once."""
    return tuple(dict.fromkeys(text for rows in series.values() for text in rows.values()))


def compute_rows(study: ModelStudy, series: Series) -> Rows:
    """Scaled KL and R of all formats.

    Raises
    ------
    NotInStudy
        If the study lacks one of them.
    """
    runs = study.results.need(formats_of(series))
    found = {name: {row: scaled(runs[text]) for row, text in rows.items()} for name, rows in series.items()}
    return Rows(study.results, found)


@styled
def draw_rows(data: Rows) -> Figure:
    """KL and R across, rows below each other."""
    rows = max((tuple(rows) for rows in data.series.values()), key=len)
    figure, _ = row_panels(data.results, data.series, rows)
    return figure
