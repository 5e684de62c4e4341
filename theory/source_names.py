"""Sources by name: the text by which the command line, tables and reports call a law.

`student-t:5` is a family and, behind the colon, its shape parameter.  Standard deviations are kept out of the
name: they only scale.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from .sources import GeneralisedNormal, Laplace, Logistic, Normal, Source, StudentT, Uniform

__all__ = ["SOURCE_NAMES", "parse_source", "source_name"]


@dataclass(frozen=True)
class _Family:
    """A family's class, and its shape parameter: attribute, placeholder in usage, and an example."""

    build: Callable[..., Source]
    shape: str = ""
    placeholder: str = ""
    example: str = ""


_FAMILIES = {
    "normal": _Family(Normal),
    "laplace": _Family(Laplace),
    "logistic": _Family(Logistic),
    "uniform": _Family(Uniform),
    "student-t": _Family(StudentT, "df", "DF", "5"),
    "generalised-normal": _Family(GeneralisedNormal, "beta", "BETA", "1.5"),
}

_ALIASES = {
    "gaussian": "normal",
    "laplacian": "laplace",
    "student": "student-t",
    "generalized-normal": "generalised-normal",
    "generalised-gaussian": "generalised-normal",
    "generalized-gaussian": "generalised-normal",
}

SOURCE_NAMES: tuple[str, ...] = tuple(
    f"{name}:{family.placeholder}" if family.shape else name for name, family in _FAMILIES.items()
)


def parse_source(text: str, std: float = 1.0) -> Source:
    """Build a source from its name.

    Parameters
    ----------
    text : str
        One of `SOURCE_NAMES`, with a number in place of what follows the colon; case does not matter, and an
        underscore is a hyphen.  Common other names (gaussian, generalized-normal) are understood.
    std : float > 0
        Standard deviation.

    Returns
    -------
    Source

    Raises
    ------
    ValueError
        If the family is unknown (near matches are named), its parameter is missing, not a number or out of
        range, or a parameter is given to a family without one.

    Examples
    --------
    >>> parse_source("student-t:5")
    StudentT(df=5.0, std=1.0)
    """
    name, colon, shape = text.strip().lower().replace("_", "-").partition(":")
    name = _ALIASES.get(name, name)
    if name not in _FAMILIES:
        raise ValueError(f"unknown source {text!r}{_suggestion(name)}; known: {', '.join(SOURCE_NAMES)}")
    family = _FAMILIES[name]
    if not family.shape:
        if colon:
            raise ValueError(f"source {name} takes no parameter, got {text!r}")
        return family.build(std=std)
    if not shape:
        raise ValueError(f"source {name} needs its {family.shape}, as in {name}:{family.example}")
    try:
        value = float(shape)
    except ValueError:
        raise ValueError(f"{family.shape} of source {name} must be a number, got {shape!r}") from None
    return family.build(value, std=std)


def source_name(source: Source) -> str:
    """Name of a source, without its standard deviation; `parse_source` is the way back.

    Parameters
    ----------
    source : Source
        A law of one of the named families.

    Returns
    -------
    str
        With every digit of the shape parameter, so that the way back is exact.

    Raises
    ------
    TypeError
        If the source belongs to no named family.

    Examples
    --------
    >>> from bitlaw.theory import GeneralisedNormal, StudentT
    >>> source_name(StudentT(5)), source_name(GeneralisedNormal(0.1 + 0.2, std=3.0))
    ('student-t:5', 'generalised-normal:0.30000000000000004')
    """
    for name, family in _FAMILIES.items():
        if type(source) is family.build:
            return f"{name}:{_digits(getattr(source, family.shape))}" if family.shape else name
    raise TypeError(f"source must be of a named family ({', '.join(_FAMILIES)}), got {source!r}")


def _digits(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _suggestion(name: str) -> str:
    near = difflib.get_close_matches(name, [*_FAMILIES, *_ALIASES], n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
