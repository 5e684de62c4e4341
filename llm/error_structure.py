r"""A format's error taken apart: what shrinks weights together, what the largest weights lose, what is left.

The prediction 1/2 sum F_ii d_i^2 takes errors as independent.  A codebook of least squared error does not make them
so: its points are centroids, hence <W, W'> = |W'|^2 and the gain g = <W, W'> / |W|^2 is 1 - R^2, below 1.  The error
is (g - 1) W + e with e orthogonal to W: a shrinkage of all weights together, and a remainder.  Where the ends of the
codebook are free, the largest weight of every block is shrunk too, and largest weights keep to certain inputs.  Each
part has a second-order KL of its own.  So has the same error with signs drawn at random, which keeps every square and
takes all correlation away; the measured divergence stands beside them.

The catch: parts of a sum have cross terms, which belong to neither part and may be negative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from ..theory._typing import FloatArray
from .divergence import Divergence, measure_divergence
from .estimates import Estimate, clustered_mean, paired_difference
from .fisher import Fisher
from .models import LanguageModel, weight_tensors
from .quadratic import Changes, QuadraticDivergence, quadratic_divergence
from .quantise import Assignment, quantised
from .reference import Reference

__all__ = [
    "ErrorStructure",
    "coherent_part",
    "error_structure",
    "format_changes",
    "largest_part",
    "measure_changes",
    "random_signs",
    "regained",
]

# What has one gain: a tensor, a row, a column, or a run of so many elements along the rows.
Span = Literal["tensor", "row", "column"] | int


@dataclass(frozen=True, eq=False)
class ErrorStructure:
    """Divergence of an assignment of formats, step by step from the diagonal prediction to the measurement.

    Attributes
    ----------
    diagonal : float
        Half the sum of diagonal Fisher information times squared error; NaN without Fisher information.
    quadratic : QuadraticDivergence
        Of "coherent" and "remainder", of "largest" and "others" (each pair sums to the whole error), and of the
        whole error with random signs, "signs 0", "signs 1", ...
    measured : Divergence
    regained : Divergence
        Measured with every tensor divided by its gain: the same codes, scales a little larger.
    """

    diagonal: float
    quadratic: QuadraticDivergence
    measured: Divergence
    regained: Divergence

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Every step with its interval, in nats per token.

        "independent" is what squares alone predict (the mean over draws of signs), "full" the second-order KL of
        the errors as they are, "correlation" their difference; "coherent", "remainder", "largest" are parts of
        "full", each alone; "higher orders" is "measured" less "full"; "regaining" is what restoring the gains
        changes.
        """
        full = self.quadratic.per_sequence("coherent", "remainder")
        independent = self._independent()
        measured, regained = (_by_sequence(d.kl) for d in (self.measured, self.regained))
        return {
            "independent": clustered_mean(independent),
            "correlation": paired_difference(full, independent),
            "full": clustered_mean(full),
            **{name: self.quadratic.kl(name) for name in ("coherent", "remainder", "largest", "others")},
            "higher orders": paired_difference(measured, full),
            "measured": clustered_mean(measured),
            "regaining": paired_difference(regained, measured),
        }

    def _independent(self) -> FloatArray:
        draws = [name for name in self.quadratic.names if name.startswith("signs")]
        found: FloatArray = np.mean([self.quadratic.per_sequence(name) for name in draws], axis=0)
        return found


def _by_sequence(kl: FloatArray) -> FloatArray:
    means: FloatArray = kl.mean(axis=1, keepdims=True)
    return means


def error_structure(
    language_model: LanguageModel,
    assignment: Assignment,
    reference: Reference,
    *,
    fisher: Fisher | None = None,
    draws: int = 2,
    seed: int = 0,
    progress: Callable[[str], object] | None = None,
) -> ErrorStructure:
    """Take the error of formats apart and say what each part costs; the model is as before afterwards.

    Parameters
    ----------
    language_model : LanguageModel
        Unquantised, the model of `reference`.
    assignment : mapping of str to Format
    reference : Reference
    fisher : Fisher, optional
        For the diagonal prediction, with the errors that were made.
    draws : int >= 1
        Of random signs.
    seed : int
        Of the first draw.
    progress : callable, optional
        Called with what is being done.

    Returns
    -------
    ErrorStructure

    Raises
    ------
    ValueError
        If draws is not positive, or a tensor is unknown or cannot be stored.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    tell = progress or (lambda words: None)
    tell("quantising")
    changes = format_changes(language_model, assignment)
    weights = {w.name: w.parameter.detach() for w in weight_tensors(language_model.model)}
    coherent = {n: coherent_part(weights[n], change) for n, change in changes.items()}
    largest = {n: largest_part(weights[n], c, assignment[n].block) for n, c in changes.items()}
    parts: dict[str, Changes] = {
        "coherent": coherent,
        "remainder": {n: change - coherent[n] for n, change in changes.items()},
        "largest": largest,
        "others": {n: change - largest[n] for n, change in changes.items()},
        **{f"signs {k}": random_signs(changes, seed + k) for k in range(draws)},
    }
    tell("differentiating")
    quadratic = quadratic_divergence(language_model, reference.sequences, parts)
    tell("measuring")
    measured = measure_changes(language_model, reference, changes)
    restored = {n: regained(weights[n], change) for n, change in changes.items()}
    return ErrorStructure(
        _diagonal(changes, fisher), quadratic, measured, measure_changes(language_model, reference, restored)
    )


def _diagonal(changes: Changes, fisher: Fisher | None) -> float:
    if fisher is None:
        return float("nan")
    return sum(fisher.quadratic(name, change) for name, change in changes.items())


def format_changes(language_model: LanguageModel, assignment: Assignment) -> dict[str, torch.Tensor]:
    """What formats add to the weights: restored minus original ones, by name of the tensor.

    Raises
    ------
    ValueError
        As `quantised`.
    """
    tensors = {w.name: w.parameter for w in weight_tensors(language_model.model) if w.name in assignment}
    before = {name: parameter.detach().clone() for name, parameter in tensors.items()}
    with quantised(language_model, assignment):
        return {name: parameter.detach() - before[name] for name, parameter in tensors.items()}


def measure_changes(language_model: LanguageModel, reference: Reference, changes: Changes) -> Divergence:
    """Divergence with changes added to the weights, which are as before afterwards.

    Raises
    ------
    ValueError
        If a name is no weight tensor.
    """
    tensors = {w.name: w.parameter.data for w in weight_tensors(language_model.model)}
    unknown = [name for name in changes if name not in tensors]
    if unknown:
        raise ValueError(f"{unknown[0]}: the model has no weight tensor of this name")
    kept = {name: tensors[name].clone() for name in changes}
    try:
        for name, change in changes.items():
            tensors[name] += change.to(tensors[name])
        return measure_divergence(language_model, reference)
    finally:
        for name, values in kept.items():
            tensors[name].copy_(values)


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
    _check_shapes(weights, change)
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
    _check_shapes(weights, change)
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
    _check_shapes(weights, change)
    w, d = weights.double(), change.double()
    energy = float(w.square().sum())
    gain = 1 + float((w * d).sum()) / energy if energy > 0 else 1.0
    return ((w + d) / gain - w).to(change.dtype) if gain > 0 else change


def _check_shapes(weights: torch.Tensor, change: torch.Tensor) -> None:
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
