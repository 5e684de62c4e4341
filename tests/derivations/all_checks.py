"""Loads every numeric check."""

from . import (
    checks_blocks,
    checks_laplace_quantiser,
    checks_layers,
    checks_limits,
    checks_moments,
    checks_scalar,
)
from .checking import CHECKS

__all__ = [
    "CHECKS",
    "checks_blocks",
    "checks_laplace_quantiser",
    "checks_layers",
    "checks_limits",
    "checks_moments",
    "checks_scalar",
]
