"""Where the Fisher information of a model lies: between tensors, and within them.

Bits follow half the base-2 logarithm of a tensor's mean, so that a factor of four in the left panel is a bit.  Within
a tensor, the concentration curve says what share of the sum the largest elements hold (its diagonal is equal
shares), and the spread says how much of that is a difference between whole rows or whole columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .model_panels import plain_ticks
from .model_runs import NotInStudy
from .model_study import ModelStudy
from .model_tensors import Tensor, by_kind, looks, mark_layers, middle, need_parts, places, tensors_of
from .style import BLACK, BLUE, GREY, ORANGE, grid, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bitlaw.llm import Fisher

__all__ = ["FORMATS", "SHARES", "Data", "Within", "compute", "draw", "paper", "title"]

title = "Fisher information between and within tensors"
paper = "Orr, Ribar and Luschi (arXiv 2505.12988), structure of the Fisher information"

FORMATS: tuple[str, ...] = ()

# Shares of the elements, the largest first, near which the shares of the sum are taken.
SHARES = np.geomspace(1e-4, 1.0, 81)

_SPREADS: dict[str, dict[str, Any]] = {
    # Around the others where they are equal.
    "elements": {"color": BLACK, "marker": "o", "markerfacecolor": "none", "markersize": 6},
    "row means": {"color": BLUE, "marker": "<"},
    "column means": {"color": ORANGE, "marker": "^"},
}


@dataclass(frozen=True, eq=False)
class Within:
    """The diagonal of one tensor, or its row sums where no more was kept.

    Attributes
    ----------
    label : str
    shares, held : ndarray of float64, shape (n,)
        Share of the elements, the largest first, and the share of the sum that they hold; empty where only rows are
        known.
    octaves : dict of str to float
        Standard deviation of the base-2 logarithm over elements, row means and column means other than 0.
    """

    label: str
    shares: NDArray[np.float64]
    held: NDArray[np.float64]
    octaves: dict[str, float]


@dataclass(frozen=True)
class Data:
    """Mean information of every tensor by name, and what one of each kind is like."""

    model: str
    tokens: int
    tensors: tuple[Tensor, ...]
    means: dict[str, float]
    within: dict[str, Within]


def compute(study: ModelStudy) -> Data:
    """Means of all tensors that have any, and the elements of one of each kind in the middle of the layers."""
    parts = need_parts(study)
    fisher = parts.fisher
    named = {name: found.part for name, found in parts.statistics.items() if name in fisher.names}
    means = {name: fisher.mean(name) for name in named}
    tensors = tensors_of({name: part for name, part in named.items() if means[name] > 0})
    if not tensors:
        raise NotInStudy("the Fisher information holds no tensor with any")
    within = {kind: _within(tensor, fisher) for kind, tensor in middle(tensors).items()}
    known = {tensor.name: means[tensor.name] for tensor in tensors}
    return Data(study.results.model, fisher.tokens, tensors, known, within)


def _within(tensor: Tensor, fisher: Fisher) -> Within:
    diagonal = fisher.diagonals.get(tensor.name)
    if diagonal is None:
        rows = np.asarray(fisher.rows(tensor.name).cpu())
        return Within(tensor.label, np.empty(0), np.empty(0), {"row means": _octaves(rows)})
    values = diagonal.detach().cpu().numpy()
    values = values.reshape(-1, values.shape[-1])
    octaves = {
        "elements": _octaves(values),
        "row means": _octaves(values.mean(axis=1, dtype=np.float64)),
        "column means": _octaves(values.mean(axis=0, dtype=np.float64)),
    }
    return Within(tensor.label, *_held(values), octaves)


def _octaves(values: NDArray[Any]) -> float:
    live = values[values > 0]
    return float(np.std(np.log2(live), dtype=np.float64)) if len(live) else 0.0


def _held(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the elements near `SHARES`, whole numbers of them, and their shares of the sum."""
    ordered = np.sort(values, axis=None)[::-1]
    counts = np.unique(np.rint(SHARES * ordered.size).astype(np.int64).clip(1))
    starts = np.concatenate([[0], counts[:-1]])
    sums = np.cumsum(np.add.reduceat(ordered, starts, dtype=np.float64))
    return counts / ordered.size, sums / sums[-1]


@styled
def draw(data: Data) -> Figure:
    """Means by layer above; concentration and spread below."""
    figure, ((above, corner), (left, right)) = grid(2, 2, height=5.2)
    corner.set_axis_off()
    look = looks(by_kind(data.tensors))
    _draw_means(above, data, look)
    for kind, within in data.within.items():
        if len(within.held):
            left.plot(
                within.shares, within.held, color=look[kind]["color"], linewidth=0.9, linestyle=_line(kind)
            )
    left.plot(SHARES, SHARES, color=GREY, linewidth=0.8, linestyle=":")
    left.text(0.02, 0.02, "equal shares", fontsize=7.0, color=GREY, rotation=38, va="top", ha="left")
    left.set(
        xscale="log",
        yscale="log",
        xlabel="largest elements, share of all",
        ylabel="share of Fisher information",
    )
    _draw_spreads(right, data)
    handles, labels = above.get_legend_handles_labels()
    corner.legend(handles, labels, loc="center left", ncols=2)
    name = Path(data.model).name
    figure.suptitle(f"{name}, diagonal Fisher information of {data.tokens} tokens", fontsize=9.0)
    return figure


def _line(kind: str) -> str:
    """Embedding and head share a colour."""
    return "--" if kind == "head" else "-"


def _draw_means(axes: Axes, data: Data, look: dict[str, dict[str, Any]]) -> None:
    place = places(data.tensors)
    for kind, members in by_kind(data.tensors).items():
        axes.plot(
            [place[tensor.name] for tensor in members],
            [data.means[tensor.name] for tensor in members],
            linewidth=0.7,
            linestyle=_line(kind),
            label=kind,
            **look[kind],
        )
    axes.set(yscale="log", ylabel="mean Fisher information")
    mark_layers(axes, data.tensors)


def _draw_spreads(axes: Axes, data: Data) -> None:
    """A row for each kind."""
    kinds = list(data.within)
    for name, look in _SPREADS.items():
        known = [
            (data.within[kind].octaves[name], place)
            for place, kind in enumerate(kinds)
            if name in data.within[kind].octaves
        ]
        axes.plot([x for x, _ in known], [y for _, y in known], linestyle="none", label=name, **look)
    axes.set_yticks(range(len(kinds)), [data.within[kind].label for kind in kinds])
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_xscale("log")
    plain_ticks(axes.xaxis)
    axes.set_xlabel(r"standard deviation of $\log_2$ (octaves)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, handletextpad=0.1, columnspacing=0.7)
