"""The pages of docs/derivations say what the code says."""

import pytest

from .render import PAGES, index, page, topics, without_tables

HINT = "run python -m tests.derivations.render"


@pytest.mark.parametrize("name", topics())
def test_a_page_is_up_to_date_with_the_code(name):
    # Its numeric tables are compared where the numbers are computed, in test_derivations.
    written = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert without_tables(written) == without_tables(page(name, tables=False)), HINT


def test_the_index_is_up_to_date_with_the_code():
    assert (PAGES / "index.md").read_text(encoding="utf-8") == index(), HINT


def test_there_is_no_page_without_derivations():
    assert {path.stem for path in PAGES.glob("*.md")} == {"index", *topics()}
