"""A sweep over models, formats and allocations that can be interrupted anywhere.

Each run is predicted, quantised and measured, and its row is committed before the next one starts.  What is
already in the results file under the same fingerprint (weights, tokens, format, allocation, measuring, code) is not
run again; the reference's answers, Fisher information and statistics of a model are kept in a work folder.

With the address of a Dask cluster the runs are spread over its workers, which must see the work folder and the
models under the same paths; they return rows, and only the caller writes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from .allocation import allocate_formats, fused_groups
from .audit import audit
from .audit_record import run_row, tensor_rows
from .published_allocation import published_allocation
from .quantise import Assignment, assign
from .study_config import Run, Study
from .study_results import Results
from .workload import Opened, Parts, Workload, open_workload, prepare_parts

__all__ = ["Outcome", "run_fingerprint", "run_study"]

Rows = tuple[dict[str, Any], list[dict[str, Any]]]

# Weights are overwritten while a run lasts, so two threads of a worker must not share a model.
_ONE_RUN = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """What a study did.

    Attributes
    ----------
    done : int
        Runs that were carried out now.
    found : int
        Runs that were in the results already.
    failures : tuple of (Run, str)
        Runs that cannot be carried out, and why; nothing is stored for them.
    """

    done: int
    found: int
    failures: tuple[tuple[Run, str], ...]


def run_fingerprint(run: Run, digests: dict[str, str]) -> str:
    """Key of a run: a digest of everything that decides its numbers."""
    content = digests | run.identity()
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def run_study(
    study: Study,
    results: Results,
    folder: str | os.PathLike[str],
    *,
    cluster: str | None = None,
    progress: Callable[[str], object] | None = None,
) -> Outcome:
    """Carry out all runs of a study that are not in the results yet.

    Parameters
    ----------
    study : Study
    results : Results
    folder : path
        Where shared parts are kept; made where it is missing.
    cluster : str, optional
        Address of a Dask scheduler, such as "tcp://node:8786"; the runs are done here when left out.
    progress : callable, optional
        Called with what is being done.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError, OSError
        If the model or text cannot be read (of several models, its runs are failures, and the others are carried
        out), or results or shared parts cannot be written.
    ImportError
        If a cluster is given and `distributed` is not installed.
    """
    tell = progress or (lambda words: None)
    outcomes = [_one_model(study, model, results, Path(folder), cluster, tell) for model in study.models]
    return Outcome(
        sum(outcome.done for outcome in outcomes),
        sum(outcome.found for outcome in outcomes),
        tuple(failure for outcome in outcomes for failure in outcome.failures),
    )


def _one_model(
    study: Study,
    model: str,
    results: Results,
    folder: Path,
    cluster: str | None,
    tell: Callable[[str], object],
) -> Outcome:
    tell(f"{model}: loading")
    try:
        opened = open_workload(model, study.workload)
    except (ValueError, OSError) as error:
        if len(study.models) == 1:
            raise
        tell(f"{model}: failed: {error}")  # the other models are not kept waiting
        return Outcome(0, 0, tuple((run, str(error)) for run in study.runs(model)))
    present = results.fingerprints()
    runs = {run_fingerprint(run, opened.digests): run for run in study.runs(model)}
    missing = {key: run for key, run in runs.items() if key not in present}
    if not missing:
        return Outcome(0, len(runs), ())
    parts = prepare_parts(opened, folder, lambda what, k, n: tell(f"{model}: {what} {k}/{n}"))
    done, failures = 0, []
    for key, run, answer in _answers(missing, opened, parts, folder, cluster, tell):
        if isinstance(answer, str):
            failures.append((run, answer))
            tell(f"{run}: failed: {answer}")
        else:
            done += results.add({"fingerprint": key} | answer[0], answer[1])
            tell(f"{run}: done")
    return Outcome(done, len(runs) - len(missing), tuple(failures))


def _answers(
    missing: dict[str, Run],
    opened: Opened,
    parts: Parts,
    folder: Path,
    cluster: str | None,
    tell: Callable[[str], object],
) -> Iterator[tuple[str, Run, Rows | str]]:
    """Rows of each run, or why there are none, as they come."""
    if cluster is not None:
        yield from _spread(missing, opened, folder, cluster)
        return
    for key, run in missing.items():
        try:
            yield key, run, _carry_out(run, opened, parts, tell)
        except (ValueError, TypeError, NotImplementedError) as error:
            yield key, run, str(error)


def _spread(
    missing: dict[str, Run], opened: Opened, folder: Path, cluster: str
) -> Iterator[tuple[str, Run, Rows | str]]:
    """Runs on the workers of a cluster, in the order in which they end."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise ImportError("a cluster needs Dask: install it with  pip install distributed") from None
    with Client(cluster, timeout=30, set_as_default=False) as client, client.as_current():
        futures = {
            client.submit(
                _on_worker, run, opened.workload, str(folder.resolve()), opened.digests, key=f"bitlaw-{key}"
            ): key
            for key, run in missing.items()
        }
        try:
            for future in as_completed(futures):
                key = futures.pop(future)
                error = future.exception()
                yield key, missing[key], future.result() if error is None else f"on a worker: {error}"
        finally:
            client.cancel(list(futures))


