"""What the brackets rest on: panels, kernels, the bound over the continuum, the interior-point method."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory import Laplace, StudentT, Uniform
from bitlaw.theory.limits import _kernels, distortion_rate
from bitlaw.theory.limits._atoms import atom_layout
from bitlaw.theory.limits._certificate import scan_dual
from bitlaw.theory.limits._interior_point import DenseLikelihood, LocalLikelihood, fit_masses
from bitlaw.theory.limits._layout import cover, density_layout
from bitlaw.theory.limits._panels import density_panels
from bitlaw.theory.limits._reproduction import Reproduction
from bitlaw.theory.limits._tangent import tangent

from ..laws import symmetric
from .disguised import Disguised, Undeclared
from .naive import blahut, correlation


@settings(max_examples=20)
@given(symmetric)
def test_panels_hold_all_mass_and_entropy(law):
    panels = density_panels(law)
    assert (panels.upper[:-1] == panels.lower[1:]).all()
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = (panels.upper - panels.lower)[:, None] / 2
    x = panels.lower[:, None] + half + half * nodes
    density = law.pdf(x)
    assert (density * half * weights).sum() == pytest.approx(1, abs=1e-13)
    information = density * np.log2(np.maximum(density, 1e-300))
    # Entropy of a law of scale s is of the size of log2 s: an absolute error is what brackets feel.
    assert -(information * half * weights).sum() == pytest.approx(law.differential_entropy(), abs=2e-12)


def test_panels_gather_at_an_undeclared_cusp():
    panels = density_panels(Undeclared(Laplace(), 0.1))
    lengths = panels.upper - panels.lower
    at = np.searchsorted(panels.upper, 0.1)
    assert lengths[at] < 1e-6 < 1 < lengths[np.searchsorted(panels.upper, 8.0)]
    assert panels.rough.size == 0


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 3))
def test_bound_covers_the_continuum_and_little_more(seed, width):
    rng = np.random.default_rng(seed)
    nodes = np.sort(rng.uniform(-1, 1, 30))
    masses = rng.exponential(size=30)
    places = cover(np.array([-1.2]), np.array([1.2]), width / 8)
    scan = scan_dual(places, nodes, masses, width)
    for offset in np.linspace(-1 / 16, 1 / 16, 41):
        truth = correlation(places + offset * width, nodes, masses, width)
        assert (scan.bounds >= truth).all()
    fine = correlation(np.linspace(-1.2, 1.2, 20_001), nodes, masses, width).max()
    largest = scan.bounds.max()
    assert largest >= fine
    # Above the truth: sampling at places 1e-4 apart, the cubic term.
    assert largest <= fine * (1 + 1e-6 + 2 * (1.2e-4 / width) ** 2)
    if scan.heights.size:
        assert scan.heights.max() == pytest.approx(fine, rel=1e-6 + 2 * (1.2e-4 / width) ** 2)


def test_bound_would_miss_the_peak_without_its_curvature():
    # A single node half way between two places: both samples lie below the peak that the bound covers.
    width = 1.0
    scan = scan_dual(np.array([-1 / 16, 1 / 16]), np.array([0.0]), np.array([1.0]), width)
    assert np.exp(-0.5 / 256) < 1 - 1e-3 < 1 <= scan.bounds.min() < 1 + 1e-7


def test_envelope_is_the_largest_bound_within_reach():
    rng = np.random.default_rng(5)
    places = np.sort(rng.uniform(0, 10, 60))
    scan = scan_dual(places, places, rng.exponential(size=60), 0.1)
    lower = np.sort(rng.uniform(-2, 12, 40))
    upper = lower + rng.exponential(size=40) * 0.3
    expected = [
        max([1.0, *scan.bounds[(places >= a - 0.5) & (places <= b + 0.5)]])
        for a, b in zip(lower, upper, strict=True)
    ]
    np.testing.assert_array_equal(scan.envelope(lower, upper, 0.5), expected)


def _reproduction(rng, folded):
    centres = np.sort(rng.uniform(0, 3, 9))
    return Reproduction(centres, rng.uniform(0, 0.3, 9), rng.dirichlet(np.ones(9)), folded)


@pytest.mark.parametrize("folded", [False, True])
def test_mixture_kernel_is_the_convolution_it_stands_for(folded):
    rng = np.random.default_rng(11)
    law, width = _reproduction(rng, folded), 0.4
    x = rng.uniform(0, 3, 7)
    mixture, error = law.at_nodes(x, width)
    y = np.linspace(-8, 8, 160_001)
    density = np.zeros_like(y)
    for centre, spread, mass in zip(law.centres, law.spreads, law.masses, strict=True):
        for sign in (1, -1) if folded else (1,):
            part = np.exp(-0.5 * ((y - sign * centre) / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
            density += mass * part / (2 if folded else 1)
    for k, point in enumerate(x):
        kernel = np.exp(-0.5 * ((point - y) / width) ** 2) * density
        assert mixture[k] == pytest.approx(np.trapezoid(kernel, y), rel=1e-9)
        wanted = np.trapezoid(kernel * (point - y) ** 2, y) / np.trapezoid(kernel, y)
        assert error[k] == pytest.approx(wanted, rel=1e-8)


def test_compiled_loops_equal_their_plain_source():
    rng = np.random.default_rng(3)
    law, width = _reproduction(rng, True), 0.3
    x = np.sort(rng.uniform(0, 3, 12))
    first, counts = law.windows(x, width)
    arguments = {
        "bell_rows": (x, first, counts, law.centres, np.hypot(law.spreads, width), width, True),
        "mixture_at_nodes": (x, first, counts, law.centres, law.spreads, law.masses, width, True),
        "correlation_scan": (x, x, x + 1, width),
        "local_widths": (x, np.array([0.0, 1]), np.array([1.0, 3]), np.array([0.2, 0.5]), 0.1, 0.05),
        "place_bells": (0.0, 3.0, np.array([0.0]), np.array([0.5]), np.array([0.0]), 0.1, 0.02, 0.5, 0.8),
        "subdivide": (
            *(np.array([0.0, 1.0]), np.array([1.0, 3.0]), np.array([0.0]), np.array([0.0])),
            *(np.array([0.0]), 0.1, 0.02, 1.0, 3.5),
        ),
    }
    for name, given_arguments in arguments.items():
        function = getattr(_kernels, name)
        fast, plain = function(*given_arguments), function.py_func(*given_arguments)
        np.testing.assert_allclose(np.asarray(fast), np.asarray(plain), rtol=1e-13, err_msg=name)


def test_banded_and_dense_likelihoods_agree():
    rng = np.random.default_rng(8)
    law, width = _reproduction(rng, False), 0.3
    x = np.sort(rng.uniform(0, 3, 25))
    weights = rng.dirichlet(np.ones(25))
    first, counts = law.windows(x, width)
    rows = _kernels.bell_rows(x, first, counts, law.centres, np.hypot(law.spreads, width), width, False)
    full = np.zeros((25, 9))
    for i in range(25):
        full[i, first[i] : first[i] + counts[i]] = rows[i, : counts[i]]
    local, dense = LocalLikelihood(rows, first, counts, weights, 9), DenseLikelihood(full, weights)
    mixture = local.mixture(law.masses)
    np.testing.assert_allclose(mixture, dense.mixture(law.masses), rtol=1e-13)
    np.testing.assert_allclose(local.ratios(mixture), dense.ratios(mixture), rtol=1e-13)
    right, diagonal = rng.normal(size=9), rng.uniform(0.1, 1, 9)
    np.testing.assert_allclose(
        local.solver(mixture, diagonal)(right), dense.solver(mixture, diagonal)(right), rtol=1e-9
    )


def test_interior_point_method_finds_what_the_textbook_iteration_approaches():
    rng = np.random.default_rng(2)
    p, d = rng.dirichlet(np.ones(12)), rng.uniform(0, 1, (12, 9))
    kernel = np.exp(-4 * d)
    fit = fit_masses(DenseLikelihood(kernel, p), 1e-12)
    _, _, q = blahut(p, d, 4.0)
    assert fit.gap < 1e-9
    assert p @ np.log(kernel @ fit.masses) >= p @ np.log(kernel @ q) - 1e-13
    assert p @ np.log(kernel @ fit.masses) == pytest.approx(p @ np.log(kernel @ q), abs=1e-7)


@pytest.mark.parametrize("law", [Laplace(), Uniform(), StudentT(3)], ids=repr)
@pytest.mark.parametrize("width", [0.05, 0.6])
def test_tangent_lies_below_the_function_everywhere(law, width):
    line = tangent(density_layout(law, width))
    for rate in (0.3, 1.0, 3.0):
        point = distortion_rate(law, rate)
        assert line.lower <= rate * np.log(2) + line.slope * point.upper + 1e-12
    channel = line.channel(line.slope)
    assert 0 <= channel.rate + line.slope * channel.distortion - line.lower < 1.1e-7


def test_tangent_of_a_bad_output_law_is_lower_but_still_proved():
    layout = density_layout(Laplace(), 0.6)
    one, twelve = tangent(layout, rounds=1), tangent(layout)
    assert one.lower < twelve.lower - 1e-6


def test_folding_changes_nothing():
    law = Laplace()
    folded, whole = tangent(density_layout(law, 0.3)), tangent(density_layout(Disguised(law, 1e-9), 0.3))
    assert folded.reproduction.folded
    assert not whole.reproduction.folded
    assert whole.lower == pytest.approx(folded.lower, abs=1.5e-7)


def test_atoms_are_looked_at_wherever_they_reach():
    points = np.array([0.0, 1.0, 50.0])
    layout = atom_layout(points, np.full(3, 1 / 3), 0.1)
    places = layout.scan_points()
    assert np.diff(places).min() > 0
    for point in points:
        near = places[np.abs(places - point) < 0.9 - 0.0125]
        inside = (near >= 0) & (near <= 50.02)
        assert inside.all()
        assert np.diff(near).max() <= 0.0125 * (1 + 1e-9)
    assert not ((places > 2.1) & (places < 48.9)).any()
