"""Arguments that several commands share, and how their text is read."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .errors import UsageError

__all__ = [
    "EXAMPLES_HEADING",
    "Parser",
    "add_force",
    "add_workers",
    "integers",
    "lengths",
    "positive_list",
    "subparser",
    "workers_for",
]

# Above this a range such as 2-70000 is a slip of the pen.
_MOST_LISTED = 4096
# A process takes a second to start, and a table's row a tenth of one on average: fewer rows are not worth it,
# and beyond so many processes no work here is long enough.
_TASKS_PER_WORKER = 20
_MOST_WORKERS = 8

EXAMPLES_HEADING = "examples:"


class Parser(argparse.ArgumentParser):
    """A parser whose errors look like all others of the program."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and exiting."""
        raise UsageError(f"{message} (see '{self.prog} --help')")


def subparser(
    commands: Any, name: str, summary: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Parser of one sub-command, with worked examples under its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"{EXAMPLES_HEADING}\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def add_force(parser: argparse.ArgumentParser) -> None:
    """Options that say where one result goes."""
    parser.add_argument("--output", metavar="FILE", help="write there instead of to standard output")
    parser.add_argument("--force", action="store_true", help="replace FILE where it exists")


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Option for the number of processes."""
    parser.add_argument(
        "--workers",
        type=whole("workers", 1),
        metavar="N",
        help="processes that share the work (default: as many as it is worth, one a core at most)",
    )


def workers_for(asked: int | None, tasks: int) -> int:
    """Number of processes for a number of tasks."""
    return asked or max(1, min(_cores(), _MOST_WORKERS, tasks // _TASKS_PER_WORKER))


def whole(name: str, least: int) -> Callable[[str], int]:
    """Reader of an integer that is at least `least`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{name} must be an integer, got {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{name} must be at least {least}, got {value}")
        return value

    return read


def integers(text: str) -> list[int]:
    """Read a list such as 2,4,8-16; a range includes both ends."""
    values: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if not match:
            raise argparse.ArgumentTypeError(f"expected integers such as 2,4,8-16, got {text!r}")
        first = int(match[1])
        last = int(match[2] or first)
        if last < first or last - first + len(values) >= _MOST_LISTED:
            raise argparse.ArgumentTypeError(f"range {part!r} is empty or too long")
        values.extend(range(first, last + 1))
    return list(dict.fromkeys(values))


def positive_list(text: str) -> list[float]:
    """Read a list of positive numbers such as 0.5,1,2."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.5,1,2, got {text!r}") from None
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise argparse.ArgumentTypeError(f"numbers must be positive and finite, got {text!r}")
    return list(dict.fromkeys(values))


def lengths(text: str) -> tuple[int, ...]:
    """Read a shape such as 4096x4096."""
    try:
        sides = tuple(int(side) for side in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a shape such as 4096x4096, got {text!r}") from None
    if min(sides) < 1:
        raise argparse.ArgumentTypeError(f"lengths must be at least 1, got {text!r}")
    return sides


def hyphenated(choices: Sequence[str]) -> Callable[[str], str]:
    """Reader of one of several names; case does not matter and underscores are hyphens."""

    def read(text: str) -> str:
        from .errors import unknown

        name = text.lower().replace("_", "-")
        if name not in choices:
            raise argparse.ArgumentTypeError(str(unknown("name", text, choices)))
        return name

    return read


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
