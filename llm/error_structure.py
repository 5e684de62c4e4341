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

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ..theory._typing import FloatArray
from .argument_checks import check_seed, check_whole
from .divergence import Divergence, measure_divergence
from .error_parts import check_shapes, coherent_part, largest_part, random_signs, regained
from .estimates import Estimate, clustered_mean, paired_difference
from .fisher import Fisher
from .models import LanguageModel, WeightTensor, weight_tensors
from .quadratic import Changes, QuadraticDivergence, quadratic_divergence
from .quantise import Assignment, TensorRecord, quantise_weight
from .reference import Reference
from .restore import kept_weights

__all__ = [
    "ErrorStructure",
    "error_structure",
    "format_changes",
    "measure_changes",
]


@dataclass(frozen=True, eq=False)
class ErrorStructure:
    """Divergence of an assignment of formats, step by step from the diagonal prediction to the measurement.

    Attributes
    ----------
    records : tuple of TensorRecord
        What the formats did to each tensor, in the order of the model.
    diagonal : float
        Half the sum of diagonal Fisher information times squared error; NaN without Fisher information.
    quadratic : QuadraticDivergence
        Of "coherent" and "remainder", of "largest" and "others" (each pair sums to the whole error), and of the
        whole error with random signs, "signs 0", "signs 1", ...
    measured : Divergence
    regained : Divergence
        Measured with every tensor divided by its gain: the same codes, scales a little larger.
    """

    records: tuple[TensorRecord, ...]
    diagonal: float
    quadratic: QuadraticDivergence
    measured: Divergence
    regained: Divergence

    @property
    def error(self) -> float:
        """R of all tensors together: root mean square of the change over that of the weights."""
        energy = self._energy()
        return math.sqrt(sum(record.squared_error for record in self.records) / energy) if energy else 0.0

    @property
    def gain(self) -> float:
        """Gain of all tensors together: the mean of their gains, each counted by the squares of its weights."""
        energy = self._energy()
        gains = sum(record.gain * record.elements * record.rms**2 for record in self.records)
        return gains / energy if energy else 1.0

    def _energy(self) -> float:
        return sum(record.elements * record.rms**2 for record in self.records)

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
        Unquantised, the model of `reference`.  One of 16 bits rounds the parts to its type; in float32 they are exact.
    assignment : mapping of str to Format
    reference : Reference
        Its batches are run at once.
    fisher : Fisher, optional
        For the diagonal prediction, with the errors that were made.
    draws : int >= 1
        Of random signs.
    seed : int >= 0
        Of the first draw.
    progress : callable, optional
        Called with what is being done.

    Returns
    -------
    ErrorStructure

    Raises
    ------
    ValueError
        If draws is not positive, nothing is assigned, or a tensor is unknown or cannot be stored.
    OSError
        If the files of the model changed while its weights were overwritten.
    """
    draws, seed = check_whole("draws", draws, 1), check_seed(seed)
    if not assignment:
        raise ValueError("assignment must give at least one tensor a format, got none")
    tell = progress or (lambda words: None)
    tell("quantising")
    records, changes = _quantised(language_model, assignment)
    weights = {w.name: w.parameter.detach() for w in weight_tensors(language_model.model)}
    parts = _parts(weights, changes, assignment)
    parts |= {f"signs {k}": random_signs(changes, seed + k) for k in range(draws)}
    tell("differentiating")
    quadratic = quadratic_divergence(language_model, reference.sequences, parts, batch=reference.batch)
    del parts  # several times the weights; what follows needs none of them
    tell("measuring")
    measured = measure_changes(language_model, reference, changes)
    restored = {n: regained(weights[n], change) for n, change in changes.items()}
    tell("measuring without shrinkage")
    again = measure_changes(language_model, reference, restored)
    return ErrorStructure(tuple(records), _diagonal(changes, fisher), quadratic, measured, again)


def _parts(
    weights: Mapping[str, torch.Tensor], changes: Changes, assignment: Assignment
) -> dict[str, Changes]:
    """Both ways to take changes apart; each pair sums to the whole."""
    coherent = {n: coherent_part(weights[n], change) for n, change in changes.items()}
    largest = {n: largest_part(weights[n], c, assignment[n].block) for n, c in changes.items()}
    return {
        "coherent": coherent,
        "remainder": {n: change - coherent[n] for n, change in changes.items()},
        "largest": largest,
        "others": {n: change - largest[n] for n, change in changes.items()},
    }


def _diagonal(changes: Changes, fisher: Fisher | None) -> float:
    if fisher is None:
        return float("nan")
    return sum(fisher.quadratic(name, change) for name, change in changes.items())


def format_changes(language_model: LanguageModel, assignment: Assignment) -> dict[str, torch.Tensor]:
    """What formats add to the weights: restored minus original ones, by name of the tensor; float32 at least.

    Raises
    ------
    ValueError
        As `quantised`.
    """
    return _quantised(language_model, assignment)[1]


def _quantised(
    language_model: LanguageModel, assignment: Assignment
) -> tuple[list[TensorRecord], dict[str, torch.Tensor]]:
    tensors = {w.name: w for w in weight_tensors(language_model.model)}
    _check_names(assignment, tensors)
    records, changes = [], {}
    for name, tensor in tensors.items():
        if name in assignment:
            record, restored = quantise_weight(tensor, assignment[name])
            before = tensor.parameter.detach()
            # A difference of numbers of 16 bits is none of them.
            wide = torch.promote_types(before.dtype, torch.float32)
            changes[name] = restored.to(before.dtype).to(wide) - before.to(wide)
            records.append(record)
    return records, changes


def measure_changes(language_model: LanguageModel, reference: Reference, changes: Changes) -> Divergence:
    """Divergence with changes added to the weights, which are as before afterwards.

    Sums are rounded to the type of the weights once.

    Raises
    ------
    ValueError
        If a name is no weight tensor, or a change has another shape.
    OSError
        If the files of the model changed meanwhile.
    """
    tensors = {w.name: w for w in weight_tensors(language_model.model)}
    _check_names(changes, tensors)
    for name, change in changes.items():
        check_shapes(tensors[name].parameter, change)
    with kept_weights(language_model) as keeper:
        for name, change in changes.items():
            keeper.keep(tensors[name])
            weights = tensors[name].parameter.data
            weights.copy_(weights + change.to(weights.device))
        return measure_divergence(language_model, reference)


def _check_names(names: Iterable[str], tensors: Mapping[str, WeightTensor]) -> None:
    unknown = [name for name in names if name not in tensors]
    if unknown:
        raise ValueError(f"{unknown[0]}: the model has no weight tensor of this name")
