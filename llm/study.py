"""A sweep over models, formats and allocations that can be interrupted anywhere.

Each run is predicted, quantised and measured, and its row is committed before the next one starts.  What is
already in the results file under the same fingerprint (weights, tokens, format, allocation, measuring, code) is not
run again; the reference's answers, Fisher information and statistics of a model are kept in a work folder.

Studies beside one another on the same work folder and results share the runs.  With the address of a Dask cluster
the runs are spread over its workers, which must see the work folder and the models under the same paths; they
return rows, and only the caller writes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from .study_claims import claimed_runs, one_at_a_time
from .study_config import Run, Study
from .study_results import Results
from .workload import Opened, Parts, Workload, open_workload, prepare_parts

__all__ = ["Outcome", "run_fingerprint", "run_study"]

Rows = tuple[dict[str, Any], list[dict[str, Any]]]

# Seconds until a scheduler must have answered.
_CONNECTING = 10

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
        Runs that were in the results already, or came there from another study meanwhile.
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
    ConnectionError
        If no scheduler answers at the address of the cluster; nothing has been done then.
    ImportError
        If a cluster is given and `distributed` is not installed.
    """
    tell = progress or (lambda words: None)
    with _workers(cluster) as client:
        outcomes = [_one_model(study, model, results, Path(folder), client, tell) for model in study.models]
    return Outcome(
        sum(outcome.done for outcome in outcomes),
        sum(outcome.found for outcome in outcomes),
        tuple(failure for outcome in outcomes for failure in outcome.failures),
    )


@contextmanager
def _workers(cluster: str | None) -> Iterator[Any]:
    """Client of a cluster, or None without one."""
    if cluster is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise ImportError("a cluster needs Dask: install it with  pip install distributed") from None
    try:
        client = Client(cluster, timeout=_CONNECTING, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(f"no Dask scheduler answers at {cluster}: {error}") from error
    with client, client.as_current():
        yield client


def _one_model(
    study: Study,
    model: str,
    results: Results,
    folder: Path,
    client: Any,
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
    with one_at_a_time(folder, lambda words: tell(f"{model}: {words}")):
        parts = prepare_parts(opened, folder, lambda what, k, n: tell(f"{model}: {what} {k}/{n}"))
    done, failures = 0, []
    here = client is None
    claimed = claimed_runs(missing, results.fingerprints, folder / "claims")
    own = ((key, run, _answer(run, opened, parts, tell)) for key, run in claimed)
    for key, run, answer in own if here else _spread(missing, opened, folder, client):
        if isinstance(answer, str):
            failures.append((run, answer))
            tell(f"{run}: failed: {answer}")
        else:
            done += results.add({"fingerprint": key} | answer[0], answer[1])
            tell(f"{run}: done")
    return Outcome(done, len(runs) - done - len(failures), tuple(failures))


def _answer(run: Run, opened: Opened, parts: Parts, tell: Callable[[str], object]) -> Rows | str:
    """Rows of a run, or why there are none."""
    try:
        return _carry_out(run, opened, parts, tell)
    except (ValueError, TypeError, NotImplementedError) as error:
        return str(error)


def _spread(
    missing: dict[str, Run], opened: Opened, folder: Path, client: Any
) -> Iterator[tuple[str, Run, Rows | str]]:
    """Rows of each run from the workers of a cluster, or why there are none, in the order in which they end."""
    from distributed import as_completed

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
