"""Letters whose errors count differently: atoms alone."""

from dataclasses import dataclass

import numpy as np

from bitlaw.theory import Source


@dataclass(frozen=True)
class Alphabet(Source):
    """Letters with probabilities and weights: the error of letter i counts weight_i times its square."""

    letters: tuple[float, ...]
    masses: tuple[float, ...]
    weights: tuple[float, ...]
    discrete = True
    symmetric = False
    log_concave = False

    @property
    def std(self):
        return float(np.sqrt(self.partial_moments(-np.inf, np.inf)[2]))

    @property
    def support(self):
        return min(self.letters), max(self.letters)

    @property
    def breakpoints(self):
        return tuple(sorted(self.letters))

    def _sums(self, lower, upper, about, masses):
        ends = np.broadcast_arrays(*(np.asarray(end, float)[..., None] for end in (lower, upper, about)))
        x = np.array(self.letters)
        inside = (ends[0] < x) & (x <= ends[1])
        return np.stack([(inside * np.array(masses) * (x - ends[2]) ** k).sum(-1) for k in range(3)])

    def partial_moments(self, lower, upper, about=0.0):
        return self._sums(lower, upper, about, np.multiply(self.masses, self.weights))

    def probability(self, lower, upper):
        return self._sums(lower, upper, 0.0, self.masses)[0]

    def cdf(self, x):
        return self.probability(-np.inf, x)

    def sf(self, x):
        return self.probability(x, np.inf)

    def pdf(self, x):
        raise TypeError("letters have no density")

    def logpdf(self, x):
        raise TypeError("letters have no density")

    def ppf(self, q):
        raise NotImplementedError

    def isf(self, q):
        raise NotImplementedError

    def differential_entropy(self):
        return -np.inf

    def distortions(self, outputs):
        """Distortion of each letter reproduced as each output."""
        return np.array(self.weights)[:, None] * (np.array(self.letters)[:, None] - outputs) ** 2
