"""Why a format is recommended: what its parts cost, and what changing one of them would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .candidates import neighbours

if TYPE_CHECKING:
    from ...sources import Source
    from ..format import Format
    from .recommendation import Recommendation
    from .trials import Trial

__all__ = ["cost", "later_reasons", "neighbour_reasons"]


def cost(one: Recommendation, budget: float) -> str:
    """Bits of each part, and what of the budget is left."""
    format = one.format
    kind = "coded to their entropy" if format.code == "entropy" else "of fixed length"
    parts = [f"codes {one.element_bits:.4g} ({kind})"]
    if format.scale.statistic != "none":
        parts.append(f"scales {one.scale_bits:.4g} ({_scale(format)})")
    if format.outliers is not None:
        parts.append(f"outliers {one.outlier_bits:.4g} ({format.outliers})")
    if one.codebook_bits:
        parts.append(f"codebook {one.codebook_bits:.2g}")
    left = budget - one.bits
    unused = f"; {left:.4g} of the budget are left" if left > 0.0005 else ""
    return f"bits: {', '.join(parts)}{unused}"


def neighbour_reasons(
    format: Format, trial: Callable[[Format], Trial], laws: Sequence[Source], most: float
) -> tuple[str, ...]:
    """What formats that differ in one part make of the same sample."""
    own = trial(format)
    reasons = []
    for what, other in neighbours(format, laws):
        found = trial(other)
        difference = 100 * (found.R / own.R - 1) if own.R > 0 else 0.0
        over = ", over the budget" if found.bits > most else ""
        reasons.append(f"{what}: R {difference:+.1f}%, bits {found.bits - own.bits:+.3f}{over}")
    return tuple(reasons)


def later_reasons(R: float, bits: float, best_R: float, best_bits: float) -> tuple[str, ...]:
    """How far a format is behind the first."""
    behind = 100 * (R / best_R - 1) if best_R > 0 else 0.0
    return (f"against the first: R {behind:+.1f}%, bits {bits - best_bits:+.3f}",)


def _scale(format: Format) -> str:
    block = format.block
    of = "x".join(map(str, block)) if isinstance(block, tuple) else str(block)
    outer = "" if format.group is None else f" within {format.group.number} of {format.group.blocks}"
    zero = " with zero point" if format.scale.statistic == "minmax" else ""
    return f"{format.scale.number}{zero} for each {of}{outer}"
