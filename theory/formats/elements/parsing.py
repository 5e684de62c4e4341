"""Elements by their text."""

from __future__ import annotations

import difflib

from .codebook import Codebook
from .cube_root import CubeRoot
from .designed import Designed
from .element import Element
from .few_levels import Binary, Ternary
from .floating import Float
from .integer import Integer
from .power_of_two import PowerOfTwo
from .published import Published
from .quantile_float import NormalFloat, StudentFloat
from .vector_codebook import VectorCodebook

__all__ = ["ELEMENT_EXAMPLES", "parse_element"]

_FAMILIES = (
    Integer,
    Float,
    PowerOfTwo,
    Ternary,
    Binary,
    NormalFloat,
    StudentFloat,
    Published,
    CubeRoot,
    Designed,
    VectorCodebook,
    Codebook,
)

# One or more texts of each family, among which near matches of an unknown one are sought.
ELEMENT_EXAMPLES: tuple[str, ...] = tuple(text for family in _FAMILIES for text in family.EXAMPLES)


def parse_element(text: str) -> Element:
    """Build an element from its text.

    Parameters
    ----------
    text : str
        As in `ELEMENT_EXAMPLES`, which has at least one text of each family; case does not matter.

    Returns
    -------
    Element
        `str` of it is the canonical text, from which an equal element is built.

    Raises
    ------
    ValueError
        If no family knows the text (near matches are named), or a parameter in it is out of range.
    TypeError
        If `text` is not a string.

    Examples
    --------
    >>> parse_element("int4sym")
    Integer(width=4, kind='symmetric')
    >>> parse_element("E2M1").bits
    4.0
    """
    if not isinstance(text, str):
        raise TypeError(f"element must be text, got {text!r}")
    if text.strip().lower().startswith("file:"):
        return Codebook.from_file(text.strip()[5:])  # the only text whose case matters
    name = text.strip().lower()
    for family in _FAMILIES:
        element = family.parse(name)
        if element is not None:
            return element
    near = difflib.get_close_matches(name, ELEMENT_EXAMPLES, n=3, cutoff=0.5)
    known = ", ".join(family.EXAMPLES[0] for family in _FAMILIES)
    hint = f" (did you mean {' or '.join(near)}?)" if near else f"; known, among others: {known}"
    raise ValueError(f"unknown element {text!r}{hint}")
