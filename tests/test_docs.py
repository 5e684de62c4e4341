"""Every example in README.md and docs/ is run, every link leads somewhere, and the API page is up to date."""

import contextlib
import doctest
import importlib
import importlib.util
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
# The set-up commands make an environment and install into it: the gate runs them, not this file.
SET_UP = ("make report", "make test")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Fence:
    """A block of code in a page."""

    language: str
    line: int
    text: str


def fences(page: Path) -> Iterator[Fence]:
    language, start, body = None, 0, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("```"):
            body.append(line)
        elif language is None:
            language, start, body = line[3:].strip(), number, []
        else:
            yield Fence(language, start, "\n".join(body) + "\n")
            language = None
    assert language is None, f"{page.name}: the fence of line {start} is not closed"


def api():
    spec = importlib.util.spec_from_file_location("make_api", ROOT / "docs" / "make_api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def namespace(page: Path) -> dict:
    """What the examples of a page may use without importing it: nothing, but for the API page."""
    names = {"__name__": "__main__"}
    if page.name == "api.md":
        names["np"] = np
        for module in map(importlib.import_module, api().MODULES):
            names |= {name: getattr(module, name) for name in module.__all__}
    return names


def commands(text: str) -> list[tuple[str, str]]:
    """Commands of a console fence, each with the output that follows it."""
    found = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not found[0].strip(), "a console fence starts with a command"
    return [tuple(part.partition("\n")[::2]) for part in found[1:]]


def run(command: str) -> str:
    """Standard output of a `bitlaw` command, run in this process; it must succeed."""
    from bitlaw.cli.main import main

    program, *arguments = shlex.split(command)
    assert program == "bitlaw", f"only bitlaw commands are run, got {command!r}"
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        status = main(arguments)
    assert status == 0, f"{command} ended with {status}"
    return output.getvalue()


def python_faults(fence: Fence, page: Path, names: dict) -> str:
    """Run the examples of a fence; what they printed wrongly."""
    report = io.StringIO()
    test = doctest.DocTestParser().get_doctest(fence.text, names, page.name, str(page), fence.line)
    assert test.examples, f"{page.name}:{fence.line}: a python fence without an example"
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.write, clear_globs=False)
    names.update(test.globs)
    return report.getvalue()


def console_faults(fence: Fence) -> str:
    """Run the commands of a fence; what they printed that the page does not say."""
    faults = []
    for command, wanted in commands(fence.text):
        if command not in SET_UP:
            got = run(command)
            if wanted.strip() and not doctest.OutputChecker().check_output(wanted, got, OPTIONS):
                faults.append(f"{command} printed\n{got}")
    return "\n".join(faults)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_examples_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, faults = namespace(page), []
    for fence in fences(page):
        if fence.language == "python":
            faults.append(python_faults(fence, page, names))
        elif fence.language == "console":
            faults.append(console_faults(fence))
    assert not any(faults), "\n".join(filter(None, faults))


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_fence_is_of_a_kind_that_is_checked(page):
    kinds = {fence.language for fence in fences(page)}
    assert kinds <= {"python", "console", "text"}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_relative_link_leads_to_a_file(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_reached_from_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index, (
            f"docs/index.md does not link {page.name}"
        )


def test_the_api_page_is_up_to_date():
    module = api()
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run python docs/make_api.py"


def test_readme_has_exactly_the_two_set_up_commands():
    made = [
        command
        for fence in fences(ROOT / "README.md")
        if fence.language == "console"
        for command, _ in commands(fence.text)
        if command.startswith("make")
    ]
    assert made == list(SET_UP)


def test_the_table_of_figures_names_every_figure():
    from bitlaw.paper_figures import FIGURES

    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "figures.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and not line.startswith("| `model_")
    ]
    assert [row[0].strip("`") for row in rows] == list(FIGURES)
    for row in rows:
        name = row[0].strip("`")
        assert row[1:4] == [FIGURES[name].title, FIGURES[name].paper, f"`paper_figures/{name}.py`"]
