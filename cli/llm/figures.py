"""`bitlaw llm figures`: the figures of a model, from a study that it runs or from one that is there."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import subparser
from ..errors import UsageError, unknown
from ..figures import INSTALL
from ..files import make_folder
from ..output import Block, Table, json_text, note, show
from .options import add_model_options, needs_llm, steps, workload_of
from .plan import Work, check_inputs, make_plan

if TYPE_CHECKING:
    from bitlaw.paper_figures.model_figures import DrawnFigure
    from bitlaw.paper_figures.model_study import ModelStudy

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw llm figures --output figures
      a study of the embedded model, and all figures of it
  bitlaw llm figures model_trade_off model_rotations --model ./llama --output figures
      two figures, and only the runs that they need
  bitlaw llm figures --results sweep.sqlite --work sweep.work --output figures
      what a study of one's own holds runs for"""

_DESCRIPTION = """\
Draw figures of a model: NAME.png and NAME.pdf in a folder. Without --results the runs that they show are done
first, into figures.sqlite and figures.work of that folder; stopped anywhere, the same command goes on from there.
With --results they are drawn from any study, or from the model_results.json of an earlier call; what it has no runs
for is left out and said. Needs matplotlib, the extra "figures"."""

# Options that decide runs, so that they mean nothing where the runs are done.
_RUNNING = ("text", "sequences", "length", "batch", "seed", "device", "dtype")


