"""Laws that the fitting tests draw from, and how to draw from them."""

import math

import numpy as np
from hypothesis import strategies as st

from bitlaw.theory.sources import GeneralisedNormal, Laplace, Logistic, Normal, StudentT, Uniform

# One generating law for each family, away from laws that two families share.
GENERATORS = {
    "normal": Normal(std=0.02),
    "laplace": Laplace(std=3.0),
    "student_t": StudentT(5.0, std=0.1),
    "generalised_normal": GeneralisedNormal(1.4, std=1.0),
    "logistic": Logistic(std=7.0),
    "uniform": Uniform(std=0.5),
}


def draw(law, size, rng):
    """Independent values of a law, by numpy's own generators."""
    if isinstance(law, Normal):
        standard = rng.standard_normal(size)
    elif isinstance(law, Laplace):
        standard = rng.laplace(size=size) / math.sqrt(2)
    elif isinstance(law, Logistic):
        standard = rng.logistic(size=size) * math.sqrt(3) / math.pi
    elif isinstance(law, Uniform):
        standard = rng.uniform(-math.sqrt(3), math.sqrt(3), size)
    elif isinstance(law, StudentT):
        standard = rng.standard_t(law.df, size) * math.sqrt((law.df - 2) / law.df)
    else:  # |x / scale|^beta has the gamma law of shape 1 / beta
        powers = rng.gamma(1 / law.beta, size=size)
        variance = math.gamma(3 / law.beta) / math.gamma(1 / law.beta)
        standard = rng.choice([-1.0, 1.0], size) * powers ** (1 / law.beta) / math.sqrt(variance)
    return standard * law.std


def family_source(family, std, shape):
    """Law of a family; `shape` is ignored where there is none."""
    kinds = {
        "normal": Normal,
        "laplace": Laplace,
        "logistic": Logistic,
        "uniform": Uniform,
    }
    if family in kinds:
        return kinds[family](std=std)
    return StudentT(shape, std=std) if family == "student_t" else GeneralisedNormal(shape, std=std)


@st.composite
def values(draw_from, least=3, most=400):
    """Arrays of heavy, medium or light tails, some with zeros, some with equal values."""
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32)))
    size = draw_from(st.integers(least, most))
    law = draw_from(st.sampled_from([*GENERATORS.values(), StudentT(2.2), GeneralisedNormal(0.6)]))
    found = draw(law, size, rng)
    found[rng.random(size) < draw_from(st.sampled_from([0.0, 0.0, 0.1, 0.5]))] = 0.0
    step = draw_from(st.sampled_from([0.0, 0.0, 0.1, 0.5])) * law.std
    if step:
        found = np.round(found / step) * step
    found[:2] = [law.std, -2 * law.std]  # never constant
    return found
