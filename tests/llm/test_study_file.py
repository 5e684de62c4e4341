"""What the file of a study may say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitlaw.llm.study_config import Allocation
from bitlaw.llm.study_file import read_study
from bitlaw.theory import parse_format


def test_a_study_file_is_read(tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "words.txt").write_text("words " * 500)
    file = tmp_path / "study.toml"
    file.write_text(
        f"""
        models = ["{tiny_folder}", "embedded"]
        formats = ["nf4", "int4_g64"]
        [text]
        source = "words.txt"
        length = 32
        [run]
        dtype = "bfloat16"
        [fisher]
        targets = "text"
        keep = "rows"
        unit = "sequence"
        checkpointing = true
        [[allocation]]
        [[allocation]]
        name = "ends"
        parts = ["decoder", "head"]
        ends = "q8_0"
        """
    )
    study = read_study(file)
    assert study.models == (str(tiny_folder), "embedded")
    assert study.formats == {name: parse_format(name) for name in ("nf4", "int4_g64")}
    assert study.workload.text == str(tmp_path / "words.txt")
    assert (study.workload.length, study.workload.targets, study.workload.dtype) == (32, "text", "bfloat16")
    workload = study.workload
    assert (workload.fisher, workload.unit, workload.checkpointing) == ("rows", "sequence", True)
    assert study.allocations == (
        Allocation(),
        Allocation("ends", ("decoder", "head"), parse_format("q8_0")),
    )
    assert len(study) == 8
    assert [str(run) for run in study.runs("embedded")] == [
        "embedded, nf4, decoder",
        "embedded, int4_g64, decoder",
        "embedded, nf4, ends",
        "embedded, int4_g64, ends",
    ]


def test_budgets_and_files_beside_a_study_are_read(tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text('{"codepoints": [-1, -0.25, 0.25, 1]}')
    tensors = [{"name": "a", "format": "nf4"}, {"name": "b", "format": "int3"}]
    (tmp_path / "chosen.json").write_text(json.dumps({"tensors": tensors}))
    (tmp_path / "study.toml").write_text(
        """
        models = ["embedded"]
        formats = ["file:book.json,block=64", "nf4"]
        [run]
        device_map = "auto"
        [[allocation]]
        bytes = 1000
        exact = true
        [[allocation]]
        like = "int4_g64"
        fused = true
        [[allocation]]
        file = "chosen.json"
        """
    )
    study = read_study(tmp_path / "study.toml")
    assert study.workload.device_map == "auto"
    book = study.formats["file:book.json,block=64"]
    assert str(book) == f"file:{tmp_path / 'book.json'},block=64"
    size, like, file = study.allocations
    assert (size.budget, size.exact) == ((1000, "bytes"), True)
    assert (like.budget, like.fused) == ((parse_format("int4_g64"), "bits_per_element"), True)
    assert file == Allocation(
        "chosen.json", tensors=(("a", parse_format("nf4")), ("b", parse_format("int3")))
    )
    assert [run.format_name for run in study.runs("embedded")] == ["allocated", "allocated", "by tensor"]
    before = study.runs("embedded")[0].identity()
    assert before["format"].startswith("{-1;-0.25;0.25;1},block=64 | ")
    (tmp_path / "book.json").write_text('{"codepoints": [-1, -0.5, 0.5, 1]}')
    assert read_study(tmp_path / "study.toml").runs("embedded")[0].identity() != before


GOOD = 'models = ["embedded"]\nformats = ["nf4"]\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("models = [3\nx", r"study\.toml: not TOML: .*line 2"),
        ('formats = ["nf4"]', "models is missing or empty"),
        ('models = ["embedded"]\nformats = []', "formats is missing or empty"),
        (
            'models = "embedded"\nformats = ["nf4"]',
            "models must be a list of texts in quotes, got 'embedded'",
        ),
        (GOOD + "modles = 1", "unknown key modles; did you mean models"),
        (GOOD + "[text]\nlenght = 3", "unknown key text.lenght; did you mean length"),
        (GOOD + "[text]\nlength = 1", "text.length must be a whole number of at least 2, got 1"),
        (GOOD + "[text]\nsequences = true", "text.sequences must be a whole number"),
        (GOOD + "[text]\nsource = 3", "text.source must be text in quotes, got 3"),
        (GOOD + "text = 3", r"text must be a table, \[text\], got 3"),
        (GOOD + '[run]\ndtype = "int8"', "run.dtype must be one of auto, float32"),
        (GOOD + '[fisher]\ntargets = "none"', "fisher.targets must be one of sampled, text"),
        (GOOD + '[fisher]\nunit = "token"', "fisher.unit must be one of sequence, position, got 'token'"),
        (GOOD + '[fisher]\nkeep = "columns"', "fisher.keep must be one of diagonal, rows, got 'columns'"),
        (GOOD + "[fisher]\ncheckpointing = 1", "fisher.checkpointing must be true or false, got 1"),
        (GOOD + '[run]\ndevice_map = "even"', "run.device_map must be 'auto', 'balanced', .* got 'even'"),
        (
            GOOD + '[run]\ndevice = "cpu"\ndevice_map = "auto"',
            "run.device and device_map exclude one another",
        ),
        (GOOD + '[allocation]\nname = "x"', r"allocation must be tables, each under \[\[allocation\]\]"),
        (GOOD + '[[allocation]]\nparts = ["tail"]', r"allocation\[0\]: parts must be embedding, .*'tail'"),
        (GOOD + '[[allocation]]\nends = "nf44"', r"allocation\[0\].ends: 'nf44' is no format"),
        (GOOD + "[[allocation]]\nbits = 0", r"allocation\[0\].bits must be a positive number, got 0"),
        (GOOD + "[[allocation]]\nfused = 1", r"allocation\[0\].fused must be true or false, got 1"),
        (GOOD + "[[allocation]]\nfused = true", r"allocation\[0\]: fused is of no use without bits"),
        (GOOD + '[[allocation]]\nbits = 3\nends = "nf4"', r"allocation\[0\]: bits and ends cannot both"),
        (GOOD + "[[allocation]]\nbits = 3\nbytes = 4", r"allocation\[0\]: bits and bytes cannot both"),
        (GOOD + "[[allocation]]\nbytes = 0.5", r"allocation\[0\].bytes must be a whole number of at least 1"),
        (GOOD + '[[allocation]]\nlike = "nf44"', r"allocation\[0\].like: 'nf44' is no format"),
        (GOOD + "[[allocation]]\nexact = true", r"allocation\[0\]: exact is of no use without bits"),
        (GOOD + '[[allocation]]\nfile = "none.json"', r"allocation\[0\].file: none.json: there is no such"),
        (GOOD + '[[allocation]]\nfile = "a"\nbits = 3', r"allocation\[0\]: file says .* so bits does not go"),
        (GOOD + '[[allocation]]\nfile = "study.toml"', r"allocation\[0\].file: .*study.toml: not JSON"),
        (GOOD + "[[allocation]]\nbit = 3", r"unknown key allocation\[0\].bit"),
        (GOOD + "[[allocation]]\n[[allocation]]", "the name 'decoder' is given to 2 of them"),
        ('models = ["embedded"]\nformats = ["nf5x"]', "formats: 'nf5x' is no format"),
    ],
)
def test_faults_of_a_study_file_are_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "study.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_study(file)


def test_missing_study_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file"):
        read_study(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="is a folder"):
        read_study(tmp_path)
