import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import Normal, StudentT
from bitlaw.theory.quantisers import VectorQuantiser, measure
from bitlaw.theory.quantisers.measurement import draw, stratified_draw, summarise

ONE_BIT = VectorQuantiser([[-0.7978845608028654], [0.7978845608028654]])


def test_a_known_distortion_lies_within_the_stated_error_as_often_as_it_should():
    exact = 1 - 2 / np.pi
    found = [measure(ONE_BIT, Normal(), samples=2**11, seed=s) for s in range(300)]
    z = np.array([(m.distortion - exact) / m.distortion_error for m in found])
    # 300 standard normal deviates: their mean square is 1 within 4 * sqrt(2 / 300).
    assert abs(np.mean(z**2) - 1) < 0.33


def test_the_error_of_the_gap_counts_that_rate_and_distortion_move_together():
    bits = np.random.default_rng(0).normal(3.0, 0.1, 4000)
    errors = 0.1 - (bits - 3.0) * (2 * np.log(2) * 0.1)
    measured = summarise(errors, bits, Normal(), 1)
    assert measured.gap_error < 1e-2 * measured.rate_error


def test_the_gap_to_the_bound_is_never_above_the_gap_to_shannons():
    measured = measure(ONE_BIT, StudentT(5), samples=2**12)
    assert 0 < measured.gap_bits <= measured.shannon_gap_bits + 1e-9


@given(st.integers(0, 2**32), st.integers(1, 50), st.integers(1, 50))
def test_stratified_draws_meet_every_stratum_once(seed, blocks, length):
    x = stratified_draw(Normal(), blocks, length, seed)
    count = blocks * length
    strata = np.floor(Normal().cdf(np.sort(x.ravel())) * count * (1 + 1e-12) - 1e-9 * count)
    assert x.shape == (blocks, length)
    assert np.abs(strata - np.arange(count)).max() <= 1


@given(st.integers(0, 2**32))
def test_draws_repeat_with_the_seed_and_are_finite(seed):
    x = draw(StudentT(3), 4, 100, seed)
    assert np.isfinite(x).all()
    assert (x == draw(StudentT(3), 4, 100, seed)).all()


def test_bad_requests_are_named():
    with pytest.raises(TypeError, match="quantiser must have errors_and_bits, got int"):
        measure(3, Normal())
    with pytest.raises(TypeError, match="source must be a Source, got str"):
        measure(ONE_BIT, "normal")
    with pytest.raises(ValueError, match="samples must fill at least two blocks of 1 values, got 1"):
        measure(ONE_BIT, Normal(), samples=1)
