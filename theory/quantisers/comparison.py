"""What every method reaches on a source at a rate, beside what nothing can beat.

Each scalar method is designed at the rate and integrated; the two classical high-resolution formulas are
evaluated; quantisers of vectors and sequences are designed and measured on draws, with standard errors.

The catch is what "at the rate" means.  A method of fixed length has a whole number of codepoints, so it is
taken at the number whose logarithm is nearest to the rate, and its gap to the rate-distortion function counts
its own rate.  A method that does not exist at the rate is left out, and the reason is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .._arguments import MAX_LEVELS
from ..limits import DistortionRate, distortion_rate, panter_dite, rate_distortion, shannon_lower_bound
from ..limits.high_resolution import gish_pierce
from ..sources import Source
from ._integers import checked_integer
from ._weights import end_atoms, holds_atom, one_measure
from .companding import compand
from .entropy_constrained import entropy_constrained
from .evaluation import evaluate
from .lattices import lattice_quantiser
from .lloyd_max import lloyd_max
from .measurement import BlockQuantiser, measure
from .scalar import ScalarQuantiser
from .trellises import TrellisQuantiser, entropy_constrained_trellis, shift_trellis, trellis_coded
from .uniform import uniform

__all__ = ["Comparison", "Performance", "compare", "nearest_levels"]

# Training and measuring sets of the sampled quantisers: a gap is then known to 0.003 bit on a Gaussian, and
# all of them take seconds.  Four times the draws halve the error.
_TRAINING, _MEASURED = 2**15, 2**17
_TRELLIS_STATES = (8, 256)
_TRELLIS_WINDOW = 12
# A quantiser with an entropy code that is cut short by the most levels there may be is not what its name says.
_MOST_OVERLOAD = 0.5
# More bits want more training values than these for their codepoints.
_MOST_TRELLIS_BITS = 6


@dataclass(frozen=True)
class Performance:
    """Rate and distortion of one method.

    Attributes
    ----------
    method : str
    kind : str
        "exact" (integrated), "asymptote" (a formula of many levels, no bound) or "measured" (on draws).
    rate : float
        Bits per element: log2 of the levels, or the entropy or length of the code.
    distortion : float
        Mean squared error in the source's units squared.
    snr_db : float
        10 log10(variance / distortion); infinite where the distortion is 0.
    gap_bits : float
        Rate above the rate-distortion function at the distortion.
    distortion_error, gap_error : float
        Standard errors of a measured method; 0 elsewhere.
    """

    method: str
    kind: str
    rate: float
    distortion: float
    snr_db: float
    gap_bits: float
    distortion_error: float = 0.0
    gap_error: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """The bound at a rate, and what methods reach.

    Attributes
    ----------
    source : Source
    bound : DistortionRate
        Least distortion at the rate, in a proved bracket.
    shannon_lower_bound : float
        In the source's units squared; 0 for a law of atoms, NaN where errors are weighted or atoms lie beside
        a density: Shannon's expression is no bound there.
    reached : tuple of Performance
    left_out : tuple of (str, str)
        Methods that do not exist at the rate, each with the reason.
    """

    source: Source = field(repr=False)
    bound: DistortionRate
    shannon_lower_bound: float
    reached: tuple[Performance, ...]
    left_out: tuple[tuple[str, str], ...]


def nearest_levels(rate: float) -> int:
    """Number of levels, at least 2, whose binary logarithm is nearest to a rate.

    Examples
    --------
    >>> nearest_levels(2), nearest_levels(1.55), nearest_levels(0.1)
    (4, 3, 2)
    """
    low = max(int(2.0**rate), 2)
    return low if 2.0 ** (2 * rate) <= low * (low + 1) else low + 1


def compare(source: Source, rate: float, *, vector: bool = False, seed: int = 0) -> Comparison:
    """Evaluate the methods at a rate and their gaps to the rate-distortion function.

    Parameters
    ----------
    source : Source
        Law of independent elements.
    rate : float
        Bits per element, 0 to 24.  Scalar methods end at 16 bits, those with an entropy code at 12.
    vector : bool
        Also design and measure lattice and trellis quantisers, which takes seconds; the law must have a
        density.
    seed : int, >= 0
        Of the draws.

    Returns
    -------
    Comparison
        Lloyd-Max, the cube-root compander and the uniform quantiser at the nearest number of levels,
        entropy-constrained and uniform quantisers of that entropy, and the formulas of Panter and Dite (at
        the same levels) and of Gish and Pierce.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the rate is out of range, an empirical law has too many distinct values for the bound, or a vector
        comparison is asked for a law of atoms.

    See Also
    --------
    bitlaw.theory.evaluate : for one quantiser.

    Examples
    --------
    >>> from bitlaw.theory import Normal
    >>> best = compare(Normal(), 2).reached[0]
    >>> best.method, round(best.distortion, 7), round(best.gap_bits, 4)
    ('Lloyd-Max', 0.1174818, 0.4553)
    """
    bound = distortion_rate(source, rate)
    checked_integer("seed", seed, 0, 2**31)
    if vector and source.discrete:
        raise ValueError(f"vector quantisers are measured on a law with a density, got {source!r}")
    if vector and not one_measure(source):
        raise ValueError(f"vector quantisers are measured by plain errors, which {source!r} weighs")
    reached: list[Performance] = []
    left_out: list[tuple[str, str]] = []
    methods = _scalar(source, rate) | (_vector(source, rate, seed) if vector else {})
    for name, evaluated in methods.items():
        try:
            reached.append(evaluated(name))
        except (TypeError, ValueError) as error:
            left_out.append((name, str(error)))
    return Comparison(source, bound, _shannon(source, rate), tuple(reached), tuple(left_out))


def _shannon(source: Source, rate: float) -> float:
    if not source.discrete and (not one_measure(source) or any(end_atoms(source)) or holds_atom(source, 0.0)):
        return float("nan")
    return shannon_lower_bound(source, rate)


_Methods = dict[str, Callable[[str], Performance]]


def _scalar(source: Source, rate: float) -> _Methods:
    levels = nearest_levels(rate)

    def fixed(design: Callable[[Source, int], ScalarQuantiser]) -> Callable[[str], Performance]:
        def performance(name: str) -> Performance:
            _require(rate <= np.log2(MAX_LEVELS), f"more than {MAX_LEVELS} levels")
            found = evaluate(design(source, levels), source)
            return _performance(source, name, "exact", found.rate, found.distortion)

        return performance

    def coded(design: Callable[[Source, float], ScalarQuantiser]) -> Callable[[str], Performance]:
        def performance(name: str) -> Performance:
            quantiser = design(source, rate)
            found = evaluate(quantiser, source)
            overload = (
                float(found.cell_distortions[[0, -1]].sum()) / found.distortion if found.distortion else 0.0
            )
            held = quantiser.levels < MAX_LEVELS - 1 or overload <= _MOST_OVERLOAD
            _require(held, f"{quantiser.levels} levels do not reach the tails")
            return _performance(source, name, "exact", found.entropy, found.distortion)

        return performance

    def predicted(own_rate: float, formula: Callable[[], float]) -> Callable[[str], Performance]:
        return lambda name: _performance(source, name, "asymptote", own_rate, formula())

    return {
        "Lloyd-Max": fixed(lambda law, count: lloyd_max(law, count)),
        "cube-root compander": fixed(lambda law, count: compand(law, count)),
        "uniform": fixed(lambda law, count: uniform(law, count)),
        "entropy-constrained": coded(lambda law, bits: entropy_constrained(law, rate=bits)),
        "uniform, entropy-coded": coded(lambda law, bits: uniform(law, rate=bits)),
        "Panter-Dite": predicted(float(np.log2(levels)), lambda: panter_dite(source, levels)),
        "Gish-Pierce": predicted(rate, lambda: gish_pierce(source, rate)),
    }


def _vector(source: Source, rate: float, seed: int) -> _Methods:
    def measured(design: Callable[[], BlockQuantiser]) -> Callable[[str], Performance]:
        # The draws are others than the training set's.
        return lambda name: _measured(source, name, design(), seed + 1)

    def whole_bits() -> int:
        bits = round(rate)
        _require(
            rate == bits and 1 <= bits <= _MOST_TRELLIS_BITS, f"1 to {_MOST_TRELLIS_BITS} whole bits only"
        )
        return bits

    def trellis(states: int) -> BlockQuantiser:
        return trellis_coded(source, whole_bits(), states=states, samples=_TRAINING, seed=seed)

    def shifted() -> BlockQuantiser:
        return shift_trellis(source, whole_bits(), window=_TRELLIS_WINDOW, samples=_TRAINING, seed=seed)

    def lattice_of(name: str) -> BlockQuantiser:
        return lattice_quantiser(name, source, rate=rate, samples=_TRAINING, seed=seed)

    few, many = _TRELLIS_STATES
    return {
        "E8 lattice, entropy-coded": measured(lambda: lattice_of("E8")),
        "Leech lattice, entropy-coded": measured(lambda: lattice_of("Leech")),
        f"trellis, {few} states": measured(lambda: trellis(few)),
        f"trellis, {many} states": measured(lambda: trellis(many)),
        f"bit-shift trellis, {_TRELLIS_WINDOW}-bit window": measured(shifted),
        f"trellis, {few} states, entropy-coded": measured(lambda: _trellis_near(source, rate, seed)),
    }


def _trellis_near(source: Source, rate: float, seed: int) -> TrellisQuantiser:
    """Entropy-constrained trellis near a rate: the slope of the bound, corrected once at 6 dB a bit.

    The designer's own search by rate takes twenty times as long on heavy tails.
    """

    def design(slope: float) -> TrellisQuantiser:
        return entropy_constrained_trellis(
            source, slope=slope, states=_TRELLIS_STATES[0], samples=_TRAINING // 2, iterations=10, seed=seed
        )

    slope = distortion_rate(source, rate).slope
    spent = measure(design(slope), source, samples=_TRAINING, seed=seed + 1).rate
    return design(slope * 4.0 ** (spent - rate))


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)


def _performance(source: Source, method: str, kind: str, rate: float, distortion: float) -> Performance:
    gap = rate - rate_distortion(source, distortion).rate
    ratio = source.std**2 / distortion if distortion > 0 else np.inf
    return Performance(method, kind, rate, distortion, float(10 * np.log10(ratio)), gap)


def _measured(source: Source, method: str, quantiser: BlockQuantiser, seed: int) -> Performance:
    found = measure(quantiser, source, samples=_MEASURED, seed=seed)
    return Performance(
        method,
        "measured",
        found.rate,
        found.distortion,
        found.snr_db,
        found.gap_bits,
        found.distortion_error,
        found.gap_error,
    )
