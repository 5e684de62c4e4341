"""Writes docs/derivations: one page for each topic, with every step and the numeric check beside.

Run from the repository's root: python -m tests.derivations.render
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import mpmath as mp
import sympy as sp

from bitlaw.theory.derivations import ALL, Derivation, Identity, Step

from .all_checks import CHECKS
from .checking import Row, derived, rows

PAGES = Path(__file__).resolve().parents[2] / "docs" / "derivations"
SHOWN = 3  # entries of a vector that a table prints
TOO_LONG = 250  # characters of LaTeX beyond which a left side is not printed
SIGNS = {"=": "=", ">": ">", ">=": r"\ge"}


def topics() -> dict[str, list[Derivation]]:
    """Page name -> its derivations, both in reading order."""
    found: dict[str, list[Derivation]] = {}
    for derivation in ALL:
        found.setdefault(derivation.__module__.rpartition(".")[2], []).append(derivation)
    return found


def index() -> str:
    """Page that lists all pages."""
    lines = [
        "# Derivations",
        "",
        "Every formula the theory uses, derived by sympy from definitions. Each function returns a proved",
        "identity or raises at the first step that cannot be shown; the table under it sets the result",
        "beside a number found without it. These pages are generated from the code by",
        "`python -m tests.derivations.render`, and a test keeps them equal to it.",
        "",
        "```python",
        ">>> from bitlaw.theory.derivations import ALL",
        ">>> identity = ALL[0]()",
        ">>> identity.name, len(identity.steps)",
        "('centroid_condition', 3)",
        ">>> print(identity.right)",
        "Integral(x*f(x), (x, a, b))/Integral(f(x), (x, a, b))",
        "",
        "```",
        "",
    ]
    for name, derivations in topics().items():
        lines += [f"## [{_title(_module(name))}]({name}.md)", ""]
        for derivation in derivations:
            title, statement = _statement(derived(derivation))
            lines.append(f"- **{title}**: {statement}")
        lines.append("")
    return "\n".join(lines)


def page(name: str, tables: bool = True) -> str:
    """One topic; its numeric tables can be left out."""
    module = _module(name)
    lines = [f"# {_title(module)}", "", *_paragraphs(_body(inspect.getdoc(module) or ""))]
    lines += ["[All derivations](index.md)", ""]
    for derivation in topics()[name]:
        lines += section(derivation)
        if tables:
            lines += table(rows(derived(derivation)))
    return "\n".join(lines)


def section(derivation: Derivation) -> list[str]:
    """A derivation without its numbers."""
    identity = derived(derivation)
    title, statement = _statement(identity)
    body, _, references = (inspect.getdoc(derivation) or "").partition("References\n----------\n")
    lines = [
        f"## {title}",
        "",
        statement[0].upper() + statement[1:] if statement[0] != "$" else statement,
        "",
    ]
    lines += _paragraphs(_body(body))
    lines += [f"$$ {_relation(identity.conclusion)} $$", ""]
    for number, step in enumerate(identity.steps, 1):
        lines.append(f"{number}. {step.claim}: ${_relation(step)}$")
    _, how, tolerance = CHECKS[identity.name]
    accuracy = f"agree to {tolerance:.0e} or better".replace("e-0", "e-")
    lines += ["", f"Source: {' '.join(references.split())}", ""]
    lines += [f"`{identity.name}()`, checked against: {how}; {accuracy}.", ""]
    return lines


def table(found: Iterable[Row]) -> list[str]:
    """Numbers of one derivation."""
    lines = ["| at | derived | found independently |", "|---|---|---|"]
    for row in found:
        where = ", ".join(f"{name} = {_number(entry, 4)}" for name, entry in row.where.items())
        digits = min(10, int(mp.floor(-mp.log10(row.tolerance))))
        sides = (_entries(side, digits, row.tolerance) for side in (row.derived, row.independent))
        lines.append(f"| {where} | {' | '.join(sides)} |")
    return [*lines, ""]


def without_tables(text: str) -> str:
    """A page less its numeric tables."""
    return re.sub(r"(\| .*\n|\|---.*\n)+\n", "", text + "\n").rstrip("\n")


def _module(name: str) -> ModuleType:
    return sys.modules[f"bitlaw.theory.derivations.{name}"]


def _title(module: ModuleType) -> str:
    return (inspect.getdoc(module) or "").splitlines()[0].rstrip(".")


def _statement(identity: Identity) -> tuple[str, str]:
    title, _, statement = identity.statement.partition(": ")
    return title, statement


def _body(docstring: str) -> str:
    return docstring.partition("\n\n")[2]


def _paragraphs(text: str) -> list[str]:
    lines = []
    for paragraph in text.strip().split("\n\n"):
        if paragraph:
            lines += [" ".join(paragraph.split()), ""]
    return lines


def _relation(step: Step) -> str:
    """Equation of a step; the left side is left out where the claim says better what it is."""
    left, right = step.symbol or _latex(step.left), _latex(step.right)
    if step.relation == "=" and not step.symbol and (left == right or len(left) > TOO_LONG):
        return right
    return f"{left} {SIGNS[step.relation]} {right}"


def _latex(expression: Any) -> str:
    return str(sp.latex(expression, ln_notation=True)).replace(r"{\left(x \right)}", "(x)")


def _number(entry: mp.mpf, digits: int) -> str:
    return str(int(entry)) if entry == int(entry) else str(mp.nstr(entry, digits))


def _entries(values: list[mp.mpf], digits: int, tolerance: float) -> str:
    """First entries of a vector; what vanishes beside the largest is zero."""
    size = max(abs(entry) for entry in values)
    shown = [
        mp.nstr(entry, digits, strip_zeros=False) if abs(entry) > tolerance * size else "0"
        for entry in values[:SHOWN]
    ]
    return ", ".join(shown) + (", …" if len(values) > SHOWN else "")


def main() -> None:
    """Write all pages."""
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in topics():
        (PAGES / f"{name}.md").write_text(page(name), encoding="utf-8")
    (PAGES / "index.md").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
