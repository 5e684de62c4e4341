"""The law of what is quantised."""

from .base import Source
from .gaussian import Normal
from .generalised_gaussian import GeneralisedNormal
from .laplace import Laplace
from .logistic import Logistic
from .student_t import StudentT
from .uniform import Uniform

__all__ = ["GeneralisedNormal", "Laplace", "Logistic", "Normal", "Source", "StudentT", "Uniform"]
