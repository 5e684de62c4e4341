"""`bitlaw report`: the main job: tables, figures and fits of real tensors, explained on one page.

The page is written last: where index.html is, everything it speaks of is complete.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlaw.theory.fitting import list_tensors

from .arguments import integers, subparser
from .errors import UsageError
from .figures import INSTALL, check_names, render_with_progress
from .files import make_folder, write_file
from .fit import analyse_with_progress, analyses_csv, analyses_record
from .output import json_text, note
from .report_data import DataSet, LeftOut, find_models, sample_measurements
from .report_fits import FittedData
from .report_page import GENERATOR, ReportContent, page
from .tables import add_table_options, compute_tables, write_tables

if TYPE_CHECKING:
    from bitlaw.paper_figures import RenderedFigure

__all__ = ["add_parser", "run"]

EXAMPLES = """\
  bitlaw report
      everything, into report/index.html; one to two minutes on two cores
  bitlaw report --output mine --data weights.npz --bits 4 --sources laplace --rates 1,2 --figures none
      a small one, about one's own tensors"""

_DESCRIPTION = """\
Write certified tables, the figures of papers, and fits of real tensors into a folder, with a page index.html
that explains them and needs nothing from outside.

Without --data the real tensors are those of models in a folder shared/models beside or above the working
folder, and measurements that ship with matplotlib. Files of the same names in the folder are replaced; an
index.html that bitlaw did not write is not. The page is written last: an interrupted run leaves none."""

_PACKAGES = ("bitlaw", "numpy", "scipy", "numba", "ml_dtypes", "safetensors", "matplotlib")


def add_parser(commands: Any) -> None:
    """Add the sub-command to the program's parser."""
    parser = subparser(commands, "report", "tables, figures and fits on one page", _DESCRIPTION, EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("--output", metavar="DIR", default="report", help="folder (default %(default)s)")
    parser.add_argument(
        "--data", metavar="FILE", nargs="+", help="tensor files to fit, in place of those found"
    )
    parser.add_argument(
        "--bits", type=integers, default=list(range(2, 9)), metavar="LIST", help="fits (default 2-8)"
    )
    parser.add_argument(
        "--figures", metavar="NAMES", default="all", help="comma-separated, all or none (default all)"
    )
    add_table_options(parser)
    parser.add_argument("--json", action="store_true", help="print paths and run times as JSON")


class _Clock:
    """Seconds of each step, told on standard error as the steps end."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Time one step."""
        start = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - start
        note(f"{what}: {self.seconds[what]:.1f} s")


def run(args: argparse.Namespace) -> int:
    """Compute everything, write files as they come, and the page last."""
    names = _figure_names(args.figures)
    given = _given(args.data or [])
    folder = make_folder(args.output)
    _claim(folder / "index.html")
    clock = _Clock()
    with clock.step("tables"):
        tables = compute_tables(args)
        paths = write_tables(make_folder(folder / "tables"), tables)
    figures: list[RenderedFigure] = []
    if names:
        with clock.step("figures"):
            figures = render_with_progress(names, make_folder(folder / "figures"))
            paths += [Path(path) for figure in figures for path in (figure.png, figure.pdf)]
    with clock.step("fits"):
        fits, left_out = _fits(given, folder, args.bits, paths)
    content = ReportContent(
        **tables,
        figures=figures,
        fits=fits,
        left_out=left_out,
        seconds=clock.seconds,
        versions=_versions(),
        files=[(path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths],
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    index = folder / "index.html"
    write_file(index, page(content))
    _tell(args, index, clock.seconds, paths)
    return 0


def _tell(args: argparse.Namespace, index: Path, seconds: dict[str, float], paths: list[Path]) -> None:
    if args.json:
        record = {"index": str(index), "seconds": seconds, "files": [str(path) for path in paths]}
        print(json_text(record), end="")
    else:
        print(f"wrote {index} and {len(paths)} files beside it")


def _figure_names(text: str) -> list[str]:
    if text == "none":
        return []
    names = check_names([] if text == "all" else text.split(","))
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(f"{INSTALL}, or leave them out with --figures none")
    return names


def _given(paths: list[str]) -> list[DataSet]:
    """Files that were asked for; what their headers tell is checked before anything is computed."""
    data_sets: list[DataSet] = []
    for path in dict.fromkeys(paths):
        count = len(list_tensors(path))
        stem = Path(path).resolve().stem
        same = sum(data.path.resolve().stem == stem for data in data_sets)
        name = f"{stem}-{same + 1}" if same else stem
        data_sets.append(DataSet(name, "given", Path(path), f"{path}, asked for by --data: {count} tensors."))
    return data_sets


def _claim(index: Path) -> None:
    """Remove the page of an earlier run; refuse to touch anyone else's."""
    if not index.exists():
        return
    if not index.is_file() or f'content="{GENERATOR}' not in index.read_text(
        encoding="utf-8", errors="replace"
    ):
        raise UsageError(f"{index} exists and bitlaw did not write it; choose another folder with --output")
    index.unlink()


def _fits(
    given: list[DataSet], folder: Path, bits: list[int], paths: list[Path]
) -> tuple[list[FittedData], list[LeftOut]]:
    """Analyse the files that were asked for, or those that are found; a found one that fails is left out."""
    if given:
        return [_fit(data, folder, bits, paths) for data in given], []
    data_sets, left_out = find_models(Path.cwd())
    measurements = sample_measurements(make_folder(folder / "data"))
    if measurements is not None:
        paths.append(measurements.path)
        data_sets.append(measurements)
    fits = []
    for data in data_sets:
        try:
            fits.append(_fit(data, folder, bits, paths))
        except (OSError, ValueError) as error:
            left_out.append(LeftOut(data.path, str(error)))
    return fits, left_out


def _fit(data: DataSet, folder: Path, bits: list[int], paths: list[Path]) -> FittedData:
    analyses = analyse_with_progress(str(data.path), bits)
    target = make_folder(folder / "fits")
    contents = {
        target / f"{data.name}.json": json_text(analyses_record(str(data.path), bits, analyses)),
        target / f"{data.name}.csv": analyses_csv(analyses),
    }
    for path, text in contents.items():
        write_file(path, text)
        paths.append(path)
    return FittedData(data, analyses)


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return versions | {
        "Python": platform.python_version(),
        "machine": f"{platform.platform()}, {cores} cores",
    }
