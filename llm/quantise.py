"""Formats applied to the weights of a model, tensor by tensor and in place.

A model that fills the memory cannot be held twice, so the weights themselves are overwritten; what they were is read
again from the model's folder where that holds it bit for bit, and kept in the CPU's memory where not (`restore`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from ..theory.fitting.weight_names import layer_of
from ..theory.formats.format import Format
from .format_codec import quantise_tensor
from .models import LanguageModel, Part, WeightTensor, weight_tensors
from .parts import check_parts
from .restore import kept_weights

__all__ = [
    "Assignment",
    "ModelBits",
    "TensorRecord",
    "assign",
    "assign_tensors",
    "model_bits",
    "quantise_weight",
    "quantised",
]

# Name of a weight tensor -> its format; tensors that are not named stay as they are.
Assignment = Mapping[str, Format]

# Elements turned to float64 at once.
_SLICE = 1 << 22


@dataclass(frozen=True)
class TensorRecord:
    """What a format did to one tensor.

    Attributes
    ----------
    name : str
    part : {"embedding", "decoder", "head"}
    format : str
        Its specification.
    elements : int
    rms : float
        Root mean square of the weights before.
    error : float
        R: root mean square of the change, over `rms`.
    gain : float
        Factor on the weights that explains most of what was restored: the inner product of both over that of the
        weights with themselves.  Below 1 the change shrinks all weights together.
    bits : int
        Of everything stored.
    entropy : float
        Of the codes, bits per code.
    """

    name: str
    part: Part
    format: str
    elements: int
    rms: float
    error: float
    gain: float
    bits: int
    entropy: float

    @property
    def bits_per_element(self) -> float:
        """Bits stored for each element."""
        return self.bits / self.elements

    @property
    def squared_error(self) -> float:
        """Sum of the squares of all changes."""
        return self.elements * (self.rms * self.error) ** 2


@dataclass(frozen=True)
class ModelBits:
    """Bits of a whole model, exactly.

    Attributes
    ----------
    total : int
        Of all parameters; those without a format in the type they have.
    parameters : int
    decoder : int
        Of the parameters between embedding and head alone.
    decoder_parameters : int
    """

    total: int
    parameters: int
    decoder: int
    decoder_parameters: int

    @property
    def per_parameter(self) -> float:
        """Bits for each parameter of the model."""
        return self.total / self.parameters

    @property
    def per_decoder_parameter(self) -> float:
        """Bits for each parameter of the decoder."""
        return self.decoder / self.decoder_parameters


def assign(
    model: nn.Module,
    format: Format,
    *,
    parts: Iterable[Part] = ("decoder",),
    ends: Format | None = None,
) -> dict[str, Format]:
    """One format for all tensors of some parts of a model, another one for its ends if wished.

    Parameters
    ----------
    model : nn.Module
    format : Format
    parts : iterable of {"embedding", "decoder", "head"}
    ends : Format, optional
        For the tensors of the first and the last layer of the decoder, and for the embedding and the head where
        they are among the parts, as rules of thumb have it.

    Returns
    -------
    dict of str to Format

    Raises
    ------
    ValueError
        If a part is unknown, or nothing is left to quantise.
    """
    return assign_tensors([(w.name, w.part) for w in weight_tensors(model)], format, parts=parts, ends=ends)


def assign_tensors(
    tensors: Iterable[tuple[str, Part]],
    format: Format,
    *,
    parts: Iterable[Part] = ("decoder",),
    ends: Format | None = None,
) -> dict[str, Format]:
    """`assign`, for tensors by name and part.

    Raises
    ------
    ValueError
        As `assign`.
    """
    wanted = check_parts(parts)
    chosen = {name: part for name, part in tensors if part in wanted}
    if not chosen:
        raise ValueError(f"the model has no weights in {', '.join(wanted)}")
    layers = [layer for name in chosen if (layer := layer_of(name)) is not None]
    outer = {min(layers), max(layers)} if layers else set()
    return {
        name: ends if ends is not None and (part != "decoder" or layer_of(name) in outer) else format
        for name, part in chosen.items()
    }


@contextmanager
def quantised(
    language_model: LanguageModel,
    assignment: Assignment,
    *,
    progress: Callable[[TensorRecord], object] | None = None,
) -> Iterator[list[TensorRecord]]:
    """Overwrite weights by what their formats restore, for as long as the context lasts.

    Parameters
    ----------
    language_model : LanguageModel
    assignment : mapping of str to Format
    progress : callable, optional
        Called with each tensor's record.

    Yields
    ------
    list of TensorRecord
        In the order of the model.

    Raises
    ------
    ValueError
        If a name is no weight tensor of the model, or a tensor cannot be stored (its name is given); all weights are
        as before then.
    OSError
        If weights were to be read again from the model's folder, and its files were overwritten meanwhile.
    """
    tensors = {w.name: w for w in weight_tensors(language_model.model)}
    unknown = [name for name in assignment if name not in tensors]
    if unknown:
        raise ValueError(f"{unknown[0]}: the model has no weight tensor of this name")
    with kept_weights(language_model) as keeper:
        records = []
        for name, tensor in tensors.items():
            if name in assignment:
                keeper.keep(tensor)
                records.append(_overwrite(tensor, assignment[name]))
                if progress is not None:
                    progress(records[-1])
        yield records


def _overwrite(tensor: WeightTensor, format: Format) -> TensorRecord:
    record, restored = quantise_weight(tensor, format)
    tensor.parameter.data.copy_(restored)
    return record


def quantise_weight(tensor: WeightTensor, format: Format) -> tuple[TensorRecord, torch.Tensor]:
    """What a format does to a tensor, and what it restores.

    Raises
    ------
    ValueError
        If the tensor cannot be stored (its name is given).
    """
    before = tensor.parameter.detach()
    try:
        found = quantise_tensor(format, before)
    except (ValueError, TypeError) as failure:
        raise ValueError(f"{tensor.name}: {failure}") from failure
    energy, squares, product = _sums(before, found.restored)
    record = TensorRecord(
        name=tensor.name,
        part=tensor.part,
        format=str(format),
        elements=before.numel(),
        rms=math.sqrt(energy / max(before.numel(), 1)),
        error=math.sqrt(squares / energy) if energy > 0 else 0.0,
        gain=product / energy if energy > 0 else 1.0,
        bits=found.bits,
        entropy=found.entropy,
    )
    return record, found.restored


def _sums(weights: torch.Tensor, restored: torch.Tensor) -> tuple[float, float, float]:
    """Squares of the weights, squares of the change, and products of both tensors, summed in float64."""
    flat, other = weights.reshape(-1), restored.reshape(-1)
    sums = torch.zeros(3, dtype=torch.float64, device=weights.device)
    for start in range(0, len(flat), _SLICE):
        x, y = (values[start : start + _SLICE].double() for values in (flat, other))
        sums += torch.stack([x @ x, (y - x).square().sum(), x @ y])
    energy, squares, product = sums.tolist()
    return energy, squares, product


def model_bits(model: nn.Module, records: Iterable[TensorRecord]) -> ModelBits:
    """Count the bits of a model some of whose tensors are stored in formats."""
    stored = {record.name: record.bits for record in records}
    parts = {w.name: w.part for w in weight_tensors(model)}
    total = parameters = decoder = decoder_parameters = 0
    for name, parameter in model.named_parameters():
        bits = stored.get(name, parameter.numel() * parameter.element_size() * 8)
        total, parameters = total + bits, parameters + parameter.numel()
        if parts.get(name, "decoder") == "decoder":
            decoder, decoder_parameters = decoder + bits, decoder_parameters + parameter.numel()
    return ModelBits(total, parameters, decoder, decoder_parameters)
