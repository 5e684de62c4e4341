"""The page of a report: what was computed, what it shows, and how to read it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bitlaw.theory.tables import TableRow

from .report_data import LeftOut
from .report_fits import FittedData, data_section, fit_facts
from .report_html import bullets, document, heading, image, link, paragraph, section, table
from .report_tables import table_facts, tables_section

if TYPE_CHECKING:
    from bitlaw.paper_figures import RenderedFigure

__all__ = ["GENERATOR", "ReportContent", "page"]

GENERATOR = "bitlaw report"

_LEAD = (
    "Exactly how well a number format can represent a tensor: optimal quantisers of known laws with proofs "
    "of their quality, figures of the literature drawn from exact values, and real tensors whose law "
    "predicts what quantising them costs."
)
_ABOUT_FIGURES = (
    "Figures of papers on quantisation, redrawn from integrals wherever there are any; what is measured on draws "
    "says so and carries error bars."
)


@dataclass(frozen=True)
class ReportContent:
    """Everything that a page shows."""

    lloyd_max: Sequence[TableRow]
    entropy_constrained: Sequence[TableRow]
    figures: Sequence[RenderedFigure]
    fits: Sequence[FittedData]
    left_out: Sequence[LeftOut]
    seconds: dict[str, float]
    versions: dict[str, str]
    files: Sequence[tuple[str, int]]
    made: str


def page(content: ReportContent) -> str:
    """Write the page; pictures are read from their files and become part of it."""
    anchors = {
        "tables": "Tables",
        "figures": "Figures",
        "data": "Real data",
        "reading": "How to read R",
        "run": "Run",
    }
    if not content.figures:
        del anchors["figures"]
    facts = table_facts(content.lloyd_max, content.entropy_constrained) + fit_facts(content.fits)
    parts = [
        f"<header><h1>bitlaw report</h1>{paragraph(_LEAD, 'lead')}",
        f"<nav>{''.join(link(f'#{anchor}', title) for anchor, title in anchors.items())}</nav></header>",
        section("glance", "At a glance", bullets(facts)),
        tables_section(content.lloyd_max, content.entropy_constrained),
        *([_figures_section(content.figures)] if content.figures else []),
        data_section(content.fits, content.left_out),
        _run_section(content),
    ]
    return document("bitlaw report", f"{GENERATOR} {content.versions['bitlaw']}", parts)


def _figures_section(figures: Sequence[RenderedFigure]) -> str:
    from bitlaw.paper_figures import FIGURES

    parts = [paragraph(_ABOUT_FIGURES)]
    for figure in figures:
        about = inspect.getdoc(FIGURES[figure.name]) or ""
        parts += [heading(figure.title), *(paragraph(text) for text in about.replace("`", "").split("\n\n"))]
        links = [link(f"figures/{path.name}", path.suffix[1:].upper()) for path in (figure.png, figure.pdf)]
        caption = f"{figure.paper}. Computed and drawn in {figure.seconds:.1f} s."
        parts.append(image(Path(figure.png).read_bytes(), caption, *links))
    return section("figures", "Figures", *parts)


def _run_section(content: ReportContent) -> str:
    times = [(what, f"{seconds:.1f} s") for what, seconds in content.seconds.items()]
    times.append(("in all", f"{sum(content.seconds.values()):.1f} s"))
    listed = [f"<li>{link(path, path)} ({size:,} bytes)</li>" for path, size in content.files]
    return section(
        "run",
        "Run and files",
        paragraph(
            f"Made by 'bitlaw report' on {content.made}. The same inputs and versions give the same numbers."
        ),
        table(("step", "time"), times),
        table(("what", "version"), list(content.versions.items()), left=(0, 1)),
        heading("Files"),
        f"<ul>{''.join(listed)}</ul>",
    )
