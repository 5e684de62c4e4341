"""The program `bitlaw`: parse, call the theory, print.

Exit codes: 0 success, 1 a check found a codebook wanting, 2 bad usage or input (one line on standard error),
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from .arguments import EXAMPLES_HEADING, Parser
from .errors import UsageError, unknown
from .output import note

__all__ = ["build_parser", "main"]

# Modules of this package, imported when they are wanted: an interrupt meanwhile is handled like any other.
_COMMANDS = (
    *("design", "tables", "check", "fit", "limits"),
    *("predict", "quantise", "recommend", "figures", "report", "llm"),
)

_EXAMPLES = f"""\
{EXAMPLES_HEADING}
  bitlaw design --source normal --levels 16
      the best 4-bit codebook for Gaussian values
  bitlaw check nf4.txt --source normal
      how far someone's codebook is from the best
  bitlaw fit model.safetensors --bits 4
      what the law of each tensor predicts, and what is measured
  bitlaw recommend --file model.safetensors --bits 4.25
      the best number formats for it at a budget

exit codes: 0 success, 1 a check found a codebook wanting, 2 bad usage or input, 130 interrupted"""


def build_parser(wanted: Sequence[str] = _COMMANDS) -> Parser:
    """Parser of the program and of some or all of its sub-commands."""
    parser = Parser(
        prog="bitlaw",
        description="Exactly how well a number format can represent a tensor, and the best one for it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"bitlaw {version('bitlaw')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name in wanted:
        import_module(f".{name}", __package__).add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process when left out.

    Returns
    -------
    int
        Exit code: 0, 1 (a check found a codebook wanting), 2 (bad usage or input), 130 (interrupted).
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except KeyboardInterrupt:
        note("bitlaw: interrupted")
        return 130
    except BrokenPipeError:  # the reader of a pipe, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, ValueError, TypeError, OSError, MemoryError, ImportError) as error:
        if "--debug" in words:
            raise
        note(f"bitlaw: error: {_message(error)}")
        return 2


def _run(words: list[str]) -> int:
    if words and not words[0].startswith("-") and words[0] not in _COMMANDS:
        raise unknown("command", words[0], _COMMANDS)
    try:
        args = build_parser(words[:1] if words and words[0] in _COMMANDS else _COMMANDS).parse_args(words)
    except SystemExit as leave:  # --help and --version have printed what they had to
        return int(leave.code or 0)
    code: int = args.run(args)
    sys.stdout.flush()
    return code


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"not enough memory ({error})" if str(error) else "not enough memory"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
