"""Writes docs/api.md: every public name, from its docstring.

Run from the repository's root: python docs/make_api.py
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

PAGE = Path(__file__).resolve().with_name("api.md")

# Modules in reading order; a name is described where it first appears.
MODULES = {
    "bitlaw.theory.sources": "Sources",
    "bitlaw.theory.quantisers": "Quantisers",
    "bitlaw.theory.quantisers.codebook_check": "Checking a codebook",
    "bitlaw.theory.tables": "Tables",
    "bitlaw.theory.formats": "Formats",
    "bitlaw.theory.limits": "Limits",
    "bitlaw.theory.fitting": "Fitting",
    "bitlaw.theory.source_names": "Names of sources",
    "bitlaw.theory.derivations": "Derivations",
    "bitlaw.llm": "Language models",
    "bitlaw.paper_figures": "Figures",
}
# Listed by name only: their statements and proofs have pages of their own.
ELSEWHERE = {"bitlaw.theory.derivations": "Every derivation is on [its page](derivations/index.md)."}

# Characters that markdown would take as its own: emphasis that touches a word, and tags.
_ACTIVE = r"\*(?=\S)|(?<=\S)\*|(?<!\w)_|_(?!\w)|<(?=[a-zA-Z/])"

LISTS = ("Parameters", "Attributes", "Returns", "Yields", "Raises")


def page() -> str:
    """Whole text of docs/api.md."""
    lines = [
        "# API",
        "",
        "Generated from the docstrings by `python docs/make_api.py`; a test keeps it up to date. The names",
        "that most programs need are importable from `bitlaw.theory` directly, and the examples assume that",
        "what they use is imported:",
        "",
        ", ".join(f"`{name}`" for name in sorted(importlib.import_module("bitlaw.theory").__all__)) + ".",
        "",
    ]
    seen: set[int] = set()
    for name, title in MODULES.items():
        module = importlib.import_module(name)
        lines += [f"## {title}: `{name}`", "", *_escaped(inspect.getdoc(module) or "").splitlines(), ""]
        if name in ELSEWHERE:
            lines += [ELSEWHERE[name], ""]
            continue
        lines += _constants(module)
        for public in module.__all__:
            member = getattr(module, public)
            if callable(member) and id(member) not in seen:
                seen.add(id(member))
                lines += _entry(public, member)
    return "\n".join(lines).rstrip() + "\n"


def _constants(module: ModuleType) -> list[str]:
    """A line that names what has no docstring of its own."""
    names = [f"`{name}`" for name in module.__all__ if not callable(getattr(module, name))]
    return [f"Constants: {', '.join(names)}.", ""] if names else []


def _entry(name: str, member: Any) -> list[str]:
    """A class or function, with the methods that a class itself defines."""
    lines = [f"### `{name}{_signature(member)}`", "", *_docstring(inspect.getdoc(member) or "")]
    if inspect.isclass(member):
        for method, call in _methods(member):
            lines += [
                f"#### `{name}.{method}{_signature(call)}`",
                "",
                *_docstring(inspect.getdoc(call) or ""),
            ]
    return lines


def _methods(owner: type) -> Iterator[tuple[str, Any]]:
    """Public members that a class adds to its bases, each with a docstring."""
    inherited = {name for base in owner.__mro__[1:] for name in vars(base)}
    for name, raw in vars(owner).items():
        if name in inherited:
            continue
        call = raw.__func__ if isinstance(raw, (classmethod, staticmethod)) else raw
        described = isinstance(call, property) or inspect.isfunction(call)
        if described and not name.startswith("_") and call.__doc__:
            yield name, call


def _signature(member: Any) -> str:
    """Arguments and defaults, without annotations; nothing for a property."""
    if isinstance(member, property) or getattr(member, "_is_protocol", False):
        return ""
    signature = inspect.signature(member)
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values() if p.name != "self"]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def _docstring(text: str) -> list[str]:
    """A numpy docstring as markdown."""
    head, *rest = re.split(r"^(\w[\w ]*)\n-{3,}\n", text, flags=re.MULTILINE)
    lines = [*_escaped(head.strip()).splitlines(), ""]
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        lines += [f"**{title}**", "", *_section(title, body.strip("\n")), ""]
    return lines


def _section(title: str, body: str) -> list[str]:
    if title == "Examples":
        return ["```python", *body.splitlines(), "```"]
    return _items(body) if title in LISTS else _escaped(body).splitlines()


def _items(body: str) -> list[str]:
    """Entries of a list of parameters: a line at the margin, and its indented description."""
    lines = []
    for item in re.split(r"\n+(?=\S)", body):
        first, _, description = item.partition("\n")
        name, colon, kind = first.partition(" : ")
        label = f"`{name}` ({_escaped(kind)})" if colon else f"`{name}`"
        text = _escaped(inspect.cleandoc(description).strip())
        lines.append(f"- {label}" + (": " + " ".join(text.split()) if text else ""))
    return lines


def _escaped(text: str) -> str:
    """Text whose asterisks, underscores and brackets mean themselves, outside of code."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if index % 2 else re.sub(_ACTIVE, r"\\\g<0>", piece) for index, piece in enumerate(pieces)
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
