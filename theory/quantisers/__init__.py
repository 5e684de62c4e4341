"""Where the codepoints go."""

from .companding import compand, half_step_compander
from .companding_laws import a_law, mu_law
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
    "a_law",
    "compand",
    "entropy_constrained",
    "evaluate",
    "globally_optimal",
    "half_step_compander",
    "kmeans",
    "lloyd_max",
    "mu_law",
    "point_density_quantile",
    "uniform",
]
