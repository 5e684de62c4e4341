"""The law of what is quantised."""

from .base import Source
from .block_scaled import BlockScaled
from .empirical import Empirical
from .gaussian import Normal
from .generalised_gaussian import GeneralisedNormal
from .laplace import Laplace
from .logistic import Logistic
from .mixture import Mixture
from .scale_steps import ScaleSteps
from .student_t import StudentT
from .truncated import Truncated
from .uniform import Uniform
from .wrapped import Wrapped, from_scipy

__all__ = [
    "BlockScaled",
    "Empirical",
    "GeneralisedNormal",
    "Laplace",
    "Logistic",
    "Mixture",
    "Normal",
    "ScaleSteps",
    "Source",
    "StudentT",
    "Truncated",
    "Uniform",
    "Wrapped",
    "from_scipy",
]
