"""Full disks, short memory and files of others: one line is said, and nothing that was there is lost."""

import resource
from contextlib import contextmanager

import pytest
import torch

from bitlaw.cli.errors import UsageError
from bitlaw.cli.llm import _plainly

INT4 = "int4,block=channel,scale=absmax:float16"
ON = ("--sequences", 4, "--length", 24, "--device", "cpu")


@contextmanager
def full_disk(room):
    """Let no file grow beyond some bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refused(outcome, reason):
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1].startswith("bitlaw: error: ")
    assert reason in outcome.err


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("quantise", "--format", INT4, "--output", "new", "--device", "cpu"), "cannot be read or written"),
        (("fisher", *ON, "--output", "new.safetensors"), "File too large"),
        (("allocate", *ON, "--bits", "5", "--formats", INT4, "--output", "new.json"), "new.json: File too"),
    ],
)
def test_a_full_disk_leaves_no_half_of_a_file(bitlaw, folder, workspace, words, reason):
    once = [str(word).replace("new", "old") for word in words]  # compiles what is kept on the disk too
    assert bitlaw("llm", once[0], "--model", folder, *once[1:]).code == 0
    before = names(workspace)
    with full_disk(2000):
        refused(bitlaw("llm", words[0], "--model", folder, *words[1:]), reason)
    assert names(workspace) == before


def test_a_full_disk_keeps_the_report_of_before(bitlaw, folder, workspace):
    words = ("llm", "report", "--model", folder, *ON, "--formats", INT4, "--output", "page")
    assert bitlaw(*words).code == 0
    before = {path.name: path.read_bytes() for path in (workspace / "page").iterdir()}
    with full_disk(600):
        refused(bitlaw(*words), "report.json: File too large")
    assert {path.name: path.read_bytes() for path in (workspace / "page").iterdir()} == before


def test_a_study_goes_on_after_a_full_disk(bitlaw, folder, workspace):
    (workspace / "sweep.toml").write_text(
        f'models = ["{folder}"]\nformats = ["{INT4}"]\n[text]\nsequences = 4\nlength = 24\n'
    )
    with full_disk(20_000):
        refused(bitlaw("llm", "study", "sweep.toml"), "sweep.sqlite: cannot be opened or written")
    with full_disk(100_000):
        refused(bitlaw("llm", "study", "sweep.toml"), "File too large")
    outcome = bitlaw("llm", "study", "sweep.toml")
    assert outcome.code == 0
    assert "1 runs done, 0 found" in outcome.err


def test_exports_replace_exports_alone(bitlaw, folder, workspace):
    (workspace / "sweep.toml").write_text(
        f'models = ["{folder}"]\nformats = ["{INT4}"]\n[text]\nsequences = 4\nlength = 24\n'
    )
    (workspace / "mine.csv").write_text("name,value\nlife,42\n")
    (workspace / "mine.parquet").write_text("no table")
    for name, reason in (
        ("mine.csv", "exists and bitlaw did not write it"),
        ("mine.parquet", "exists and bitlaw did not write it"),
        ("none/runs.csv", "the folder none does not exist"),
        ("runs.xls", "the ending must be .csv or .parquet"),
    ):
        refused(bitlaw("llm", "study", "sweep.toml", "--export", name), f"--export {name}: {reason}")
    assert (workspace / "mine.csv").read_text() == "name,value\nlife,42\n"
    assert not (workspace / "sweep.sqlite").exists()
    for _ in range(2):
        assert bitlaw("llm", "study", "sweep.toml", "--export", "runs.csv").code == 0
    assert len((workspace / "runs.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] . DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_short_memory_is_told(error):
    def run(args):
        raise error

    with pytest.raises(UsageError, match="not enough memory for this model and batch; smaller --batch"):
        _plainly(run)(None)


def test_other_errors_are_not_hidden():
    def run(args):
        raise RuntimeError("a fault of the program")

    with pytest.raises(RuntimeError, match="a fault of the program"):
        _plainly(run)(None)
