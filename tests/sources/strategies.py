"""Laws and cells that hypothesis draws for the tests of the sources."""

import dataclasses
import math

import numpy as np
from hypothesis import strategies as st

from bitlaw.theory import GeneralisedNormal, Laplace, Logistic, Normal, StudentT, Uniform


def powers(low, high):
    """Numbers spread evenly in their logarithm."""
    return st.floats(math.log10(low), math.log10(high)).map(lambda e: 10**e)


stds = powers(1e-3, 1e3)
plain_laws = st.builds(Normal, std=stds) | st.builds(Laplace, std=stds) | st.builds(Logistic, std=stds)
student_laws = st.builds(lambda excess, std: StudentT(2 + excess, std), powers(0.05, 1e6), stds)
generalised_laws = st.builds(GeneralisedNormal, powers(0.2, 50), stds)
unbounded_laws = plain_laws | student_laws | generalised_laws
laws = unbounded_laws | st.builds(Uniform, std=stds)

places = st.floats(-8, 8)  # in standard deviations
widths = powers(1e-12, 20) | st.just(math.inf)


@st.composite
def cells(draw):
    """Law, lower and upper end, and a point to take moments about, with mass in the cell."""
    law = draw(laws)
    lower = draw(places) * law.std
    upper = lower + draw(widths) * law.std
    about = draw(places) * law.std
    if not upper > lower or not law.probability(lower, upper) > 1e-280:
        lower, upper = -law.std, law.std
    return law, lower, upper, about


def absolute_first_moment(law, lower, upper, about):
    """Integral of |x - about| f over the cell: the yardstick of first moments."""
    cut = min(max(about, lower), upper)
    below, above = law.partial_moments([lower, cut], [cut, upper], about)[1]
    return above - below


def assert_moments_close(law, got, expected, lower, upper, about, tolerance=1e-12):
    size = [expected[0], absolute_first_moment(law, lower, upper, about), expected[2]]
    assert (np.abs(got - expected) <= tolerance * np.array(size)).all(), (got, expected, size)


def rescaled(law, factor):
    return dataclasses.replace(law, std=law.std * factor)
