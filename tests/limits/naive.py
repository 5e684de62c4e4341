"""Slow, plain oracles of the limits."""

import itertools

import numpy as np


def blahut(probabilities, distortions, slope_nats, steps=20_000):
    """Blahut's iteration (1972): rate in bits, distortion, output law."""
    kernel = np.exp(-slope_nats * distortions)
    q = np.full(distortions.shape[1], 1 / distortions.shape[1])
    for _ in range(steps):
        q = q * ((probabilities / (kernel @ q)) @ kernel)
    joint = kernel * q / (kernel @ q)[:, None]
    distortion = float(probabilities @ (joint * distortions).sum(axis=1))
    rate = (-probabilities @ np.log(kernel @ q) - slope_nats * distortion) / np.log(2)
    return float(rate), distortion, q


def correlation(y, nodes, masses, width):
    """c(y), the sum of mass exp(-(x - y)^2 / 2 width^2)."""
    return np.exp(-0.5 * ((nodes[None] - np.asarray(y)[:, None]) / width) ** 2) @ masses


def clipped_rates(variances, weights, low, high, rate):
    """Reverse water-filling by bisection."""
    half = 0.5 * np.log2(weights * variances)
    bottom, top = -200.0, 200.0
    for _ in range(200):
        level = (bottom + top) / 2
        bottom, top = (level, top) if np.clip(half - level, low, high).mean() > rate else (bottom, level)
    return np.clip(half - level, low, high)


def best_choice(bits, loss, budget, allowed=lambda choice: True):
    """Least loss of any allowed choice of one point per row within the budget, or None."""
    best = None
    for choice in itertools.product(*(range(len(row)) for row in bits)):
        spent = sum(row[k] for row, k in zip(bits, choice, strict=True))
        lost = sum(row[k] for row, k in zip(loss, choice, strict=True))
        if spent <= budget and allowed(choice) and (best is None or lost < best):
            best = lost
    return best


def hull_losses(bits, loss):
    """Points on the lower convex hull of a row, from the cheapest to the best, by definition."""
    kept = []
    for k in range(len(bits)):
        below = False
        for i, j in itertools.product(range(len(bits)), repeat=2):
            if bits[i] <= bits[k] <= bits[j] and bits[i] < bits[j]:
                part = (bits[k] - bits[i]) / (bits[j] - bits[i])
                below |= loss[i] + part * (loss[j] - loss[i]) < loss[k] - 1e-12
            below |= bits[i] <= bits[k] and loss[i] < loss[k] - 1e-12
            below |= bits[i] < bits[k] and loss[i] <= loss[k]
        if not below:
            kept.append(k)
    return kept
