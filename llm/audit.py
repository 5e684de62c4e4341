"""Predict what a format does to a model, do it, measure it, and set both side by side.

The prediction is made from statistics of the weights and from Fisher information, before anything is quantised: R and
bits of each tensor, and the KL divergence as half the sum of Fisher information times squared error.  The audit
then says where theory failed, and why as far as the statistics show it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..theory._typing import FloatArray
from .divergence import Divergence, measure_divergence
from .error_warnings import error_warnings
from .fisher import Fisher
from .models import LanguageModel, weight_tensors
from .noise_floor import audit_floor
from .quantise import Assignment, ModelBits, TensorRecord, model_bits, quantised
from .reference import Reference
from .statistics import TensorStatistics, tensor_statistics
from .tensor_prediction import TensorPrediction, predict_tensor

__all__ = ["Audit", "TensorAudit", "audit", "fisher_rows", "model_statistics", "predict_assignment"]

# Beyond this divergence the quadratic approximation leaves out visible terms (25% and more were seen).
_LARGE_KL = 0.05
# A tensor whose measured R is this far from the prediction is named.
_R_OFF = 0.05
# Shorter or taller block maxima than independent elements would have, named from this share on.
_MAXIMUM_OFF = 0.03
# Share of all Fisher information in one element of a thousand from which its tail is called heavy.
_HEAVY_TAIL = 0.3
# R from which a tensor is called lost.
_LOST = 0.95


@dataclass(frozen=True, eq=False)
class TensorAudit:
    """One tensor, predicted and measured.

    Attributes
    ----------
    prediction : TensorPrediction
    record : TensorRecord
    kl : float
        Predicted contribution to the KL divergence, in nats per token.
    """

    prediction: TensorPrediction
    record: TensorRecord
    kl: float

    @property
    def ratio(self) -> float:
        """Measured R over predicted R; 1 where both are 0."""
        return self.record.error / self.prediction.R if self.prediction.R > 0 else 1.0


@dataclass(frozen=True, eq=False)
class Audit:
    """A format assignment, predicted and measured.

    Attributes
    ----------
    tensors : tuple of TensorAudit
    bits : ModelBits
        Counted on what was stored.
    predicted_bits : float
        For each parameter of the model.
    predicted_kl : float
        In nats per token.
    measured : Divergence
    floor : float or None
        KL divergence that the arithmetic shows by itself (`noise_floor`), on the first thousand tokens; None where
        the measured one is so much larger that it was not looked at.
    warnings : tuple of str
        Where theory is outside its range or off, one sentence each.  Heavy tails of the Fisher information are
        not looked for where rows alone were kept of it, which is told.
    """

    tensors: tuple[TensorAudit, ...]
    bits: ModelBits
    predicted_bits: float
    predicted_kl: float
    measured: Divergence
    floor: float | None
    warnings: tuple[str, ...]

    @property
    def median_ratio(self) -> float:
        """Median over tensors of measured over predicted R."""
        return float(np.median([tensor.ratio for tensor in self.tensors]))


def model_statistics(language_model: LanguageModel) -> dict[str, TensorStatistics]:
    """Statistics of all weight tensors by name."""
    return {w.name: tensor_statistics(w) for w in weight_tensors(language_model.model)}


def fisher_rows(fisher: Fisher, name: str) -> FloatArray:
    """Sum of the diagonal Fisher information over each row of a tensor.

    Raises
    ------
    ValueError
        If the Fisher information does not hold the tensor.
    """
    rows: FloatArray = fisher.rows(name).cpu().numpy()
    return rows


def predict_assignment(
    assignment: Assignment, statistics: Mapping[str, TensorStatistics], fisher: Fisher
) -> dict[str, tuple[TensorPrediction, float]]:
    """Prediction and KL contribution of every tensor that has a format.

    Raises
    ------
    ValueError
        If statistics or Fisher information of a tensor are missing.
    """
    missing = [name for name in assignment if name not in statistics]
    if missing:
        raise ValueError(f"{missing[0]}: there are no statistics of this tensor")
    found = {}
    for name, format in assignment.items():
        prediction = predict_tensor(format, statistics[name])
        found[name] = (prediction, prediction.kl(fisher_rows(fisher, name)))
    return found


def audit(
    language_model: LanguageModel,
    assignment: Assignment,
    reference: Reference,
    statistics: Mapping[str, TensorStatistics],
    fisher: Fisher,
    *,
    progress: Callable[[str], object] | None = None,
) -> Audit:
    """Predict, quantise, measure and compare; the model is as before afterwards.

    Parameters
    ----------
    language_model : LanguageModel
        Unquantised, the model of `reference`.
    assignment : mapping of str to Format
    reference : Reference
    statistics : mapping of str to TensorStatistics
    fisher : Fisher
    progress : callable, optional
        Called with what is being done.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If a tensor of the assignment is unknown or cannot be stored.
    """
    tell = progress or (lambda words: None)
    tell("predicting")
    predicted = predict_assignment(assignment, statistics, fisher)
    tell("quantising")
    with quantised(language_model, assignment) as records:
        bits = model_bits(language_model.model, records)
        tell("measuring")
        measured = measure_divergence(language_model, reference)
    tensors = tuple(TensorAudit(predicted[r.name][0], r, predicted[r.name][1]) for r in records)
    kl = sum(tensor.kl for tensor in tensors)
    floor = audit_floor(language_model, reference, float(measured.kl.mean()))
    return Audit(
        tensors=tensors,
        bits=bits,
        predicted_bits=_predicted_bits(language_model, tensors),
        predicted_kl=kl,
        measured=measured,
        floor=floor,
        warnings=(
            *_warnings(tensors, statistics, fisher, kl, measured),
            *error_warnings(language_model, reference, assignment, records, fisher, kl, measured, floor),
        ),
    )


def _predicted_bits(language_model: LanguageModel, tensors: Iterable[TensorAudit]) -> float:
    """Bits for each parameter of the model if every tensor takes what was predicted."""
    predicted = {t.record.name: t.prediction.bits * t.record.elements for t in tensors}
    total = count = 0.0
    for name, parameter in language_model.model.named_parameters():
        total += predicted.get(name, parameter.numel() * parameter.element_size() * 8)
        count += parameter.numel()
    return total / count


def _warnings(
    tensors: tuple[TensorAudit, ...],
    statistics: Mapping[str, TensorStatistics],
    fisher: Fisher,
    predicted_kl: float,
    measured: Divergence,
) -> list[str]:
    found = []
    kl = float(measured.kl.mean())
    if max(kl, predicted_kl) > _LARGE_KL:
        found.append(
            f"KL of {kl:.3g} nats is beyond the quadratic approximation, which is good below {_LARGE_KL:g}"
        )
    lost = [t.record for t in tensors if t.record.error > _LOST]
    if lost:
        others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        found.append(
            f"hardly anything is left of {lost[0].name}{others} (R is {lost[0].error:.3g}): scales may be too small "
            "for the type that stores them, or steps too wide"
        )
    for tensor in sorted(tensors, key=lambda t: -abs(math.log(max(t.ratio, 1e-9)))):
        if abs(tensor.ratio - 1) > _R_OFF:
            found.append(_off(tensor, statistics[tensor.record.name]))
    heavy = [t.record.name for t in tensors if _tail_share(fisher, t.record.name) > _HEAVY_TAIL]
    if heavy:
        found.append(
            f"Fisher information has heavy tails in {len(heavy)} tensors ({heavy[0]}, ...): over {_HEAVY_TAIL:.0%} "
            "lies in one element of a thousand, so row means say little about where errors hurt"
        )
    if fisher.row_sums:
        found.append(
            "Fisher information was kept by rows alone, so heavy tails within rows were not looked for"
        )
    return found


def _off(tensor: TensorAudit, statistics: TensorStatistics) -> str:
    """Sentence on a tensor whose error was predicted badly, with the reason that its statistics show."""
    words = (
        f"{tensor.record.name}: R is {tensor.record.error:.4g}, {tensor.ratio - 1:+.1%} from the "
        f"{tensor.prediction.R:.4g} predicted from the spreads and maxima of its rows"
    )
    size = tensor.prediction.format.block
    if isinstance(size, int) and size in statistics.block_maxima:
        ratio = statistics.block_maxima[size] / statistics.expected_maximum(size)
        if abs(ratio - 1) > _MAXIMUM_OFF:
            return f"{words}; its block maxima are {ratio - 1:+.1%} from those of independent elements"
    return words


def _tail_share(fisher: Fisher, name: str) -> float:
    """Share of a tensor's Fisher information in its largest thousandth of elements; 0 where rows alone are known."""
    if name not in fisher.diagonals:
        return 0.0
    flat, total = fisher.diagonals[name].reshape(-1), float(fisher.rows(name).sum())
    largest = flat.topk(max(1, flat.numel() // 1000)).values
    return float(largest.double().sum()) / total if total > 0 else 0.0
