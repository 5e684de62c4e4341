"""Bits of each tensor by layer and kind: those of the least predicted KL divergence beside the published rule's.

The left panel is a run of the study at a budget, with bits as measured; without one the choice is made here from
statistics and Fisher information among codebooks in blocks.  The right panel is the published rule for the same
tensors and the same mean, before rounding to widths: b_t = b_0 + log2 RMS + 1/2 log2 (mean Fisher).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bitlaw.theory import parse_format

from .model_formats import BLOCK
from .model_results import ModelResults
from .model_runs import ALLOCATED, NotInStudy, RunResult
from .model_study import UNIFORM, ModelParts, ModelStudy
from .model_tensors import Tensor, by_kind, looks, mark_layers, need_parts, places, tensors_of
from .style import GREY, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BUDGET", "CANDIDATES", "FORMATS", "Data", "compute", "draw", "paper", "title"]

title = "Bits of each tensor at a budget, by layer"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), allocated bits by layer"

FORMATS: tuple[str, ...] = ()

# What is chosen from where a study has no run at a budget, and the budget in bits per element.
CANDIDATES = ("cbrt2:normal,block=64,scale=absmax:float16", *BLOCK)
BUDGET = 3.75


@dataclass(frozen=True)
class Data:
    """Bits per element by name of the tensor, their mean, and whether they are of a run."""

    model: str
    tensors: tuple[Tensor, ...]
    least: dict[str, float]
    published: dict[str, float]
    mean: float
    measured: bool


def compute(study: ModelStudy) -> Data:
    """The study's middle run at a budget, or a choice for all tensors, and the published rule at its mean."""
    parts = need_parts(study)
    run = _middle_run(study.results)
    if run is None:
        least, mean = _chosen(parts)
    else:
        least, mean = {tensor.name: tensor.bits for tensor in run.tensors}, run.bits
        if not parts.statistics.keys() >= least.keys():
            raise NotInStudy("the statistics and Fisher information are of another model than the runs")
    tensors = tensors_of({name: parts.statistics[name].part for name in least})
    return Data(study.results.model, tensors, least, _by_rule(parts, least, mean), mean, run is not None)


def _middle_run(results: ModelResults) -> RunResult | None:
    """Of the runs at a budget over most tensors, not by the published rule, the one in the middle by bits."""
    found = [run for run in results.runs if run.family == ALLOCATED and "published" not in run.allocation]
    most = max((len(run.tensors) for run in found), default=0)
    ordered = sorted((run for run in found if len(run.tensors) == most), key=lambda run: run.bits)
    return ordered[len(ordered) // 2] if ordered else None


def _chosen(parts: ModelParts) -> tuple[dict[str, float], float]:
    """Predicted bits of the least predicted KL for all tensors, and their mean."""
    from bitlaw.llm import allocate_formats

    formats = [parse_format(text) for text in CANDIDATES]
    try:
        found = allocate_formats(parts.statistics, parts.fisher, formats, BUDGET, parts=UNIFORM.parts)
    except ValueError as error:
        raise NotInStudy(f"the study has no run at a budget, and none can be chosen: {error}") from error
    return {tensor.name: tensor.prediction.bits for tensor in found.tensors}, found.bits_per_element


def _by_rule(parts: ModelParts, names: Mapping[str, float], mean: float) -> dict[str, float]:
    """The rule's bits; tensors without Fisher information or weights, which it gives minus infinity, are left out."""
    from bitlaw.llm import fisher_bits

    known = parts.fisher.names
    live = {
        name: parts.statistics[name]
        for name in names
        if name in known and parts.statistics[name].rms > 0 and parts.fisher.mean(name) > 0
    }
    if not live:
        raise NotInStudy("the Fisher information holds no tensor with any")
    return fisher_bits(live, parts.fisher, mean)


@styled
def draw(data: Data) -> Figure:
    """Both ways beside each other, with the mean as a line."""
    figure, (left, right) = panels(2, height=3.2, sharey=True)
    _draw_bits(left, data, data.least)
    _draw_bits(right, data, data.published)
    left.set(title="least predicted KL divergence", ylabel="bits per weight")
    right.set(title="published rule, not rounded")
    kind = "measured" if data.measured else "predicted"
    figure.suptitle(
        f"{Path(data.model).name}, {data.mean:.2f} bits per weight on average, {kind}", fontsize=9.0
    )
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def _draw_bits(axes: Axes, data: Data, bits: Mapping[str, float]) -> None:
    kinds = by_kind(data.tensors)
    look, place = looks(kinds), places(data.tensors)
    axes.axhline(data.mean, color=GREY, linewidth=0.8, linestyle="--", label="mean")
    # Kinds of equal bits stand beside each other.
    inner = [kind for kind, members in kinds.items() if members[0].layer is not None]
    shift = {kind: 0.8 * ((index + 0.5) / len(inner) - 0.5) for index, kind in enumerate(inner)}
    for kind, members in kinds.items():
        known = [tensor for tensor in members if tensor.name in bits]
        axes.plot(
            [place[tensor.name] + shift.get(kind, 0.0) for tensor in known],
            [bits[tensor.name] for tensor in known],
            linestyle="none",
            label=kind,
            **look[kind],
        )
    mark_layers(axes, data.tensors)
