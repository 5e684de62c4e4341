"""Designing 16 levels for the normal law: by integration, and by clustering samples of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.cluster.vq
import torch

from bitlaw.theory import Empirical, Normal, ScalarQuantiser, evaluate, lloyd_max
from bitlaw.theory.quantisers import kmeans
from tests.benchmarks.timing import seconds, timed

TITLE = "Sixteen levels for the normal law: exact design against clustering of samples"
LEVELS = 16
MOST_STEPS = 250  # of torch's k-means, which has rarely settled by then


def run() -> list[dict[str, Any]]:
    """One row per method: seconds, exact distortion on the law and largest error of a codepoint."""
    best = lloyd_max(Normal(), LEVELS)
    warm = seconds(lambda: lloyd_max(Normal(), LEVELS), 20)
    rows = [_row("bitlaw lloyd_max", "law", warm, best.codepoints, best)]
    for power in (20, 22):
        samples = np.random.default_rng(0).standard_normal(1 << power).astype(np.float32)
        methods = {**SMALL, **METHODS} if power == 20 else METHODS
        for name, method in methods.items():
            spent, codepoints = timed(lambda method=method, samples=samples: method(samples))
            rows.append(_row(name, f"2^{power} samples", spent, codepoints, best))
    return rows


def _row(name: str, data: str, spent: float, codepoints: np.ndarray, best: ScalarQuantiser) -> dict[str, Any]:
    codepoints = np.sort(np.asarray(codepoints, dtype=np.float64).ravel())
    distortion = evaluate(ScalarQuantiser(codepoints), Normal()).distortion
    optimum = evaluate(best, Normal()).distortion
    return {
        "method": name,
        "data": data,
        "seconds": float(f"{spent:.3g}"),
        "distortion": round(distortion, 12),
        "above optimum": float(f"{distortion / optimum - 1:.1e}"),
        "largest codepoint error": float(f"{np.abs(codepoints - best.codepoints).max():.1e}"),
    }


def _torch(samples: np.ndarray) -> np.ndarray:
    """Lloyd's iteration by bucketize and scatter until no sample changes its cell."""
    x = torch.from_numpy(samples)
    ones = torch.ones_like(x)
    points = torch.quantile(x[: 1 << 20], (torch.arange(LEVELS) + 0.5) / LEVELS)
    before = None
    for _ in range(MOST_STEPS):
        cell = torch.bucketize(x, (points[1:] + points[:-1]) / 2)
        if before is not None and torch.equal(cell, before):
            break
        before = cell
        total = torch.zeros(LEVELS).scatter_add_(0, cell, x)
        points = total / torch.zeros(LEVELS).scatter_add_(0, cell, ones)
    return points.numpy()


def _scikit_learn(samples: np.ndarray) -> np.ndarray:
    from sklearn.cluster import KMeans

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KMeans(LEVELS, n_init=1, random_state=0).fit(samples[:, None]).cluster_centers_


def _kmeans1d(samples: np.ndarray) -> np.ndarray:
    import kmeans1d

    return np.array(kmeans1d.cluster(samples, LEVELS).centroids)


def _scipy(samples: np.ndarray) -> np.ndarray:
    return scipy.cluster.vq.kmeans(samples[:, None], LEVELS, iter=1, rng=0)[0]


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bitlaw kmeans": lambda samples: kmeans(Empirical(samples), LEVELS).codepoints,
    "torch bucketize and scatter": _torch,
}
SMALL: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bitlaw kmeans, exact": lambda samples: kmeans(Empirical(samples), LEVELS, exact=True).codepoints,
    "kmeans1d, exact": _kmeans1d,
    "scikit-learn KMeans": _scikit_learn,
    "scipy.cluster.vq.kmeans": _scipy,
}
