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
        By any operation.
    otherwise : set of str
        By an operation that is not known here, perhaps beside the others.
    """

    multiplied: set[str] = field(default_factory=set)
    looked_up: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    otherwise: set[str] = field(default_factory=set)

    @property
    def unknown(self) -> set[str]:
        """Weights that have a use not known here, or none that is."""
        return self.otherwise | (self.used - self.multiplied - self.looked_up)


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
_CONVERSIONS = ("to", "type", "float", "double", "half", "bfloat16", "contiguous", "type_as")


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
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        results = list(_tensors((output,)))
        if name == "__get__" or not results:
            return output
        # What a conversion takes beside its subject tells only a type or a device.
        operands = args[:1] if name in _CONVERSIONS else (*args, *kwargs.values())
        owners = set().union(*(self._owners(tensor) for tensor in _tensors(operands)))
        self._uses.used.update(owners)
        if not owners or self._on_map is None:
            return output
        known, output = self._known(func, name, args, kwargs, output)
        if known is None and not any(
            self._owners(tensor) & owners for tensor in results
        ):  # views are no use yet
            self._uses.otherwise.update(owners)
        return output

    def _owners(self, tensor: torch.Tensor) -> set[str]:
        """Names of the weights in whose memory, or converted copies, a tensor begins."""
        lies = _lies(tensor)
        if lies is None:
            return set()
        storage, pointer = lies
        copied, place = self._converted.get(storage, (None, None))
        if place is not None and copied is not None and copied() is not None:
            return {place.name}
        return {n for start, end, n in self._extents.get(storage, ()) if start <= pointer < end}

    def _known(self, func: Any, name: str, args: Any, kwargs: Any, output: Any) -> tuple[str | None, Any]:
        """Tell of products and look-ups; the weight that was used so or converted, and the output to use."""
        if func is functional.linear:
            inputs, weight = _operand(args, kwargs, 0, "input"), _operand(args, kwargs, 1, "weight")
            return self._product(inputs, weight, output), output
        if name == "addmm" and len(args) > 2 and kwargs.get("alpha", 1) == 1:
            return self._product(args[1], args[2].mT, output), output
        if name in ("matmul", "mm", "__matmul__") and len(args) > 1 and args[1].ndim == 2:
            return self._product(args[0], args[1].mT, output), output
        if func is functional.embedding:
            weight, rows = _operand(args, kwargs, 1, "weight"), _operand(args, kwargs, 0, "input")
            return self._lookup(weight, rows, output)
        if name in _CONVERSIONS and isinstance(output, torch.Tensor):
            return self._convert(args[0], output), output
        return None, output

    def _convert(self, weight: torch.Tensor, output: torch.Tensor) -> str | None:
        """Remember the copy of a whole matrix."""
        place, lies = self._place(weight), _lies(output)
        if place is None or lies is None or not _strided(weight, place) or output is weight:
            return None
        converted = _Place(place.name, place.slot, place.shape, output.stride())
        self._converted[lies[0]] = weakref.ref(output), converted
        return place.name

    def _place(self, tensor: torch.Tensor) -> _Place | None:
        """The matrix, or what it was converted to, that begins where a tensor does."""
        lies = _lies(tensor)
        if lies is None:
            return None
        copied, place = self._converted.get(lies[0], (None, None))
        if copied is not None and copied() is not None:
            return place
        return self._places.get(lies[1])

    def _product(self, inputs: torch.Tensor, weight: torch.Tensor, output: torch.Tensor) -> str | None:
        """Tell of x W^T, if this is one of the weights, or one of them with rows and columns exchanged."""
        place = self._place(weight)
        if place is None or self._on_map is None or weight.ndim != 2 or _lies(inputs) is None:
            return None
        for transposed in (False, True):
            if _strided(weight.mT if transposed else weight, place):
                self._uses.multiplied.add(place.name)
                self._on_map(Product(place.name, place.slot, inputs, output, transposed))
                return place.name
        return None

    def _lookup(
        self, weight: torch.Tensor, rows: torch.Tensor, output: torch.Tensor
    ) -> tuple[str | None, torch.Tensor]:
        place = self._place(weight)
        if place is None or not _strided(weight, place) or _lies(rows) is None:
            return None, output
        self._uses.looked_up.add(place.name)
        return place.name, output if self._on_lookup is None else self._on_lookup(place.name, rows, output)


def _lies(tensor: torch.Tensor) -> tuple[int, int] | None:
    """Storage and first byte of a tensor; none for sparse ones and for what torch.func wraps."""
    try:
        return tensor.untyped_storage().data_ptr(), tensor.data_ptr()
    except RuntimeError:
        return None


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
