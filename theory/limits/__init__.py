"""What no format can beat."""

from .finite_alphabet import TestChannel, finite_alphabet
from .rate_distortion import DistortionRate, RateDistortion, distortion_rate, rate_distortion
from .shannon import shannon_lower_bound, shannon_lower_bound_rate

__all__ = [
    "DistortionRate",
    "RateDistortion",
    "TestChannel",
    "distortion_rate",
    "finite_alphabet",
    "rate_distortion",
    "shannon_lower_bound",
    "shannon_lower_bound_rate",
]
