"""Regular arrangements of points in 1 to 24 dimensions, and quantisers made of them."""

from .lattice import Lattice, lattice
from .quantiser import EntropyCodedLattice, lattice_quantiser
from .spherical_code import SphericalCode, spherical_code

__all__ = [
    "EntropyCodedLattice",
    "Lattice",
    "SphericalCode",
    "lattice",
    "lattice_quantiser",
    "spherical_code",
]
