"""The program as a whole: help with examples that work, errors, interrupts, pipes."""

import argparse
import os
import shlex
import subprocess
import sys

import pytest

from bitlaw.cli import main as program
from bitlaw.cli.arguments import EXAMPLES_HEADING
from bitlaw.cli.files import write_file
from bitlaw.cli.main import build_parser

COMMANDS = (
    *("design", "tables", "check", "fit", "limits"),
    *("predict", "quantise", "recommend", "figures", "report", "llm"),
)

# Examples that compute everything: they are parsed, not run.
LONG = (
    "bitlaw tables --output tables",
    "bitlaw report",
    "bitlaw figures --output figures --json",
    "bitlaw limits --source normal --rate 2 --vector --csv",
    "bitlaw recommend --source student-t:5 --bits 3.25 --codes fixed",
    "bitlaw llm report",
    "bitlaw llm evaluate --model ./llama --text wiki.txt --formats nf4 int4_g64 --json",
    "bitlaw llm study sweep.toml --dry-run",
)


def parsers():
    """The program's own parser and those of its sub-commands."""
    parser = build_parser()
    (actions,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {"": parser} | dict(actions.choices)


def examples(command):
    """Command lines under the heading of a help text."""
    text = parsers()[command].format_help().partition(EXAMPLES_HEADING)[2]
    return [line.strip() for line in text.splitlines() if line.startswith("  bitlaw ")]


ALL_EXAMPLES = [line for command in ("", *COMMANDS) for line in examples(command)]


def test_every_command_has_examples_and_json():
    assert set(parsers()) == {"", *COMMANDS}
    for command in COMMANDS:
        assert examples(command)
        assert "--json" in parsers()[command].format_help()
        assert all(line.startswith(f"bitlaw {command}") for line in examples(command))


@pytest.mark.parametrize("line", ALL_EXAMPLES)
def test_examples_of_the_help_work(bitlaw, workspace, line):
    if line in LONG:
        build_parser().parse_args(shlex.split(line)[1:])
        return
    if "design.json" in line:
        bitlaw("design", "--source", "student-t:5", "--levels", 8, "--json", "--output", "design.json")
    assert bitlaw(*shlex.split(line)[1:]).code == 0


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_printed_and_fits_a_screen(bitlaw, command):
    outcome = bitlaw(*filter(None, [command]), "--help")
    assert outcome.code == 0
    assert EXAMPLES_HEADING in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 120


def test_version_is_that_of_the_package(bitlaw):
    assert bitlaw("--version").out.startswith("bitlaw 0")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["desing"], "unknown command 'desing'; did you mean design?"),
        (["xyz"], f"known: {', '.join(COMMANDS)}"),
        (
            ["design", "--source", "normal", "--levels", "4", "--frobnicate"],
            "unrecognized arguments: --frobnicate",
        ),
        (["--frobnicate"], "required: COMMAND"),
    ],
)
def test_unknown_words_are_named(bitlaw, words, reason):
    outcome = bitlaw(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bitlaw: error: ")
    assert reason in outcome.err


def test_debug_raises_instead(bitlaw):
    with pytest.raises(ValueError, match="df must exceed 2"):
        bitlaw("design", "--source", "student-t:1", "--levels", "4", "--debug")


def test_interrupt_ends_with_130(bitlaw, monkeypatch):
    def interrupt(words):
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "_run", interrupt)
    outcome = bitlaw("tables")
    assert (outcome.code, outcome.err) == (130, "bitlaw: interrupted\n")


def test_memory_error_is_an_error_of_the_input(bitlaw, monkeypatch):
    def overflow(words):
        raise MemoryError("Unable to allocate 1. PiB")

    monkeypatch.setattr(program, "_run", overflow)
    assert bitlaw("tables").err == "bitlaw: error: not enough memory (Unable to allocate 1. PiB)\n"


def run_module(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "bitlaw.cli", *words], capture_output=True, text=True, check=False, **options
    )


def test_module_is_the_program(tmp_path):
    done = run_module("design", "--source", "uniform", "--levels", "4", "--csv", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 5


def test_exit_code_of_a_wanting_codebook_reaches_the_shell(tmp_path):
    done = run_module("check", "-", "--json", input="[-1, 0, 0, 1]", cwd=tmp_path)
    assert done.returncode == 1
    assert '"wanting": true' in done.stdout


def test_error_reaches_the_shell_without_traceback(tmp_path):
    done = run_module("fit", "none.npz", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bitlaw: error: none.npz: no such file\n"


def test_reader_that_has_gone_is_no_error(tmp_path):
    read, write = os.pipe()
    os.close(read)
    words = ["design", "--source", "normal", "--levels", "2", "--csv"]
    command = [sys.executable, "-m", "bitlaw.cli", *words]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_failed_write_leaves_the_old_file_and_no_parts(tmp_path, monkeypatch):
    path = tmp_path / "book.csv"
    path.write_text("old")

    def full(self, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_file(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_devices_are_written_to_and_not_replaced(bitlaw):
    words = ["design", "--source", "normal", "--levels", "2", "--output", "/dev/null", "--force"]
    assert bitlaw(*words).code == 0
    with open("/dev/null") as device:
        assert device.read() == ""
