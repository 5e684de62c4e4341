"""`bitlaw figures`: the figures of the literature, drawn from exact values."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .arguments import subparser
from .errors import UsageError, unknown
from .files import make_folder
from .output import Table, json_text, show
from .progress import progress_bars

if TYPE_CHECKING:
    from pathlib import Path

    from bitlaw.paper_figures import RenderedFigure

__all__ = ["INSTALL", "add_parser", "check_names", "render_with_progress", "run"]

EXAMPLES = """\
  bitlaw figures --list
      names, titles, and the figures of papers they redraw
  bitlaw figures normal_cube_root --output figures
      one of them, as PNG and PDF
  bitlaw figures --output figures --json
      all of them; paths and run times as JSON"""

_DESCRIPTION = """\
Draw figures of quantisation papers from exact values: NAME.png and NAME.pdf in a folder. Files of the same
names are replaced. Needs matplotlib, the extra "figures"."""

INSTALL = "figures need matplotlib: install it with  pip install 'bitlaw[figures]'"


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    parser = subparser(commands, "figures", "draw the figures of papers", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures to draw (default all)")
    parser.add_argument("--output", metavar="DIR", default="figures", help="folder (default %(default)s)")
    parser.add_argument("--list", action="store_true", help="list the figures and draw nothing")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List or draw."""
    names = check_names(args.names)
    if args.list:
        _list(names, args.json)
        return 0
    rendered = render_with_progress(names, make_folder(args.output))
    if args.json:
        print(json_text([_record(figure) for figure in rendered]), end="")
    else:
        rows = [
            (figure.name, figure.paper, str(figure.png), f"{figure.seconds:.1f} s") for figure in rendered
        ]
        show([Table(("figure", "paper", "file", "time"), rows, left=("figure", "paper", "file"))])
    return 0


def check_names(names: Sequence[str]) -> list[str]:
    """Names of figures, all of them for none; an unknown one is an error."""
    from bitlaw.paper_figures import FIGURES

    for name in names:
        if name not in FIGURES:
            raise unknown("figure", name, FIGURES)
    return list(dict.fromkeys(names)) or list(FIGURES)


def render_with_progress(names: Sequence[str], folder: Path) -> list[RenderedFigure]:
    """Draw figures into a folder; an error says what to install where matplotlib is missing."""
    from bitlaw.paper_figures import render

    done = 0
    with progress_bars() as bars:
        bar = bars.bar("figures")
        bar(0, len(names))

        def progress(figure: RenderedFigure) -> None:
            nonlocal done
            done += 1
            bar(done, len(names))

        try:
            return render(names, folder, progress)
        except ImportError as error:
            raise UsageError(f"{INSTALL} ({error})") from error


def _list(names: Sequence[str], as_json: bool) -> None:
    from bitlaw.paper_figures import FIGURES

    entries = [{"name": name, "title": FIGURES[name].title, "paper": FIGURES[name].paper} for name in names]
    if as_json:
        print(json_text(entries), end="")
    else:
        rows = [tuple(entry.values()) for entry in entries]
        show([Table(("figure", "title", "paper"), rows, left=("figure", "title", "paper"))])


def _record(figure: RenderedFigure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title,
        "paper": figure.paper,
        "png": str(figure.png),
        "pdf": str(figure.pdf),
        "seconds": figure.seconds,
    }
