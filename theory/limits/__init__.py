"""What no format can beat."""

from .allocation import Allocation, UniformAllocation, allocate
from .components import Component, ComponentTable
from .finite_alphabet import TestChannel, finite_alphabet
from .high_resolution import (
    GISH_PIERCE_GAP,
    bennett_integral,
    companding_distortion,
    gish_pierce,
    gish_pierce_rate,
    panter_dite,
    power_integral,
)
from .linder_zamir import linder_zamir
from .rate_distortion import DistortionRate, RateDistortion, distortion_rate, rate_distortion
from .shannon import shannon_lower_bound, shannon_lower_bound_rate
from .water_filling import WaterFilling, covariance_water_filling, reverse_water_filling
from .zador import ZadorConstant, zador, zador_constant

__all__ = [
    "GISH_PIERCE_GAP",
    "Allocation",
    "Component",
    "ComponentTable",
    "DistortionRate",
    "RateDistortion",
    "TestChannel",
    "UniformAllocation",
    "WaterFilling",
    "ZadorConstant",
    "allocate",
    "bennett_integral",
    "companding_distortion",
    "covariance_water_filling",
    "distortion_rate",
    "finite_alphabet",
    "gish_pierce",
    "gish_pierce_rate",
    "linder_zamir",
    "panter_dite",
    "power_integral",
    "rate_distortion",
    "reverse_water_filling",
    "shannon_lower_bound",
    "shannon_lower_bound_rate",
    "zador",
    "zador_constant",
]
