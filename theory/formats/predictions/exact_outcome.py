"""Error and index probabilities of a format, summed over its kinds of blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy

from ..._typing import FloatArray
from ..codecs.plan import multiplier_of, nominal_size, quantiser_of, reach_of
from ..codecs.scale_search import around_best, covering
from ..number_types import number_type
from .block_outcome import Outcome, block_outcome
from .scaled_laws import FINE_MANTISSA, LARGEST, BlockData, error_nodes, scale_steps

if TYPE_CHECKING:
    from ...sources import Source
    from ..format import Format
    from .layout import Layout
    from .without_outliers import Kept

__all__ = ["Found", "exact_outcome"]

# Elements from which the number of outliers beyond a fixed magnitude varies by less than 1e-3 of R tells.
_LARGE = 1 << 20
_RARE = 1e-9  # of elements: laws of long tails have factors that put still rarer ones beyond the codepoints
_FACTOR_TOLERANCE = 1e-9  # relative; the error is flat at its minimum, and 1e-5 would do for its value


@dataclass(frozen=True, eq=False)
class Found:
    """Error of the blocks and outliers of a format, and probabilities of its codes.

    Attributes
    ----------
    distortion, standard_error : float
        Mean squared error per element, and its standard error.
    probabilities : ndarray
        Of each code.
    codes : float
        Codes per element: less than one for vectors.
    factor : float
        On the statistic.
    """

    distortion: float
    probabilities: FloatArray
    factor: float
    method: Literal["exact", "simulation"] = "exact"
    standard_error: float = 0.0
    codes: float = 1.0
    approximations: tuple[str, ...] = ()


def exact_outcome(format: Format, kept: Kept, layout: Layout, shape: tuple[int, ...]) -> Found:
    """Integrate over the law of every kind of block."""
    scale = format.scale
    statistic, size = scale.statistic, nominal_size(format, shape)
    quantiser = quantiser_of(format.element, statistic, size)
    reach = reach_of(format, size)
    multiplier = multiplier_of(format, reach)
    blocks = [
        (
            part.elements / layout.elements,
            BlockData(kept.source, kept.zeros, min(part.size, LARGEST), part.group),
        )
        for part in layout.parts
    ]

    def outcome(factor: float, of: Format = format) -> Outcome:
        total = Outcome(0.0, np.zeros(quantiser.levels))
        for share, data in blocks:
            total = total.plus(block_outcome(of, data, quantiser, reach, multiplier * factor).times(share))
        return total

    factor = 1.0
    if scale.search == "tensor" and statistic != "none":
        searched = _smooth(format)
        ends = float(quantiser.codepoints[0]), float(quantiser.codepoints[-1])
        covered = covering(statistic, ends, reach / multiplier, _peak(kept.source, statistic, size))
        energy = kept.source.std**2 + kept.source.mean**2
        factor = _best_factor(lambda tried: outcome(tried, searched).distortion, covered, energy)
    found = outcome(factor)
    return Found(
        found.distortion + kept.distortion,
        found.probabilities,
        multiplier * factor,
        approximations=tuple(_assumed(format, layout, kept, multiplier * factor / abs(reach))),
    )


def _assumed(format: Format, layout: Layout, kept: Kept, ratio: float) -> Iterator[str]:
    scale, group = format.scale, format.group
    grouped = group is not None and any(part.group > 1 for part in layout.parts)
    if group is not None and grouped and len(error_nodes(group.number, group.rounding)) > 1:
        yield f"The mantissas of outer scales ({group.number}) are taken as spread evenly over an octave."
    if grouped and any(part.size == 1 for part in layout.parts):
        yield "Blocks of one element in a group are taken as blocks of two."
    directed = scale.rounding != "nearest" and len(error_nodes(scale.number, scale.rounding)) > 1
    if directed and group is None and _spread(format, layout, kept, ratio):
        yield f"The mantissas of scales ({scale.number}) are taken as spread evenly over an octave."
    if any(part.size > LARGEST for part in layout.parts):
        yield f"Blocks of more than {LARGEST:,} elements are taken as that large."
    if scale.statistic == "rms" and kept.source.discrete:
        yield "The squares of data are put into bins for the law of their sums, which tells 1e-4 of R."
    if format.outliers is not None and layout.elements < _LARGE:
        yield "Outliers are taken as the elements beyond a fixed magnitude, whatever the tensor's own largest are."


def _spread(format: Format, layout: Layout, kept: Kept, ratio: float) -> bool:
    """Whether scales have so many numbers that they are not told apart."""
    if format.scale.statistic in ("minmax", "none"):
        return format.scale.statistic == "minmax" and format.scale.number.mantissa_bits >= FINE_MANTISSA
    parts = (BlockData(kept.source, kept.zeros, min(part.size, LARGEST), 1.0) for part in layout.parts)
    return any(scale_steps(data, format.scale, ratio) is None for data in parts)


def _smooth(format: Format) -> Format:
    """Format whose error is a smooth function of the factor, and nearly that of the given one, if it is fine."""
    scale = format.scale
    if scale.number.mantissa_bits < FINE_MANTISSA or scale.rounding != "nearest" or format.group is not None:
        return format
    return replace(format, scale=replace(scale, number=number_type("float32")))


def _peak(source: Source, statistic: str, size: float) -> float:
    """Largest magnitude that a block is likely to have, in units of its statistic."""
    if statistic != "rms":
        return 1.0
    far = max(abs(float(source.isf(_RARE))), abs(float(source.ppf(_RARE)))) / source.std
    return min(math.sqrt(size), far)


def _best_factor(error: Callable[[float], float], covered: float, energy: float) -> float:
    """Factor of least error where the encoder's search ends."""
    error = cache(error)
    low, best, high = around_best(error, covered, energy)
    found = scipy.optimize.minimize_scalar(
        error, bounds=(low, high), method="bounded", options={"xatol": _FACTOR_TOLERANCE}
    )
    return float(found.x) if found.fun < error(best) else best
