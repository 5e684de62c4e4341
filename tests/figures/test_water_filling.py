"""Water-filling in the figure: levels, closed forms, and what whole bits cost."""

import numpy as np
import pytest

from bitlaw.paper_figures import water_filling
from bitlaw.theory import Normal, evaluate, lloyd_max
from bitlaw.theory.limits import reverse_water_filling


@pytest.fixture(scope="module")
def data():
    return water_filling.compute()


def test_eigenvalues_of_the_autoregression_have_its_determinant(data):
    variances = data.regression.variances
    assert variances.mean() == pytest.approx(1.0, rel=1e-12)
    assert np.log(variances).sum() == pytest.approx(
        (water_filling.SIZE - 1) * np.log(1 - water_filling.CORRELATION**2), rel=1e-9
    )


def test_variances_of_the_second_spectrum_fall_like_the_inverse_of_the_index(data):
    variances = data.falling.variances
    assert variances.mean() == pytest.approx(1.0, rel=1e-12)
    assert variances * np.arange(1, water_filling.SIZE + 1) == pytest.approx(variances[0], rel=1e-12)


def test_water_stands_at_one_level_and_the_rest_keeps_its_variance(data):
    variances = data.regression.variances
    assert data.distortions == pytest.approx(np.minimum(variances, data.level), rel=1e-12)
    assert (variances < data.level).any()
    assert np.log2(variances / data.distortions).mean() / 2 == pytest.approx(0.4, rel=1e-12)


@pytest.mark.parametrize("spectrum", ["regression", "falling"])
def test_water_filling_saves_the_ratio_of_the_means_at_high_rate(data, spectrum):
    filled = getattr(data, spectrum)
    assert (filled.filled <= filled.equal * (1 + 1e-12)).all()
    ratio = np.exp(np.log(filled.variances).mean()) / filled.variances.mean()
    assert filled.filled[-1] / filled.equal[-1] == pytest.approx(ratio, rel=1e-9)


def test_whole_bits_lie_between_the_bound_and_equal_bits(data):
    allocated, variances = data.allocated, data.falling.variances
    assert (np.diff(allocated.distortions) < 0).all()
    for rate, distortion in zip(allocated.rates, allocated.distortions, strict=True):
        assert distortion > reverse_water_filling(variances, float(rate)).distortion
    for bits in (1, 2, 3, 4):
        (index,) = np.flatnonzero(allocated.rates == bits)
        assert allocated.distortions[index] < allocated.equal[bits]


def test_equal_bits_are_those_of_lloyd_max(data):
    assert data.allocated.equal[0] == 1.0
    assert data.allocated.equal[3] == pytest.approx(evaluate(lloyd_max(Normal(), 8), Normal()).distortion)


def test_whole_bits_follow_the_continuous_rates(data):
    allocated = data.allocated
    assert allocated.shown.sum() == 2 * water_filling.SIZE
    assert allocated.continuous.mean() == pytest.approx(2.0, rel=1e-12)
    assert (np.diff(allocated.shown) <= 0).all()
    assert (np.abs(allocated.shown - allocated.continuous) < 1).all()


def test_no_single_move_improves_the_allocation(data):
    unit, bits = data.allocated.equal, data.allocated.shown.astype(int)
    variances = data.falling.variances
    for giver in range(water_filling.SIZE):
        for taker in range(water_filling.SIZE):
            if bits[giver] and giver != taker:
                lost = variances[giver] * (unit[bits[giver] - 1] - unit[bits[giver]])
                won = variances[taker] * (unit[bits[taker]] - unit[bits[taker] + 1])
                assert won <= lost * (1 + 1e-12)
