"""`bitlaw llm`: language models predicted, quantised and measured; each task is a command of its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..arguments import subparser
from ..errors import UsageError

__all__ = ["TASKS", "add_parser"]

TASKS = (
    "stats",
    "fisher",
    "activations",
    "sensitivity",
    "quantise",
    "evaluate",
    "errors",
    "allocate",
    "design",
    "study",
    "figures",
    "report",
)

EXAMPLES = """\
  bitlaw llm report
      the embedded model: what theory predicts of each format beside what is measured
  bitlaw llm evaluate --model ./llama --text wiki.txt --formats nf4 int4_g64 --json
      divergence, perplexity and their intervals
  bitlaw llm study sweep.toml --dry-run
      what a sweep would take, before any weights are loaded"""

_DESCRIPTION = """\
Take a causal language model and a text, predict what number formats do to it, do it, and measure it.

The model is a folder in the form of transformers, a hub id, or "embedded": a small model that the project
trains itself on first use (a minute or two on two cores). The text is a file, a folder, dataset:NAME:SPLIT, or
"standard": documentation of Python that the embedded model was not trained on.

Every task has --dry-run (work, memory, disk, and tensors that do not divide, from headers alone) and --json.
They need torch and transformers, the extra "llm"."""


def add_parser(commands: Any) -> None:
    """Add the sub-command, and its tasks, to the program's parser."""
    parser = subparser(commands, "llm", "language models: predict, quantise, measure", _DESCRIPTION, EXAMPLES)
    tasks = parser.add_subparsers(title="tasks", metavar="TASK", dest="task", required=True)
    for task in TASKS:
        import_module(f".{task}", __package__).add_parser(tasks)
    for one in tasks.choices.values():
        one.set_defaults(run=_plainly(one.get_default("run")))
    parser.set_defaults(run=_nothing)


def _plainly(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Let errors of torch and safetensors, which are of no kind that the program knows, be told like all others."""

    def told(args: argparse.Namespace) -> int:
        try:
            return run(args)
        except Exception as error:
            kind = type(error).__name__
            if kind == "SafetensorError":
                raise UsageError(f"a .safetensors file cannot be read or written: {error}") from error
            if kind == "OutOfMemoryError" or "can't allocate memory" in str(error):
                raise UsageError(
                    "not enough memory for this model and batch; smaller --batch and --length take less"
                ) from error
            raise

    return told


def _nothing(args: argparse.Namespace) -> int:
    raise UsageError(f"name a task: {', '.join(TASKS)}")
