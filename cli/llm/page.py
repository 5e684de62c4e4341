"""The report of a model as a page and as Markdown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..output import Block, Table
from ..report_html import details, document, files, paragraph, section, table
from .chart import divergence_chart, error_chart

__all__ = ["FILES", "check_folder", "markdown", "page"]

GENERATOR = "bitlaw llm report"
FILES = ("index.html", "report.md", "report.json", "tensors.csv")

_MARK = f'content="{GENERATOR}'

_LEAD = (
    "What number formats do to a language model: predicted from statistics of its weights and Fisher information, "
    "then done, and measured on text."
)
_READING = (
    "R is the root-mean-square change of a weight over the weights' root mean square. It is predicted from the law "
    "fitted to the weights. KL is the Kullback-Leibler divergence of the model's next-token distributions from "
    "the reference's, over the whole vocabulary; it is predicted as half the sum of Fisher information times squared "
    "change. The interval comes from the spread between sequences. Fisher information is itself estimated from as "
    "many sequences, and the quadratic form holds for small divergences. The noise floor is the divergence that the "
    "arithmetic shows by itself, when one weight of twelve moves by its last bit: it is in every divergence, and no "
    "error of the format."
)


def check_folder(path: str, names: Sequence[str]) -> Path:
    """Folder that may be written to: new, or without these files unless an earlier run wrote its page."""
    folder = Path(path)
    above = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not above.is_dir():
        raise UsageError(f"--output {path}: {above} is a file, a folder was expected")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"--output {path}: no permission to write there")
    index = folder / "index.html"
    if not (index.is_file() and _MARK in index.read_text(encoding="utf-8", errors="replace")):
        for name in names:
            if (folder / name).exists():
                raise UsageError(
                    f"--output {path}: {name} exists and bitlaw did not write it; choose another folder"
                )
    return folder


def page(record: dict[str, Any], blocks: Sequence[Block]) -> str:
    """A page that needs nothing from outside."""
    words = [paragraph(line) for block in blocks if isinstance(block, str) for line in block.splitlines()]
    tables = [block for block in blocks if isinstance(block, Table)]
    charts = divergence_chart(record["formats"]), error_chart(record["formats"], record["tensors"])
    audit = [_table(tables[1]), charts[0], _table(tables[0]), charts[1]]
    parts = [
        f"<header><h1>bitlaw llm report: {_plain(record['model'])}</h1>{paragraph(_LEAD, 'lead')}</header>",
        section("audit", "Predicted and measured", *words, *audit, paragraph(_READING)),
        section("tensors", "Tensors", *(details(one.title, _table(one)) for one in tables[2:])),
        files(*FILES[1:]),
    ]
    return document("bitlaw llm report", f"{GENERATOR} {version('bitlaw')}", parts)


def _plain(text: str) -> str:
    from html import escape

    return escape(text)


def _table(content: Table) -> str:
    left = [k for k, column in enumerate(content.columns) if column in content.left]
    return table(content.columns, content.rows, caption=content.title, left=left)


def markdown(blocks: Sequence[Block]) -> str:
    """Text and tables as Markdown."""
    return "\n\n".join(_markdown(block) if isinstance(block, Table) else block for block in blocks) + "\n"


def _markdown(content: Table) -> str:
    rule = [":--" if column in content.left else "--:" for column in content.columns]
    lines = [_line(content.columns), _line(rule), *map(_line, content.rows)]
    return "\n".join([f"### {content.title}", "", *lines] if content.title else lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
