"""What one stored code can stand for."""

from .codebook import Codebook
from .cube_root import CubeRoot, approximate_block_maximum
from .designed import Designed
from .element import Element
from .few_levels import Binary, Ternary
from .floating import Float
from .integer import Integer
from .parsing import ELEMENT_EXAMPLES, parse_element
from .power_of_two import PowerOfTwo
from .published import PUBLISHED, Published, PublishedCodebook
from .quantile_float import NormalFloat, StudentFloat
from .vector_codebook import VectorCodebook

__all__ = [
    "ELEMENT_EXAMPLES",
    "PUBLISHED",
    "Binary",
    "Codebook",
    "CubeRoot",
    "Designed",
    "Element",
    "Float",
    "Integer",
    "NormalFloat",
    "PowerOfTwo",
    "Published",
    "PublishedCodebook",
    "StudentFloat",
    "Ternary",
    "VectorCodebook",
    "approximate_block_maximum",
    "parse_element",
]
