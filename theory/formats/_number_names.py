"""Names of number types: from text to the five numbers that say all, and back to the canonical text."""

from __future__ import annotations

import difflib
import re

__all__ = ["resolve_number_name"]

# Exponent bits, mantissa bits, bias, signed, special.
_Fields = tuple[int, int, int, bool, str]

_NAMED: dict[str, _Fields] = {
    "float64": (11, 52, 1023, True, "ieee"),
    "float32": (8, 23, 127, True, "ieee"),
    "float16": (5, 10, 15, True, "ieee"),
    "bfloat16": (8, 7, 127, True, "ieee"),
    "e8m0": (8, 0, 127, False, "nan"),
}

_ALIASES = {
    "double": "float64",
    "fp64": "float64",
    "f64": "float64",
    "e11m52": "float64",
    "float": "float32",
    "fp32": "float32",
    "f32": "float32",
    "e8m23": "float32",
    "half": "float16",
    "fp16": "float16",
    "f16": "float16",
    "e5m10": "float16",
    "bf16": "bfloat16",
    "e8m7": "bfloat16",
    "ue8m0": "e8m0",
    "e8m0fnu": "e8m0",
    "e4m3fn": "e4m3",
    "e3m2fn": "e3m2",
    "e2m3fn": "e2m3",
    "e2m1fn": "e2m1",
}

# What a bare ExMy or uExMy takes from its codes: OCP OFP8 and MX v1.0 (e4m3, e5m2, and "none" for those of six
# bits or fewer), ml_dtypes (e3m4).  The unsigned scales are E4M3 without its sign and, in the same manner, E5M3.
_SPECIAL = {"e4m3": "nan", "e5m2": "ieee", "e3m4": "ieee", "ue4m3": "nan", "ue5m3": "nan"}

_TEXT = re.compile(
    r"(?P<stem>(?P<unsigned>u?)e(?P<e>\d+)m(?P<m>\d+))(?:b(?P<bias>-?\d+))?(?P<special>[a-z]*)"
)
_UINT = re.compile(r"uint(?P<m>\d+)")
_EXAMPLES = ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "ue5m3", "ue4m3", "e0m3", "uint4", "uint8")


def resolve_number_name(text: str) -> tuple[str, _Fields]:
    """Canonical name of a text and (exponent bits, mantissa bits, bias, signed, special), or ValueError."""
    name = text.strip().lower().removeprefix("float8_").removeprefix("float6_").removeprefix("float4_")
    name = _ALIASES.get(name, name)
    if name in _NAMED:
        return name, _NAMED[name]
    whole = _UINT.fullmatch(name)
    if whole is not None:
        return _resolve_pattern(f"ue0m{int(whole['m'])}", text)
    return _resolve_pattern(name, text)


def _resolve_pattern(name: str, text: str) -> tuple[str, _Fields]:
    found = _TEXT.fullmatch(name)
    special = found and (found["special"] or _SPECIAL.get(found["stem"], "none"))
    if found is None or special not in ("ieee", "nan", "fnuz", "none"):
        raise ValueError(f"unknown number type {text!r}{_suggestion(name)}")
    exponent_bits, mantissa_bits = int(found["e"]), int(found["m"])
    signed = not found["unsigned"]
    usual = _usual_bias(exponent_bits, mantissa_bits, special)
    fields = (exponent_bits, mantissa_bits, int(found["bias"] or usual), signed, special)
    _check_range(fields, text)
    stem = f"{found['unsigned']}e{exponent_bits}m{mantissa_bits}"
    shown = f"uint{mantissa_bits}" if stem.startswith("ue0") else stem
    if fields[2] != usual or special != _SPECIAL.get(stem, "none"):
        shown = stem + (f"b{fields[2]}" if fields[2] != usual else "")
        shown += special if special != _SPECIAL.get(stem, "none") else ""
    return shown, fields


def _usual_bias(exponent_bits: int, mantissa_bits: int, special: str) -> int:
    if exponent_bits == 0:
        return 1 - mantissa_bits
    return (1 << exponent_bits - 1) - 1 + (special == "fnuz")


def _check_range(fields: _Fields, text: str) -> None:
    """Raise unless the type has a positive number, and all of them are float64 to the last bit."""
    exponent_bits, mantissa_bits, bias, signed, special = fields
    if exponent_bits > 11 or mantissa_bits > 52 or exponent_bits + mantissa_bits == 0:
        raise ValueError(
            f"number type {text!r} must have 0 to 11 exponent and 0 to 52 mantissa bits, and one at least"
        )
    top = (1 << exponent_bits) - 1 - (special == "ieee") - (special == "nan" and mantissa_bits == 0)
    pure = not signed and mantissa_bits == 0
    if top < (0 if exponent_bits == 0 or pure else 1) or (special == "fnuz" and not signed):
        raise ValueError(f"number type {text!r} must have codes for the special values it asks for")
    lowest = (0 if pure else 1) - bias - mantissa_bits
    if max(top, 1) - bias > 1023 or lowest < -1074:
        raise ValueError(f"number type {text!r} must stay in the range of float64, 2^-1074 to 2^1024")


def _suggestion(name: str) -> str:
    known = [*_NAMED, *_EXAMPLES]
    near = difflib.get_close_matches(name, [*known, *_ALIASES], n=3, cutoff=0.6)
    return (
        f" (did you mean {' or '.join(near)}?)"
        if near
        else f"; known: {', '.join(known)}, any eXmY and uintK"
    )
