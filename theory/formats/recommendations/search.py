"""The search of one recommendation: what is tried, what is fitted to the budget, and what is carried on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...sources import Source
from ..format import Format
from .candidates import grid, named, stepped, stored
from .reasons import cost, later_reasons, neighbour_reasons
from .recommendation import Recommendation
from .task import Task
from .trials import Trial
from .widened import Widened

__all__ = ["Search"]

# Beyond, integers of 16 bits cut off too much, and the sample is too small for an entropy.
_MOST_CODED = 12.0
# Candidates further below the budget waste it: half a bit less is R 41% higher.
_WASTED = 0.6
# A lossless code behind a named format saves 2.6 bits at most (8-bit floats), on laws that are not extreme.
_SAVED = 3.0 + _WASTED
# The order on the sample is that on everything but for ties: some more are carried on.
_SPARE = 3
# To the best of fixed length a search of each block's scale, which costs no bits, is added.
_SEARCHED, _WIDEST_SEARCHED = 6, 8
_HALVINGS = 14
# Bits that a sum of a trial's parts is off by.
_ROUNDED = 1e-9


@dataclass(frozen=True)
class Search:
    """Candidates of one budget, tried, judged and given their reasons."""

    task: Task
    budget: float
    tolerance: float
    laws: tuple[Source, ...]
    widened: Widened
    count: int
    progress: Callable[[int, int], None]

    @property
    def most(self) -> float:
        """Bits per element that a sample may take."""
        return self.budget + self.tolerance

    def fixed(self) -> list[Recommendation]:
        """Formats of fixed length, and the best of them with a search of their scales."""
        own = [format for format in self.widened.formats if format.code == "fixed"]
        tried = self.widened.with_parts([*named(), *grid(self.budget, self.laws)])
        sizes = {format: stored(format, self.task.shapes) for format in dict.fromkeys([*own, *tried])}
        fitting = [format for format, bits in sizes.items() if bits <= self.most]
        near = [format for format in fitting if sizes[format] > self.budget - _WASTED or format in own]
        trials = self._fitting(near or sorted(fitting, key=sizes.__getitem__)[-10:])
        trials += self._fitting([other for one in trials[:_SEARCHED] for other in _searched(one.format)])
        found = self._judged(sorted(trials, key=_error))
        return self._reasoned(found, neighbour_reasons)

    def entropy_coded(self, fixed: float | None) -> list[Recommendation]:
        """Grids with the step that meets the budget, and named formats whose coded bits fit it."""
        tried = self.widened.with_parts(named())
        sizes = {replace(format, code="entropy"): stored(format, self.task.shapes) for format in tried}
        coded = [one for one, bits in sizes.items() if 0 < bits - self.budget + _WASTED < _SAVED]
        trials = [one for one in self._fitting(coded) if one.bits > self.budget - _WASTED]
        trials += self._fitting([format for format in self.widened.formats if format.code == "entropy"])
        if self.budget <= _MOST_CODED:
            trials += filter(None, map(self._fitted, self.widened.with_parts(stepped(self.budget))))
        found = self._judged(sorted(trials, key=_error))
        if found and fixed is not None:
            gain = (
                f"a lossless code: R {100 * (found[0].R / fixed - 1):+.1f}% against the best of fixed length"
            )
            found[0] = replace(found[0], reasons=(gain,))
        return self._reasoned(found, lambda *_: ())

    def _fitting(self, formats: Sequence[Format]) -> list[Trial]:
        """Trials of formats that are within the budget, best first."""
        trials = []
        for done, format in enumerate(formats, 1):
            trials.append(self.task.trial(format))
            self.progress(done, len(formats))
        return sorted((one for one in trials if one.bits <= self.most + _ROUNDED), key=_error)

    def _judged(self, trials: Sequence[Trial]) -> list[Recommendation]:
        finalists = [self.task.judged(one.format) for one in trials[: self.count + _SPARE]]
        fitting = [one for one in finalists if one.bits <= self.most + self.tolerance]
        return sorted(fitting, key=lambda one: one.R)[: self.count]

    def _fitted(self, format: Format) -> Trial | None:
        """Greatest number of steps to the statistic (`reach`) whose coded bits stay within the budget."""
        low, high = -4.0, self.budget + 4.0
        best: Trial | None = None
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            trial = self.task.trial(_with_reach(format, _short(2.0**middle)))
            if trial.bits <= self.budget:
                best, low = trial, middle
            else:
                high = middle
        return best

    def _reasoned(
        self, found: list[Recommendation], beside: Callable[..., tuple[str, ...]]
    ) -> list[Recommendation]:
        """Recommendations with their reasons: costs for all, neighbours for the first, distances for others."""
        return [
            replace(
                one,
                reasons=(
                    cost(one, self.budget),
                    *one.reasons,
                    *(
                        later_reasons(one.R, one.bits, found[0].R, found[0].bits)
                        if place
                        else beside(one.format, self.task.trial, self.laws, self.most)
                    ),
                ),
            )
            for place, one in enumerate(found)
        ]


def _searched(format: Format) -> list[Format]:
    """The format with the factor of each block searched for least error, where that is worth trying."""
    one_for_all = format.block == "tensor" or format.scale.search != "none"
    if one_for_all or format.element.bits > _WIDEST_SEARCHED:  # wide codes take long, and gain little
        return []
    return [replace(format, scale=replace(format.scale, search="block"))]


def _with_reach(format: Format, reach: float) -> Format:
    return replace(format, scale=replace(format.scale, reach=reach))


def _short(value: float) -> float:
    """Value cut to ten binary digits, so that its text is short: 0.1% at most."""
    unit = 2.0 ** (math.floor(math.log2(value)) - 9)
    return math.floor(value / unit) * unit


def _error(trial: Trial) -> float:
    return trial.R
