"""Runs of a study as figures of a model take them: numbers of each run and of its tensors, by family of formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bitlaw.theory import Format, parse_format

from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE

__all__ = ["ALLOCATED", "FAMILIES", "NotInStudy", "RunResult", "TensorResult", "family_of", "missing_runs"]

# How the formats of one family look in all figures, in the order of legends.
FAMILIES: dict[str, dict[str, Any]] = {
    "tensor scale": {"color": BLUE, "marker": "o"},
    "channel scale": {"color": PURPLE, "marker": "v"},
    "block scale": {"color": ORANGE, "marker": "s"},
    "outliers kept": {"color": GREEN, "marker": "^"},
    "entropy-coded": {"color": BLACK, "marker": "D"},
}

# Family of runs whose tensors chose from several formats.
ALLOCATED = "allocated"
_BETWEEN = " | "


class NotInStudy(ValueError):
    """A study lacks the runs that a figure shows."""


@dataclass(frozen=True)
class TensorResult:
    """One tensor in one run: the columns of a study's table of tensors."""

    name: str
    part: str
    format: str
    elements: int
    rms: float
    bits: float
    predicted_bits: float
    entropy: float | None
    r: float
    gain: float | None
    predicted_r: float
    predicted_kl: float


@dataclass(frozen=True)
class RunResult:
    """A run: bits per weight, R, KL and cross-entropy (nats per token), with 95% intervals.

    An end of an interval is None where a single sequence tells none.  `bits` are of the matrices that were quantised,
    everything counted; `specification` is in full, with several formats where a budget chose among them.
    """

    name: str
    specification: str
    allocation: str
    bits: float
    predicted_bits: float
    element_bits: float
    scale_bits: float
    outlier_bits: float
    codebook_bits: float
    predicted_r: float
    r: float
    predicted_kl: float
    kl: float
    kl_lower: float | None
    kl_upper: float | None
    top_kl: float
    loss: float
    loss_change: float
    loss_change_lower: float | None
    loss_change_upper: float | None
    reference_loss: float
    same_top: float
    tensors: tuple[TensorResult, ...]

    @property
    def parts(self) -> frozenset[str]:
        """Parts of the model that were quantised."""
        return frozenset(tensor.part for tensor in self.tensors)

    @property
    def uniform(self) -> bool:
        """Whether all tensors have the one format that was asked for."""
        return {tensor.format for tensor in self.tensors} == {self.specification}

    @property
    def family(self) -> str:
        """Key of `FAMILIES`, or `ALLOCATED`."""
        return ALLOCATED if _BETWEEN in self.specification else family_of(parse_format(self.specification))


def missing_runs(formats: Sequence[str]) -> NotInStudy:
    """What to raise for runs that are not there."""
    told = ", ".join(formats[:3]) + (f" and {len(formats) - 3} more" if len(formats) > 3 else "")
    return NotInStudy(f"the study has no runs of {told}")


def family_of(format: Format) -> str:
    """Key of `FAMILIES` for a format: a lossless code counts first, then outliers, then what shares a scale."""
    if format.code == "entropy":
        return "entropy-coded"
    if format.outliers is not None:
        return "outliers kept"
    return f"{format.block} scale" if format.block in ("channel", "tensor") else "block scale"
