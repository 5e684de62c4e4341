"""Exact theory of quantisers: sources, quantisers, limits and fits."""

from .limits import distortion_rate, rate_distortion, shannon_lower_bound
from .quantisers import (
    Design,
    Evaluation,
    GlobalOptimum,
    ScalarQuantiser,
    compand,
    entropy_constrained,
    evaluate,
    globally_optimal,
    half_step_compander,
    lloyd_max,
    uniform,
)
from .sources import (
    Empirical,
    GeneralisedNormal,
    Laplace,
    Logistic,
    Normal,
    Source,
    StudentT,
    Uniform,
)

__all__ = [
    "Design",
    "Empirical",
    "Evaluation",
    "GeneralisedNormal",
    "GlobalOptimum",
    "Laplace",
    "Logistic",
    "Normal",
    "ScalarQuantiser",
    "Source",
    "StudentT",
    "Uniform",
    "compand",
    "distortion_rate",
    "entropy_constrained",
    "evaluate",
    "globally_optimal",
    "half_step_compander",
    "lloyd_max",
    "rate_distortion",
    "shannon_lower_bound",
    "uniform",
]
