"""What a study sweeps over: models, formats, and the tensors that get them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..theory.formats.elements import Codebook
from ..theory.formats.format import Format
from .models import Part
from .workload import Workload

__all__ = ["Allocation", "Run", "Study"]


@dataclass(frozen=True)
class Allocation:
    """Which tensors get a format.

    Attributes
    ----------
    name : str
        For tables.
    parts : tuple of {"embedding", "decoder", "head"}
    ends : Format, optional
        For the first and the last layer of the decoder, and the embedding and the head where they are among the parts.
    bits : float, optional
        A budget for each weight of the parts: every tensor gets the format of the study that is best for it.
    fused : bool
        Whether projections that are merged when a model is served share a format.
    rule : {"least", "published"}
        How a budget is spent: at the least predicted KL divergence, or as `fisher_bits` has it.
    bytes : int, optional
        The budget as bytes of all these weights.
    like : Format, optional
        The budget as what this format would need.
    exact : bool
        Whether the duality gap of a budget is closed.
    tensors : tuple of (str, Format)
        The format of each tensor, if that is decided; then nothing else is said.

    Raises
    ------
    ValueError
        If two of these contradict one another.
    """

    name: str = "decoder"
    parts: tuple[Part, ...] = ("decoder",)
    ends: Format | None = None
    bits: float | None = None
    fused: bool = False
    rule: Literal["least", "published"] = "least"
    bytes: int | None = None
    like: Format | None = None
    exact: bool = False
    tensors: tuple[tuple[str, Format], ...] = ()

    def __post_init__(self) -> None:
        budgets = [name for name in ("bits", "bytes", "like") if getattr(self, name) is not None]
        if len(budgets) > 1:
            raise ValueError(f"{budgets[0]} and {budgets[1]} cannot both be the budget")
        if budgets and self.ends is not None:
            raise ValueError(f"{budgets[0]} and ends cannot both decide formats")
        for name in ("fused", "exact"):
            if getattr(self, name) and not budgets:
                raise ValueError(f"{name} is of no use without bits: one format goes to all tensors")
        if self.rule == "published" and (self.bits is None or self.fused or self.exact):
            raise ValueError("the published rule needs bits, and knows no fused tensors and no exact optimum")
        if self.tensors and (budgets or self.ends is not None):
            raise ValueError("tensors that have their formats leave nothing to decide")

    @property
    def budget(self) -> tuple[float | Format, str] | None:
        """Amount and unit as `allocate_formats` takes them; None where formats are given."""
        if self.like is not None:
            return self.like, "bits_per_element"
        if self.bytes is not None:
            return self.bytes, "bytes"
        return None if self.bits is None else (self.bits, "bits_per_element")

    def identity(self) -> dict[str, Any]:
        """What decides the numbers; the name does not."""
        return {
            "parts": sorted(self.parts),
            "ends": None if self.ends is None else _written_out(self.ends),
            "bits": self.bits,
            "bytes": self.bytes,
            "like": None if self.like is None else _written_out(self.like),
            "fused": self.fused,
            "exact": self.exact,
            "rule": self.rule,
            "tensors": {name: _written_out(format) for name, format in self.tensors},
        }


def _written_out(format: Format) -> str:
    """Text of a format that says all of it: the numbers of a codebook, not the file that they came from."""
    if isinstance(format.element, Codebook):
        format = replace(format, element=replace(format.element, path=None))
    return str(format)


@dataclass(frozen=True)
class Run:
    """One point of a sweep.

    Attributes
    ----------
    model : str
    formats : tuple of Format
        One, those that a budget chooses from, or those that the allocation's tensors have.
    format_name : str
        As it was asked for.
    allocation : Allocation
    """

    model: str
    formats: tuple[Format, ...]
    format_name: str
    allocation: Allocation

    def identity(self) -> dict[str, Any]:
        """What decides the numbers of a run on one model and text."""
        return {"format": self.specification, "allocation": self.allocation.identity()}

    @property
    def specification(self) -> str:
        """All that decides the formats, in words that are read back."""
        return " | ".join(map(_written_out, self.formats))

    def __str__(self) -> str:
        return f"{self.model}, {self.format_name}, {self.allocation.name}"


@dataclass(frozen=True)
class Study:
    """A sweep over models, formats and allocations.

    Attributes
    ----------
    models : tuple of str
    formats : dict of str to Format
        By the name they were asked for by.
    allocations : tuple of Allocation
    workload : Workload
    """

    models: tuple[str, ...]
    formats: Mapping[str, Format]
    allocations: tuple[Allocation, ...] = (Allocation(),)
    workload: Workload = field(default_factory=Workload)

    def runs(self, model: str) -> list[Run]:
        """All runs of one model, in the order of the file."""
        found = []
        for allocation in self.allocations:
            if allocation.tensors:
                formats = tuple(dict.fromkeys(format for _, format in allocation.tensors))
                found.append(Run(model, formats, "by tensor", allocation))
                continue
            if allocation.budget is not None:
                found.append(Run(model, tuple(self.formats.values()), "allocated", allocation))
                continue
            found += [Run(model, (format,), name, allocation) for name, format in self.formats.items()]
        return found

    def __len__(self) -> int:
        return sum(len(self.runs(model)) for model in self.models)
