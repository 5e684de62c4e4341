"""Options that the tasks of `bitlaw llm` share, and the model and text they stand for."""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from bitlaw.theory.formats import Format, parse_format

from ..arguments import whole
from ..errors import UsageError, unknown
from ..output import note
from ..progress import Bar, progress_bars
from .headers import PARTS

if TYPE_CHECKING:
    from bitlaw.llm.models import Part
    from bitlaw.llm.quantise import Assignment
    from bitlaw.llm.workload import Opened, Workload

__all__ = [
    "INSTALL",
    "PARTS",
    "add_fisher_options",
    "add_format_options",
    "add_model_options",
    "add_part_options",
    "ends_of",
    "format_of",
    "formats_of",
    "needs_llm",
    "open_assigned",
    "parts_of",
    "steps",
    "workload_of",
]

INSTALL = "needs torch and transformers: install them with  pip install 'bitlaw[llm]'"


def add_model_options(parser: argparse.ArgumentParser, *, text: bool = True, spread: bool = True) -> None:
    """Options for the model, the text, and where and how it is run; `spread` for tasks that run it."""
    parser.add_argument("--model", default="embedded", help="folder, hub id or embedded (default)")
    if text:
        parser.add_argument(
            "--text", default="standard", help="file, folder, dataset:NAME:SPLIT or standard (default)"
        )
        parser.add_argument(
            "--sequences", type=whole("sequences", 1), default=32, metavar="N", help="default %(default)s"
        )
        parser.add_argument(
            "--length",
            type=whole("length", 2),
            default=256,
            metavar="N",
            help="tokens each (default %(default)s)",
        )
        parser.add_argument(
            "--batch",
            type=whole("batch", 1),
            default=8,
            metavar="N",
            help="sequences at once (default %(default)s)",
        )
        parser.add_argument(
            "--seed", type=whole("seed", 0), default=0, metavar="N", help="default %(default)s"
        )
    where = parser.add_mutually_exclusive_group() if spread else parser
    where.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    if spread:
        where.add_argument(
            "--device-map",
            type=_spread,
            choices=("auto", "balanced", "balanced_low_0", "sequential"),
            help="instead: spread the model over all GPUs (needs accelerate)",
        )
    parser.add_argument(
        "--dtype",
        default="auto",
        choices=("auto", "float32", "bfloat16", "float16"),
        help="of the weights (default: as stored)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what it would take; no weights are loaded"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _spread(text: str) -> str:
    """A way to spread a model, told at once where the library for it is missing."""
    if importlib.util.find_spec("accelerate") is None:
        raise argparse.ArgumentTypeError("needs accelerate: install it with  pip install 'bitlaw[devices]'")
    return text


def add_format_options(parser: argparse.ArgumentParser, default: Sequence[str] = ()) -> None:
    """Options for formats and the tensors that get them."""
    parser.add_argument(
        "--formats",
        nargs="+",
        default=list(default),
        required=not default,
        metavar="FORMAT",
        help="names or specifications" + (f" (default {' '.join(default)})" if default else ""),
    )
    add_part_options(parser)


def add_part_options(parser: argparse.ArgumentParser) -> None:
    """Options for the tensors that get a format."""
    parser.add_argument(
        "--parts",
        default="decoder",
        metavar="LIST",
        help="embedding, decoder, head or all (default %(default)s)",
    )
    parser.add_argument(
        "--ends",
        metavar="FORMAT",
        help="another format for the first and the last layer, the embedding and the head",
    )


def add_fisher_options(parser: argparse.ArgumentParser) -> None:
    """Options for the Fisher information that predictions are made of."""
    parser.add_argument(
        "--targets", choices=("sampled", "text"), default="sampled", help="of the Fisher information"
    )
    parser.add_argument(
        "--rows",
        action="store_true",
        help="keep sums of the Fisher information along rows alone, where its diagonal does not fit",
    )
    parser.add_argument(
        "--unit",
        choices=("sequence", "position"),
        help="whose gradients are squared (default: sequences, positions for the text's targets)",
    )
    parser.add_argument("--checkpointing", action="store_true", help="recompute activations to save memory")


def formats_of(names: Sequence[str]) -> dict[str, Format]:
    """Formats by the names they were asked for by."""
    return {name: format_of("--formats", name) for name in names}


def format_of(option: str, text: str) -> Format:
    """The format that an option names.

    Raises
    ------
    UsageError
        If it is none, or a file that it speaks of cannot be read; the option is named.
    """
    try:
        return parse_format(text)
    except OSError as error:
        raise UsageError(f"{option} {text}: {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from error


def parts_of(text: str) -> tuple[Part, ...]:
    """Parts of a model that a list names."""
    names = PARTS if text == "all" else tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in PARTS:
            raise unknown("--parts", name, (*PARTS, "all"))
    return cast("tuple[Part, ...]", names)


def ends_of(args: argparse.Namespace) -> Format | None:
    """Format of the first and the last layer, if another one was asked for."""
    return format_of("--ends", args.ends) if args.ends else None


def workload_of(args: argparse.Namespace) -> Workload:
    """What was asked for, as the library takes it."""
    from bitlaw.llm.workload import Workload

    return Workload(
        text=args.text,
        sequences=args.sequences,
        length=args.length,
        batch=args.batch,
        device=args.device,
        dtype=args.dtype,
        targets=getattr(args, "targets", "sampled"),
        seed=args.seed,
        fisher="rows" if getattr(args, "rows", False) else "diagonal",
        device_map=args.device_map,
        unit=getattr(args, "unit", None),
        checkpointing=getattr(args, "checkpointing", False),
    )


def open_assigned(
    args: argparse.Namespace, formats: Mapping[str, Format], step: Callable[[str, int, int], None]
) -> tuple[Opened, dict[str, Assignment]]:
    """Model and text of a command line, and which tensors get what under each of its formats."""
    from bitlaw.llm.quantise import assign
    from bitlaw.llm.workload import open_workload

    step("loading the model", 0, 1)
    opened = open_workload(args.model, workload_of(args))
    step("loading the model", 1, 1)
    model, parts, ends = opened.language_model.model, parts_of(args.parts), ends_of(args)
    return opened, {name: assign(model, format, parts=parts, ends=ends) for name, format in formats.items()}


def needs_llm(args: argparse.Namespace) -> None:
    """Raise where torch or transformers is missing; train the embedded model with a word if that is to come."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
        raise UsageError(f"bitlaw llm {args.task} {INSTALL}")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    logging.disable_progress_bar()
    if getattr(args, "model", "") == "embedded":
        from bitlaw.llm.embedded import embedded_model_folder, embedded_model_path

        if not (embedded_model_path() / "config.json").exists():
            note("the embedded model is trained first: a minute or two on two cores, once")
            with steps() as step:
                embedded_model_folder(progress=lambda k, loss: step("training", k + 1, 500))


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each thing that is being done."""
    bars: dict[str, Bar] = {}
    with progress_bars() as drawn:

        def step(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = drawn.bar(what)
            bars[what](done, total)

        yield step
