"""How far predictions move when one tensor is disturbed: the measurement that Fisher information predicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

import torch

from .argument_checks import check_seed
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

    @property
    def ratio(self) -> float:
        """Measured over predicted; NaN without a prediction, or where none is above zero."""
        return self.kl.value / self.predicted if self.predicted > 0 else math.nan

    @property
    def is_outside(self) -> bool:
        """Whether the prediction lies outside the interval of the measurement."""
        return self.predicted < self.kl.lower or self.predicted > self.kl.upper


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
    seed : int >= 0
        Of the noise.  Each tensor has a stream of its own, so that it meets the same noise whichever others are
        disturbed, and the same directions at every strength.
    progress : callable, optional
        Called with each result.

    Returns
    -------
    list of Sensitivity

    Raises
    ------
    ValueError
        If the noise is not positive, the seed is impossible, a name is no weight tensor, or the Fisher information
        holds no such tensor (told before anything is disturbed).
    OSError
        As `quantised`.
    """
    if not 0 < noise < float("inf"):
        raise ValueError(f"noise must be positive and finite, got {noise}")
    seed = check_seed(seed)
    tensors = {w.name: w for w in weight_tensors(language_model.model)}
    wanted = list(tensors) if names is None else list(names)
    for name in wanted:
        if name not in tensors:
            raise ValueError(f"{name}: the model has no weight tensor of this name")
        _check_fisher(fisher, name, tensors[name].parameter.numel())
    found = []
    for name in wanted:
        with kept_weights(language_model) as keeper:
            keeper.keep(tensors[name])
            change = _disturb(tensors[name].parameter.data, noise, _stream(seed, name))
            kl = measure_divergence(language_model, reference).mean()
        predicted = float("nan") if fisher is None else fisher.quadratic(name, change)
        found.append(Sensitivity(name, noise, kl, predicted))
        if progress is not None:
            progress(found[-1])
    return found


def _check_fisher(fisher: Fisher | None, name: str, elements: int) -> None:
    if fisher is None:
        return
    if name not in fisher.names:
        raise ValueError(f"{name}: the Fisher information holds no such tensor")
    if fisher.elements(name) != elements:
        raise ValueError(
            f"{name}: the Fisher information must be of {elements} weights, got {fisher.elements(name)}"
        )


def _stream(seed: int, name: str) -> int:
    """Seed of one tensor's noise."""
    return int.from_bytes(sha256(f"{seed} {name}".encode()).digest()[:7])


def _disturb(weights: torch.Tensor, noise: float, seed: int) -> torch.Tensor:
    """Add noise of a size relative to the root mean square; what was added, after rounding, on the CPU."""
    before = weights.to("cpu", copy=True)
    flat = before.reshape(-1)
    starts = range(0, len(flat), _SLICE)
    energy = sum(float(flat[start : start + _SLICE].double().square().sum()) for start in starts)
    change = torch.randn(weights.shape, generator=torch.Generator().manual_seed(seed))
    change *= noise * math.sqrt(energy / weights.numel())
    weights.copy_(before + change)
    wide = torch.promote_types(weights.dtype, torch.float32)
    return weights.to("cpu", wide) - before.to(wide)
