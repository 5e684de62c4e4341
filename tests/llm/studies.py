"""Studies on the small model, and rows as they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bitlaw.llm.study import Outcome, run_study
from bitlaw.llm.study_config import Allocation, Study
from bitlaw.llm.study_results import RUN_COLUMNS, TENSOR_COLUMNS, Results
from bitlaw.llm.workload import Workload
from bitlaw.theory import parse_format

ROOT = Path(__file__).parents[2]
FORMATS = {
    "int4": "int4,block=channel,scale=absmax:float16",
    "int3_g32": "int3_g32",
    "e2m1": "e2m1,block=channel,scale=absmax:float16",
}
WORKLOAD = Workload(sequences=6, length=24, batch=3, device="cpu")


def small(model: Path, *names: str, allocations: tuple[Allocation, ...] = (Allocation(),)) -> Study:
    formats = {name: parse_format(FORMATS[name]) for name in names or FORMATS}
    return Study((str(model),), formats, allocations, WORKLOAD)


def carry_out(study: Study, folder: Path, **options: Any) -> tuple[Outcome, list[dict[str, Any]]]:
    with Results(folder / "results.sqlite") as results:
        return run_study(study, results, folder / "work", **options), results.rows()


def row(fingerprint: str = "a") -> dict[str, Any]:
    return dict.fromkeys(RUN_COLUMNS) | {"fingerprint": fingerprint, "warnings": ["one"], "kl": 0.25}


def tensor(name: str = "w") -> dict[str, Any]:
    return dict.fromkeys(TENSOR_COLUMNS) | {"name": name}
