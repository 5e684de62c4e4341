"""Runs of a model are taken from the rows of a study, and come back from their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bitlaw.llm.study_results import RUN_COLUMNS
from bitlaw.paper_figures.model_results import ModelResults


def row(model: str, name: str, key: str, **changes: str) -> dict[str, Any]:
    numbers = dict.fromkeys(RUN_COLUMNS, 1.0)
    told = {"weights": "w", "tokens": "t", "code": "c", "text": "standard", "sequences": 2, "length": 8}
    about = {"fingerprint": key, "model": model, "format": name, "specification": name, "allocation": "all"}
    return {**numbers, **told, **about, **changes}


def test_rows_of_several_models_need_a_name() -> None:
    rows = [row("x/one", "nf4", "1"), row("two", "nf4", "2"), row("two", "q4_0", "3")]
    assert [run.name for run in ModelResults.from_rows(rows, [], "two").runs] == ["nf4", "q4_0"]
    assert ModelResults.from_rows(rows, [], "one").model == "x/one"
    for model, told in (
        (None, "runs of 2 models, name one of x/one, two"),
        ("three", "no models 'three', but runs of x/one, two"),
    ):
        with pytest.raises(ValueError, match=told):
            ModelResults.from_rows(rows, [], model)
    with pytest.raises(ValueError, match="hold no runs"):
        ModelResults.from_rows([], [])


def test_rows_of_older_code_or_another_text_are_left_out() -> None:
    rows = [
        row("m", "nf4", "1", code="old"),
        row("m", "mxfp4", "2", tokens="others"),
        row("m", "q4_0", "3", text="first"),
        row("m", "nf4", "4"),
        row("m", "q4_0", "5"),
    ]
    found = ModelResults.from_rows(rows, [])
    assert [(run.name, found.text) for run in found.runs] == [("q4_0", "standard"), ("nf4", "standard")]
    old = ModelResults.from_rows(rows, [], digests={"weights": "w", "tokens": "t", "code": "old"})
    assert [run.name for run in old.runs] == ["nf4"]
    with pytest.raises(ValueError, match="no runs with this text"):
        ModelResults.from_rows(rows, [], digests={"weights": "w", "tokens": "none", "code": "c"})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": "m", "runs": [{"name": "nf4"}]}'])
def test_files_of_something_else_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json: holds no results of a model"):
        ModelResults.load(tmp_path / "x.json")
