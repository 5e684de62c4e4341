"""`bitlaw llm activations`: moments in a file, and what they amount to."""

import json
import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from bitlaw.llm.activation_files import load_activations
from bitlaw.llm.activations import activation_moments
from bitlaw.llm.models import load_model
from bitlaw.llm.text import token_sequences

ON = ("--sequences", 4, "--length", 24, "--device", "cpu")


@pytest.fixture
def activations(bitlaw, folder):
    """Run the task on the small model."""

    def run(*words):
        return bitlaw("llm", "activations", "--model", folder, *ON, *words)

    return run


@pytest.mark.parametrize("full", [False, True])
def test_the_file_holds_what_the_library_finds(activations, folder, tmp_path, full):
    target = tmp_path / "moments.safetensors"
    outcome = activations("--output", target, "--json", *(["--full"] if full else []))
    assert outcome.code == 0
    model = load_model(folder, device="cpu")
    text = token_sequences("standard", model.tokenizer, length=24, count=4)
    expected, read = activation_moments(model, text, full=full), load_activations(target)
    assert set(read.moments) == set(expected.moments)
    for name, moments in expected.moments.items():
        torch.testing.assert_close(read.moments[name], moments)
    record = json.loads(outcome.out)
    assert record["full"] == full
    for row in record["tensors"]:
        moments = expected.moments[row["name"]].double()
        diagonal = moments.diagonal() if full else moments
        assert row["tokens"] == [96]
        assert row["mean_square"] == pytest.approx(float(diagonal.mean()))
        assert row["largest_over_mean"] == pytest.approx(float(diagonal.max() / diagonal.mean()))
        # Counted by eigenvalues, of which the covariance has no more than rows of inputs.
        values = torch.linalg.eigvalsh(moments) if full else diagonal
        assert row["effective_inputs"] == pytest.approx(float(values.sum() ** 2 / values.square().sum()))


def test_tables_have_a_line_for_each_matrix(activations):
    outcome = activations()
    lines = outcome.out.splitlines()
    assert lines[0] == "second moments of the inputs of every matrix"
    assert next(line.split()[1:3] for line in lines[2:] if "down_proj" in line) == ["80", "96"]
    assert not any("embed_tokens" in line for line in lines)


def test_a_plan_counts_squares_of_inputs(activations, folder, tmp_path):
    def plan(*words):
        return json.loads(activations(*words, "--dry-run", "--json").out)

    target = tmp_path / "moments.safetensors"
    for words in ((), ("--full",)):
        activations(*words, "--output", target, "--force")
        held = sum(moments.nbytes for moments in load_activations(target).moments.values())
        bare, written = plan(*words), plan(*words, "--output", target, "--force")
        assert (bare["disk_bytes"], written["disk_bytes"]) == (0, held)
        assert bare["memory_bytes"] > 2 * held
    assert "disk" in activations("--full", "--dry-run").out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--output", "none/a.safetensors"), "the folder none does not exist"),
        (("--output", "taken.safetensors"), "the file exists; add --force"),
        (("--output", "taken.safetensors", "--dry-run"), "the file exists; add --force"),
        (("--text", "none.txt"), "no such file or folder"),
    ],
)
def test_faults_are_named(activations, workspace, words, reason):
    (workspace / "taken.safetensors").write_text("")
    outcome = activations(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err
    assert len(outcome.err.splitlines()) == 1
