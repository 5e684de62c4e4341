"""Families of formats that figures of a language model share, so that a study runs each of them once."""

from __future__ import annotations

__all__ = [
    "BLOCK",
    "BLOCK_CODED",
    "BLOCK_OUTLIERS",
    "CHANNEL",
    "CHANNEL_CODED",
    "CHANNEL_OUTLIERS",
    "CODED",
    "MAIN",
    "NAMED",
    "OUTLIERS",
    "TENSOR",
]

# Cube-root codebooks of the Normal by width, one family for each way of sharing a scale.
TENSOR = tuple(f"cbrt{width}:normal,scale=rms:float32" for width in (3, 4, 5, 6))
CHANNEL = tuple(f"cbrt{width}:normal,block=channel,scale=absmax:float16" for width in (3, 4, 5, 6))
BLOCK = tuple(f"cbrt{width}:normal,block=64,scale=absmax:float16" for width in (3, 4, 5, 6))

# The same with a two-hundredth of the weights kept apart.
OUTLIERS = tuple(f"{text},outliers=0.5%" for text in TENSOR[:3])
CHANNEL_OUTLIERS = tuple(f"{text},outliers=0.5%" for text in CHANNEL[:3])
BLOCK_OUTLIERS = tuple(f"{text},outliers=0.5%" for text in BLOCK[:3])

# Uniform grids under an entropy code; the step in root mean squares decides the bits, in blocks the width.
_STEPS = (0.6, 0.3, 0.15, 0.075)
CODED = tuple(f"int12sym,scale=rms:float32,reach=1,multiplier={step:g},code=entropy" for step in _STEPS)
CHANNEL_CODED = tuple(
    f"int12sym,block=channel,scale=rms:float16,reach=1,multiplier={step:g},code=entropy" for step in _STEPS
)
BLOCK_CODED = tuple(f"int{width}sym,block=64,scale=absmax:float16,code=entropy" for width in (3, 4, 5, 6))

NAMED = ("nf4", "mxfp4", "nvfp4", "q4_0", "q5_0", "q8_0")

MAIN = (*TENSOR, *CHANNEL, *BLOCK, *OUTLIERS, *CODED, *NAMED)
