"""Formats as text: `e2m1,block=32,scale=absmax:e8m0:down,reach=4`, or the names that people write.

The element comes first, then `key=value` in any order; what is left out takes its default, and what equals its
default is left out when a format is printed, so that equal formats have equal texts.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from .elements import parse_element
from .format import Block, Format
from .names import expand_name, known_names
from .number_types import number_type
from .outliers import parse_outliers
from .rotation import parse_rotation
from .scaling import GroupedScale, Rounding, Scale, Search, Statistic

__all__ = ["KEYS", "format_fields", "format_of_fields", "format_text", "parse_format"]

KEYS = (
    "block",
    "scale",
    "reach",
    "multiplier",
    "search",
    "zero",
    "group",
    "outliers",
    "rotation",
    "code",
)

# Texts of the defaults of those keys that the name of a format sets and an element of the same name may not.
_DEFAULTS = {"block": "tensor", "scale": "absmax", "search": "none"}


def parse_format(text: str) -> Format:
    """Build a format from its specification or its name.

    Parameters
    ----------
    text : str
        A name (`nf4`, `mxfp4`, `int4_g64`, ...; see `FORMAT_NAMES`) or an element, either followed by
        `key=value` parts between commas:

        - `block=` N, RxC, channel or tensor (the default);
        - `scale=` statistic[:number[:rounding]], such as absmax:bfloat16:nearest (the default);
        - `reach=` element value the statistic is mapped on;
        - `multiplier=` factor on the statistic, or moment;
        - `search=` none, tensor or block;
        - `zero=` integer, or a number type (minmax only);
        - `group=` blocks[:number[:rounding]], or tensor[:...]: a scale of scales;
        - `outliers=` see `Outliers`; `rotation=` see `Rotation`; `code=` fixed or entropy.

    Returns
    -------
    Format
        `str` of it parses back to an equal format.

    Raises
    ------
    ValueError
        If a part is not understood; near matches are named.
    TypeError
        If `text` is not a string.

    Examples
    --------
    >>> from bitlaw.theory import parse_format
    >>> str(parse_format("nf4,block=32,scale=absmax:bfloat16"))
    'nf4,block=32,scale=absmax'
    >>> str(parse_format("mxfp4"))
    'e2m1,block=32,scale=absmax:e8m0:down,reach=4'
    """
    if not isinstance(text, str):
        raise TypeError(f"format must be text, got {text!r}")
    head, *parts = [part.strip() for part in text.strip().split(",")]
    data = _fields_of(expand_name(head))
    for part in parts:
        key, value = _key_value(part, text)
        data[key] = value
    return format_of_fields(data)


def _fields_of(text: str) -> dict[str, str]:
    element, *parts = text.split(",")
    return {"element": element} | dict(_key_value(part, text) for part in parts)


def _key_value(part: str, text: str) -> tuple[str, str]:
    key, equals, value = (piece.strip() for piece in part.partition("="))
    if not equals or not value:
        raise ValueError(f"format {text!r} must be an element and key=value parts, but has the part {part!r}")
    if key not in KEYS:
        raise ValueError(f"format has no key {key!r}; {_near(key, KEYS)}")
    return key, value


def _near(word: str, choices: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, choices, n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(choices)}"


def format_of_fields(data: Mapping[str, str]) -> Format:
    """Build a format from texts by key (the inverse of `format_fields`)."""
    for key, value in data.items():
        if key != "element" and key not in KEYS:
            raise ValueError(f"format has no key {key!r}; {_near(str(key), KEYS)}")
        if not isinstance(value, str):
            raise TypeError(f"{key} of a format must be text, got {value!r}")
    if "element" not in data:
        raise ValueError("a format needs an element")
    block = data.get("block", "tensor")
    return Format(
        element=_element(data["element"]),
        block=_parse_block(block),
        scale=_parse_scale(data),
        group=_parse_group(data["group"]) if "group" in data else None,
        outliers=parse_outliers(data["outliers"]) if "outliers" in data else None,
        rotation=parse_rotation(data["rotation"]) if "rotation" in data else None,
        code=data.get("code", "fixed"),  # type: ignore[arg-type]
    )


def _element(text: str) -> Any:
    """Element of its text; a text that is no element may have been meant as a name of a format."""
    try:
        return parse_element(text)
    except ValueError as error:
        near = difflib.get_close_matches(text, known_names(), n=3, cutoff=0.6)
        if not near:
            raise
        raise ValueError(f"{error}; formats with near names: {', '.join(near)}") from None


def _parse_block(text: str) -> Block:
    if text in ("channel", "tensor"):
        return text  # type: ignore[return-value]
    sides = text.split("x")
    if len(sides) <= 2 and all(side.isdecimal() for side in sides):
        sizes = tuple(int(side) for side in sides)
        return sizes[0] if len(sizes) == 1 else (sizes[0], sizes[1])
    raise ValueError(f"block must be a size, ROWSxCOLUMNS, channel or tensor, got {text!r}")


def _parse_scale(data: Mapping[str, str]) -> Scale:
    statistic, number, rounding = _three(data.get("scale", "absmax"), "scale", "bfloat16")
    zero = data.get("zero")
    multiplier = data.get("multiplier", "1")
    return Scale(
        statistic=_choice("statistic", statistic, get_args(Statistic)),
        number=number_type(number),
        rounding=_choice("rounding", rounding, get_args(Rounding)),
        multiplier="moment" if multiplier == "moment" else _number("multiplier", multiplier),
        search=_choice("search", data.get("search", "none"), get_args(Search)),
        reach=_number("reach", data["reach"]) if "reach" in data else None,
        zero=zero if zero is None or zero == "integer" else number_type(zero),  # type: ignore[arg-type]
    )


def _parse_group(text: str) -> GroupedScale:
    blocks, number, rounding = _three(text, "group", "float32")
    if blocks != "tensor" and not blocks.isdecimal():
        raise ValueError(f"group must be a number of blocks or 'tensor', got {blocks!r}")
    return GroupedScale(
        blocks="tensor" if blocks == "tensor" else int(blocks),
        number=number_type(number),
        rounding=_choice("rounding", rounding, get_args(Rounding)),
    )


def _three(text: str, key: str, number: str) -> tuple[str, str, str]:
    pieces = text.split(":")
    if len(pieces) > 3:
        raise ValueError(f"{key} must be at most three words with colons between, got {text!r}")
    return (*pieces, *("", number, "nearest")[len(pieces) :])  # type: ignore[return-value]


def _choice(name: str, value: str, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise ValueError(f"{name} {value!r} is unknown; {_near(value, choices)}")
    return value


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {text!r}") from None


def format_text(format: Format) -> str:
    """Text of a format, defaults left out.

    Where the element's text is also the name of a format, what the name sets is written out.
    """
    given = format_fields(format)
    element = given["element"]
    named = _fields_of(expand_name(element))
    told = {key: given.get(key, _DEFAULTS.get(key)) for key in KEYS if key in given or key in named}
    return ",".join([element, *(f"{key}={value}" for key, value in told.items())])


def format_fields(format: Format) -> dict[str, str]:
    """Texts of the parts of a format by key, defaults left out, in the order of `KEYS`."""
    scale, default = format.scale, Scale()
    data = {"element": str(format.element)}
    if format.block != "tensor":
        block = format.block
        data["block"] = "x".join(map(str, block)) if isinstance(block, tuple) else str(block)
    shown = (scale.statistic, str(scale.number), scale.rounding)
    if shown != (default.statistic, str(default.number), default.rounding):
        data["scale"] = _joined(shown, "bfloat16")
    for field in fields(scale):
        value = getattr(scale, field.name)
        if field.name in KEYS and value != getattr(default, field.name):
            data[field.name] = repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
    if scale.zero == "integer":
        del data["zero"]
    if format.group is not None:
        group = format.group
        data["group"] = _joined((str(group.blocks), str(group.number), group.rounding), "float32")
    if format.outliers is not None:
        data["outliers"] = str(format.outliers)
    if format.rotation is not None:
        data["rotation"] = str(format.rotation)
    if format.code != "fixed":
        data["code"] = format.code
    return data


def _joined(words: tuple[str, str, str], number: str) -> str:
    """Words with colons between, the last ones left out where they are the default."""
    first, second, third = words
    if third != "nearest":
        return f"{first}:{second}:{third}"
    return first if second == number else f"{first}:{second}"
