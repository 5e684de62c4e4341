"""How far predictions move when one tensor is disturbed: the measurement that Fisher information predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from .divergence import measure_divergence
from .estimates import Estimate
from .fisher import Fisher
from .models import LanguageModel, weight_tensors
from .reference import Reference

__all__ = ["Sensitivity", "noise_sensitivity"]


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
        Half the sum of Fisher information times squared noise; NaN without Fisher information.
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
        weights = tensors[name].parameter.data
        kept = weights.to("cpu", copy=True)
        generator = torch.Generator().manual_seed(seed + index)
        change = torch.randn(kept.shape, generator=generator) * (
            noise * float(kept.double().square().mean().sqrt())
        )
        weights += change.to(weights.device, weights.dtype)
        try:
            kl = measure_divergence(language_model, reference).mean()
        finally:
            weights.copy_(kept)
        predicted = float("nan")
        if fisher is not None:
            predicted = 0.5 * float((fisher.diagonals[name].cpu().double() * change.double().square()).sum())
        found.append(Sensitivity(name, noise, kl, predicted))
        if progress is not None:
            progress(found[-1])
    return found
