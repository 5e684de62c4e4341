"""Which formats are best for data, or for a law, at a budget of bits."""

from .recommendation import Recommendation
from .recommending import recommend

__all__ = ["Recommendation", "recommend"]
