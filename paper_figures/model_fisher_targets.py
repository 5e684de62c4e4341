"""Mean Fisher information of each tensor with targets drawn from the model, and with the text's own tokens.

The divergence of a changed model is told by sampled targets; the text's tokens (the "empirical" Fisher information)
are another quantity, often used in its place.  A common factor moves no bits: the right panel is what the published
rule's bits, b_t = b_0 + log2 RMS + 1/2 log2 (mean Fisher), would change by if the text's tokens were taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .model_points import identity
from .model_runs import NotInStudy
from .model_study import ModelStudy
from .model_tensors import Tensor, by_kind, looks, mark_layers, need_parts, places, tensors_of
from .style import BLACK, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "TEXT_FISHER", "Data", "compute", "draw", "paper", "title"]

title = "Fisher information with the text's targets against sampled ones"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), empirical against sampled Fisher information"

FORMATS: tuple[str, ...] = ()
TEXT_FISHER = True


@dataclass(frozen=True)
class Data:
    """Means of each tensor by name, and the bits by which the two allocations differ."""

    model: str
    tokens: int
    tensors: tuple[Tensor, ...]
    sampled: dict[str, float]
    text: dict[str, float]
    more_bits: dict[str, float]


def compute(study: ModelStudy) -> Data:
    """Means of the tensors that both know; the difference of bits has mean 0 over their elements."""
    parts = need_parts(study)
    text, sampled = parts.text_fisher, parts.fisher
    if text is None:
        raise NotInStudy(
            "the Fisher information with the text's own targets is missing (work folder of the study)"
        )
    if sampled.targets != "sampled":
        raise NotInStudy("the runs were predicted from the text's own targets: there are no sampled ones")
    statistics = parts.statistics
    shared = [name for name in statistics if name in sampled.names and name in text.names]
    means = {name: (sampled.mean(name), text.mean(name)) for name in shared}
    live = {name: statistics[name].part for name in shared if min(means[name]) > 0}
    if not live:
        raise NotInStudy("the Fisher information holds no tensor with any")
    shift = np.array([np.log2(means[name][1] / means[name][0]) / 2 for name in live])
    sizes = [statistics[name].elements for name in live]
    more = shift - np.average(shift, weights=sizes)
    return Data(
        study.results.model,
        sampled.tokens,
        tensors_of(live),
        {name: means[name][0] for name in live},
        {name: means[name][1] for name in live},
        dict(zip(live, more.tolist(), strict=True)),
    )


@styled
def draw(data: Data) -> Figure:
    """Means against each other on the left, the difference in bits by layer on the right."""
    figure, (left, right) = panels(2, height=3.1)
    ends = [*data.sampled.values(), *data.text.values()]
    identity(left, min(ends) / 1.5, max(ends) * 1.5, "equal")
    kinds = by_kind(data.tensors)
    look, place = looks(kinds), places(data.tensors)
    for kind, members in kinds.items():
        names = [tensor.name for tensor in members]
        left.plot(
            [data.sampled[name] for name in names],
            [data.text[name] for name in names],
            linestyle="none",
            label=kind,
            **look[kind],
        )
        right.plot(
            [place[name] for name in names],
            [data.more_bits[name] for name in names],
            linewidth=0.7,
            **look[kind],
        )
    left.set(
        xscale="log",
        yscale="log",
        xlabel="sampled targets, mean Fisher",
        ylabel="text's targets, mean Fisher",
    )
    right.axhline(0.0, color=BLACK, linewidth=0.5)
    right.set_ylabel("bits more with the text's targets")
    # No difference must not look like a large one.
    edge = max(0.1, 1.15 * max(abs(value) for value in data.more_bits.values()))
    right.set_ylim(-edge, edge)
    mark_layers(right, data.tensors)
    figure.suptitle(f"{Path(data.model).name}, {data.tokens} tokens", fontsize=9.0)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure
