"""Tasks that run a model spread it over devices on request."""

import importlib.util
import json

import pytest

from bitlaw.cli.main import build_parser

pytest.importorskip("accelerate")

NEEDED = {
    "evaluate": ("--formats", "nf4"),
    "report": (),
    "allocate": ("--bits", "4"),
    "fisher": (),
    "figures": (),
    "quantise": ("--format", "nf4", "--output", "new"),
}


@pytest.mark.parametrize("task", NEEDED)
def test_every_task_that_runs_a_model_takes_a_map(task):
    told = build_parser(("llm",)).parse_args(["llm", task, *NEEDED[task], "--device-map", "balanced"])
    assert told.device_map == "balanced"


def test_a_map_changes_no_number(bitlaw, folder, workspace):
    words = (
        "llm",
        "evaluate",
        "--model",
        folder,
        "--formats",
        "nf4",
        "--sequences",
        "2",
        "--length",
        "8",
        "--json",
    )
    plain, spread = (bitlaw(*words, *more) for more in ((), ("--device-map", "auto")))
    assert spread.code == 0
    assert json.loads(spread.out) == json.loads(plain.out)
    words = ("llm", "quantise", "--model", folder, "--format", "nf4", "--json", "--output")
    plain, spread = bitlaw(*words, "one"), bitlaw(*words, "other", "--device-map", "auto")
    assert spread.code == 0
    assert json.loads(spread.out) == json.loads(plain.out)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ("evaluate", "--formats", "nf4", "--device", "cpu"),
            "--device-map: not allowed with argument --device",
        ),
        (
            ("quantise", "--format", "nf4", "--output", "new", "--stream"),
            "--stream builds no model; --device-map",
        ),
        (("stats",), "unrecognized arguments: --device-map"),
    ],
)
def test_what_a_map_does_not_go_with_is_refused(bitlaw, words, reason):
    outcome = bitlaw("llm", *words, "--device-map", "auto")
    assert outcome.code == 2
    assert reason in outcome.err


def test_an_unknown_way_to_spread_and_a_missing_library_are_told(bitlaw, monkeypatch):
    outcome = bitlaw("llm", "fisher", "--device-map", "everywhere")
    assert outcome.code == 2
    assert "argument --device-map: invalid choice: 'everywhere'" in outcome.err
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "accelerate" else find(name)
    )
    outcome = bitlaw("llm", "fisher", "--device-map", "auto")
    assert outcome.code == 2
    assert "--device-map: needs accelerate: install it with pip install 'bitlaw[devices]'" in outcome.err
