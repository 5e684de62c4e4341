"""Tables: drawn on a terminal, plain columns in a pipe; numbers that JSON cannot hold are refused."""

import io
import sys

import pytest

from bitlaw.cli.arguments import integers, positive_list
from bitlaw.cli.output import Table, csv_text, json_text, number, show
from bitlaw.cli.progress import progress_bars

TABLE = Table(("law", "R"), [("normal", "0.1"), ("[bold]", "12.25")], left=("law",), title="errors [red]")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_pipe_gets_plain_aligned_columns(capsys):
    show([TABLE, "the end"])
    assert capsys.readouterr().out == "errors [red]\nlaw         R\nnormal    0.1\n[bold]  12.25\n\nthe end\n"


def test_terminal_gets_a_drawn_table_with_the_same_text(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    show([TABLE, "the [end]"])
    text = stream.getvalue()
    assert "─" in text
    for word in ("errors [red]", "[bold]", "12.25", "the [end]"):
        assert word in text


def test_progress_is_silent_unless_standard_error_is_a_terminal(monkeypatch, capsys):
    with progress_bars() as bars:
        bars.bar("work")(1, 2)
    assert capsys.readouterr() == ("", "")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bars() as bars:
        bars.bar("work")(1, 2)
    assert "work" in stream.getvalue()
    assert capsys.readouterr().out == ""


def test_json_refuses_nan():
    with pytest.raises(ValueError, match="JSON"):
        json_text([float("nan")])


def test_csv_keeps_every_digit_and_leaves_none_empty():
    assert csv_text([{"a": 0.1 + 0.2, "b": None}], ["a", "b"]) == "a,b\n0.30000000000000004,\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (float("nan"), "-"), (float("-inf"), "-inf"), (1 / 3, "0.333333"), (0.0, "0")],
)
def test_numbers_for_people(value, text):
    assert number(value) == text


def test_lists_keep_their_order_and_drop_repetitions():
    assert integers("8,2-4,3") == [8, 2, 3, 4]
    assert positive_list("1,0.5,1") == [1.0, 0.5]