def add_parser(tasks: Any) -> None:
    """Add the task to the parser of `bitlaw llm`."""
    parser = subparser(tasks, "figures", "draw the figures of a model", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures to draw (default all)")
    add_model_options(parser)
    parser.add_argument("--results", metavar="FILE", help="of a study: draw from it and run nothing")
    parser.add_argument("--work", metavar="DIR", help="work folder of that study, for weights and Fisher")
    parser.add_argument(
        "--output", metavar="DIR", default="model_figures", help="folder (default %(default)s)"
    )
    parser.add_argument("--list", action="store_true", help="list the figures and draw nothing")
    parser.set_defaults(model=None, usual={name: parser.get_default(name) for name in _RUNNING})


def run(args: argparse.Namespace) -> int:
    """List, plan, or run and draw."""
    names = _checked(args)
    if args.list:
        return _list(names, args.json)
    if not args.results:
        args.model = args.model or "embedded"
        return _plan(args, names) if args.dry_run else _run_and_draw(args, names)
    if args.work or not args.results.endswith(".json"):
        needs_llm(argparse.Namespace(task=args.task))  # a model is named, not opened
    from bitlaw.paper_figures.model_study import ModelStudy

    study = ModelStudy.open(args.results, args.work, args.model)
    return _preview(study, names, args.json) if args.dry_run else _draw(args, names, study, {})


def _run_and_draw(args: argparse.Namespace, names: Sequence[str]) -> int:
    _needs_matplotlib()  # before the work, which may be of hours
    needs_llm(args)
    folder = make_folder(args.output)
    study, about = _carried_out(args, names, folder)
    study.results.save(folder / "model_results.json")
    return _draw(args, names, study, about)


def _draw(args: argparse.Namespace, names: Sequence[str], study: ModelStudy, about: dict[str, Any]) -> int:
    """Draw and print; `about` is what was run."""
    from bitlaw.paper_figures.model_figures import draw_model_figures

    _needs_matplotlib()
    done = 0
    with steps() as step:

        def progress(figure: DrawnFigure) -> None:
            nonlocal done
            done += 1
            step("figures", done, len(names))

        drawn = draw_model_figures(study, make_folder(args.output), names, progress)
    for figure in drawn:
        if figure.skipped:
            note(f"{figure.name} left out: {figure.skipped}")
    if args.json:
        print(json_text(_about(study) | about | {"figures": [_record(one) for one in drawn]}), end="")
    elif any(one.files for one in drawn):
        show([_table([one for one in drawn if one.files])])
    return 0


def _needs_matplotlib() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(INSTALL)


def _checked(args: argparse.Namespace) -> list[str]:
    """Names of figures, all of them for none; what cannot be meant is an error."""
    from bitlaw.paper_figures.model_figures import MODEL_FIGURES

    for name in args.names:
        if name not in MODEL_FIGURES:
            raise unknown("figure", name, MODEL_FIGURES)
    if args.work and not args.results:
        raise UsageError("--work goes with --results; without it the work folder is figures.work of --output")
    for name in _RUNNING if args.results else ():
        if getattr(args, name) != args.usual[name]:
            raise UsageError(f"--{name} decides what is run, and with --results nothing is")
    return list(dict.fromkeys(args.names)) or list(MODEL_FIGURES)


def _list(names: Sequence[str], as_json: bool) -> int:
    from bitlaw.paper_figures.model_figures import MODEL_FIGURES

    modules = {name: MODEL_FIGURES[name] for name in names}
    entries: list[dict[str, Any]] = [
        {"name": name, "title": module.title, "paper": module.paper, "formats": list(module.FORMATS)}
        for name, module in modules.items()
    ]
    if as_json:
        print(json_text(entries), end="")
        return 0
    rows = [(one["name"], one["title"], one["paper"], str(len(one["formats"]))) for one in entries]
    show([Table(("figure", "title", "paper", "formats"), rows, left=("figure", "title", "paper"))])
    return 0


def _plan(args: argparse.Namespace, names: Sequence[str]) -> int:
    """What the study would take, if no run were there yet."""
    if importlib.util.find_spec("torch") is None:
        needs_llm(args)
    from bitlaw.paper_figures.model_figures import figure_studies, wants_text_fisher

    check_inputs(args.device, args.text, model=args.model, length=args.length)
    studies = figure_studies([args.model], workload_of(args), names)
    formats = {str(format): format for study in studies for format in study.formats.values()}
    runs = sum(len(study) for study in studies)
    parts = ("embedding", "decoder", "head")
    work = Work(args.sequences, args.length, args.batch, 1 + runs, True, parts, keeps_reference=True)
    plan = make_plan(args.model, args.dtype, work, formats, parts)
    if args.json:
        show([json_text(plan.record() | {"runs": runs, "figures": list(names)}).rstrip("\n")])
        return 0
    twice = (
        "; Fisher information twice, with sampled targets and the text's" if wants_text_fisher(names) else ""
    )
    show([f"{len(names)} figures from {runs} runs{twice}", *plan.blocks()])
    return 0


def _preview(study: ModelStudy, names: Sequence[str], as_json: bool) -> int:
    """Which figures a study holds runs for."""
    from bitlaw.paper_figures.model_figures import missing_for

    missing = {name: missing_for(name, study) for name in names}
    if as_json:
        entries = [{"name": name, "skipped": reason} for name, reason in missing.items()]
        print(json_text(_about(study) | {"figures": entries}), end="")
    else:
        rows = [(name, reason or "can be drawn") for name, reason in missing.items()]
        show([Table(("figure", ""), rows, left=("figure", ""))])
    return 0


def _carried_out(
    args: argparse.Namespace, names: Sequence[str], folder: Path
) -> tuple[ModelStudy, dict[str, Any]]:
    """The study of some figures, run as far as it is not there yet, and what was done."""
    from bitlaw.llm.study import run_study
    from bitlaw.llm.study_parts import open_parts
    from bitlaw.llm.study_results import Results
    from bitlaw.paper_figures.model_figures import figure_studies
    from bitlaw.paper_figures.model_results import ModelResults
    from bitlaw.paper_figures.model_study import ModelStudy

    work = folder / "figures.work"
    studies = figure_studies([args.model], workload_of(args), names)
    with steps() as step, Results(folder / "figures.sqlite") as results:
        digests, sequences = _kept(args, names, work, step)
        told = _counting(step, sum(len(study) for study in studies))
        outcomes = [run_study(study, results, work, progress=told) for study in studies]
        rows, tensors = results.rows(), results.rows("tensors")
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    for failed, reason in failures:
        note(f"not run: {failed}: {reason}")
    if studies:
        found = ModelResults.from_rows(rows, tensors, digests=digests)
    else:
        found = ModelResults(args.model, args.text, sequences, args.length, ())
    done = sum(outcome.done for outcome in outcomes)
    note(
        f"{done} runs done, {sum(outcome.found for outcome in outcomes)} found in {folder / 'figures.sqlite'}"
    )
    about = {"done": done, "failures": [{"run": str(run), "reason": reason} for run, reason in failures]}
    return ModelStudy(found, open_parts(work, digests)), about


def _kept(
    args: argparse.Namespace, names: Sequence[str], work: Path, step: Callable[[str, int, int], None]
) -> tuple[dict[str, str], int]:
    """Make what the work folder keeps of the model; its digests, and how many sequences the text has."""
    from bitlaw.llm.study_parts import keep_text_fisher
    from bitlaw.llm.workload import open_workload, prepare_parts
    from bitlaw.paper_figures.model_figures import wants_text_fisher

    opened = open_workload(args.model, workload_of(args))
    prepare_parts(opened, work, step)
    if wants_text_fisher(names):
        keep_text_fisher(opened, work, lambda k, n: step("Fisher information of the text", k, n))
    return opened.digests, len(opened.sequences)


def _counting(step: Callable[[str, int, int], None], total: int) -> Callable[[str], None]:
    """A bar of runs from what a study tells."""
    done = 0

    def told(words: str) -> None:
        nonlocal done
        done += words.endswith(": done") or ": failed: " in words
        step("runs", done, total)

    return told


def _about(study: ModelStudy) -> dict[str, Any]:
    results = study.results
    return {
        "model": results.model,
        "text": results.text,
        "sequences": results.sequences,
        "length": results.length,
        "runs": len(results.runs),
    }


def _record(figure: DrawnFigure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title,
        "paper": figure.paper,
        "files": [str(file) for file in figure.files],
        "skipped": figure.skipped,
    }


def _table(drawn: Sequence[DrawnFigure]) -> Block:
    rows = [(one.name, one.title, str(one.files[0])) for one in drawn]
    return Table(("figure", "title", "file"), rows, left=("figure", "title", "file"))
