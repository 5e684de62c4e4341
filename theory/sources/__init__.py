"""The law of what is quantised."""

from .base import Source
from .empirical import Empirical
from .gaussian import Normal

__all__ = ["Empirical", "Normal", "Source"]
