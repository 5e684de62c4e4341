"""Codebooks and scales fitted to a model are formats that other commands take, and measure there as promised."""

import json

import pytest

pytest.importorskip("torch")

FORMAT = "int3,block=16,scale=absmax:float16"
ON = ("--sequences", 4, "--length", 24, "--device", "cpu")


@pytest.fixture
def design(bitlaw, folder):
    def run(*words):
        return bitlaw("llm", "design", "--model", folder, *ON, *words)

    return run


def test_a_codebook_of_a_model_is_a_format_of_other_commands(design, bitlaw, folder, workspace):
    words = ("--format", FORMAT, "--codebook", "--codebook-output", "book.json", "--measure", "--json")
    outcome = design(*words, "--output", "design.json")
    assert outcome.code == 0
    record = json.loads(outcome.out)
    assert json.loads((workspace / "design.json").read_text()) == record
    assert record["format"].count(";") == 7  # as many levels as three bits have
    assert record["error"] < 0.8 * record["error_of"]
    assert all(row["error"] < row["error_of"] for row in record["tensors"])
    matrices, elements = 14, 21_504
    assert record["codebook_bits"] == pytest.approx(matrices * 8 * 32 / elements)
    (named,) = [line for line in outcome.err.splitlines() if line.startswith("wrote book.json: ")]
    spec = named.partition(": ")[2]
    assert spec == "file:book.json,block=16,scale=absmax:float16,reach=1"
    told = bitlaw(
        "llm", "evaluate", "--model", folder, *ON, "--formats", spec, FORMAT, record["format"], "--json"
    )
    own, before, written_out = json.loads(told.out)["formats"]
    assert own["kl"] == written_out["kl"] == pytest.approx(record["measured"]["kl"], rel=1e-9)
    assert before["kl"] == pytest.approx(record["measured"]["kl_of"], rel=1e-9)
    assert record["measured"]["difference"] == pytest.approx(own["kl"] - before["kl"], rel=1e-6)
    assert "file exists; add --force" in design(*words).err


def test_scales_of_each_tensor_go_into_a_quantised_model(design, bitlaw, folder, workspace):
    words = ("--format", FORMAT, "--scales", "--weights", "activations", "--output", "scaled.json")
    outcome = design(*words)
    assert outcome.code == 0
    assert "weighted by activations: 0.8" in outcome.out
    chosen = json.loads((workspace / "scaled.json").read_text())["tensors"]
    assert len({one["multiplier"] for one in chosen}) > 1
    assert all(one["error"] <= one["error_of"] for one in chosen)
    made = bitlaw(
        "llm", "quantise", "--model", folder, "--allocation", "scaled.json", "--output", "new", "--json"
    )
    assert {one["name"]: one["format"] for one in json.loads(made.out)["tensors"]} == {
        one["name"]: one["format"] for one in chosen
    }


def test_fisher_information_may_come_from_a_file(design, bitlaw, folder, workspace):
    bitlaw("llm", "fisher", "--model", folder, *ON, "--output", "fisher.safetensors")
    words = ("--format", FORMAT, "--codebook", 4, "--each", "--json")
    again, read = (
        json.loads(design(*words, *more).out)["tensors"] for more in ((), ("--weights", "fisher.safetensors"))
    )
    assert [one["format"] for one in again] == [one["format"] for one in read]
    assert len({one["format"] for one in read}) == len(read)


def test_a_plan_tells_what_a_design_takes(design, monkeypatch):
    plans = [
        json.loads(design("--format", FORMAT, "--scales", "--dry-run", "--json", *more).out)["operations"]
        for more in ((), ("--measure",), ("--weights", "activations"))
    ]
    assert plans == [plans[2] * 3, plans[2] * 6, plans[2]]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "nothing is to be fitted: name --codebook, --scales or both"),
        (("--scales", "--each"), "--each goes with --codebook"),
        (("--scales", "--exact"), "--exact goes with --codebook"),
        (("--codebook", 1), "argument --codebook: codebook must be at least 2, got 1"),
        (("--codebook", "--weights", "none"), "--weights none: neither fisher nor activations nor a file"),
        (
            ("--codebook", "--each", "--codebook-output", "b"),
            "--codebook-output holds one codebook for all tensors",
        ),
        (("--codebook", "--codebook-output", "a,b"), "--codebook-output a,b: the path must have no comma"),
        (
            ("--codebook", "--codebook-output", "none/b"),
            "--codebook-output none/b: the folder none does not exist",
        ),
        (("--scales", "--output", "nf4.txt"), "--output nf4.txt: the file exists"),
        (("--codebook", "100000"), "--codebook 100000: must be at most 65536"),
        (("--scales", "--parts", "tail"), "unknown --parts 'tail'"),
        (("--scales", "--format", "nf44"), "--format nf44: "),
    ],
)
def test_what_cannot_be_fitted_is_refused_at_once(design, workspace, words, reason):
    outcome = design(*(() if "--format" in words else ("--format", FORMAT)), *words, "--dry-run")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"bitlaw: error: {reason}")
    assert len(outcome.err.splitlines()) == 1


def test_formats_and_weights_that_do_not_fit_are_named(design, workspace):
    unfit = design("--format", "q4_1", "--codebook").err
    assert "error: --format q4_1 with --weights fisher: format must scale runs, rows or the tensor" in unfit
    words = ("--format", FORMAT, "--scales", "--parts", "embedding", "--weights", "activations")
    assert "model.embed_tokens.weight: there are no weights for this tensor" in design(*words).err
    strange = design("--format", FORMAT, "--scales", "--weights", "model.safetensors").err
    assert strange.startswith("bitlaw: error: --weights model.safetensors: ")
    assert len(strange.splitlines()) == 1
