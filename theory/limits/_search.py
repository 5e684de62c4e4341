"""From a wanted rate or distortion to the slope that touches there, keeping every bound met on the way.

Each tangent bounds the function from below everywhere, and each test channel from above: by time sharing
with the channel that sends nothing, and by coding the channel's residual, which no law makes harder than a
Gaussian does.  The search only decides which tangents to look at.  Rates are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ._tangent import ROUNDS, Channel

__all__ = [
    "Bracket",
    "DistortionAt",
    "Goal",
    "Line",
    "RateAt",
    "WeightedDistortionAt",
    "WeightedRateAt",
    "search",
]

_ENOUGH = 1.2e-7  # bracket, in nats, that ends the search; the tangents themselves are good to 5e-8
_TANGENTS = 25  # two or three are usual, ten near rate 0
_SETTLED = 1e-12  # distance to the wanted value, in nats, at which a channel counts as tuned
_NEAR = 0.03  # nats of excess, or change of log slope, below which a tangent is worth all its rounds
_HIT = 1e-4  # nats of excess at which a bracket that gets no narrower is left as it is
_SILENT = 1e-6  # nats below which a channel sends nothing and its excess says nothing
_BELOW = 1e-11  # nats by which a tuned channel stays below the wanted rate, so that its own error fits


class _Seen(NamedTuple):
    """A slope on a logarithmic scale, its excess, and whether nothing is sent there."""

    at: float
    excess: float
    silent: bool


class Line(Protocol):
    """What the search asks of a tangent: slope, height at distortion 0, and channels near the point."""

    @property
    def slope(self) -> float: ...
    @property
    def lower(self) -> float: ...
    def channel(self, slope: float) -> Channel: ...


class Goal(Protocol):
    """A wanted rate or distortion, and what tangents and channels say of the other quantity."""

    def excess(self, channel: Channel) -> float:
        """How far the channel's slope is too steep, in nats of rate."""

    def upper(self, channel: Channel) -> float:
        """Upper bound."""

    def lower(self, line: Line) -> float:
        """Lower bound."""

    def width(self, lower: float, upper: float, slope: float) -> float:
        """Distance of two bounds in nats."""


@dataclass(frozen=True)
class DistortionAt:
    """The distortion at a rate in nats, of a law of some variance."""

    rate: float
    variance: float

    def excess(self, channel: Channel) -> float:
        """Rate above the wanted one."""
        return channel.rate + channel.rate_error + _BELOW - self.rate

    def upper(self, channel: Channel) -> float:
        """Add a code of the residual to the channel, or use it part of the time."""
        rate, distortion = channel.rate + channel.rate_error, channel.distortion + channel.distortion_error
        if rate <= self.rate:
            return distortion * math.exp(-2 * (self.rate - rate))
        return self.variance + (distortion - self.variance) * self.rate / rate

    def lower(self, line: Line) -> float:
        """Where the line reaches the rate."""
        return (line.lower - self.rate) / line.slope

    def width(self, lower: float, upper: float, slope: float) -> float:
        """Distance by the slope."""
        return (upper - lower) * slope


@dataclass(frozen=True)
class RateAt:
    """The rate in nats at a distortion below the variance."""

    distortion: float
    variance: float

    def excess(self, channel: Channel) -> float:
        """Take the rate by which a Gaussian would have to be coded more coarsely."""
        return 0.5 * math.log(self.distortion / channel.distortion)

    def upper(self, channel: Channel) -> float:
        """Add a code of the residual to the channel, or use it part of the time."""
        rate, distortion = channel.rate + channel.rate_error, channel.distortion + channel.distortion_error
        if distortion >= self.distortion:
            return rate + 0.5 * math.log(distortion / self.distortion)
        return rate * (self.variance - self.distortion) / (self.variance - distortion)

    def lower(self, line: Line) -> float:
        """Height of the line at the distortion."""
        return line.lower - line.slope * self.distortion

    def width(self, lower: float, upper: float, slope: float) -> float:
        """Their difference."""
        return upper - lower


@dataclass(frozen=True)
class WeightedDistortionAt(DistortionAt):
    """As `DistortionAt`, where errors are weighted: `variance` is the distortion at rate 0."""

    def upper(self, channel: Channel) -> float:
        """Take the channel as it is, or part of the time: its residual's weights are unknown to a decoder."""
        rate, distortion = channel.rate + channel.rate_error, channel.distortion + channel.distortion_error
        if rate <= self.rate:
            return distortion
        return self.variance + (distortion - self.variance) * self.rate / rate


