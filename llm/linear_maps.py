"""Watching what a model does with its weights: products, look-ups, and anything else.

Every operation of torch passes by while a model runs; those with a weight among their operands are told apart by the
memory that the weight lies in.  So it does not matter which module multiplies: linear layers, tied heads, routers,
layers that store inputs as rows (GPT-2), slices of stacked experts.  The catch: a product is known as `linear`,
`addmm` or `matmul` of a whole matrix; a weight that is used in another way is told as such.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .models import WeightTensor

__all__ = ["Product", "Uses", "observed_maps", "used_weights"]


@dataclass(frozen=True, eq=False)
class Product:
    """One multiplication of a batch of inputs with a weight.

    Attributes
    ----------
    name : str
        Of the weight.
    slot : int
        Which matrix of a stack (expert); 0 for a matrix.
    inputs : torch.Tensor, shape (..., in)
    outputs : torch.Tensor, shape (..., out)
    transposed : bool
        Whether the weight has a row for each input, as in GPT-2, rather than for each output.
    """

    name: str
    slot: int
    inputs: torch.Tensor
    outputs: torch.Tensor
    transposed: bool


@dataclass(frozen=True)
class Uses:
    """Names of the weights met so far.

    Attributes
    ----------
    multiplied, looked_up : set of str
        In products and by embeddings.
    used : set of str
        By any operation; one that is in neither of the others was used in a way that is not known here.
    """

    multiplied: set[str] = field(default_factory=set)
    looked_up: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    @property
    def unknown(self) -> set[str]:
        """Weights used in none of the known ways."""
        return self.used - self.multiplied - self.looked_up


OnMap = Callable[[Product], None]
OnLookup = Callable[[str, torch.Tensor, torch.Tensor], torch.Tensor]


@contextmanager
def observed_maps(
    model: Any, weights: Iterable[WeightTensor], on_map: OnMap, on_lookup: OnLookup | None = None
) -> Iterator[Uses]:
    """Call back at every product with one of the weights.

    Parameters
    ----------
    model : nn.Module
    weights : iterable of WeightTensor
    on_map : callable
        Called with each product.
    on_lookup : callable, optional
        Called with the name, the rows looked up and the output of an embedding; returns the output to use.

    Yields
    ------
    Uses
        Of the weights, so far.
    """
    uses = Uses()
    with _eager_experts(model), _Watch(weights, uses, on_map, on_lookup):
        yield uses


@contextmanager
def used_weights(weights: Iterable[WeightTensor]) -> Iterator[set[str]]:
    """Names of the weights that any operation has used so far; the model runs as it always does."""
    uses = Uses()
    with _Watch(weights, uses):
        yield uses.used


@contextmanager
def _eager_experts(model: Any) -> Iterator[None]:
    """Experts one at a time, as plain linear maps."""
    if not hasattr(model, "set_experts_implementation"):
        yield
        return
    before = model.get_experts_implementation()
    model.set_experts_implementation("eager")
    try:
        yield
    finally:
        model.set_experts_implementation(before)


@dataclass(frozen=True)
class _Place:
    """A matrix in memory."""

    name: str
    slot: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


# Conversions whose result stands for the weight.
_CONVERSIONS = ("to", "type", "float", "double", "half", "bfloat16", "contiguous")


class _Watch(TorchFunctionMode):
    """Sees every operation of torch, and finds the weights in it."""

    def __init__(
        self,
        weights: Iterable[WeightTensor],
        uses: Uses,
        on_map: OnMap | None = None,
        on_lookup: OnLookup | None = None,
    ) -> None:
        super().__init__()
        self._uses, self._on_map, self._on_lookup = uses, on_map, on_lookup
        self._extents: dict[int, list[tuple[int, int, str]]] = {}  # by storage: first byte, end, name
        self._places: dict[int, _Place] = {}
        self._converted: dict[int, tuple[weakref.ref[torch.Tensor], _Place]] = {}
        for w in weights:
            if not w.parameter.numel():
                continue
            start, size = w.parameter.data_ptr(), w.parameter.numel() * w.parameter.element_size()
            extents = self._extents.setdefault(w.parameter.untyped_storage().data_ptr(), [])
            extents.append((start, start + size, w.name))
            for slot, matrix in enumerate(w.parameter.detach() if w.parameter.ndim > 2 else [w.parameter]):
                place = _Place(w.name, slot, tuple(matrix.shape), matrix.stride())
                self._places[matrix.data_ptr()] = place

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name != "__get__" and any(True for _ in _tensors((output,))):
            operands = (*args, *(kwargs or {}).values())
            for tensor in _tensors(operands):
                extents = self._extents.get(tensor.untyped_storage().data_ptr(), ())
                self._uses.used.update(n for start, end, n in extents if start <= tensor.data_ptr() < end)
            if self._on_map is not None:
                return self._known(func, name, args, kwargs or {}, output)
        return output

    def _known(self, func: Any, name: str, args: Any, kwargs: Any, output: Any) -> Any:
        """Tell of products and look-ups; the output to use."""
        if func is functional.linear:
            self._product(_operand(args, kwargs, 0, "input"), _operand(args, kwargs, 1, "weight"), output)
        elif name == "addmm" and len(args) > 2:
            self._product(args[1], args[2].mT, output)
        elif name in ("matmul", "mm", "__matmul__") and len(args) > 1 and args[1].ndim == 2:
            self._product(args[0], args[1].mT, output)
        elif func is functional.embedding:
            weight, rows = _operand(args, kwargs, 1, "weight"), _operand(args, kwargs, 0, "input")
            return self._lookup(weight, rows, output)
        elif name in _CONVERSIONS and isinstance(output, torch.Tensor):
            place = self._places.get(args[0].data_ptr()) if isinstance(args[0], torch.Tensor) else None
            if place is not None and _strided(args[0], place) and output is not args[0]:
                converted = _Place(place.name, place.slot, place.shape, output.stride())
                self._converted[output.data_ptr()] = weakref.ref(output), converted
        return output

    def _place(self, pointer: int) -> _Place | None:
        """The matrix, or what it was converted to, that lies at an address."""
        known, place = self._converted.get(pointer, (None, None))
        if known is not None and known() is not None:
            return place
        return self._places.get(pointer)

    def _product(self, inputs: torch.Tensor, weight: torch.Tensor, output: torch.Tensor) -> None:
        """Tell of x W^T, if this is one of the weights, or one of them with rows and columns exchanged."""
        place = self._place(weight.data_ptr())
        if place is None or self._on_map is None or weight.ndim != 2:
            return
        for transposed in (False, True):
            if _strided(weight.mT if transposed else weight, place):
                self._uses.multiplied.add(place.name)
                self._on_map(Product(place.name, place.slot, inputs, output, transposed))
                return

    def _lookup(self, weight: torch.Tensor, rows: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        place = self._place(weight.data_ptr())
        if place is None or not _strided(weight, place):
            return output
        self._uses.looked_up.add(place.name)
        return output if self._on_lookup is None else self._on_lookup(place.name, rows, output)


def _strided(tensor: torch.Tensor, place: _Place) -> bool:
    return tuple(tensor.shape) == place.shape and tensor.stride() == place.strides


def _operand(args: Any, kwargs: Any, index: int, name: str) -> torch.Tensor:
    found: torch.Tensor = args[index] if len(args) > index else kwargs[name]
    return found


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Tensors among values, and in lists and tuples of them."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (one for one in value if isinstance(one, torch.Tensor))
