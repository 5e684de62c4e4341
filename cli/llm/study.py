"""`bitlaw llm study`: a sweep from a TOML file, its results in SQLite, resumed wherever it stopped."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import subparser
from ..errors import UsageError
from ..output import Block, Table, json_text, note, number, show
from .budget import Budget, check_budget
from .constraints import Constraints
from .faults import Fault, faults_of, faults_of_tensors
from .headers import ModelPlan, read_model_plan
from .options import needs_llm
from .plan import Plan, Work, check_inputs, check_plans

if TYPE_CHECKING:
    from bitlaw.llm.study_config import Allocation, Study
    from bitlaw.theory.formats import Format

__all__ = ["add_parser", "plan_study", "run"]

EXAMPLES = """\
  bitlaw llm study sweep.toml
      runs what is not in sweep.sqlite yet
  bitlaw llm study sweep.toml --export runs.csv tensors.parquet
      and writes tables for other programs
  bitlaw llm study sweep.toml --cluster tcp://node:8786
      on the workers of a Dask cluster"""

_DESCRIPTION = """\
Sweep over models, formats and allocations. Each run is committed to the results file when it is done, under a
fingerprint of weights, tokens, format, allocation and code; started again, the study goes on from there. What
all runs of a model share (the reference's answers, Fisher information, statistics) is kept in a work folder."""


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "study", "sweep over models, formats and allocations", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("file", metavar="FILE", help="TOML: models, formats, [text], [run], [[allocation]]")
    parser.add_argument("--results", metavar="FILE", help="default: FILE with the ending .sqlite")
    parser.add_argument("--work", metavar="DIR", help="default: FILE with the ending .work")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler")
    parser.add_argument(
        "--export",
        nargs="+",
        default=[],
        metavar="FILE",
        help=".csv or .parquet; a name that begins with tensors holds one row for each tensor",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what it would take; no weights are loaded"
    )
    parser.add_argument("--json", action="store_true", help="print all rows as JSON")


def run(args: argparse.Namespace) -> int:
    """Read, run what is missing, print."""
    needs_llm(args)
    from bitlaw.llm.study import run_study
    from bitlaw.llm.study_export import export_results
    from bitlaw.llm.study_file import read_study
    from bitlaw.llm.study_results import Results

    study = read_study(args.file)
    if args.dry_run:
        return plan_study(study, args.json)
    for path in args.export:
        _check_export(Path(path))
    file = Path(args.file)
    with Results(args.results or file.with_suffix(".sqlite")) as results:
        work = args.work or file.with_suffix(".work")
        try:
            outcome = run_study(study, results, work, cluster=args.cluster, progress=note)
        except ConnectionError as error:
            raise UsageError(f"--cluster: {error}") from error
        rows = results.rows()
        if rows:
            show([json_text(rows).rstrip("\n")] if args.json else [_table(rows)])
        for path in args.export:
            table = "tensors" if Path(path).name.startswith("tensors") else "runs"
            note(f"wrote {path}: {export_results(results, path, table)} rows")
    note(f"{outcome.done} runs done, {outcome.found} found in {results.path}")
    if outcome.failures:
        first, reason = outcome.failures[0]
        raise UsageError(f"{len(outcome.failures)} runs cannot be carried out; {first}: {reason}")
    return 0


def _check_export(path: Path) -> None:
    """Refuse a file that cannot be written, or is there and no earlier export."""
    from bitlaw.llm.study_export import is_export

    if path.suffix not in (".csv", ".parquet"):
        raise UsageError(f"--export {path}: the ending must be .csv or .parquet")
    if not path.parent.is_dir():
        raise UsageError(f"--export {path}: the folder {path.parent} does not exist")
    if path.exists() and not is_export(path):
        raise UsageError(f"--export {path}: exists and bitlaw did not write it; choose another name")


def plan_study(study: Study, as_json: bool) -> int:
    """Print what each model would take, if no run were there yet; refuse what the study would refuse."""
    asked = study.workload
    for name in study.models:
        check_inputs(asked.device, asked.text, model=name, length=asked.length)
    plans = [_plan_model(study, name) for name in study.models]
    if as_json:
        records = [plan.record() | {"runs": len(study.runs(plan.model.name))} for plan in plans]
        show([json_text(records).rstrip("\n")])
    else:
        show([f"{len(study)} runs", *(block for plan in plans for block in plan.blocks())])
    check_plans(plans)
    for plan, one in product(plans, study.allocations):
        _check_allocation(study, plan.model, one)
    return 0


def _plan_model(study: Study, name: str) -> Plan:
    """Plan of all runs of a model; what does not divide is told once."""
    found = read_model_plan(name, study.workload.dtype)
    faults = [fault for one in study.allocations for fault in _faults(study, found, one)]
    parts = {
        found.weights[tensor][0]
        for one in study.allocations
        for tensor, _ in one.tensors
        if tensor in found.weights
    }
    parts |= {part for one in study.allocations if not one.tensors for part in one.parts}
    asked, runs = study.workload, 1 + len(study.runs(name))
    work = Work(
        asked.sequences,
        asked.length,
        asked.batch,
        runs,
        True,
        tuple(sorted(parts)),
        keeps_reference=True,
        by_rows=asked.fisher == "rows",
    )
    return Plan(found, work, list(dict.fromkeys(faults)))


def _faults(study: Study, model: ModelPlan, one: Allocation) -> list[Fault]:
    if not one.tensors:
        ends = None if one.ends is None else {str(one.ends): one.ends}
        return faults_of(model, study.formats, one.parts, ends)
    formats: dict[Format, set[str]] = {}
    for name, format in one.tensors:
        formats.setdefault(format, set()).add(name)
    return faults_of_tensors(model, [(str(format), format, names) for format, names in formats.items()])


def _check_allocation(study: Study, model: ModelPlan, one: Allocation) -> None:
    """Refuse tensors that a model does not have, and budgets that no formats meet."""
    for tensor, _ in one.tensors:
        if tensor not in model.weights:
            raise UsageError(f"allocation {one.name!r}: {model.name} has no weight tensor {tensor}")
    if one.budget is not None:
        names = tuple(name for name, (part, _) in model.weights.items() if part in one.parts)
        key = next(key for key in ("bits", "bytes", "like") if getattr(one, key) is not None)
        budget = Budget(f"allocation {one.name!r}, {key} = {getattr(one, key)}", *one.budget)
        check_budget(model, study.formats.values(), budget, Constraints(names))


def _table(rows: Sequence[dict[str, Any]]) -> Block:
    columns = (
        "model",
        "format",
        "allocation",
        "bits",
        "R / predicted",
        "KL predicted",
        "KL",
        "95% interval",
        "perplexity",
    )
    lines = [
        (
            Path(row["model"]).name,
            row["format"],
            row["allocation"],
            number(row["bits"], 4),
            number(row["r"] / row["predicted_r"], 4) if row["predicted_r"] else "-",
            number(row["predicted_kl"], 3),
            number(row["kl"], 3),
            f"{number(row['kl_lower'], 3)} to {number(row['kl_upper'], 3)}",
            number(row["perplexity"], 5),
        )
        for row in rows
    ]
    return Table(columns, lines, left=("model", "format", "allocation"))
