"""How a tensor is stored: element types, scales, and what is kept apart."""

from .codecs import Encoded, decode, encode, quantise
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
from .format import Format
from .names import FORMAT_NAMES
from .number_types import NumberType, number_type
from .outliers import Outliers, parse_outliers
from .predictions import AffineBlock, Prediction, StoredBits, affine_block, predict, storage
from .recommendations import Recommendation, recommend
from .relative_error import relative_error
from .rotation import Rotation, parse_rotation
from .scaling import GroupedScale, Scale
from .spec import parse_format

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
