"""Plans of tasks that hold or write more than the model, its Fisher information and one tensor beside it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bitlaw.theory.formats import Format, parse_format

from .faults import faults_of
from .headers import ModelPlan, read_model_plan
from .plan import Plan, Work, check_inputs, show_plan

__all__ = ["Extra", "larger_dry_run"]

# Bytes of memory and disk beyond those of a plan.
Extra = tuple[float, float]


@dataclass(frozen=True)
class _LargerPlan(Plan):
    """A plan with bytes of memory and disk of its own."""

    extra: Extra = (0.0, 0.0)

    def estimates(self) -> dict[str, float]:
        """Those of a plan, and what comes to them."""
        found, (memory, disk) = super().estimates(), self.extra
        return found | {
            "memory_bytes": found["memory_bytes"] + memory,
            "disk_bytes": found["disk_bytes"] + disk,
        }


def larger_dry_run(
    args: argparse.Namespace,
    work: Work,
    extra: Callable[[ModelPlan], Extra],
    formats: Mapping[str, Format] | None = None,
    parts: Sequence[str] = (),
) -> int:
    """`dry_run`, with memory and disk of the task's own as its model decides.

    Raises
    ------
    UsageError, ValueError
        As `dry_run`.
    """
    check_inputs(args.device, args.text, model=args.model, length=args.length)
    asked = getattr(args, "ends", None)
    found = read_model_plan(args.model, args.dtype)
    faults = faults_of(found, formats or {}, parts, {asked: parse_format(asked)} if asked else {})
    show_plan(_LargerPlan(found, work, faults, extra(found)), args.json)
    return 0
