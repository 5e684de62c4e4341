"""The error of a command line that cannot be carried out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["UsageError", "unknown"]


class UsageError(Exception):
    """Bad usage or input; the message goes to standard error and the exit code is 2."""


def unknown(what: str, name: str, known: Iterable[str]) -> UsageError:
    """Error for a name that is not known, with its near matches or, failing these, all names."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
    return UsageError(f"unknown {what} {name!r}; {hint}")