@dataclass(frozen=True)
class WeightedRateAt(RateAt):
    """As `RateAt`, where errors are weighted: `variance` is the distortion at rate 0."""

    def excess(self, channel: Channel) -> float:
        """As for `RateAt`, on the side from which time sharing reaches."""
        distortion = channel.distortion + channel.distortion_error
        return 0.5 * math.log(self.distortion / distortion) - _BELOW

    def upper(self, channel: Channel) -> float:
        """Take the channel as it is, or part of the time."""
        rate, distortion = channel.rate + channel.rate_error, channel.distortion + channel.distortion_error
        if distortion > self.distortion:
            return math.inf
        return rate * (self.variance - self.distortion) / (self.variance - distortion)


@dataclass(frozen=True)
class Bracket:
    """Bounds, the slope in nats per squared unit where they were found, and how many tangents it took."""

    lower: float
    upper: float
    slope: float
    tangents: int


def search(goal: Goal, line_at: Callable[[float, int], Line], slope: float, known: float) -> Bracket:
    """Tangents and channels until the bracket is narrow, from a first slope and a known lower bound.

    `line_at` returns the tangent for a kernel width, found in so many rounds.
    """
    at = _approached(goal, line_at, math.log(slope))
    best, lower, upper, narrowest = math.exp(at), known, math.inf, math.inf
    seen: list[_Seen] = []
    while len(seen) < _TANGENTS:
        line = line_at(_width(at), ROUNDS)
        channel = line.channel(line.slope)
        excess = goal.excess(channel)
        tuned, found = _tuned(goal, line, at, excess)
        candidate = min(goal.upper(channel), found)
        if candidate < upper:
            upper, best = candidate, math.exp(at if tuned is None else tuned)
        lower = max(lower, goal.lower(line))
        width = goal.width(lower, upper, line.slope)
        if width <= _ENOUGH or (abs(excess) < _HIT and width > 0.9 * narrowest):
            break
        narrowest = min(width, narrowest)
        seen.append(_Seen(at, excess, channel.rate < _SILENT))
        at = _next(seen, tuned)
    return Bracket(lower, upper, best, len(seen) + 1)


def _width(at: float) -> float:
    """Kernel width w = 1 / sqrt(2 s) of the slope exp(at)."""
    return math.exp(-0.5 * (at + math.log(2.0)))


def _approached(goal: Goal, line_at: Callable[[float, int], Line], at: float) -> float:
    """Slope near the goal on a logarithmic scale, by output laws of two rounds."""
    seen: list[_Seen] = []
    for _ in range(_TANGENTS):
        line = line_at(_width(at), 2)
        channel = line.channel(line.slope)
        excess = goal.excess(channel)
        seen.append(_Seen(at, excess, channel.rate < _SILENT))
        following = _next(seen, None)
        if abs(excess) < _NEAR or abs(following - at) < _NEAR:
            break
        at = following
    return at


def _next(seen: list[_Seen], tuned: float | None) -> float:
    """Next slope on a logarithmic scale: inverse interpolation in the last that send something, bracketed."""
    at, excess, silent = seen[-1]
    flat = max((point.at for point in seen if point.excess < 0), default=None)
    steep = min((point.at for point in seen if point.excess >= 0), default=None)
    loud = [point for point in seen if not point.silent][-3:]
    if len({point.excess for point in loud}) == len(loud) > 1 and not silent:
        guess = _interpolated(loud)
    else:
        guess = at + 0.7 if silent else at - 2 * excess if tuned is None else tuned
    if flat is None or steep is None:
        return min(max(guess, at - 1.5), at + 1.5)
    return guess if flat < guess < steep else (flat + steep) / 2


def _interpolated(points: list[_Seen]) -> float:
    """Value at excess 0 of the polynomial through points of different excess (Lagrange)."""
    return sum(
        one.at * math.prod(two.excess / (two.excess - one.excess) for two in points if two is not one)
        for one in points
    )


def _tuned(goal: Goal, line: Line, at: float, excess: float) -> tuple[float | None, float]:
    """Slope at which the tangent's own output law meets the goal, if near, and the bound it gives."""
    points = [(at, excess)]
    bound, target = math.inf, at - 2 * excess
    for _ in range(12):
        target = min(max(target, at - 1.0), at + 1.0)
        channel = line.channel(math.exp(target))
        bound = min(bound, goal.upper(channel))
        points.append((target, goal.excess(channel)))
        (x0, y0), (x1, y1) = points[-2:]
        if abs(y1) <= _SETTLED or y1 == y0 or x1 == x0:
            break
        target = x1 - y1 * (x1 - x0) / (y1 - y0)
    at_end, left = points[-1]
    return (at_end if abs(left) < 1e-6 else None), bound
