"""How far out a codebook has to go."""

from __future__ import annotations

import numpy as np

from ..sources import Source

__all__ = ["reach"]


def reach(source: Source, distortion: float, share: float) -> float:
    """Distance from the mean beyond which clipping costs less than a share of a distortion.

    Quarter octaves from one to 2^14 standard deviations are tried; the last is returned if none is enough.
    """
    distance = source.std * 2.0 ** (np.arange(57) / 4)
    above = source.partial_moments(source.mean + distance, np.inf, source.mean + distance)[2]
    below = source.partial_moments(-np.inf, source.mean - distance, source.mean - distance)[2]
    enough = above + below <= share * distortion
    return float(distance[np.argmax(enough)] if enough.any() else distance[-1])
