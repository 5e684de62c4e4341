"""Exact theory of quantisers: sources, quantisers, limits."""

from .quantisers import Design, ScalarQuantiser
from .sources import Normal, Source

__all__ = ["Design", "Normal", "ScalarQuantiser", "Source"]
