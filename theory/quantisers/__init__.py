"""Where the codepoints go."""

from .companding import compand, half_step_compander
from .companding_laws import a_law, mu_law
from .entropy_constrained import entropy_constrained
from .evaluation import Evaluation, evaluate
from .globally_optimal import GlobalOptimum, globally_optimal
from .kmeans import kmeans
from .lattices import EntropyCodedLattice, Lattice, SphericalCode, lattice, lattice_quantiser, spherical_code
from .lloyd_max import lloyd_max
from .measurement import Measurement, measure
from .optimised_rounding import OptimisedRounding, RoundingResult, optimised_rounding
from .point_density import point_density_quantile
from .rounding_gain import RoundingGain, rounding_gain
from .scalar import Design, ScalarQuantiser
from .trellises import (
    ShiftTrellisQuantiser,
    TrellisQuantiser,
    entropy_constrained_trellis,
    shift_trellis,
    trellis_coded,
)
from .uniform import uniform
from .vector import VectorQuantiser, lbg

__all__ = [
    "Design",
    "EntropyCodedLattice",
    "Evaluation",
    "GlobalOptimum",
    "Lattice",
    "Measurement",
    "OptimisedRounding",
    "RoundingGain",
    "RoundingResult",
    "ScalarQuantiser",
    "ShiftTrellisQuantiser",
    "SphericalCode",
    "TrellisQuantiser",
    "VectorQuantiser",
    "a_law",
    "compand",
    "entropy_constrained",
    "entropy_constrained_trellis",
    "evaluate",
    "globally_optimal",
    "half_step_compander",
    "kmeans",
    "lattice",
    "lattice_quantiser",
    "lbg",
    "lloyd_max",
    "measure",
    "mu_law",
    "optimised_rounding",
    "point_density_quantile",
    "rounding_gain",
    "shift_trellis",
    "spherical_code",
    "trellis_coded",
    "uniform",
]
