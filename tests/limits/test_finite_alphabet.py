"""Test channels between finite alphabets: closed forms of textbook sources, gaps, bad arguments."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory.limits import finite_alphabet

from .naive import blahut


def entropy(p):
    p = np.asarray(p)
    return float(-(p[p > 0] * np.log2(p[p > 0])).sum())


@given(st.floats(0.5, 20))
def test_fair_coin_under_hamming_distortion(slope):
    channel = finite_alphabet([1, 1], 1 - np.eye(2), slope)
    d = channel.distortion
    assert channel.rate == pytest.approx(1 - entropy([d, 1 - d]), abs=1e-10)
    assert channel.gap < 1e-9


@pytest.mark.parametrize("letters", [3, 8])
def test_equal_letters_under_hamming_distortion(letters):
    channel = finite_alphabet(np.ones(letters), 1 - np.eye(letters), 5.0)
    d = channel.distortion
    wanted = np.log2(letters) - entropy([d, 1 - d]) - d * np.log2(letters - 1)
    assert channel.rate == pytest.approx(wanted, abs=1e-10)


def test_laplace_law_under_absolute_error_is_the_logarithm_of_the_distortion():
    # R(D) = -log2(D / E|X|) for the law on the line; on a grid of step h the excess falls like h^2.
    mean = 1 / np.sqrt(2)
    errors = []
    for points in (241, 481):
        x = np.linspace(-9, 9, points)
        channel = finite_alphabet(np.exp(-np.abs(x) / mean), np.abs(x[:, None] - x), 4.0)
        errors.append(channel.rate + np.log2(channel.distortion / mean))
        assert channel.gap < 1e-9
    assert abs(errors[1]) < 6e-3
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert abs(errors[1] - (errors[0] - errors[1]) / 3) < 2e-4


def test_gap_is_honest_for_a_bad_output_law(monkeypatch):
    module = importlib.import_module("bitlaw.theory.limits.finite_alphabet")
    good = finite_alphabet([0.7, 0.2, 0.1], 1 - np.eye(3), 2.0)
    even = module.fit_masses
    monkeypatch.setattr(module, "fit_masses", lambda problem, gap: even(problem, 10.0))
    bad = finite_alphabet([0.7, 0.2, 0.1], 1 - np.eye(3), 2.0)
    excess = bad.rate + 2 * bad.distortion - good.rate - 2 * good.distortion
    assert 1e-3 < excess <= bad.gap


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6), st.floats(0.2, 10))
def test_textbook_iteration_is_never_better(seed, letters, places, slope):
    rng = np.random.default_rng(seed)
    p, d = rng.dirichlet(np.ones(letters)), rng.uniform(0, 2, (letters, places))
    channel = finite_alphabet(p, d, slope)
    rate, distortion, _ = blahut(p, d, slope * np.log(2), steps=2000)
    assert channel.rate + slope * channel.distortion <= rate + slope * distortion + 1e-9
    assert rate + slope * distortion >= channel.rate + slope * channel.distortion - channel.gap - 1e-9
    assert channel.output.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (([], [[1.0]], 1.0), ValueError, "probabilities must be one-dimensional and not empty"),
        (([1.0], [1.0], 1.0), ValueError, r"distortions must have shape \(1, m\)"),
        (([1.0, 0.0], np.ones((2, 2)), 1.0), ValueError, "probabilities must be positive"),
        (([1.0, 1.0], [[0, 1], [np.nan, 0]], 1.0), ValueError, "distortions must be finite"),
        (([1.0, 1.0], [[0, 1], [1, 0]], 0.0), ValueError, "slope must be finite and positive"),
        (([1.0], [[9000.0]], 1.0), ValueError, "leaves a letter without a reproduction"),
        (([1.0], [[1.0]], "steep"), TypeError, "slope must be a real number"),
    ],
)
def test_bad_arguments_are_named(arguments, error, match):
    with pytest.raises(error, match=match):
        finite_alphabet(*arguments)
