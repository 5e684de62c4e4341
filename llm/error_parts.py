"""Parts of the error of one tensor: what shrinks its weights, what falls on the largest, what is left of either.

All take the weights and what was added to them.  Sums are of float64, and parts have the type of the change: one of 16
bits has parts that sum up to it only as far as its digits go.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

from .quadratic import Changes

__all__ = ["check_shapes", "coherent_part", "largest_part", "random_signs", "regained"]

# What has one gain: a tensor, a row, a column, or a run of so many elements along the rows.
Span = Literal["tensor", "row", "column"] | int


def coherent_part(weights: torch.Tensor, change: torch.Tensor, span: Span = "tensor") -> torch.Tensor:
    """Part of a change that multiplies weights by one factor: (g - 1) W, g = <W, W + change> / |W|^2.

    Parameters
    ----------
    weights, change : torch.Tensor, shape (..., rows, columns)
    span : {"tensor", "row", "column"} or int
        What has a factor of its own; a number is a run of so many elements along the rows.

    Returns
    -------
    torch.Tensor
        Orthogonal to what is left of the change, within each span.

    Raises
    ------
    ValueError
        If the shapes differ, or the span is none of these.
    """
    check_shapes(weights, change)
    if isinstance(span, int):
        w, d = _runs(weights, span), _runs(change, span)
        return _joined(_projected(w, d, (-1,)), weights)
    axes = {"tensor": tuple(range(weights.ndim)), "row": (-1,), "column": (-2,)}
    if span not in axes:
        raise ValueError(f"span must be 'tensor', 'row', 'column' or a number of elements, got {span!r}")
    return _projected(weights, change, axes[span])


def _projected(weights: torch.Tensor, change: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    w, d = weights.double(), change.double()
    energy = w.square().sum(axes, keepdim=True)
    factor = (w * d).sum(axes, keepdim=True) / torch.where(energy > 0, energy, 1.0)
    return (factor * w).to(change.dtype)


def largest_part(
    weights: torch.Tensor, change: torch.Tensor, block: int | str | tuple[int, int]
) -> torch.Tensor:
    """Part of a change that falls on the weight of largest magnitude of every block.

    Parameters
    ----------
    weights, change : torch.Tensor, shape (..., rows, columns)
    block : int, "channel" or "tensor"
        As in a format; blocks of several rows are taken row by row.

    Raises
    ------
    ValueError
        If the shapes differ, or the block is none of these.
    """
    check_shapes(weights, change)
    if block == "tensor":
        return largest_part(weights.reshape(1, -1), change.reshape(1, -1), "channel").reshape(change.shape)
    width = weights.shape[-1] if block == "channel" else block[1] if isinstance(block, tuple) else block
    if not isinstance(width, int) or width < 1:
        raise ValueError(f"block must be a number of elements, 'channel' or 'tensor', got {block!r}")
    w, d = _runs(weights, width), _runs(change, width)
    place = w.abs().argmax(-1, keepdim=True)
    return _joined(torch.zeros_like(d).scatter(-1, place, d.gather(-1, place)), weights)


def random_signs(changes: Changes, seed: int = 0) -> dict[str, torch.Tensor]:
    """The changes with independent random signs: every square stays, all correlation goes."""
    generator = torch.Generator().manual_seed(seed)
    signs = {n: torch.randint(0, 2, c.shape, generator=generator) * 2 - 1 for n, c in changes.items()}
    return {name: change * signs[name].to(change) for name, change in changes.items()}


def regained(weights: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """The change that is left when what was restored is divided by its gain.

    The result is orthogonal to the weights, and its square is larger than that of the least-squares change by
    1/g.  A tensor without gain (nothing restored of it) keeps its change.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    check_shapes(weights, change)
    w, d = weights.double(), change.double()
    energy = float(w.square().sum())
    gain = 1 + float((w * d).sum()) / energy if energy > 0 else 1.0
    return ((w + d) / gain - w).to(change.dtype) if gain > 0 else change


def check_shapes(weights: torch.Tensor, change: torch.Tensor) -> None:
    """Raise ValueError where a change has another shape than its weights."""
    if weights.shape != change.shape:
        raise ValueError(
            f"change must have the shape of the weights, {tuple(weights.shape)}, got {tuple(change.shape)}"
        )


def _runs(x: torch.Tensor, width: int) -> torch.Tensor:
    """Rows cut into runs; the last one is filled up with zeros."""
    if width < 1:
        raise ValueError(f"span must be a positive number of elements, got {width}")
    padded = functional.pad(x, (0, -x.shape[-1] % width))
    return padded.reshape(*x.shape[:-1], padded.shape[-1] // width, width)


def _joined(runs: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return runs.flatten(-2)[..., : like.shape[-1]].contiguous()
