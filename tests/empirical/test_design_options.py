"""A start and a limit of steps are honoured for every kind of source."""

import numpy as np
import pytest

from bitlaw.theory import BlockScaled, Empirical, Normal, evaluate, lloyd_max

DATA = Empirical(np.random.default_rng(0).laplace(size=4096))
SOURCES = {
    "law": Normal(),
    "data": DATA,
    "a law in blocks": BlockScaled(Normal(), 16, "absmax"),
    "data in blocks": BlockScaled(DATA, 16, "absmax"),
}
PINS = [None, {0: -1.0}]


@pytest.mark.parametrize("pinned", PINS)
@pytest.mark.parametrize("name", SOURCES)
def test_one_step_from_a_bad_start_is_one_step(name, pinned):
    start = np.linspace(-1.0, -0.2, 7)
    found = lloyd_max(SOURCES[name], 7, start=start, pinned=pinned, max_iterations=1)
    assert found.design.status == "iteration limit"
    assert found.design.iterations == 1
    assert (
        evaluate(found, SOURCES[name]).distortion
        > evaluate(lloyd_max(SOURCES[name], 7, pinned=pinned), SOURCES[name]).distortion * 1.05
    )


@pytest.mark.parametrize("pinned", PINS)
@pytest.mark.parametrize("name", SOURCES)
def test_an_optimum_as_the_start_is_left_alone(name, pinned):
    best = lloyd_max(SOURCES[name], 6, pinned=pinned)
    again = lloyd_max(SOURCES[name], 6, start=best.codepoints, pinned=pinned)
    assert again.design.status == "converged"
    assert again.design.iterations <= 1
    np.testing.assert_allclose(again.codepoints, best.codepoints, rtol=1e-9, atol=1e-12)


def test_data_end_in_the_local_minimum_next_to_the_start():
    """Two clusters for one codepoint each, or one of them for two of three."""
    data = Empirical([0.0, 1.0, 10.0, 11.0])
    assert lloyd_max(data, 3, start=[0.0, 1.0, 10.0]).codepoints.tolist() == [0.0, 1.0, 10.5]
    assert lloyd_max(data, 3, start=[0.0, 10.0, 11.0]).codepoints.tolist() == [0.5, 10.0, 11.0]


@pytest.mark.parametrize("name", SOURCES)
def test_bad_starts_and_limits_are_refused(name):
    source = SOURCES[name]
    with pytest.raises(ValueError, match=r"start must hold 4 finite, strictly ascending .* got shape \(3,\)"):
        lloyd_max(source, 4, start=[-1.0, 0.0, 1.0])
    with pytest.raises(ValueError, match="start must hold 3 finite, strictly ascending"):
        lloyd_max(source, 3, start=[-1.0, np.nan, 1.0])
    with pytest.raises(ValueError, match="max_iterations must be between 1 and 10000, got 0"):
        lloyd_max(source, 3, max_iterations=0)
    with pytest.raises(TypeError, match=r"max_iterations must be an integer, got 1\.5"):
        lloyd_max(source, 3, max_iterations=1.5)
