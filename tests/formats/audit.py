"""Predictions held against simulations: combinations, draws, and the distance in standard errors."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from hypothesis import strategies as st

from bitlaw.theory.formats.elements import parse_element
from bitlaw.theory.formats.format import Format
from bitlaw.theory.formats.number_types import number_type
from bitlaw.theory.formats.outliers import Outliers
from bitlaw.theory.formats.scaling import GroupedScale, Scale
from bitlaw.theory.sources import GeneralisedNormal, Laplace, Logistic, Mixture, Normal, StudentT, Uniform

from .simulate import simulate

# Squares of Student's t with 9 degrees of freedom have a variance that samples tell well.
SOURCES = {
    "normal": Normal(),
    "laplace": Laplace(),
    "student-t": StudentT(9.0),
    "generalised": GeneralisedNormal(1.4),
    "logistic": Logistic(),
    "uniform": Uniform(),
    "mixture": Mixture([Normal(0.5), Laplace(1.5)], [0.7, 0.3]),
}
# Elements, and a multiplier with which the root mean square of a block is mapped well inside their range.
ELEMENTS = {
    "int4": 0.35,
    "int3": 0.6,
    "int8": 0.03,
    "int4sym": 0.4,
    "e2m1": 0.5,
    "e2m3": 0.4,
    "e3m0": 0.3,
    "nf4": 2.7,
    "sf4": 3.5,
    "iq4_nl": 0.025,
    "ternary": 1.2,
    "binary": 0.8,
}
BLOCKS = (2, 7, 16, 32, 64, (4, 16), (3, 10), "channel", "tensor")
NUMBERS = ("float32", "bfloat16", "float16", "e8m0", "e4m3", "e5m2", "ue5m3")
STATISTICS = ("absmax", "absmax", "signmax", "rms", "minmax", "none")
# Rows of 100 leave shorter blocks and groups at their ends.
SHAPE = (40, 100)


@dataclass(frozen=True)
class Combination:
    """A format, a source and a standard deviation."""

    format: Format
    source: str
    std: float

    def __str__(self):
        return f"{self.format} on {self.source} of {self.std:.4g}"


@st.composite
def combinations(
    draw, numbers=NUMBERS, statistics=("absmax", "absmax", "signmax", "rms", "minmax", "none"), groups=True
):
    """A format of any element, scale, number, rounding, block, group and outliers, and data for it."""
    name = draw(st.sampled_from(sorted(ELEMENTS)))
    statistic = draw(st.sampled_from(statistics))
    block = draw(st.sampled_from(BLOCKS))
    signed = [text for text in numbers if not text.startswith(("u", "e8"))]
    number = draw(st.sampled_from(signed if statistic == "signmax" else numbers))
    rounding = draw(st.sampled_from(("nearest", "up", "down")))
    multiplier = {"rms": ELEMENTS[name]}.get(statistic, draw(st.sampled_from((1.0, 0.8))))
    group = None
    if groups and statistic == "absmax" and draw(st.booleans()):
        number = draw(st.sampled_from(("e4m3", "uint6", "ue5m3")))
        group = GroupedScale(draw(st.sampled_from((2, 4, "tensor"))), number_type("float32"))
    outliers = draw(
        st.sampled_from(
            (None, None, Outliers(fraction=0.01), Outliers(threshold=2.5, number=number_type("e5m2")))
        )
    )
    zero = None
    if statistic == "minmax":
        name, outliers = draw(st.sampled_from(("uint4", "int4", "uint3"))), None
        block = draw(st.sampled_from((16, 20, 32, 64, "channel")))
        zero = draw(st.sampled_from(("integer", number_type("float16"))))
        number, rounding = draw(st.sampled_from(("float32", "bfloat16", "float16"))), "nearest"
    scale = Scale(statistic, number_type(number), rounding, multiplier, zero=zero)
    format = Format(parse_element(name), block, scale, group, outliers)
    return Combination(format, draw(st.sampled_from(sorted(SOURCES))), 10 ** draw(st.floats(-2.0, 0.5)))


@lru_cache(maxsize=16)
def drawn(source, elements):
    """Tensors of unit standard deviation, one draw for all combinations."""
    tensors = elements // math.prod(SHAPE)
    uniform = np.random.default_rng(sorted(SOURCES).index(source)).random((tensors, *SHAPE))
    law = SOURCES[source]
    return law.ppf(np.maximum(uniform, 2.0**-54)) / law.std


@dataclass
class Comparison:
    """Distances of prediction and simulation in standard errors, and the relative ones."""

    error: float
    entropy: float
    error_spread: float
    predicted: float
    simulated: float


def compare(combination, predict, elements=1 << 17):
    """Distances of the predicted R and entropy from a simulation of some elements.

    Outliers are taken as a prediction takes them, beyond a fixed magnitude: the largest elements of tensors as
    small as these make another, noisier thing of them.
    """
    format = combination.format
    found = predict(format, SOURCES[combination.source], std=combination.std, shape=SHAPE)
    x = drawn(combination.source, elements) * combination.std
    factor = found.factor if format.scale.search == "tensor" else None
    made = simulate(format, x, factor, cut_of(format.outliers, SOURCES[combination.source], combination.std))
    errors, squares = (per_unit(values) for values in ((x - made.restored) ** 2, x**2))
    ratio = errors.sum() / squares.sum()
    residual = errors - ratio * squares
    spread = math.sqrt(residual.var() / residual.size) / squares.mean()
    spread = math.hypot(spread, 2 * found.R * found.standard_error)
    spread = max(spread, 1e-9 * ratio)  # a format that restores zeros has the same error everywhere
    if np.ptp(made.codes) == 0:  # of codes too rare to be met, one may always be missed
        spread = max(spread, np.max(x**2) / squares.sum())
    return Comparison(
        (found.R**2 - ratio) / spread,
        _entropy_distance(found, made.codes),
        spread / ratio / 2 if ratio > 0 else 0.0,
        found.R,
        math.sqrt(ratio),
    )


def cut_of(outliers, source, std):
    """Magnitude of a symmetric law beyond which its outliers lie."""
    if outliers is None:
        return None
    if outliers.threshold is not None:
        return outliers.threshold * std
    elements = math.prod(SHAPE)
    share = round(outliers.fraction * elements) / elements
    return float(source.isf(share / 2)) * std / source.std


def per_unit(values):
    """Sums over tensors, which are independent whatever the format."""
    return values.reshape(len(values), -1).sum(axis=1)


def _entropy_distance(found, codes):
    """Distance of the entropy, with the spread of the mean code length between tensors."""
    counts = np.bincount(codes.reshape(-1))
    share = counts / codes.size
    lengths = np.zeros(share.size)
    lengths[share > 0] = -np.log2(share[share > 0])
    means = lengths[codes].reshape(len(codes), -1).mean(axis=1)
    measured = float(means.mean()) + (np.count_nonzero(counts) - 1) / (2 * math.log(2) * codes.size)
    # Where all codes are equally likely only the second order is left: chi-squared over the number of codes.
    spread = math.hypot(math.sqrt(means.var() / means.size), share.size / codes.size)
    return (found.entropy - measured) / spread


def without_steps(combination):
    """The same with scales kept exactly."""
    scale = replace(combination.format.scale, number=number_type("float32"))
    return replace(combination, format=replace(combination.format, scale=scale, group=None))
