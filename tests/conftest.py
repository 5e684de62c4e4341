"""Fixtures that all tests share."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Workers of pytest-xdist fill the cores; teams of threads inside each would wait for one another, spinning.  The first
# parallel kernel sets the threads of OpenMP to numba's number, for torch too.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")

# One profile everywhere: examples are drawn from a fixed seed, and slow machines are not failures.
settings.register_profile("bitlaw", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("bitlaw")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where torch finds none."""
    if item.get_closest_marker("gpu") is not None:
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("torch finds no GPU")


def shared_path(relative: str) -> Path:
    """Path of material that lies beside the repository; skips the test where it is absent."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"no {relative} beside the repository")
    return path


@pytest.fixture
def shared_json():
    """Read a JSON file of reference numbers that lies beside the repository."""

    def read(relative: str) -> Any:
        return json.loads(shared_path(relative).read_text())

    return read
