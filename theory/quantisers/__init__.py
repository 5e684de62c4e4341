"""Where the codepoints go."""

from .companding import compand, half_step_compander
from .entropy_constrained import entropy_constrained
from .evaluation import Evaluation, evaluate
from .globally_optimal import GlobalOptimum, globally_optimal
from .kmeans import kmeans
from .lloyd_max import lloyd_max
from .point_density import point_density_quantile
from .scalar import Design, ScalarQuantiser
from .uniform import uniform

__all__ = [
    "Design",
    "Evaluation",
    "GlobalOptimum",
    "ScalarQuantiser",
    "compand",
    "entropy_constrained",
    "evaluate",
    "globally_optimal",
    "half_step_compander",
    "kmeans",
    "lloyd_max",
    "point_density_quantile",
    "uniform",
]
