"""Where errors are not independent, or fall on weights that matter more than their neighbours: sentences of an audit.

Two ways in which a codebook of least squared error costs more than its squares say can be seen without taking the
error apart.  All weights shrink together; what that alone does is measured on one batch, by shrinking the inputs of
every layer, which needs no other copy of a weight.  And the largest weight of every block is shrunk, which Fisher
information on those weights shows to be cheap or dear.  `error_structure` has the whole account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from ..theory import Format
from ..theory.formats.codecs.plan import nominal_size, quantiser_of, reach_of
from .divergence import Divergence, measure_divergence
from .error_parts import largest_part
from .fisher import Fisher
from .models import LanguageModel, weight_tensors
from .noise_floor import is_near_floor, weights_dtype
from .quantise import Assignment, TensorRecord
from .reference import Reference

__all__ = ["error_warnings", "largest_weights_matter", "shrinkage_divergence"]

# Share of squared error from which the shrinkage is measured; least squares alone gives R^2, over 0.03 at 3 bits.
_SHRINKAGE_LOOKED_AT = 0.01
# Share of the KL from which it is named: below, the intervals of a few dozen sequences hide it.
_SHRINKAGE_NAMED = 0.05
# Largest weights are shrunk if they move by this much, and dear if they have so many times their row's information.
_MAXIMUM_MOVED = 0.05
_MAXIMUM_DEAR = 1.5
# A measured KL is called far from the prediction where its whole interval is.
_KL_OFF = 0.25


def error_warnings(
    language_model: LanguageModel,
    reference: Reference,
    assignment: Assignment,
    records: Sequence[TensorRecord],
    fisher: Fisher,
    predicted_kl: float,
    measured: Divergence,
    floor: float | None = None,
) -> list[str]:
    """Sentences on errors that the diagonal prediction does not see.

    Parameters
    ----------
    language_model : LanguageModel
        Unquantised again.
    reference : Reference
    assignment : mapping of str to Format
    records : sequence of TensorRecord
        What the formats did.
    fisher : Fisher
    predicted_kl : float
    measured : Divergence
    floor : float, optional
        KL divergence that the arithmetic shows by itself, where it was looked for.
    """
    found = [_shrinkage(language_model, reference, records, measured)]
    found.append(_largest(language_model, assignment, fisher))
    found += _divergence(measured, predicted_kl, floor, weights_dtype(language_model.model))
    return [words for words in found if words]


def _divergence(
    measured: Divergence, predicted_kl: float, floor: float | None, kind: torch.dtype
) -> list[str]:
    """Sentences on a divergence that is near the noise of the arithmetic, or far from what explains it."""
    found, kl, expected, beside = [], measured.mean(), predicted_kl, ""
    if is_near_floor(kl.value, floor):
        assert floor is not None
        expected, beside = predicted_kl + floor, f" and the noise floor of {floor:.2g}"
        found.append(
            f"KL of {kl.value:.3g} is near the noise floor of the arithmetic: {floor:.2g} nats in "
            f"{str(kind).removeprefix('torch.')}, whatever the format, since every change of a weight rounds the "
            "numbers inside the model anew"
        )
    if kl.lower > (1 + _KL_OFF) * expected or kl.upper < (1 - _KL_OFF) * expected:
        found.append(
            f"KL of {kl.value:.3g} is {kl.value / expected - 1:+.0%} from its prediction of {predicted_kl:.3g}"
            f"{beside}, beyond the interval: errors are correlated, or matter more or less than their rows do on "
            "average"
            if expected > 0
            else f"KL is {kl.value:.3g} where none was predicted"
        )
    return found


def _shrinkage(
    language_model: LanguageModel,
    reference: Reference,
    records: Sequence[TensorRecord],
    measured: Divergence,
) -> str:
    energies = [r.elements * r.rms**2 for r in records]
    squared = sum(r.squared_error for r in records)
    shrunken = sum((1 - r.gain) ** 2 * e for r, e in zip(records, energies, strict=True))
    if squared == 0 or shrunken < _SHRINKAGE_LOOKED_AT * squared:
        return ""
    first = reference.first(reference.batch)
    alone = float(shrinkage_divergence(language_model, first, {r.name: r.gain for r in records}).kl.mean())
    whole = float(measured.kl[: len(first.sequences)].mean())
    if not alone > _SHRINKAGE_NAMED * whole:
        return ""
    gain = sum(r.gain * e for r, e in zip(records, energies, strict=True)) / sum(energies)
    return (
        f"weights change together by a gain of {gain:.3f}, which alone has {alone / whole:.0%} of the KL on "
        f"{len(first.sequences)} sequences and {shrunken / squared:.1%} of the squared error, which counts it too "
        "little; scales divided by the gain may be better"
    )


def shrinkage_divergence(
    language_model: LanguageModel, reference: Reference, gains: Mapping[str, float]
) -> Divergence:
    """Divergence with every tensor multiplied by a factor, without touching the weights.

    Parameters
    ----------
    language_model : LanguageModel
    reference : Reference
    gains : mapping of str to float
        By name of the tensor.  Tensors that are no weight of a linear module or of an embedding (stacked experts)
        are left as they are.

    Raises
    ------
    ValueError
        If a name is no weight tensor.
    """
    tensors = {w.name: w.parameter for w in weight_tensors(language_model.model)}
    unknown = [name for name in gains if name not in tensors]
    if unknown:
        raise ValueError(f"{unknown[0]}: the model has no weight tensor of this name")
    factors = {id(tensors[name]): gain for name, gain in gains.items()}
    with _multiplied(language_model.model, factors):
        return measure_divergence(language_model, reference)


@contextmanager
def _multiplied(model: nn.Module, factors: Mapping[int, float]) -> Iterator[None]:
    """Inputs of linear modules and outputs of embeddings times a factor, by the identity of their weight."""
    with ExitStack() as stack:
        for module in model.modules():
            factor = factors.get(id(getattr(module, "weight", None)))
            if factor is not None and isinstance(module, nn.Embedding):
                stack.callback(module.register_forward_hook(_times_output(factor)).remove)
            elif factor is not None:
                stack.callback(module.register_forward_pre_hook(_times_input(factor)).remove)
        yield


def _times_input(factor: float) -> Callable[..., Any]:
    return lambda module, inputs: (inputs[0] * factor, *inputs[1:])


def _times_output(factor: float) -> Callable[..., Any]:
    return lambda module, inputs, output: output * factor


def _largest(language_model: LanguageModel, assignment: Assignment, fisher: Fisher) -> str:
    moved = {
        w.name: by
        for w in weight_tensors(language_model.model)
        if w.name in assignment
        and (by := _maximum_moved(assignment[w.name], tuple(w.parameter.shape))) > _MAXIMUM_MOVED
    }
    ratio = largest_weights_matter(language_model, {n: assignment[n] for n in moved}, fisher)
    if not ratio > _MAXIMUM_DEAR:
        return ""
    return (
        f"the largest weights of blocks move by {max(moved.values()):.0%} of their size, and have {ratio:.2g} times "
        "the Fisher information of their rows: squared error counts them too little, and codebooks that hold the "
        "maximum (closed ends) may be better"
    )


def _maximum_moved(format: Format, shape: tuple[int, ...]) -> float:
    """Relative change of a block's largest weight by the codebook alone; 0 where blocks have no such scale."""
    if format.scale.statistic not in ("absmax", "signmax") or not isinstance(format.block, int):
        return 0.0
    size = nominal_size(format, shape)
    ends = np.array([1.0, 1.0 if format.scale.statistic == "signmax" else -1.0]) * reach_of(format, size)
    restored = quantiser_of(format.element, format.scale.statistic, size)(ends)
    return float(np.mean(np.abs(restored / ends - 1)))


def largest_weights_matter(language_model: LanguageModel, assignment: Assignment, fisher: Fisher) -> float:
    """Fisher information on the largest weight of every block over the mean of its row, weighted by squares.

    Parameters
    ----------
    language_model : LanguageModel
    assignment : mapping of str to Format
        For the blocks.
    fisher : Fisher

    Returns
    -------
    float
        1 where the place of the largest weights says nothing; NaN without whole diagonals or without tensors.
    """
    own = even = 0.0
    for w in weight_tensors(language_model.model):
        if w.name not in assignment or w.name not in fisher.diagonals:
            continue
        weights = w.parameter.detach().float()
        squares = largest_part(weights, weights.square(), assignment[w.name].block).double()
        diagonal = fisher.diagonals[w.name].to(weights.device).double()
        own += float((squares * diagonal).sum())
        even += float((squares.sum(-1) * diagonal.mean(-1)).sum())
    return own / even if even > 0 else float("nan")
