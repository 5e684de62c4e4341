"""What a format will do to a tensor of weights, from its statistics alone.

A tensor is drawn of which every row has the measured root mean square and largest magnitude, and is otherwise
independent draws of one law (`drawn_tensors`); the format is applied to it.  What a format shares between rows (one
scale, a threshold for outliers, a search, an outer scale) so meets rows of the measured spreads.  The drawn tensor
has the type of the weights, so that what is restored is rounded as theirs will be.  No weight is looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..theory import Format
from ..theory._typing import FloatArray, IntArray
from ..theory.formats import Codebook, Encoded, VectorCodebook, storage
from ..theory.formats.codecs.encoding import decode, encode
from ..theory.formats.codecs.plan import multiplier_of, nominal_size, quantiser_of, reach_of
from .drawn_tensor import DrawnTensor, drawn_tensors
from .statistics import TensorStatistics

__all__ = ["TensorPrediction", "predict_tensor"]


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
        The same whenever it is asked for.  R is known to about 0.3% of itself at four bits; bits are exact, but for
        outliers beyond a threshold and for codes of their entropy.

    Raises
    ------
    ValueError
        If the tensor cannot be stored in the format (its name is given).

    Notes
    -----
    Not for weights with an order within rows, such as a few columns much larger than the others: measure those.
    """
    height = format.block[0] if isinstance(format.block, tuple) else 1
    together = format.block == "tensor" or height > 1 or format.outliers is not None
    drawn = drawn_tensors(statistics, height, together=together)
    try:
        widths = storage(format, statistics.shape)
        of_size = _as_for(format, statistics) if drawn[0].values.size < statistics.elements else format
        encoded = [encode(of_size, part.values) for part in drawn]
    except ValueError as error:
        raise ValueError(f"{statistics.name}: {error}") from error
    squares = np.mean([_squares(part, found) for part, found in zip(drawn, encoded, strict=True)], axis=0)
    errors = _row_errors(statistics, drawn[0].rows, squares, height)
    elements = statistics.elements
    entropy = float(np.mean([found.entropy() * found.codes.size / drawn[0].values.size for found in encoded]))
    parts = (
        entropy if format.code == "entropy" else widths.codes / elements,
        (widths.scales + widths.zeros + widths.groups) / elements,
        float(np.mean([_outlier_bits(found, elements) for found in encoded])),
        widths.codebook / elements,
    )
    R = float(np.sqrt(errors.mean())) / statistics.rms if statistics.rms else 0.0
    return TensorPrediction(statistics.name, format, elements, R, sum(parts), entropy, *parts, errors)


def _as_for(format: Format, statistics: TensorStatistics) -> Format:
    """A format for some rows of a tensor that has the codepoints and the reach it has for all of it."""
    if format.block != "tensor" or isinstance(format.element, VectorCodebook):
        return format
    size = nominal_size(format, statistics.shape)
    quantiser = quantiser_of(format.element, format.scale.statistic, size)
    element = Codebook(tuple(quantiser.codepoints.tolist()), tuple(quantiser.thresholds.tolist()))
    reach = reach_of(format, size)
    scale = replace(format.scale, reach=reach, multiplier=multiplier_of(format, reach))
    return replace(format, element=element, scale=scale)


def _squares(drawn: DrawnTensor, encoded: Encoded) -> FloatArray:
    """Mean squared change of each row."""
    before, after = (x.astype(np.float32, copy=False) for x in (drawn.values, decode(encoded)))
    change = (before - after).astype(np.float64).reshape(len(drawn.rows), -1)
    return np.asarray(np.mean(change**2, axis=1))


def _row_errors(statistics: TensorStatistics, rows: IntArray, squares: FloatArray, height: int) -> FloatArray:
    """Errors of all rows; of bands of rows that were not drawn, by the drawn ones of about their spread."""
    count = len(statistics.row_rms)
    if len(rows) == count:
        return squares
    band = np.arange(count) // height
    energy = _means(statistics.row_rms**2, band)
    place = np.argsort(np.argsort(energy, kind="stable"))
    drawn, of_drawn = np.unique(band[rows], return_inverse=True)
    errors = _means(squares, of_drawn)
    relative = np.divide(errors, energy[drawn], out=np.zeros(len(drawn)), where=energy[drawn] > 0)
    by_spread = np.argsort(place[drawn])
    found = np.interp(place, place[drawn][by_spread], relative[by_spread]) * energy
    all_rows = np.asarray(found[band])
    all_rows[rows] = squares
    return all_rows


def _means(values: FloatArray, group: IntArray) -> FloatArray:
    return np.asarray(np.bincount(group, values) / np.bincount(group))


def _outlier_bits(encoded: Encoded, elements: int) -> float:
    """Of a drawn tensor, for each element of one that may have more rows."""
    outliers, drawn = encoded.format.outliers, math.prod(encoded.shape)
    if outliers is None or encoded.outlier_positions is None:
        return 0.0
    if drawn == elements:
        return encoded.outlier_bits / elements
    longer = encoded.codes.size / drawn
    share = len(encoded.outlier_positions) / encoded.codes.size
    return outliers.expected_bits(share, elements * longer) * longer
