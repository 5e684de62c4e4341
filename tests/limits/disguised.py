"""Laws that hide their family, so that no closed form is taken, or are shifted, so that nothing is folded."""

from dataclasses import dataclass

import numpy as np

from bitlaw.theory import Source


@dataclass(frozen=True)
class Disguised(Source):
    """Another law, moved to the right."""

    law: Source
    shift: float = 0.0

    @property
    def std(self):
        return self.law.std

    @property
    def mean(self):
        return self.law.mean + self.shift

    @property
    def support(self):
        return tuple(end + self.shift for end in self.law.support)

    @property
    def symmetric(self):
        return self.shift == 0.0

    @property
    def log_concave(self):
        return self.law.log_concave

    @property
    def breakpoints(self):
        return tuple(point + self.shift for point in self.law.breakpoints)

    def pdf(self, x):
        return self.law.pdf(np.asarray(x) - self.shift)

    def logpdf(self, x):
        return self.law.logpdf(np.asarray(x) - self.shift)

    def cdf(self, x):
        return self.law.cdf(np.asarray(x) - self.shift)

    def sf(self, x):
        return self.law.sf(np.asarray(x) - self.shift)

    def ppf(self, q):
        return self.law.ppf(q) + self.shift

    def isf(self, q):
        return self.law.isf(q) + self.shift

    def differential_entropy(self):
        return self.law.differential_entropy()

    def partial_moments(self, lower, upper, about=0.0):
        lower, upper, about = (np.asarray(v, dtype=float) - self.shift for v in (lower, upper, about))
        return self.law.partial_moments(lower, upper, about)


@dataclass(frozen=True)
class Undeclared(Disguised):
    """A law that does not say where its density is not analytic."""

    @property
    def breakpoints(self):
        return ()


@dataclass(frozen=True)
class GaussianPair(Source):
    """Equal mixture of two Gaussians: the Shannon bound is the truth up to a distortion of spread squared."""

    centre: float
    spread: float

    @property
    def std(self):
        return float(np.hypot(self.centre, self.spread))

    @property
    def log_concave(self):
        return self.centre <= self.spread

    def _parts(self, x):
        x = np.asarray(x, dtype=float)
        return [(x - c) / self.spread for c in (-self.centre, self.centre)]

    def pdf(self, x):
        return sum(np.exp(-0.5 * z * z) for z in self._parts(x)) / (2 * self.spread * np.sqrt(2 * np.pi))

    def logpdf(self, x):
        one, two = (-0.5 * z * z for z in self._parts(x))
        return np.logaddexp(one, two) - np.log(2 * self.spread * np.sqrt(2 * np.pi))

    def cdf(self, x):
        from scipy.special import ndtr

        return sum(ndtr(z) for z in self._parts(x)) / 2

    def sf(self, x):
        return self.cdf(-np.asarray(x, dtype=float))

    def ppf(self, q):
        return -self.isf(q)

    def isf(self, q):
        from scipy.optimize import brentq

        far = self.centre + 40 * self.spread
        return np.vectorize(lambda level: brentq(lambda x: self.sf(x) - level, -far, far, xtol=1e-12))(q)

    def differential_entropy(self):
        x = np.linspace(-1, 1, 2001) * (self.centre + 12 * self.spread)
        return float(-np.trapezoid(self.pdf(x) * self.logpdf(x), x) / np.log(2))

    def partial_moments(self, lower, upper, about=0.0):
        mass = self.cdf(upper) - self.cdf(lower)
        return np.stack([mass, np.full_like(mass, np.nan), np.full_like(mass, np.nan)])


@dataclass(frozen=True)
class Exponential(Source):
    """The one-sided exponential law of mean and standard deviation one."""

    std = 1.0
    mean = 1.0
    support = (0.0, np.inf)
    symmetric = False
    log_concave = True
    breakpoints = (0.0,)

    def pdf(self, x):
        x = np.asarray(x, dtype=float)
        return np.where(x >= 0, np.exp(-np.maximum(x, 0.0)), 0.0)

    def logpdf(self, x):
        x = np.asarray(x, dtype=float)
        return np.where(x >= 0, -x, -np.inf)

    def cdf(self, x):
        return -np.expm1(-np.maximum(np.asarray(x, dtype=float), 0.0))

    def sf(self, x):
        return np.exp(-np.maximum(np.asarray(x, dtype=float), 0.0))

    def ppf(self, q):
        return -np.log1p(-np.asarray(q, dtype=float))

    def isf(self, q):
        return -np.log(np.asarray(q, dtype=float))

    def differential_entropy(self):
        return float(np.log2(np.e))

    def partial_moments(self, lower, upper, about=0.0):
        mass = self.sf(lower) - self.sf(upper)
        return np.stack([mass, np.full_like(mass, np.nan), np.full_like(mass, np.nan)])
