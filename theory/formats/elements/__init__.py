"""What one stored code can stand for."""

from .element import Element
from .floating import Float
from .integer import Integer
from .parsing import ELEMENT_EXAMPLES, parse_element

__all__ = ["ELEMENT_EXAMPLES", "Element", "Float", "Integer", "parse_element"]
