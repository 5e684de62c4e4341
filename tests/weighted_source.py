"""A law on a bounded interval whose errors are weighted, with atoms: small, slow and exact.

The plain law has density (1 - sum of plain masses) f and atoms; the measure of errors has density
(1 - sum of plain masses) w f and atoms with masses of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bitlaw.theory import Normal, Source, Truncated

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)


BASE = Truncated(Normal(0.4), -1.0, 1.0)


def unit(x):
    """Weight of a law whose errors are not weighted."""
    return np.ones_like(x)


def falling(x):
    """Weight of an element that is small where its block's scale is large."""
    return np.exp(-1.5 * x * x)


def tilted(x):
    """Weight without symmetry."""
    return 1.0 + 0.6 * x


@dataclass(frozen=True)
class Weighted(Source):
    """Density f, weight w, atoms (place, plain mass, error mass); f analytic on its bounded support."""

    base: Source = BASE
    weight: Callable = falling
    atoms: tuple[tuple[float, float, float], ...] = ()
    scale: float = 1.0  # of the error measure alone

    @property
    def std(self):
        mass, first, second = self.partial_moments(-np.inf, np.inf)
        return float(np.sqrt(second / mass - (first / mass) ** 2))

    @property
    def smooth(self):
        return 1.0 - sum(plain for _, plain, _ in self.atoms)

    @property
    def support(self):
        places = [place for place, _, _ in self.atoms]
        low, high = self.base.support
        return min([low, *places]), max([high, *places])

    @property
    def breakpoints(self):
        return self.base.support

    @property
    def symmetric(self):
        mirrored = {(-x, plain, error) for x, plain, error in self.atoms}
        return self.base.symmetric and self.weight is not tilted and mirrored == set(self.atoms)

    @property
    def log_concave(self):
        return False

    def pdf(self, x):
        return self.smooth * self.base.pdf(x)

    def logpdf(self, x):
        return np.log(self.smooth) + self.base.logpdf(x)

    def distortion_density(self, x):
        x = np.asarray(x, dtype=np.float64)
        return self.scale * self.pdf(x) * self.weight(np.clip(x, *self.base.support))

    def _atoms(self, lower, upper, column):
        return [(a[0], np.where((lower < a[0]) & (a[0] <= upper), a[column], 0.0)) for a in self.atoms]

    def partial_moments(self, lower, upper, about=0.0):
        lower, upper, about = np.broadcast_arrays(*(np.asarray(v, float) for v in (lower, upper, about)))
        if not np.all(lower <= upper):
            raise ValueError("lower must not exceed upper")
        a, b = (np.clip(end, *self.base.support) for end in (lower, upper))
        half = (b - a) / 2
        x = a[..., None] + half[..., None] * (1 + NODES)
        density = self.distortion_density(x) * WEIGHTS * half[..., None]
        offset = x - about[..., None]
        moments = np.stack([np.sum(density * offset**k, axis=-1) for k in range(3)])
        for place, mass in self._atoms(lower, upper, 2):
            moments += self.scale * np.stack([mass * (place - about) ** k for k in range(3)])
        return moments

    def probability(self, lower, upper):
        lower, upper = np.broadcast_arrays(np.asarray(lower, float), np.asarray(upper, float))
        atoms = sum((mass for _, mass in self._atoms(lower, upper, 1)), np.zeros(lower.shape))
        return self.smooth * self.base.probability(lower, upper) + atoms

    def cdf(self, x):
        return self.probability(-np.inf, x)

    def sf(self, x):
        return self.probability(x, np.inf)

    def ppf(self, q):
        return self._bisected(np.asarray(q, float), upper=False)

    def isf(self, q):
        return self._bisected(np.asarray(q, float), upper=True)

    def _bisected(self, q, *, upper):
        return bisected(self, q.tobytes(), upper).reshape(q.shape).copy()

    def differential_entropy(self):
        if any(plain > 0 for _, plain, _ in self.atoms):
            return -np.inf
        return self.base.differential_entropy()


@lru_cache(maxsize=256)
def bisected(law, probabilities, upper):
    """Places of probabilities, given as bytes: designers ask for the same ones for each number of levels."""
    q = np.frombuffer(probabilities)
    low = np.full(q.shape, np.nextafter(law.support[0], -np.inf))
    high = np.full(q.shape, law.support[1])
    for _ in range(60):
        middle = (low + high) / 2
        below = law.sf(middle) > q if upper else law.cdf(middle) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high


def absmax_like(mass=0.06, weight=falling):
    """Atoms of both measures at both ends, as after division by the largest magnitude of a block."""
    return Weighted(weight=weight, atoms=((-1.0, mass / 2, mass), (1.0, mass / 2, mass)))


def signmax_like(mass=0.06, weight=falling):
    """One atom at 1, as after division by the signed extreme of a block."""
    return Weighted(weight=weight, atoms=((1.0, mass, 2 * mass),))


def with_zeros(mass=0.1):
    """An atom of the plain law alone at 0, as where outliers were taken out."""
    return Weighted(atoms=((-1.0, 0.03, 0.06), (0.0, mass, 0.0), (1.0, 0.03, 0.06)))
