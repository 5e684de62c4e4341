"""Tensors of a model by patterns over their names."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ..errors import UsageError

__all__ = ["add_tensor_option", "matching_names"]


def add_tensor_option(parser: argparse.ArgumentParser, words: str) -> None:
    """Option for some tensors instead of all."""
    parser.add_argument("--tensors", nargs="+", default=[], metavar="PATTERN", help=words)


def matching_names(patterns: Sequence[str], names: Iterable[str]) -> list[str]:
    """Names that fit one of the patterns of --tensors, in their own order; all where there are no patterns.

    Raises
    ------
    UsageError
        If a pattern fits no name.
    """
    known = list(names)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UsageError(f"--tensors: the pattern {pattern!r} fits no tensor of the model")
    if not patterns:
        return known
    return [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
