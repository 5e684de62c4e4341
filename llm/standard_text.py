"""Text that every Python installation has: the documentation of the language and its standard library.

It is what the embedded model is trained and tested on where no other text is given.  The language reference comes
from `pydoc_data.topics`, the rest from the docstrings of the library's top-level modules, read without importing
them.  Every tenth document is held out.
"""

from __future__ import annotations

import ast
import sysconfig
from functools import lru_cache
from pathlib import Path

__all__ = ["standard_documents"]

# Every tenth document is held out for testing; which one in ten is arbitrary.
_HELD_OUT = (10, 7)
# Shorter docstrings are mostly one line that repeats a name.
_LEAST_CHARACTERS = 80


def standard_documents(part: str = "train") -> list[str]:
    """Documents of the standard library's own text, in a fixed order.

    Parameters
    ----------
    part : {"train", "test"}

    Returns
    -------
    list of str
        The same for every call under one installation of Python; other versions of Python differ.

    Raises
    ------
    ValueError
        If `part` is neither "train" nor "test".
    """
    if part not in ("train", "test"):
        raise ValueError(f"part must be 'train' or 'test', got {part!r}")
    every, which = _HELD_OUT
    return [text for i, text in enumerate(_documents()) if (i % every == which) == (part == "test")]


@lru_cache(maxsize=1)
def _documents() -> tuple[str, ...]:
    from pydoc_data.topics import topics  # type: ignore[import-untyped, unused-ignore]

    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    docstrings = [text for path in modules if (text := _docstrings(path))]
    return (*(topics[name] for name in sorted(topics)), *docstrings)


def _docstrings(path: Path) -> str:
    """Docstrings of a module, its classes and functions, in the order of the syntax tree."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, OSError):
        return ""
    nodes = (n for n in ast.walk(tree) if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef)))
    texts = (ast.get_docstring(node) or "" for node in nodes)
    return "\n\n".join(text for text in texts if len(text) >= _LEAST_CHARACTERS)
