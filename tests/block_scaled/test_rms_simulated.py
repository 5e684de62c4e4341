"""Elements over their block's root mean square against seeded simulation, with steps and elements taken out."""

import math
from functools import lru_cache

import numpy as np
import pytest

from bitlaw.theory import Laplace, Normal, StudentT
from bitlaw.theory.sources._block_rms import RmsLaw
from bitlaw.theory.sources.scale_steps import ScaleSteps

SAMPLES = 400_000
BAND = 5.0  # standard errors: one of the checks here fails by chance once in about 1e5 seeds
CELLS = np.array([-math.inf, -1.5, -0.7, 0.0, 0.4, 1.1, math.inf])
POINTS = np.array([-1.9, -1.0, -0.3, 0.2, 0.7, 1.6])


def float_steps(mantissa, low, high):
    """Steps of a number type: rounding to nearest between 2^low and 2^high."""
    fractions = 1.0 + np.arange(2**mantissa) / 2**mantissa
    values = np.concatenate([2.0**e * fractions for e in range(low, high)])
    return ScaleSteps(np.concatenate([[values[0] / 2], (values[1:] + values[:-1]) / 2, [math.inf]]), values)


STEPS = {"exact": None, "coarse": float_steps(1, -1, 2), "fine": float_steps(4, -3, 3)}
DRAWS = {
    "normal": (Normal(), lambda rng, n: rng.standard_normal(n)),
    "laplace": (Laplace(), lambda rng, n: rng.laplace(size=n) / math.sqrt(2.0)),
    "student": (StudentT(10.0), lambda rng, n: rng.standard_t(10.0, size=n) * math.sqrt(0.8)),
}


@lru_cache(maxsize=2)
def drawn(name, size):
    """Blocks of elements, and a number in [0, 1) for each that says whether it is taken out."""
    rng, shape = np.random.default_rng(size), (SAMPLES // size, size)
    return DRAWS[name][1](rng, math.prod(shape)).reshape(shape), rng.random(shape)


def simulated(name, size, steps, zeros):
    """Per block: squared error of restored values, share in cells, stored scale."""
    x, chance = drawn(name, size)
    kept = chance >= zeros
    x = np.where(kept, x, 0.0)
    scale = np.sqrt((x * x).mean(axis=1))
    if steps is not None:
        scale = steps(scale)
    alive = kept & (scale > 0.0)[:, None]
    u = np.where(alive, x / np.where(scale > 0.0, scale, 1.0)[:, None], np.nan)
    index = np.clip(np.searchsorted(CELLS, u, side="left") - 1, 0, POINTS.size - 1)
    error = np.where(alive, (x - POINTS[index] * scale[:, None]) ** 2, 0.0).mean(axis=1)
    shares = np.stack([(alive & (index == k)).mean(axis=1) for k in range(POINTS.size)])
    lost = (kept & (scale == 0.0)[:, None]).mean(axis=1)
    return error, shares, scale, lost


def deviation(values, expected):
    """Distance of a sample mean from its expectation in standard errors; one event may always be missed."""
    error = max(values.std() / math.sqrt(values.size), 1.0 / values.size)
    return abs(values.mean() - expected) / error


@pytest.mark.parametrize("zeros", [0.0, 0.05])
@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("size", [2, 3, 32])
@pytest.mark.parametrize("name", DRAWS)
def test_errors_shares_and_scales_are_those_of_simulated_blocks(name, size, kind, zeros):
    steps = STEPS[kind]
    error, shares, scale, lost = simulated(name, size, steps, zeros)
    law = RmsLaw(DRAWS[name][0], size, steps, zeros)
    found = law.moments(CELLS[:-1], CELLS[1:], POINTS)[2].sum()
    assert deviation(error, found) < BAND
    assert deviation(error, 1.1 * found) > BAND  # a fault of a tenth would show
    plain = law.smooth_probability(CELLS[:-1], CELLS[1:])
    for place, mass in zip(law.atoms.places, law.atoms.plain, strict=True):
        if place:
            plain[np.searchsorted(CELLS, place, side="left") - 1] += mass
    assert max(deviation(share, p) for share, p in zip(shares, plain, strict=True)) < BAND
    assert deviation(scale, law.expected_scale) < BAND
    assert deviation(scale**2, law.expected_square) < BAND
    if steps is not None:
        assert deviation(lost, law.lost_probability) < BAND


@pytest.mark.parametrize("zeros", [0.0, 0.05])
@pytest.mark.parametrize("size", [3, 32])
def test_energy_is_either_restored_or_lost(size, zeros):
    law = RmsLaw(Laplace(1.5), size, float_steps(3, -1, 1), zeros)
    total = law.moments(np.array([-math.inf]), np.array([math.inf]), np.zeros(1))[2, 0]
    assert total + law.lost_energy == pytest.approx((1.0 - zeros) * 2.25, rel=1e-6 if size == 3 else 1e-10)
    assert law.lost_energy > 0.0


def test_very_fine_steps_are_an_exact_scale():
    source, size = Laplace(), 32
    fine, exact = RmsLaw(source, size, float_steps(7, -3, 3)), RmsLaw(source, size)
    wanted, found = (law.moments(CELLS[:-1], CELLS[1:], POINTS)[2].sum() for law in (exact, fine))
    assert found == pytest.approx(wanted, rel=1e-4)
