"""Which formats are best for data, or for a law, at a budget of bits."""

from .recommendation import Recommendation, recommend

__all__ = ["Recommendation", "recommend"]
