"""The derivations hold, and agree with numbers found another way."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import mpmath as mp
import pytest

from bitlaw.theory import derivations
from bitlaw.theory.derivations import ALL, Identity

from .all_checks import CHECKS
from .checking import Row, derived, rows
from .render import PAGES, table, topics

by_name = pytest.mark.parametrize("derivation", ALL, ids=lambda derivation: derivation.__name__)


@by_name
def test_a_derivation_returns_an_identity_with_its_steps(derivation):
    identity = derived(derivation)
    assert isinstance(identity, Identity)
    assert identity
    assert identity.name == derivation.__name__
    assert identity.conclusion in identity.steps


@by_name
def test_a_derived_formula_agrees_with_numbers_found_another_way_and_its_page_prints_them(derivation):
    found = rows(derived(derivation))
    for row in found:
        assert row.agrees(), row
    page = (PAGES / f"{derivation.__module__.rpartition('.')[2]}.md").read_text(encoding="utf-8")
    assert "\n".join(table(found)) in page, "run python -m tests.derivations.render"


@by_name
def test_a_docstring_states_the_formula_under_a_title_and_names_its_source(derivation):
    docstring = inspect.getdoc(derivation)
    title, _, statement = docstring.splitlines()[0].partition(": ")
    assert title
    assert statement.endswith(".")
    assert docstring.partition("References\n----------\n")[2].strip()


def test_every_derivation_has_a_numeric_check_and_no_check_is_orphaned():
    assert set(CHECKS) == {derivation.__name__ for derivation in ALL}
    assert len({derivation.__name__ for derivation in ALL}) == len(ALL)


def test_every_derivation_of_every_module_is_listed():
    listed = {derivation for page in topics().values() for derivation in page}
    folder = Path(derivations.__file__).parent
    written = {
        node.name
        for path in folder.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(d) == "derivation" for d in node.decorator_list)
    }
    assert written == {derivation.__name__ for derivation in listed}


def test_derivations_import_nothing_but_sympy_and_the_standard_library():
    folder = Path(derivations.__file__).parent
    imported = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{path.name} imports from outside the derivations"
                if node.level == 0:
                    imported.add(node.module.partition(".")[0])
    assert imported <= {"sympy"} | set(sys.stdlib_module_names)


def test_importing_the_theory_does_not_import_sympy():
    code = "import sys, bitlaw.theory; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("change", "agrees"), [(0.9e-10, True), (1.1e-10, False)])
def test_a_row_agrees_within_its_tolerance_and_not_beyond(change, agrees):
    row = Row({}, [mp.mpf(2) * (1 + mp.mpf(change)), mp.mpf(0)], [mp.mpf(2), mp.mpf(0)], "", 1e-10)
    assert row.agrees() == agrees
