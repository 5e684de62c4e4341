"""Texts and their sequences."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bitlaw.llm.models import LanguageModel
from bitlaw.llm.text import check_text, load_text, token_sequences


def test_sequences_are_the_text_in_order(tiny: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("The quick brown fox jumps over the lazy dog. " * 20)
    ids = tiny.tokenizer(path.read_text(), add_special_tokens=False)["input_ids"]
    found = token_sequences(path, tiny.tokenizer, length=10)
    assert found.tokens.reshape(-1).tolist() == ids[: found.tokens.numel()]
    assert found.left_out == len(ids) - found.tokens.numel() < 10


def test_a_start_token_opens_every_sequence(tiny: LanguageModel, tmp_path: Path) -> None:
    class Starting:
        bos_token_id = 7

        def __call__(self, text: str, **options: object) -> dict[str, list[int]]:
            return {"input_ids": ([] if options else [7]) + list(map(ord, text))}

    path = tmp_path / "a.txt"
    path.write_text("abcdef")
    found = token_sequences(path, Starting(), length=3)  # type: ignore[arg-type]
    assert found.tokens.tolist() == [[7, 97, 98], [7, 99, 100], [7, 101, 102]]


def test_wanted_sequences_are_spread_over_the_text(tiny: LanguageModel) -> None:
    every = token_sequences("standard", tiny.tokenizer, length=32)
    some = token_sequences("standard", tiny.tokenizer, length=32, count=4)
    assert torch.equal(some.tokens, every.tokens[torch.arange(4) * len(every) // 4])


def test_a_folder_is_read_in_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.md").write_text("first")
    (tmp_path / "c.png").write_bytes(b"\x89")
    assert load_text(tmp_path) == "first\n\nsecond"


def test_wrong_texts_are_named(tiny: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file or folder"):
        load_text(tmp_path / "none.txt")
    with pytest.raises(ValueError, match=r"holds no \.txt"):
        load_text(tmp_path)
    empty = tmp_path / "empty.txt"
    empty.write_text(" \n")
    with pytest.raises(ValueError, match="it is empty"):
        load_text(empty)
    latin = tmp_path / "latin.txt"
    latin.write_bytes(b"caf\xe9 au lait")
    with pytest.raises(ValueError, match=r"not UTF-8 .* at byte 3"):
        load_text(latin)


def test_impossible_sequences_are_refused(tiny: LanguageModel, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("few words")
    with pytest.raises(ValueError, match="tokens, fewer than one sequence of 512"):
        token_sequences(short, tiny.tokenizer)
    with pytest.raises(ValueError, match="length must be at least 2"):
        token_sequences(short, tiny.tokenizer, length=1)
    with pytest.raises(ValueError, match="count must be at least 1"):
        token_sequences(short, tiny.tokenizer, length=2, count=0)


def test_bytes_and_closed_folders_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"text must be a file, .* got an empty name"):
        load_text("")
    (tmp_path / "a.txt").write_bytes(b"words\0and zeros")
    with pytest.raises(ValueError, match=r"a\.txt: no text, it holds zero bytes"):
        load_text(tmp_path / "a.txt")
    monkeypatch.setattr("bitlaw.llm.text.os.access", lambda *_: False)
    with pytest.raises(ValueError, match="no permission to read the folder"):
        load_text(tmp_path)


@pytest.mark.parametrize("name", ["dataset:", "dataset:a", "dataset:a::c", "dataset:a:b:c:d"])
def test_names_of_datasets_are_checked_before_the_library_is_asked(name: str) -> None:
    with pytest.raises(ValueError, match="must be dataset:NAME:SPLIT or dataset:NAME:CONFIG:SPLIT"):
        load_text(name)


def test_a_check_says_what_cutting_would_say(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("A line of a few words.\n" + " " * 3000 + "and a few more")
    ids = tiny.tokenizer(path.read_text(), add_special_tokens=False)["input_ids"]
    least = len(ids) + len(tiny.tokenizer("")["input_ids"])
    check_text(path, tiny.tokenizer, length=least)
    for call in (check_text, token_sequences):
        with pytest.raises(ValueError, match=f"it has {len(ids)} tokens, fewer than one sequence"):
            call(path, tiny.tokenizer, length=least + 1)  # type: ignore[operator]
    monkeypatch.setattr("bitlaw.llm.text.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs the library `datasets`"):
        check_text("dataset:a:test", tiny.tokenizer, length=8)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a dataset of two splits; what the library keeps of it goes away with the test."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "one"}\n{"text": null}\n{"text": "two"}\n')
    (folder / "test.jsonl").write_text('{"text": "three"}\n')
    return folder


def test_a_dataset_is_read_by_split_configuration_and_slice(dataset: Path) -> None:
    assert load_text(f"dataset:{dataset}:train") == "one\n\ntwo"
    assert load_text(f"dataset:{dataset}:default:test") == "three"
    assert load_text(f"dataset:{dataset}:train[:1]") == "one"
    assert load_text(f"dataset:{dataset}:train[2:]+test") == "two\n\nthree"


def test_wrong_datasets_are_told(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"own:valid: cannot be read as a dataset \(.*\bvalid"):
        load_text(f"dataset:{dataset}:valid")
    with pytest.raises(ValueError, match=r"own:other:test: cannot be read as a dataset"):
        load_text(f"dataset:{dataset}:other:test")
    with pytest.raises(OSError, match="neither a folder nor a dataset that can be fetched"):
        load_text("dataset:nobody/nothing:test")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(ValueError, match="hollow:test: cannot be read as a dataset"):
        load_text(f"dataset:{tmp_path}/hollow:test")
    for column, value, message in (
        ("a", '"b"', "no column 'text', but a"),
        ("text", "1", "other things than text"),
    ):
        folder = tmp_path / column
        folder.mkdir()
        (folder / "test.jsonl").write_text(f'{{"{column}": {value}}}\n')
        with pytest.raises(ValueError, match=message):
            load_text(f"dataset:{folder}:test")
