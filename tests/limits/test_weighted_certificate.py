"""What weighted brackets rest on: letters, cells, the bound over the continuum, channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory.limits import _weighted_kernels, distortion_rate
from bitlaw.theory.limits._certificate import bounded
from bitlaw.theory.limits._layout import ORDER
from bitlaw.theory.limits._letters import law_atoms, weighted_letters
from bitlaw.theory.limits._weighted_cells import weighted_cells
from bitlaw.theory.limits._weighted_tangent import weighted_tangent

from ..weighted_source import Weighted, absmax_like, signmax_like, tilted, with_zeros
from .alphabet import Alphabet

LAWS = {"falling": Weighted(), "signmax": signmax_like(weight=tilted), "zeros": with_zeros()}
SLOPES = [2.0, 300.0]


def plain_kernels(x, gains, y):
    return np.exp(-0.5 * (np.asarray(gains)[:, None] * (np.asarray(x)[:, None] - np.asarray(y))) ** 2)


def test_atoms_are_found_with_both_masses_and_poles_are_none():
    places, masses, energies = law_atoms(with_zeros(0.1))
    assert places.tolist() == [-1.0, 0.0, 1.0]
    assert masses == pytest.approx([0.03, 0.1, 0.03], abs=1e-12)
    assert energies == pytest.approx([0.06, 0.0, 0.06], abs=1e-12)


@pytest.mark.parametrize("name", LAWS)
def test_letters_hold_both_densities(name):
    law, letters = LAWS[name], weighted_letters(LAWS[name])
    x = np.random.default_rng(1).uniform(-1, 1, 300)
    panel = np.searchsorted(letters.upper, x)
    plain, weighted = letters.densities(panel, x)
    loud = 1 - letters.silent
    assert loud * plain == pytest.approx(law.pdf(x), rel=1e-11)
    assert loud * weighted == pytest.approx(law.distortion_density(x), rel=1e-11)
    assert letters.silent == pytest.approx(0.1 if name == "zeros" else 0.0, abs=1e-12)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("slope", SLOPES)
def test_cells_hold_all_probability_and_are_no_longer_than_a_kernel(name, slope):
    cells = weighted_cells(weighted_letters(LAWS[name]), slope)
    gains = cells.nodes(ORDER)[2].reshape(-1, ORDER)
    assert ((cells.upper - cells.lower) * gains.max(axis=1) <= 1 + 1e-6).all()
    assert (np.diff(cells.nodes(ORDER)[0]) >= 0).all()
    for order in (ORDER, 14):
        x, p, gain = cells.nodes(order)
        assert p.sum() == pytest.approx(1, abs=1e-11)
        whole = float(LAWS[name].partial_moments(-np.inf, np.inf)[2]) / (1 - cells.letters.silent)
        assert (p * gain**2 * x**2).sum() / (2 * slope) == pytest.approx(whole, rel=1e-11)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("slope", SLOPES)
def test_every_output_is_near_a_place(name, slope):
    cells = weighted_cells(weighted_letters(LAWS[name]), slope)
    places = cells.places()
    x, _, gains = cells.nodes(ORDER)
    low, high = cells.lower.min(), cells.upper.max()
    y = np.random.default_rng(2).uniform(low, high, 4000)
    nearest = np.abs(places.points[:, None] - y).argmin(axis=0)
    unit = places.units[places.bins[nearest]]
    assert (np.abs(places.points[nearest] - y) <= unit / 16 * (1 + 1e-9)).all()
    # No kernel that reaches a place is narrower than its unit.
    for p in range(0, places.points.size, 17):
        reaching = np.abs(x - places.points[p]) * gains < 9
        assert gains[reaching].max() * places.units[places.bins[p]] <= 1 + 1e-9


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 40))
def test_bound_covers_the_continuum_and_little_more(seed, steepness):
    rng = np.random.default_rng(seed)
    letters = np.sort(rng.uniform(-1, 1, 8))
    law = Alphabet(tuple(letters), tuple(rng.dirichlet(np.ones(8))), tuple(rng.uniform(0.2, 3, 8)))
    cells = weighted_cells(weighted_letters(law), steepness)
    places = cells.places()
    x, _, gains = cells.nodes(ORDER)
    v = rng.exponential(size=x.size)
    reach = (places.bins, places.units, places.first, places.last)
    taylor = _weighted_kernels.weighted_scan(places.points, *reach, ORDER, x, gains, v)
    scan = bounded(places.points, taylor, places.units[places.bins])
    assert taylor[:, 0] == pytest.approx(v @ plain_kernels(x, gains, places.points), rel=1e-12)
    for part in np.linspace(-1 / 16, 1 / 16, 21):
        truth = v @ plain_kernels(x, gains, places.points + part * places.units[places.bins])
        assert (scan.bounds >= truth).all()
    fine = (v @ plain_kernels(x, gains, np.linspace(letters[0], letters[-1], 5001))).max()
    assert fine <= scan.bounds.max() <= fine * (1 + 1e-5)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("slope", SLOPES)
def test_channel_is_what_its_output_law_says(name, slope):
    line = weighted_tangent(weighted_letters(LAWS[name]), slope, 12)
    x, p, gains = line.cells.nodes(ORDER)
    other = 1.3 * slope
    kernels = plain_kernels(x, gains * np.sqrt(1.3), line.points) * line.masses
    mixture = kernels.sum(axis=1)
    joint = p[:, None] * kernels / mixture[:, None]
    rho = gains**2 / (2 * slope)
    distortion = (joint * rho[:, None] * (x[:, None] - line.points) ** 2).sum()
    rate = (joint * np.log(np.maximum(kernels, 1e-300) / line.masses / mixture[:, None])).sum()
    channel = line.channel(other)
    assert channel.distortion == pytest.approx(distortion, rel=1e-9)
    assert channel.rate == pytest.approx(rate, abs=1e-9)
    assert line.masses.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("slope", SLOPES)
def test_tangent_lies_below_the_function_everywhere(name, slope):
    line = weighted_tangent(weighted_letters(LAWS[name]), slope, 12)
    loud = 1 - line.cells.letters.silent
    for rate in (0.3, 1.0, 3.0):
        point = distortion_rate(LAWS[name], loud * rate)
        assert line.lower <= rate * np.log(2) + slope * point.upper / loud + 1e-12
    channel = line.channel(slope)
    assert 0 <= channel.rate + slope * channel.distortion - line.lower < 1.1e-7


def test_tangent_of_a_bad_output_law_is_lower_but_still_proved():
    letters = weighted_letters(absmax_like())
    one, twelve = weighted_tangent(letters, 5.0, 1), weighted_tangent(letters, 5.0, 12)
    assert one.lower < twelve.lower - 1e-6


def test_compiled_loops_equal_their_plain_source():
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(-1, 1, 12))
    gains, points, masses = rng.uniform(0, 4, 12), np.sort(rng.uniform(-1, 1, 5)), rng.dirichlet(np.ones(5))
    first, counts = np.zeros(12, np.int64), np.full(12, 5)
    bins, units = np.array([0, 0, 1]), np.array([0.2, 0.3])
    arguments = {
        "bin_reaches": (np.linspace(-1, 1, 7), x - 0.2, x + 0.3, gains),
        "weighted_rows": (x, gains, first, counts, points),
        "weighted_mixture": (x, gains, first, counts, points, masses),
        "weighted_scan": (points[:3], bins, units, np.array([0, 1]), np.array([4, 5]), 2, x, gains, x + 2),
    }
    for name, given_arguments in arguments.items():
        function = getattr(_weighted_kernels, name)
        fast, plain = function(*given_arguments), function.py_func(*given_arguments)
        for one, two in zip(np.atleast_1d(fast), np.atleast_1d(plain), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-13, err_msg=name)
