"""How far predictions move when one tensor is disturbed: the measurement that Fisher information predicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from .divergence import measure_divergence
from .estimates import Estimate
from .fisher import Fisher
from .models import LanguageModel, weight_tensors
from .reference import Reference
from .restore import kept_weights

__all__ = ["Sensitivity", "noise_sensitivity"]

# Elements turned to float64 at once.
_SLICE = 1 << 22


@dataclass(frozen=True)
class Sensitivity:
    """KL divergence from white noise on one tensor.

    Attributes
    ----------
    name : str
    noise : float
        Root mean square of the noise over that of the weights.
    kl : Estimate
        Measured, in nats per token.
    predicted : float
        Half the sum of Fisher information times squared noise (its mean in each row where the Fisher information
        is known by rows); NaN without Fisher information.
    """

    name: str
    noise: float
    kl: Estimate
    predicted: float


def noise_sensitivity(
    language_model: LanguageModel,
    reference: Reference,
    *,
    noise: float = 0.05,
    fisher: Fisher | None = None,
    names: Iterable[str] | None = None,
    seed: int = 0,
    progress: Callable[[Sensitivity], object] | None = None,
) -> list[Sensitivity]:
    """Disturb one tensor at a time by Gaussian noise and measure the divergence.

    Parameters
    ----------
    language_model : LanguageModel
        As before afterwards.
    reference : Reference
    noise : float > 0
        Relative to each tensor's root mean square.
    fisher : Fisher, optional
        For the prediction beside each measurement.
    names : iterable of str, optional
        Tensors to disturb; all when left out.
    seed : int
    progress : callable, optional
        Called with each result.

    Returns
    -------
    list of Sensitivity

    Raises
    ------
    ValueError
        If the noise is not positive, or a name is no weight tensor.
    OSError
        As `quantised`.
    """
    if not 0 < noise < float("inf"):
        raise ValueError(f"noise must be positive and finite, got {noise}")
    tensors = {w.name: w for w in weight_tensors(language_model.model)}
    wanted = list(tensors) if names is None else list(names)
    unknown = [name for name in wanted if name not in tensors]
    if unknown:
        raise ValueError(f"{unknown[0]}: the model has no weight tensor of this name")
    found = []
    for index, name in enumerate(wanted):
        with kept_weights(language_model) as keeper:
            keeper.keep(tensors[name])
            change = _disturb(tensors[name].parameter.data, noise, seed + index)
            kl = measure_divergence(language_model, reference).mean()
        predicted = float("nan") if fisher is None else fisher.quadratic(name, change)
        found.append(Sensitivity(name, noise, kl, predicted))
        if progress is not None:
            progress(found[-1])
    return found


def _disturb(weights: torch.Tensor, noise: float, seed: int) -> torch.Tensor:
    """Add noise of a size relative to the root mean square; what was added, on the CPU."""
    flat = weights.reshape(-1)
    starts = range(0, len(flat), _SLICE)
    energy = sum(float(flat[start : start + _SLICE].double().square().sum()) for start in starts)
    change = torch.randn(weights.shape, generator=torch.Generator().manual_seed(seed))
    change *= noise * math.sqrt(energy / weights.numel())
    weights += change.to(weights.device, weights.dtype)
    return change
