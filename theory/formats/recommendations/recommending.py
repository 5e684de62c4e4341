"""The best formats for data, or for a law, at a budget of bits.

Candidates are all named formats and a grid of elements, block sizes, scale types and statistics; uniform grids
with their step fitted to the budget are added for lossless codes.  All are tried on one sample of the data (or
one draw of the law), so that they are compared on the same values; the best are then measured on up to 2^22
elements (evenly spaced rows of each tensor), or predicted exactly.  No grid holds everything: what is
recommended is the best of what was tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from numpy.typing import NDArray

from ..._arguments import check_choice, check_positive
from ...sources import Source
from ..format import Format
from .candidates import DEFAULT_LAWS, has_name, least_bits
from .recommendation import Recommendation
from .search import Search
from .task import task_of
from .widened import widened_by

__all__ = ["recommend"]

_LEAST, _MOST = 0.25, 16.0


def recommend(
    data: Source | NDArray[Any] | Sequence[NDArray[Any]],
    budget: float,
    *,
    tolerance: float = 0.01,
    count: int = 5,
    codes: Literal["both", "fixed", "entropy"] = "both",
    laws: Sequence[Source] | None = None,
    also: Sequence[Format | str] = (),
    parts: Sequence[str] = (),
    shape: tuple[int, ...] = (4096, 4096),
    progress: Callable[[int, int], None] | None = None,
) -> list[Recommendation]:
    """Find the formats of least error whose bits, everything counted, fit a budget.

    Parameters
    ----------
    data : Source, array, or list of arrays
        A law of independent elements, or tensors (float16, bfloat16, float32, float64; finite, not all zero)
        that are to share one format.
    budget : float, 0.25 to 16
        Bits per element.
    tolerance : float > 0
        Bits by which the budget may be exceeded: a scale or two for a whole tensor.
    count : int >= 1
        Formats wanted of each kind of code.
    codes : {"both", "fixed", "entropy"}
        Codes of fixed length, codes that a lossless code brings to their entropy, or both.
    laws : sequence of Source, optional
        Named laws of unit standard deviation for which codebooks are designed: each takes seconds.  Left out,
        the law itself where it has a name, and else the normal, Laplace and Student-t (df 5).
    also : sequence of Format or str
        Formats to try beside the usual candidates, such as vector codebooks; those that fit take part.
    parts : sequence of str
        Outliers and rotations to try with every candidate: "outliers=0.5%", "rotation=hadamard", or both in one
        text between commas.  Each makes the search longer by its whole length.
    shape : tuple of int
        Shape of the tensor of a law.
    progress : callable, optional
        Called with the number of steps done and of all.

    Returns
    -------
    list of Recommendation
        Fixed length first, best first within each kind; at most `count` of each.  R is measured on up to
        2^22 elements of the data, in evenly spaced rows, or predicted for the law.

    Raises
    ------
    TypeError
        If the data are neither, or hold anything else.
    ValueError
        If the budget is out of range (for codes of fixed length alone: below the cheapest format), or an
        array is empty, all zero or not finite.

    Notes
    -----
    Outliers, rotations and vector codebooks are tried only where `parts` or `also` ask for them: what they cost
    to run is not counted here, and a law of independent elements has no use for a rotation.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> best = recommend(Normal(), 2.0, count=1, codes="fixed", shape=(8, 512))[0]
    >>> str(best.format), round(best.bits, 3)
    ('lloyd2:normal,scale=rms', 2.004)
    """
    budget = check_positive("budget", budget)
    tolerance = check_positive("tolerance", tolerance)
    check_choice("codes", codes, ("both", "fixed", "entropy"))
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"count must be an integer of at least 1, got {count!r}")
    widened = widened_by(also, parts)
    search = Search(
        task_of(data, shape), budget, tolerance, _designs(data, laws), widened, count, progress or _silent
    )
    _check_budget(budget, codes, search.task.shapes)
    found: list[Recommendation] = []
    if codes != "entropy":
        found += search.fixed()
    if codes != "fixed":
        found += search.entropy_coded(found[0].R if found else None)
    if not found:
        least = least_bits(search.task.shapes)
        raise ValueError(
            f"budget must hold codes and scales: no format fits {budget:g} bits per element of so "
            f"small a tensor; the cheapest of fixed length has {least:.4g}"
        )
    return found


def _designs(data: object, laws: Sequence[Source] | None) -> tuple[Source, ...]:
    """Laws that codebooks are designed for."""
    if laws is not None:
        return tuple(laws)
    if isinstance(data, Source) and has_name(data):
        return (replace(data, std=1.0),)  # type: ignore[type-var]
    return DEFAULT_LAWS


def _check_budget(budget: float, codes: str, shapes: Sequence[tuple[int, ...]]) -> None:
    least = least_bits(shapes)
    if not _LEAST <= budget <= _MOST:
        raise ValueError(f"budget must be between {_LEAST:g} and {_MOST:g} bits per element, got {budget:g}")
    if codes == "fixed" and budget < least - 0.01:
        raise ValueError(
            f"budget must be at least {least:.4g} bits per element for codes of fixed length, got {budget:g}"
        )


def _silent(done: int, total: int) -> None:
    """Say nothing."""
