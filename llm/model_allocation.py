"""What an allocation of formats is: the tensors' formats, what is predicted of them, and the uniform control."""

from __future__ import annotations

from dataclasses import dataclass

from ..theory import Format
from .divergence import Divergence
from .tensor_prediction import TensorPrediction

__all__ = ["ModelAllocation", "TensorAllocation", "UniformControl", "compare_measured"]

# Predicted divergences that differ by less are called equal: predictions are far coarser.
_EQUAL = 1e-6


@dataclass(frozen=True, eq=False)
class TensorAllocation:
    """The format of one tensor.

    Attributes
    ----------
    prediction : TensorPrediction
        Of the chosen format; it holds name, elements, bits per element and R.
    kl : float
        Predicted contribution to the KL divergence, in nats per token.
    """

    prediction: TensorPrediction
    kl: float

    @property
    def name(self) -> str:
        """Name of the tensor."""
        return self.prediction.name

    @property
    def format(self) -> Format:
        """The chosen format."""
        return self.prediction.format


@dataclass(frozen=True, eq=False)
class UniformControl:
    """One format for all tensors that are free to choose: the best within the budget.

    Attributes
    ----------
    format : Format
    tensors : tuple of TensorAllocation
        Fixed tensors in their format; those whose floor forbids the format in the smallest one allowed.
    bits_per_element : float
    kl : float
        Predicted, in nats per token.
    interpolated_kl : float or None
        Between single formats at the allocation's own bits (log KL against bits); None where no single format has as
        many bits.
    """

    format: Format
    tensors: tuple[TensorAllocation, ...]
    bits_per_element: float
    kl: float
    interpolated_kl: float | None

    @property
    def assignment(self) -> dict[str, Format]:
        """Formats by name of the tensor, as `quantised` takes them."""
        return {tensor.name: tensor.format for tensor in self.tensors}


@dataclass(frozen=True, eq=False)
class ModelAllocation:
    """A format for each tensor.

    Attributes
    ----------
    tensors : tuple of TensorAllocation
        In the order of the statistics.
    kl : float
        Predicted KL divergence, in nats per token.
    bound : float
        No choice within the budget has a lower prediction.
    slope : float
        Predicted KL that one more bit in all would save.
    bits_per_element : float
        Over the tensors of the allocation, as predicted.
    budget : float
        In bits per element.
    feasible : tuple of float
        Bits per element that any choice needs, and beyond which no choice is better.
    uniform : UniformControl or None
        None where no single format fits or nothing is free.
    free : int
        Tensors that were not given a format.
    """

    tensors: tuple[TensorAllocation, ...]
    kl: float
    bound: float
    slope: float
    bits_per_element: float
    budget: float
    feasible: tuple[float, float]
    uniform: UniformControl | None
    free: int

    @property
    def assignment(self) -> dict[str, Format]:
        """Formats by name of the tensor, as `quantised` takes them."""
        return {tensor.name: tensor.format for tensor in self.tensors}

    @property
    def gap(self) -> float:
        """Predicted KL above the bound: 0 where the choice is proved optimal."""
        return max(self.kl - self.bound, 0.0)

    @property
    def uniform_is_as_good(self) -> bool:
        """Whether single formats are predicted to do as well at these bits."""
        control = self.uniform
        if control is None:
            return False
        rivals = [control.kl, *([] if control.interpolated_kl is None else [control.interpolated_kl])]
        return min(rivals) <= self.kl * (1 + _EQUAL)

    @property
    def statement(self) -> str:
        """The allocation beside its control, in words."""
        if not self.free:
            return (
                f"The format of every tensor was given, so nothing was chosen: {self.bits_per_element:.4f} bits per "
                f"element of {self.budget:.4f} allowed, predicted KL {self.kl:.4g}."
            )
        words = [
            f"{self.bits_per_element:.4f} bits per element of {self.budget:.4f} allowed: predicted KL {self.kl:.4g} "
            + (
                "(duality gap 0: optimal)."
                if self.gap <= _EQUAL * self.kl
                else f"(duality gap {self.gap:.2g}: no choice is better by more)."
            )
        ]
        control = self.uniform
        if control is None:
            return words[0] + " No single format fits the budget."
        words.append(
            f"Uniform {control.format}: {control.bits_per_element:.4f} bits, predicted KL {control.kl:.4g}."
        )
        rival, whose = control.kl, "its"
        differ = abs(control.bits_per_element - self.bits_per_element) > _EQUAL * self.bits_per_element
        if differ and control.interpolated_kl is not None:
            rival, whose = control.interpolated_kl, "that"
            words.append(f"Between uniform formats at the allocation's bits: KL {rival:.4g}.")
        if self.uniform_is_as_good:
            words.append("Uniform is as good: the allocation gains nothing.")
        else:
            words.append(f"The allocation is predicted to have {self.kl / rival:.3g} of {whose} KL.")
        return " ".join(words)


def compare_measured(
    allocated: Divergence, other: Divergence, confidence: float = 0.95, *, name: str = "uniform"
) -> str:
    """Say which of two measurements on the same sequences is better, with the interval of the difference.

    Parameters
    ----------
    allocated, other : Divergence
    confidence : float
    name : str
        Of the other side.

    Raises
    ------
    ValueError
        If they were not measured on the same sequences.
    """
    difference = allocated.less(other, confidence)
    if difference.upper < 0:
        verdict = "the allocation is better"
    elif difference.lower > 0:
        verdict = f"{name} is better"
    else:
        verdict = "no difference beyond the interval"
    return (
        f"measured KL {allocated.kl.mean():.4g} allocated, {other.kl.mean():.4g} {name}: {verdict} "
        f"(difference {difference}, {confidence:.0%})"
    )
