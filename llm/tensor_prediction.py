"""What a format will do to a tensor of weights, from its statistics alone.

A format that scales within rows sees each row at its own spread, so rows are grouped by their root mean square and
every group is predicted from the law of elements over their row's scale.  One scale for the whole tensor is known
from the statistics, so that each group of rows meets a quantiser of known width.  A format that sorts, searches or
rotates across rows sees the law of all elements together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..theory import Format, Prediction, Source, evaluate, predict
from ..theory._typing import FloatArray
from ..theory.formats import VectorCodebook
from ..theory.formats._plan import multiplier_of, nominal_size, quantiser_of, reach_of
from ..theory.formats._rescaled_prediction import rescaled
from .statistics import TensorStatistics

__all__ = ["TensorPrediction", "predict_tensor"]

# Groups of rows for scales whose numbers are coarse; twice as many move R by less than 0.2% on trained weights.
_GROUPS = 8
# Scales with at least this many mantissa bits look alike at every magnitude.
_FINE_MANTISSA = 7


@dataclass(frozen=True, eq=False)
class TensorPrediction:
    """Predicted error and size of a tensor in a format.

    Attributes
    ----------
    name : str
    format : Format
    elements : int
    R : float
        Root mean squared change of a weight over the root mean square of the weights.
    bits : float
        Per element, everything counted.
    entropy : float
        Of the codes, bits per element.
    element_bits, scale_bits, outlier_bits, codebook_bits : float
        What `bits` is the sum of (with a lossless code `element_bits` is the code's).
    row_errors : ndarray of float64, shape (rows,)
        Mean squared change of a weight in each row.
    """

    name: str
    format: Format
    elements: int
    R: float
    bits: float
    entropy: float
    element_bits: float
    scale_bits: float
    outlier_bits: float
    codebook_bits: float
    row_errors: FloatArray

    def kl(self, fisher_rows: FloatArray) -> float:
        """Predicted KL divergence per token in nats: half the sum of Fisher information times squared change.

        Parameters
        ----------
        fisher_rows : array of float, shape (rows,)
            Sum of the diagonal Fisher information over each row.
        """
        return 0.5 * float(np.dot(fisher_rows, self.row_errors))


def predict_tensor(format: Format, statistics: TensorStatistics) -> TensorPrediction:
    """Predict what a format does to a tensor.

    Parameters
    ----------
    format : Format
    statistics : TensorStatistics

    Returns
    -------
    TensorPrediction
    """
    if statistics.rms == 0.0:
        zero = predict(format, statistics.law, shape=statistics.shape)
        return _build(format, statistics, zero, np.zeros(len(statistics.row_rms)))
    if _one_scale(format):
        return _under_one_scale(format, statistics)
    if not _within_rows(format):
        found = _predict(format, statistics.law, statistics.rms, statistics.shape)
        return _build(
            format, statistics, found, np.full(len(statistics.row_rms), _energy(found, statistics.rms))
        )
    return _by_rows(format, statistics)


def _by_rows(format: Format, statistics: TensorStatistics) -> TensorPrediction:
    errors = np.empty(len(statistics.row_rms))
    order = np.argsort(statistics.row_rms, kind="stable")
    groups = 1 if _fine(format) else min(_GROUPS, len(order))
    for rows in np.array_split(order, groups):
        rms = float(np.sqrt(np.mean(statistics.row_rms[rows] ** 2)))
        if rms == 0.0:
            errors[rows] = 0.0
            continue
        # The whole tensor's shape: what is shared between rows (a tensor's second scale) spans all of them.
        found = _predict(format, statistics.row_law, rms, statistics.shape)
        errors[rows] = (found.R * statistics.row_rms[rows]) ** 2
    return _build(format, statistics, found, errors)


def _under_one_scale(format: Format, statistics: TensorStatistics) -> TensorPrediction:
    """Rows of different spreads under a scale for all of them, which the statistics determine."""
    size = nominal_size(format, statistics.shape)
    reach = reach_of(format, size)
    statistic = statistics.largest if format.scale.statistic == "absmax" else statistics.rms
    scale = float(
        format.scale.number.round(multiplier_of(format, reach) * statistic / reach, format.scale.rounding)
    )
    quantiser = quantiser_of(format.element, format.scale.statistic, size)
    law = rescaled(statistics.row_law, 1.0)
    errors = np.zeros(len(statistics.row_rms))
    order = np.argsort(statistics.row_rms, kind="stable")
    for rows in np.array_split(order, min(2 * _GROUPS, len(order))):
        rms = float(np.sqrt(np.mean(statistics.row_rms[rows] ** 2)))
        if rms > 0.0 and scale > 0.0:
            errors[rows] = rms**2 * evaluate(quantiser.scaled(scale / rms), law).distortion
        elif scale == 0.0:
            errors[rows] = rms**2
    found = _predict(format, statistics.law, statistics.rms, statistics.shape)
    return _build(format, statistics, found, errors)


def _build(
    format: Format, statistics: TensorStatistics, found: Prediction, errors: FloatArray
) -> TensorPrediction:
    R = float(np.sqrt(errors.mean())) / statistics.rms if statistics.rms else 0.0
    overheads = found.scale_bits, found.outlier_bits, found.codebook_bits
    return TensorPrediction(
        statistics.name,
        format,
        statistics.elements,
        R,
        found.bits,
        found.entropy,
        found.bits - sum(overheads),
        *overheads,
        errors,
    )


def _predict(format: Format, law: Source, rms: float, shape: tuple[int, ...]) -> Prediction:
    return predict(format, law, std=rms, shape=shape)


def _energy(found: Prediction, rms: float) -> float:
    return (found.R * rms) ** 2


def _within_rows(format: Format) -> bool:
    """Whether nothing but a second scale is shared between rows."""
    by_rows = format.block == "channel" or isinstance(format.block, int)
    return by_rows and format.outliers is None and format.rotation is None


def _one_scale(format: Format) -> bool:
    """Whether a scale for all elements is all that happens to them."""
    plain = format.outliers is None and format.rotation is None and format.group is None
    scale = format.scale
    known = scale.statistic in ("absmax", "rms") and scale.search == "none"
    return plain and known and format.block == "tensor" and not isinstance(format.element, VectorCodebook)


def _fine(format: Format) -> bool:
    """Whether the error relative to a row's spread does not depend on that spread."""
    number = format.scale.number if format.group is None else format.group.number
    return format.scale.statistic != "none" and number.mantissa_bits >= _FINE_MANTISSA
