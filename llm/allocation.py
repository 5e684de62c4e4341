"""Which format for which tensor of a model, at a budget.

The exact problem takes each tensor's own predicted points, bits against KL divergence, and leaves the choice to
`bitlaw.theory.allocate`; the published rule (`fisher_bits`) assumes one error curve, 6 dB a bit, for all.

The catch: the gain over one format for all comes from differences between tensors in Fisher information times
squared weights, which small models hardly have, and it is a predicted gain.  So the best single format within the same
budget is always computed beside it, and what both do has to be measured (`compare_measured`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..theory import Format, allocate
from ..theory._typing import FloatArray
from ..theory.fitting.fused_weights import fused_groups
from ..theory.limits import Allocation, ComponentTable
from .audit import fisher_rows
from .fisher import Fisher
from .model_allocation import ModelAllocation, TensorAllocation, UniformControl
from .models import Part
from .parts import check_parts
from .statistics import TensorStatistics
from .tensor_prediction import predict_tensor

__all__ = ["allocate_formats", "fused_groups"]

# Sums of bits of a thousand tensors err by less than this part of them.
_ROUNDING = 1e-12


def allocate_formats(
    statistics: Mapping[str, TensorStatistics],
    fisher: Fisher,
    candidates: Iterable[Format],
    budget: float | Format,
    *,
    unit: str = "bits_per_element",
    parts: Iterable[Part] = ("decoder",),
    groups: Mapping[str, str] | None = None,
    fixed: Mapping[str, Format] | None = None,
    floors: Mapping[str, Format] | None = None,
    exact: bool = False,
) -> ModelAllocation:
    """Choose a format for each tensor of a model, at the least predicted KL divergence within a budget.

    Minimise the sum over tensors of half Fisher information times squared error while the sum of predicted bits
    (scales, codebooks and entropy-coded lengths included) is at most the budget.

    Parameters
    ----------
    statistics : mapping of str to TensorStatistics
        Tied tensors once, as `model_statistics` has them.
    fisher : Fisher
    candidates : iterable of Format
        At least one; of fixed length or entropy-coded.
    budget : float or Format
        Over the tensors of `parts` and those of `fixed`; or what this format would need for those that are free,
        which makes an equal comparison with it (scales of short last blocks make its bits an odd number).
    unit : {"bits_per_element", "bits", "bytes"}
        Of a budget in numbers.
    parts : iterable of {"embedding", "decoder", "head"}
        Whose tensors get a format.
    groups : mapping of str to str, optional
        Label by name of the tensor; tensors of one label share a format (`fused_groups`).
    fixed : mapping of str to Format, optional
        Tensors whose format is decided; any format, in any part.
    floors : mapping of str to Format, optional
        Tensors that must not have fewer bits than this format needs for them.
    exact : bool
        Close the gap between two points of the hull by dynamic programming.

    Returns
    -------
    ModelAllocation
        Within the budget as predicted, and never of a higher predicted KL than its uniform control.

    Raises
    ------
    TypeError
        If a candidate is no format.
    ValueError
        If there is no candidate or no tensor, a name is unknown, Fisher information is missing, a floor leaves no
        candidate, a group is only partly fixed, or the budget is too small (the feasible range is named).

    References
    ----------
    Shoham and Gersho (1988); see `bitlaw.theory.allocate`.
    """
    formats = _checked_candidates(candidates)
    fixed, floors, groups = dict(fixed or {}), dict(floors or {}), dict(groups or {})
    names = _chosen_names(statistics, parts, fixed, floors, groups)
    labels = _labels(names, groups, fixed)
    points = [
        _points(name, statistics[name], fisher, [fixed.get(name, f) for f in formats]) for name in names
    ]
    _raise_floors(points, statistics, floors, labels)
    if isinstance(budget, Format):
        budget, unit = _bits_of(budget, names, statistics, fixed), "bits"
    table = ComponentTable.from_arrays(
        [[point.prediction.bits for point in row] for row in points],
        [[point.kl / row[0].prediction.elements for point in row] for row in points],
        sizes=[row[0].prediction.elements for row in points],
        groups=labels,
        fixed=[0 if name in fixed else -1 for name in names],
        names=names,
    )
    free = sum(name not in fixed for name in names)
    return _assembled(points, table, _solve(table, budget, unit, exact), formats, free)


def _bits_of(
    format: Format,
    names: Iterable[str],
    statistics: Mapping[str, TensorStatistics],
    fixed: Mapping[str, Format],
) -> float:
    """Predicted bits of all tensors if those that are free took one format."""
    found = (predict_tensor(fixed.get(name, format), statistics[name]) for name in names)
    return sum(prediction.bits * prediction.elements for prediction in found)


def _checked_candidates(candidates: Iterable[Format]) -> list[Format]:
    formats = list(candidates)
    for format in formats:
        if not isinstance(format, Format):
            raise TypeError(f"candidates must be Format objects, got {format!r}")
    if not formats:
        raise ValueError("candidates must hold at least one format")
    return formats


def _chosen_names(
    statistics: Mapping[str, TensorStatistics],
    parts: Iterable[Part],
    fixed: Mapping[str, Format],
    floors: Mapping[str, Format],
    groups: Mapping[str, str],
) -> list[str]:
    """Tensors that take part, in the order of the statistics."""
    for argument, given in (("fixed", fixed), ("floors", floors), ("groups", groups)):
        unknown = [name for name in given if name not in statistics]
        if unknown:
            raise ValueError(f"{argument}: there are no statistics of a tensor {unknown[0]!r}")
    wanted = set(check_parts(parts))
    names = [name for name, found in statistics.items() if found.part in wanted or name in fixed]
    if not names:
        raise ValueError(f"statistics hold no tensor in {', '.join(sorted(wanted))}")
    return names


def _labels(names: Sequence[str], groups: Mapping[str, str], fixed: Mapping[str, Format]) -> list[int]:
    """Number of each tensor's group; -1 for none, and for groups that are fixed as a whole."""
    number: dict[str, int] = {}
    decided: dict[str, tuple[str, Format | None]] = {}
    found = []
    for name in names:
        label = groups.get(name)
        if label is not None:
            other, format = decided.setdefault(label, (name, fixed.get(name)))
            if format != fixed.get(name):
                raise ValueError(
                    f"fixed: {other} and {name} share a group, so both need the same fixed format"
                )
        found.append(-1 if label is None or name in fixed else number.setdefault(label, len(number)))
    return found


