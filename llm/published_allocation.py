"""A format for each tensor by the published rule: bits by root mean square and mean Fisher information, rounded.

The catch: the rule knows formats by their widths alone, not by what they do to a tensor, so candidates should be of
one family.  `allocate_formats` has no such limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..theory import Format
from .fisher import Fisher
from .fisher_bits import fisher_bits
from .models import Part
from .parts import check_parts
from .statistics import TensorStatistics
from .tensor_prediction import predict_tensor

__all__ = ["published_allocation"]


def published_allocation(
    statistics: Mapping[str, TensorStatistics],
    fisher: Fisher,
    candidates: Sequence[Format],
    mean_bits: float,
    *,
    parts: Iterable[Part] = ("decoder",),
) -> dict[str, Format]:
    """Give each tensor the candidate whose width the published rule rounds to.

    Parameters
    ----------
    statistics : mapping of str to TensorStatistics
    fisher : Fisher
    candidates : sequence of Format
        Of different widths; a format's width is the mean of its predicted bits over all elements.
    mean_bits : float
        Over the elements of the parts, by these widths.
    parts : iterable of {"embedding", "decoder", "head"}

    Returns
    -------
    dict of str to Format

    Raises
    ------
    ValueError
        If a part is unknown, there are no candidates or no tensors, Fisher information is missing, or the smallest
        width is above the mean.

    References
    ----------
    Orr, Ribar and Luschi (arXiv 2505.12988), section on variable bit allocation; see `fisher_bits`.
    """
    wanted = set(check_parts(parts))
    chosen = {name: found for name, found in statistics.items() if found.part in wanted}
    sizes = np.array([found.elements for found in chosen.values()], dtype=np.float64)
    widths: dict[float, Format] = {}
    for format in candidates if chosen else ():
        bits = [predict_tensor(format, found).bits for found in chosen.values()]
        widths.setdefault(float(np.average(bits, weights=sizes)), format)
    found = fisher_bits(chosen, fisher, mean_bits, widths=widths)
    return {name: widths[bits] for name, bits in found.items()}
