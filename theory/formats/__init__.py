"""How a tensor is stored: element types, scales, and what is kept apart."""

from .affine_law import AffineBlock, affine_block
from .elements import (
    ELEMENT_EXAMPLES,
    PUBLISHED,
    Binary,
    Codebook,
    CubeRoot,
    Designed,
    Element,
    Float,
    Integer,
    NormalFloat,
    PowerOfTwo,
    Published,
    StudentFloat,
    Ternary,
    VectorCodebook,
    approximate_block_maximum,
    parse_element,
)
from .encoded import Encoded
from .encoding import decode, encode, quantise
from .format import Format
from .names import FORMAT_NAMES
from .number_types import NumberType, number_type
from .outliers import Outliers, parse_outliers
from .prediction import Prediction, predict
from .recommendation import Recommendation, recommend
from .relative_error import relative_error
from .rotation import Rotation, parse_rotation
from .scaling import GroupedScale, Scale
from .spec import parse_format
from .storage import StoredBits, storage

__all__ = [
    "ELEMENT_EXAMPLES",
    "FORMAT_NAMES",
    "PUBLISHED",
    "AffineBlock",
    "Binary",
    "Codebook",
    "CubeRoot",
    "Designed",
    "Element",
    "Encoded",
    "Float",
    "Format",
    "GroupedScale",
    "Integer",
    "NormalFloat",
    "NumberType",
    "Outliers",
    "PowerOfTwo",
    "Prediction",
    "Published",
    "Recommendation",
    "Rotation",
    "Scale",
    "StoredBits",
    "StudentFloat",
    "Ternary",
    "VectorCodebook",
    "affine_block",
    "approximate_block_maximum",
    "decode",
    "encode",
    "number_type",
    "parse_element",
    "parse_format",
    "parse_outliers",
    "parse_rotation",
    "predict",
    "quantise",
    "recommend",
    "relative_error",
    "storage",
]
