"""Intervals that say how much a mean over tokens is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bitlaw.llm.estimates import clustered_mean, clustered_quantile, paired_difference, sequences_needed


def clustered(rng: np.random.Generator, sequences: int, tokens: int) -> np.ndarray:
    """Tokens that share most of their deviation with their sequence; mean 1."""
    return 1.0 + rng.normal(size=(sequences, 1)) + 0.5 * rng.normal(size=(sequences, tokens))


def share_covered(estimate, trials: int = 1000) -> tuple[float, float]:
    """Share of trials whose interval holds the truth, and the standard error of that share at 95%."""
    rng = np.random.default_rng(0)
    hits = [estimate(clustered(rng, 12, 40)) for _ in range(trials)]
    return float(np.mean(hits)), math.sqrt(0.95 * 0.05 / trials)


def test_intervals_cover_at_their_stated_rate() -> None:
    def hit(values: np.ndarray) -> bool:
        found = clustered_mean(values)
        return found.lower <= 1.0 <= found.upper

    share, error = share_covered(hit)
    assert abs(share - 0.95) < 4 * error


def test_taking_tokens_as_independent_would_cover_far_too_rarely() -> None:
    def hit(values: np.ndarray) -> bool:
        half = 1.96 * values.std() / math.sqrt(values.size)
        return abs(values.mean() - 1.0) <= half

    share, error = share_covered(hit)
    assert share < 0.95 - 20 * error


def test_pairs_cancel_what_sequences_share() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=(30, 1))
    first, second = (common + 0.01 * rng.normal(size=(30, 50)) for _ in range(2))
    found = paired_difference(first + 0.1, second)
    assert abs(found.value - 0.1) < 4 * found.standard_error
    assert found.standard_error < clustered_mean(first).standard_error / 20


def test_a_quantile_lies_in_its_interval() -> None:
    values = np.random.default_rng(2).normal(size=(200, 50))
    found = clustered_quantile(values, 0.99)
    assert found.lower < found.value < found.upper
    assert found.lower < 2.326 < found.upper


def test_the_sequences_needed_give_the_asked_interval() -> None:
    values = clustered(np.random.default_rng(3), 400, 10)
    count = sequences_needed(values, 0.1)
    spread = values.mean(axis=1).std(ddof=1)
    assert 1.96 * spread / math.sqrt(count) <= 0.1 < 1.96 * spread / math.sqrt(count * 0.97)


def test_one_sequence_has_no_interval() -> None:
    found = clustered_mean(np.ones((1, 9)))
    assert (found.value, found.lower, found.upper) == (1.0, -math.inf, math.inf)


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((0, 3)), np.ones((2, 0))])
def test_wrong_shapes_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must have the shape \\(sequences, tokens\\)"):
        clustered_mean(bad)


def test_other_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        clustered_mean(np.ones((2, 2)), 95)
    with pytest.raises(ValueError, match="same sequences"):
        paired_difference(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="half_width must be positive"):
        sequences_needed(np.ones((2, 2)), 0)
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        clustered_quantile(np.ones((2, 2)), 99)
    with pytest.raises(ValueError, match="at least two sequences"):
        sequences_needed(np.ones((1, 2)), 0.1)
