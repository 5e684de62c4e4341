"""Scales stored in steps, elements taken out, groups: direct integrals, identities and simulated blocks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from bitlaw.theory import Laplace, Normal, StudentT, from_scipy
from bitlaw.theory.sources import BlockScaled, ScaleSteps, Truncated

STEPS = ScaleSteps([0.3, 0.7, 1.2, 1.5, 2.0, 3.0], [0.5, 0.8, 1.3, 1.9, 2.8])
INNER = ScaleSteps([0.1, 0.3, 0.5, 0.8, 1.2], [0.2, 0.45, 0.6, 1.1])
FINE = ScaleSteps(np.geomspace(0.2, 9.0, 301), np.geomspace(0.2, 9.0, 301)[:-1] * 1.006)
EDGES = np.array([-np.inf, -1.2, -1.0, -0.8, -0.5, -0.2, -0.01, 0.01, 0.2, 0.5, 0.8, 1.0, 1.2, np.inf])


def normal(rng, shape):
    return rng.normal(size=shape)


def shifted(rng, shape):
    return rng.normal(0.7, size=shape)


def truncated(rng, shape):
    return stats.truncnorm.rvs(-3.0, 3.0, size=shape, random_state=rng)


SOURCES = {
    "normal": (Normal(), normal),
    "shifted": (from_scipy(stats.norm(0.7, 1.0)), shifted),
    "truncated": (Truncated(Normal(), -3.0, 3.0), truncated),
}


def deviations(law, draw, *, seed, simulated=None, blocks=20_000):
    """Distances of cell probabilities and energies from simulated groups of blocks, in standard errors."""
    asked, law = law, simulated or law
    size, group = int(law.block_size), int(law.group or 1)
    rng = np.random.default_rng(seed)
    x = draw(rng, (blocks // group, group, size))
    taken = rng.random(x.shape) < law.zeros
    x = np.where(taken, 0.0, x)
    extreme = np.take_along_axis(x, np.abs(x).argmax(axis=2)[..., None], axis=2)
    statistic = np.abs(extreme)
    unit = statistic.max(axis=1, keepdims=True) if law.group else np.ones(1)
    stored = statistic if law.steps is None else unit * law.steps(statistic / np.where(unit > 0.0, unit, 1.0))
    stored = np.broadcast_to(stored, x.shape)
    alive = stored > 0.0
    sign = np.sign(extreme) if law.scale == "signmax" else 1.0
    u = np.where(alive & ~taken, x / np.where(alive, stored, 1.0) * np.where(sign == 0.0, 1.0, sign), 0.0)
    out = []
    plain, weighted = (
        asked.probability(EDGES[:-1], EDGES[1:]),
        asked.partial_moments(EDGES[:-1], EDGES[1:], 0.1)[2],
    )
    for cell, (a, b) in enumerate(itertools.pairwise(EDGES)):
        inside = (u > a) & (u <= b) & (alive | taken)
        energy = np.where(inside & ~taken, stored**2 * (u - 0.1) ** 2, 0.0)
        for wanted, value in ((plain[cell], inside), (weighted[cell], energy)):
            means = value.mean(axis=(1, 2))  # groups are independent, the elements of one are not
            error = max(means.std(), 1.0 / blocks) / math.sqrt(means.size)
            out.append((means.mean() - wanted) / error)
    lost = (~alive & ~taken).mean(axis=(1, 2))
    # Whole blocks are lost, and rarely: the variance is at most the mean, of which the sample may know nothing.
    out.append((lost.mean() - asked.lost_probability) / math.sqrt(asked.lost_probability / lost.size + 1e-12))
    return np.abs(out)


@pytest.mark.parametrize("zeros", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["exact", "steps", "group"])
@pytest.mark.parametrize("scale", ["absmax", "signmax"])
@pytest.mark.parametrize("block", [2, 16])
@pytest.mark.parametrize("name", SOURCES)
def test_simulated_blocks_agree(name, block, scale, kind, zeros):
    source, draw = SOURCES[name]
    if name == "shifted" and (block, zeros) != (2, 0.3) and kind != "steps":
        pytest.skip("scipy's distributions are slow, and each case is met without the other")
    steps = {"exact": None, "steps": STEPS, "group": INNER}[kind]
    law = BlockScaled(source, block, scale, steps=steps, zeros=zeros, group=4 if kind == "group" else None)
    # 27 standardised numbers: 5 deviations has a probability of 2e-5.
    assert deviations(law, draw, seed=block).max() < 5.0
    total = law.probability(-np.inf, np.inf) + law.lost_probability
    assert total == pytest.approx(1.0, rel=1e-12)
    energy = law.partial_moments(-np.inf, np.inf)[2] + law.lost_energy
    assert energy == pytest.approx((1.0 - zeros) * (source.std**2 + source.mean**2), rel=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"block_size": 15},
        {"zeros": 0.28},
        {"steps": ScaleSteps([0.3, 0.7, 1.2, 1.5, 2.0, 3.0], [0.5, 0.8, 1.3, 1.9, 2.7])},
        {"scale": "signmax"},
    ],
    ids=["block size", "zeros", "steps", "scale"],
)
def test_simulated_blocks_tell_a_wrong_law(wrong):
    right = {"block_size": 16, "zeros": 0.3, "steps": STEPS, "scale": "absmax"}
    simulated = BlockScaled(Normal(), **right)
    assert (
        deviations(BlockScaled(Normal(), **{**right, **wrong}), normal, seed=16, simulated=simulated).max()
        > 5.0
    )


def test_a_pair_with_steps_is_a_sum_of_integrals():
    law, normal_law = BlockScaled(Laplace(), 2, steps=STEPS), stats.laplace(scale=math.sqrt(0.5))
    a, b, c = 0.25, 1.05, 0.4
    edges, values = [*STEPS.edges, np.inf], [*STEPS.values, STEPS.values[-1]]
    plain = weighted = 0.0
    for low, high, value in zip(edges[:-1], edges[1:], values, strict=True):

        def both(x, low=low, high=high):
            upto = 1.0 - 2.0 * normal_law.sf(high) if x <= high else 0.0
            below = 1.0 - 2.0 * normal_law.sf(low) if x <= low else 0.0
            return normal_law.pdf(x) * (upto - below)

        cuts = sorted({min(max(p, a * value), b * value) for p in (a * value, b * value, low, high)})
        for start, stop in itertools.pairwise(cuts):
            plain += integrate.quad(both, start, stop)[0]
            weighted += integrate.quad(
                lambda x, value=value, both=both: both(x) * (x - c * value) ** 2, start, stop
            )[0]
    assert law.probability(a, b) == pytest.approx(plain, rel=1e-9)
    assert law.partial_moments(a, b, c)[2] == pytest.approx(weighted, rel=1e-9)


@pytest.mark.parametrize("scale", ["absmax", "signmax"])
@pytest.mark.parametrize("source", [Normal(), StudentT(3.0)], ids=["normal", "student"])
def test_fine_steps_approach_the_exact_scale(source, scale):
    exact, errors = BlockScaled(source, 32, scale), []
    for count in (100, 200):
        edges = np.geomspace(0.05, 5e3, count + 1)
        law = BlockScaled(source, 32, scale, steps=ScaleSteps(edges, np.sqrt(edges[:-1] * edges[1:])))
        cells = np.array([-0.8, -0.3, 0.0, 0.4, 0.8])
        gap = law.probability(cells[:-1], cells[1:]) / exact.probability(cells[:-1], cells[1:]) - 1.0
        errors.append(np.abs(gap).max())
    assert errors[1] < 0.3 * errors[0] < 0.03  # of second order in the width of a step


@pytest.mark.parametrize("scale", ["absmax", "signmax"])
def test_many_steps_keep_the_energy(scale):
    law = BlockScaled(Normal(), 32, scale, steps=FINE)
    assert law.partial_moments(-np.inf, np.inf)[2] + law.lost_energy == pytest.approx(1.0, rel=1e-12)
    assert law.probability(-np.inf, np.inf) + law.lost_probability == pytest.approx(1.0, rel=1e-12)


def test_a_saturated_scale_leaves_its_tail_outside():
    law = BlockScaled(StudentT(2.5), 8, steps=ScaleSteps([0.0, 1.0], [1.0]))
    tail = StudentT(2.5).partial_moments(5.0, np.inf)
    np.testing.assert_allclose(law.partial_moments(5.0, 1e200), tail, rtol=1e-9)
    assert law.expected_scale == pytest.approx(1.0, rel=1e-12)


def test_a_group_of_all_blocks_is_stored_by_its_largest():
    one = BlockScaled(Normal(), 16, steps=INNER, group=1.0)
    # Alone in its group a block is its own largest statistic, stored with the step of 1.
    exact = BlockScaled(Normal(), 16)
    assert one.expected_scale == pytest.approx(1.1 * exact.expected_scale, rel=1e-12)
    assert one.probability(0.2 / 1.1, 0.5 / 1.1) == pytest.approx(exact.probability(0.2, 0.5), rel=1e-12)
    assert one.probability(0.99 / 1.1, 1.0 / 1.1 + 1e-12) == pytest.approx(
        exact.probability(0.99, 1.0), rel=1e-12
    )


@given(zeros=st.floats(0.0, 0.99), block=st.floats(2.0, 100.0))
def test_elements_taken_out_are_an_atom_of_the_plain_law_alone(zeros, block):
    law = BlockScaled(Normal(), block, zeros=zeros)
    assert law.probability(-1e-12, 0.0) == pytest.approx(zeros, abs=1e-11)
    assert law.probability(-np.inf, np.inf) == pytest.approx(1.0, rel=1e-11)
    assert law.partial_moments(-np.inf, np.inf)[2] == pytest.approx(1.0 - zeros, rel=1e-11)
    assert law.std == pytest.approx(math.sqrt(1.0 - zeros))


def test_quantiles_pass_the_atom_at_zero():
    law = BlockScaled(Normal(), 16, zeros=0.3)
    assert law.ppf([0.4, 0.5, 0.6]).tolist() == [0.0, 0.0, 0.0]
    assert law.cdf(law.ppf(0.7)) == pytest.approx(0.7)
    assert law.sf(law.isf(0.2)) == pytest.approx(0.2)
