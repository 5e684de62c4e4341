"""The names that people write for formats, and what they stand for.

A name stands for the arithmetic of a format: which numbers a code can be, what a block shares, and how that is
stored.  Searches that an implementation adds on top (importance weights, trial scales) are asked for with
`search=`.
"""

from __future__ import annotations

import re

__all__ = ["FORMAT_NAMES", "expand_name", "known_names"]

# Name -> specification.  Sources: OCP Microscaling Formats (MX) v1.0 (scale 2^(floor(log2 max) - emax), so that
# the statistic rounded down maps on 2^emax); NVIDIA, "Pretraining Large Language Models with NVFP4" (2025);
# Dettmers et al., "QLoRA" (2023) section 3; Dotzel et al., "Learning from Students" (2024); Yoshida, "NF4 isn't
# information theoretically optimal" (2023); ggml-quants.c of llama.cpp; Ma et al., "The Era of 1-bit LLMs"
# (2024), with the best factor in place of the mean magnitude; Rastegari et al., "XNOR-Net" (2016).
FORMAT_NAMES: dict[str, str] = {
    "nf4": "nf4,block=64,scale=absmax:float32",
    "nf4_dq": "nf4,block=64,scale=absmax:e4m3,group=256:float32",
    "sf4": "sf4,block=128,scale=absmax:float16",
    "af4": "af4,block=64,scale=absmax:float32",
    "mxfp4": "e2m1,block=32,scale=absmax:e8m0:down,reach=4",
    "mxfp6": "e2m3,block=32,scale=absmax:e8m0:down,reach=4",
    "mxfp6_e3m2": "e3m2,block=32,scale=absmax:e8m0:down,reach=16",
    "mxfp8": "e4m3,block=32,scale=absmax:e8m0:down,reach=256",
    "mxfp8_e5m2": "e5m2,block=32,scale=absmax:e8m0:down,reach=32768",
    "mxint8": "int8,block=32,scale=absmax:e8m0:down,reach=64",
    "nvfp4": "e2m1,block=16,scale=absmax:e4m3,group=tensor:float32",
    "q4_0": "int4,block=32,scale=signmax:float16",
    "q4_1": "uint4,block=32,scale=minmax:float16,zero=float16",
    "q4_k": "uint4,block=32,scale=minmax:uint6,zero=uint6,group=8:float16",
    "q5_0": "int5,block=32,scale=signmax:float16",
    "q5_1": "uint5,block=32,scale=minmax:float16,zero=float16",
    "q8_0": "int8sym,block=32,scale=absmax:float16",
    "iq4_nl": "iq4_nl,block=32,scale=signmax:float16",
    "fp8_e4m3": "e4m3,scale=absmax:float32",
    "fp8_e5m2": "e5m2,scale=absmax:float32",
    "bf16": "bfloat16,scale=none",
    "fp16": "float16,scale=none",
    "ternary": "ternary,scale=rms:float32,search=tensor",
    "binary": "binary,block=channel,scale=rms:float32,search=tensor",
}

# Spelled out, a type is the format of its short name, and not one with a scale beside it.
_ALIASES = {"bfloat16": "bf16", "float16": "fp16"}

# Any element in groups: int4_g64, nf3_g128; with "_asym" the range of the group is used instead of its maximum.
_GROUPED = re.compile(r"(?P<element>[a-z][a-z0-9]*)_g(?P<size>[1-9]\d*)(?P<asymmetric>_asym)?")


def known_names() -> tuple[str, ...]:
    """Names of formats, with one example of the grouped kind."""
    return (*FORMAT_NAMES, "int4_g64", "int4_g128_asym")


def expand_name(text: str) -> str:
    """Specification that a name stands for; the text itself where it is no name."""
    name = text.lower().replace("-", "_")
    name = _ALIASES.get(name, name)
    if name in FORMAT_NAMES:
        return FORMAT_NAMES[name]
    grouped = _GROUPED.fullmatch(name)
    if grouped is None:
        return text
    element = grouped["element"]
    if grouped["asymmetric"]:
        return f"u{element.removeprefix('u')},block={grouped['size']},scale=minmax:float16"
    return f"{element},block={grouped['size']},scale=absmax:float16"
