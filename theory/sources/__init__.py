"""The law of what is quantised."""

from .base import Source
from .gaussian import Normal

__all__ = ["Normal", "Source"]
