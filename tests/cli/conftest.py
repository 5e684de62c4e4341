"""A folder with the files that examples speak of, and the program called in process."""

import os
from dataclasses import dataclass

import numpy as np
import pytest
from safetensors.numpy import save_file

from bitlaw.cli.main import main

os.environ.setdefault("HF_HUB_OFFLINE", "1")

# QLoRA (arXiv 2305.14314), appendix E: the NormalFloat data type.
NF4 = (
    "-1.0 -0.6961928009986877 -0.5250730514526367 -0.39491748809814453 -0.28444138169288635 "
    "-0.18477343022823334 -0.09105003625154495 0.0 0.07958029955625534 0.16093020141124725 "
    "0.24611230194568634 0.33791524171829224 0.44070982933044434 0.5626170039176941 0.7229568362236023 1.0"
).split()


@dataclass(frozen=True)
class Outcome:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def bitlaw(capsys):
    """Run a command line in this process."""

    def run(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return run


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Working folder with weights.npz (layer0, layer1, step), model.safetensors and nf4.txt."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(7)
    layers = {
        "layer0": rng.standard_normal((40, 50)).astype(np.float32),
        "layer1": rng.laplace(size=3000).astype(np.float32),
    }
    np.savez(tmp_path / "weights.npz", **layers, step=np.int64(3))
    save_file(layers, tmp_path / "model.safetensors")
    (tmp_path / "nf4.txt").write_text("# NormalFloat, 4 bits\n" + "\n".join(NF4) + "\n")
    return tmp_path


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Folder of a small language model; torch is imported by those who ask for it."""
    from bitlaw.llm.embedded import embedded_model_folder

    from ..llm.conftest import RECIPE

    return embedded_model_folder(RECIPE, tmp_path_factory.mktemp("cache"))
