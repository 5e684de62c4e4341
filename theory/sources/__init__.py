"""The law of what is quantised."""

from .base import Source
from .empirical import Empirical
from .gaussian import Normal
from .generalised_gaussian import GeneralisedNormal
from .laplace import Laplace
from .logistic import Logistic
from .student_t import StudentT
from .uniform import Uniform

__all__ = ["Empirical", "GeneralisedNormal", "Laplace", "Logistic", "Normal", "Source", "StudentT", "Uniform"]
