"""Measured data: every block of a few atoms, counted one by one; and samples of laws with a density."""

import itertools

import numpy as np
import pytest

from bitlaw.theory import Empirical, Normal, ScalarQuantiser, evaluate
from bitlaw.theory.sources import BlockScaled, ScaleSteps

VALUES = np.array([-2.0, -1.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0])
STEPS = ScaleSteps([0.6, 1.2, 1.7], [1.1, 1.6])
CELLS = np.array([-5.0, -1.05, -0.7, -0.4, -0.1, 0.1, 0.3, 0.6, 0.9, 1.3, 5.0])
ABOUT = 0.1


def counted(size, scale, steps, zeros):
    """Masses and weighted moments of the cells from every block there can be, and what is lost."""
    atoms = np.append(VALUES, 0.0)
    chance = np.append(np.full(8, (1.0 - zeros) / 8), zeros)
    plain, weighted, lost = np.zeros(CELLS.size - 1), np.zeros((3, CELLS.size - 1)), np.zeros(2)
    for block in itertools.product(range(9 if zeros else 8), repeat=size):
        x, share = atoms[list(block)], np.prod(chance[list(block)]) / size
        extreme = x[np.abs(x).argmax()]
        stored = abs(extreme) if steps is None else float(steps(abs(extreme)))
        for index, value in zip(block, x, strict=True):
            if index == 8:
                plain[4] += share
            elif stored == 0.0:
                lost += share * np.array([1.0, value**2])
            else:
                u = value / stored * (np.sign(extreme) if scale == "signmax" else 1.0)
                cell = np.searchsorted(CELLS, u, "left") - 1
                plain[cell] += share
                weighted[:, cell] += share * stored**2 * (u - ABOUT) ** np.arange(3.0)
    return plain, weighted, lost


@pytest.mark.parametrize("zeros", [0.0, 0.25])
@pytest.mark.parametrize("steps", [None, STEPS], ids=["exact", "steps"])
@pytest.mark.parametrize("scale", ["absmax", "signmax"])
@pytest.mark.parametrize("size", [2, 3])
def test_few_atoms_are_counted_block_by_block(size, scale, steps, zeros):
    law = BlockScaled(Empirical(VALUES), size, scale, steps=steps, zeros=zeros)
    plain, weighted, lost = counted(size, scale, steps, zeros)
    np.testing.assert_allclose(law.probability(CELLS[:-1], CELLS[1:]), plain, atol=1e-13)
    np.testing.assert_allclose(law.partial_moments(CELLS[:-1], CELLS[1:], ABOUT), weighted, atol=1e-13)
    np.testing.assert_allclose([law.lost_probability, law.lost_energy], lost, atol=1e-14)
    assert law.discrete


@pytest.mark.parametrize("scale", ["absmax", "signmax"])
def test_a_large_sample_resembles_its_law(scale):
    sample = Normal().ppf((np.arange(100_000) + 0.5) / 100_000)
    data, law = BlockScaled(Empirical(sample), 16, scale), BlockScaled(Normal(), 16, scale)
    cells = np.linspace(-0.9, 0.9, 10)
    quotient = data.probability(cells[:-1], cells[1:]) / law.probability(cells[:-1], cells[1:])
    np.testing.assert_allclose(quotient, 1.0, atol=2e-3)
    assert data.expected_square == pytest.approx(law.expected_square, rel=1e-3)
    quantiser = ScalarQuantiser(np.linspace(-1.0, 1.0, 8))
    assert evaluate(quantiser, data).distortion == pytest.approx(
        evaluate(quantiser, law).distortion, rel=2e-3
    )
    energy = data.partial_moments(-np.inf, np.inf)[2]
    assert energy == pytest.approx(np.mean(sample**2), rel=1e-9)
    assert float(data.ppf(0.3)) == pytest.approx(float(law.ppf(0.3)), abs=1e-3)


def test_data_have_no_density_and_no_groups():
    law = BlockScaled(Empirical(VALUES), 4)
    with pytest.raises(TypeError, match="have no density"):
        law.pdf(0.1)
    with pytest.raises(TypeError, match="have no density"):
        law.distortion_density(0.1)
    assert law.differential_entropy() == -np.inf
    with pytest.raises(ValueError, match="source must have a density where scales are grouped"):
        BlockScaled(Empirical(VALUES), 4, steps=STEPS, group=4.0).probability(0.0, 1.0)