def _on_worker(run: Run, workload: Workload, folder: str, digests: dict[str, str]) -> Rows:
    """One run in a worker's process; the model stays loaded for the next one."""
    with _ONE_RUN:
        opened, parts = _loaded(run.model, workload, folder)
        different = [name for name, digest in digests.items() if opened.digests[name] != digest]
        if different:
            raise ValueError(f"the worker's {different[0]} differ from the caller's")
        return _carry_out(run, opened, parts, lambda words: None)


@lru_cache(maxsize=1)
def _loaded(model: str, workload: Workload, folder: str) -> tuple[Opened, Parts]:
    opened = open_workload(model, workload)
    return opened, prepare_parts(opened, folder)


def _carry_out(run: Run, opened: Opened, parts: Parts, tell: Callable[[str], object]) -> Rows:
    start = time.perf_counter()
    model = opened.language_model
    assignment, statement = _assignment(run, parts)
    found = audit(
        model,
        assignment,
        parts.reference,
        parts.statistics,
        parts.fisher,
        progress=lambda words: tell(f"{run}: {words}"),
    )
    row = run_row(found) | {
        "model": run.model,
        "text": opened.workload.text,
        "sequences": len(opened.sequences),
        "length": opened.sequences.length,
        "allocation": run.allocation.name,
        "format": run.format_name,
        "specification": run.specification,
        "weights": opened.digests["weights"],
        "tokens": opened.digests["tokens"],
        "code": opened.digests["code"],
        "device": str(model.device),
        "seconds": time.perf_counter() - start,
        "finished": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }
    row["warnings"] += statement
    return row, tensor_rows(found)


def _assignment(run: Run, parts: Parts) -> tuple[Assignment, list[str]]:
    """Formats of the tensors, and what there is to say of a choice at a budget."""
    asked, budget = run.allocation, run.allocation.budget
    if asked.tensors:
        return dict(asked.tensors), []
    if budget is None:
        (format,) = run.formats
        return assign(parts.language_model.model, format, parts=asked.parts, ends=asked.ends), []
    if asked.rule == "published" and asked.bits is not None:
        by_rule = published_allocation(
            parts.statistics, parts.fisher, run.formats, asked.bits, parts=asked.parts
        )
        return by_rule, []
    names = [name for name, found in parts.statistics.items() if found.part in asked.parts]
    amount, unit = budget
    chosen = allocate_formats(
        parts.statistics,
        parts.fisher,
        run.formats,
        amount,
        unit=unit,
        parts=asked.parts,
        groups=fused_groups(names) if asked.fused else None,
        exact=asked.exact,
    )
    return chosen.assignment, [chosen.statement]