def _points(
    name: str, statistics: TensorStatistics, fisher: Fisher, formats: Sequence[Format]
) -> list[TensorAllocation]:
    """What each format is predicted to do to a tensor."""
    rows = fisher_rows(fisher, name)
    known: dict[str, TensorAllocation] = {}
    for format in formats:
        if str(format) not in known:
            prediction = predict_tensor(format, statistics)
            known[str(format)] = TensorAllocation(prediction, prediction.kl(rows))
    return [known[str(format)] for format in formats]


def _raise_floors(
    points: list[list[TensorAllocation]],
    statistics: Mapping[str, TensorStatistics],
    floors: Mapping[str, Format],
    labels: Sequence[int],
) -> None:
    """Let candidates below a floor stand for the smallest one that is not, in all tensors of a group alike."""
    for name, floor in floors.items():
        place = next((k for k, row in enumerate(points) if row[0].name == name), None)
        if place is None:
            continue
        least = predict_tensor(floor, statistics[name]).bits * (1 - _ROUNDING)
        bits = np.array([point.prediction.bits for point in points[place]])
        allowed = np.flatnonzero(bits >= least)
        if not allowed.size:
            raise ValueError(
                f"floors: no candidate has the {least:.4g} bits per element that {name} needs, "
                f"the largest has {bits.max():.4g}"
            )
        instead = int(allowed[np.argmin(bits[allowed])])
        alike = [k for k, label in enumerate(labels) if k == place or label == labels[place] >= 0]
        for k in alike:
            points[k] = [
                point if bits[c] >= least else points[k][instead] for c, point in enumerate(points[k])
            ]


def _solve(table: ComponentTable, budget: float, unit: str, exact: bool) -> Allocation:
    """`allocate`, with the feasible range in bits per element where the budget is too small."""
    plenty = allocate(table, float(np.max(table.rates)) + 1, unit="bits_per_element")
    scale = {"bits_per_element": 1.0, "bits": plenty.elements, "bytes": plenty.elements / 8}.get(unit)
    least, most = (bits / plenty.elements for bits in plenty.feasible)
    if scale is not None and isinstance(budget, int | float) and budget / scale < least * (1 - _ROUNDING):
        raise ValueError(
            f"budget must be at least {least:.6g} bits per element ({least * plenty.elements / 8:.0f} bytes) for these "
            f"formats, and more than {most:.6g} saves nothing; got {budget / scale:.6g}"
        )
    return allocate(table, budget, unit=unit, exact=exact)


def _assembled(
    points: list[list[TensorAllocation]],
    table: ComponentTable,
    found: Allocation,
    formats: Sequence[Format],
    free: int,
) -> ModelAllocation:
    control = None
    if found.uniform is not None:
        choice = found.uniform.choice
        control = UniformControl(
            formats[choice],
            tuple(row[choice] for row in points),
            found.uniform.bits / found.elements,
            found.uniform.loss,
            _interpolated(points, found.bits_per_element),
        )
    elif free and len(formats) == 1:  # one candidate leaves no choice: the allocation is the single format
        alone = tuple(row[0] for row in points)
        control = UniformControl(formats[0], alone, found.bits_per_element, found.loss, None)
    return ModelAllocation(
        tuple(row[choice] for row, choice in zip(points, found.choices, strict=True)),
        found.loss,
        found.bound,
        found.slope,
        found.bits_per_element,
        found.budget / found.elements,
        (found.feasible[0] / found.elements, found.feasible[1] / found.elements),
        control,
        free,
    )


def _interpolated(points: list[list[TensorAllocation]], bits_per_element: float) -> float | None:
    """KL of single formats at some bits: the logarithm, straight between those that no other one beats."""
    sizes = np.array([row[0].prediction.elements for row in points], dtype=np.float64)
    bits: FloatArray = sizes @ [[p.prediction.bits for p in row] for row in points] / sizes.sum()
    kl: FloatArray = np.sum([[p.kl for p in row] for row in points], axis=0)
    order = np.lexsort((kl, bits))
    best = np.concatenate([[np.inf], np.minimum.accumulate(kl[order])[:-1]])
    front = order[kl[order] < best]
    inside = bits[front[0]] * (1 - _ROUNDING) <= bits_per_element <= bits[front[-1]] * (1 + _ROUNDING)
    if not inside or kl[front[-1]] <= 0:
        return None
    return float(np.exp(np.interp(bits_per_element, bits[front], np.log(kl[front]))))
