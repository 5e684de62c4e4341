"""Pieces of HTML that need nothing from outside their page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

__all__ = [
    "bullets",
    "details",
    "document",
    "files",
    "heading",
    "image",
    "link",
    "paragraph",
    "section",
    "table",
]

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, "Segoe UI", "Helvetica Neue", sans-serif; color: #1c2430; background: #fff;
  max-width: 80rem; margin: 0 auto; padding: 0 1.25rem 4rem; }
h1 { font-size: 2rem; margin: 2.2rem 0 .2rem; } h2 { font-size: 1.45rem; margin: 3rem 0 .6rem;
  border-bottom: 2px solid #dbe2ea; padding-bottom: .25rem; } h3 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
p, li { max-width: 48rem; } a { color: #0b5cad; } .lead { font-size: 1.1rem; color: #445; }
nav a { margin-right: 1.1rem; } ul { padding-left: 1.1rem; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .8rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: #556; padding: .2rem 0 .4rem; font-size: .9rem; }
th, td { padding: .22rem .45rem; text-align: right; border-bottom: 1px solid #e6ebf1; white-space: nowrap; }
th { background: #f4f7fa; font-weight: 600; white-space: normal; vertical-align: bottom; }
tbody tr:hover { background: #f8fafc; }
th.left, td.left { text-align: left; } td.wrap { white-space: normal; min-width: 16rem; }
figure { margin: 1.2rem 0 2rem; } figure img, figure svg { max-width: 100%; height: auto;
  border: 1px solid #e6ebf1; } figcaption { color: #556; font-size: .9rem; max-width: 48rem; }
details { margin: .6rem 0; } summary { cursor: pointer; color: #0b5cad; } code { background: #f4f7fa;
  padding: .05rem .25rem; border-radius: 3px; font-size: .9em; }
.note { background: #fff8e6; border-left: 4px solid #e5b93c; padding: .5rem .9rem; max-width: 46rem; }
"""


def document(title: str, generator: str, body: Iterable[str]) -> str:
    """A whole page; its style is part of it."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="generator" content="{escape(generator)}">',
            '<link rel="icon" href="data:,">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            *body,
            "</body></html>",
            "",
        ]
    )


def section(anchor: str, title: str, *parts: str) -> str:
    """A heading that can be linked to, and what stands under it."""
    return "\n".join([f'<section id="{escape(anchor)}"><h2>{escape(title)}</h2>', *parts, "</section>"])


def heading(text: str, anchor: str = "") -> str:
    """A heading below that of a section."""
    return f'<h3 id="{escape(anchor)}">{escape(text)}</h3>' if anchor else f"<h3>{escape(text)}</h3>"


def bullets(texts: Iterable[str]) -> str:
    """A list of sentences."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def link(target: str, text: str) -> str:
    """A link to a file beside the page, or to an anchor of the page (#name)."""
    address = target if target.startswith("#") else quote(target)
    return f'<a href="{escape(address, quote=True)}">{escape(text)}</a>'


def files(*paths: str) -> str:
    """Links to files beside the page."""
    return f"<p>Files: {' · '.join(link(path, path.rpartition('/')[2]) for path in paths)}</p>"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "", left: Iterable[int] = (0,)
) -> str:
    """A table of plain text; columns counted in `left` are flush left."""
    flush = set(left)
    mark = [' class="left"' if k in flush else "" for k in range(len(columns))]
    head = "".join(f"<th{mark[k]}>{escape(title)}</th>" for k, title in enumerate(columns))
    body = "\n".join(
        "<tr>" + "".join(f"<td{mark[k]}>{escape(cell)}</td>" for k, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    named = f"<caption>{escape(caption)}</caption>" if caption else ""
    rows_below = f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody>"
    return f'<div class="scroll"><table>{named}{rows_below}</table></div>'


def details(summary: str, *parts: str) -> str:
    """Parts that open at a click."""
    return "\n".join([f"<details><summary>{escape(summary)}</summary>", *parts, "</details>"])


def image(png: bytes, caption: str, *links: str) -> str:
    """A picture inside the page, with its caption (HTML is escaped) and links."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img alt="{escape(caption, quote=True)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)} {' · '.join(links)}</figcaption></figure>"
    )
