"""Watching every linear map of a model: layers, tied heads, routers, and slices of stacked expert weights.

Linear modules and embeddings are watched by hooks.  Some architectures keep weights outside of such modules (a
router, all experts of a layer in one tensor of three dimensions); their products are caught where they call
`torch.nn.functional.linear`, by the memory that the weight lies in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .models import WeightTensor

__all__ = ["observed_maps"]

OnMap = Callable[[str, int, torch.Tensor, torch.Tensor], None]
OnLookup = Callable[[str, torch.Tensor, torch.Tensor], torch.Tensor]


@contextmanager
def observed_maps(
    model: Any, weights: Iterable[WeightTensor], on_map: OnMap, on_lookup: OnLookup | None = None
) -> Iterator[set[str]]:
    """Call back at every product with one of the weights.

    Parameters
    ----------
    model : nn.Module
    weights : iterable of WeightTensor
    on_map : callable
        Called with the weight's name, the slice of it (expert; 0 for a matrix), the inputs (..., in) and the
        outputs (..., out).
    on_lookup : callable, optional
        Called with the name, the rows looked up and the output of an embedding; returns the output to use.

    Yields
    ------
    set of str
        Names of the weights seen so far.
    """
    names = {_storage(w.parameter): w.name for w in weights}
    owned: set[str] = set()
    seen: set[str] = set()
    with ExitStack() as stack:
        for module in model.modules():
            name = names.get(_storage(getattr(module, "weight", None)))
            if name is None or not isinstance(module, (nn.Linear, nn.Embedding)):
                continue
            owned.add(name)
            if isinstance(module, nn.Linear):
                stack.callback(module.register_forward_hook(_map_hook(name, on_map, seen)).remove)
            elif on_lookup is not None:
                stack.callback(module.register_forward_hook(_lookup_hook(name, on_lookup, seen)).remove)
        loose = {key: name for key, name in names.items() if name not in owned}
        if loose:
            stack.enter_context(_eager_experts(model))
            stack.enter_context(_LooseMaps(loose, on_map, seen))
        yield seen


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


def _storage(tensor: torch.Tensor | None) -> int:
    """Address of the memory that a tensor or a view of it lies in; 0 for none."""
    return 0 if not isinstance(tensor, torch.Tensor) else tensor.untyped_storage().data_ptr()


def _map_hook(name: str, on_map: OnMap, seen: set[str]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        seen.add(name)
        on_map(name, 0, inputs[0], output)

    return hook


def _lookup_hook(name: str, on_lookup: OnLookup, seen: set[str]) -> Callable[..., torch.Tensor]:
    def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        seen.add(name)
        return on_lookup(name, inputs[0], output)

    return hook


class _LooseMaps(TorchFunctionMode):
    """Catches linear maps by weights that belong to no linear module."""

    def __init__(self, names: dict[int, str], on_map: OnMap, seen: set[str]) -> None:
        super().__init__()
        self._names, self._on_map, self._seen = names, on_map, seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func is functional.linear:
            x, weight = args[0], args[1]
            name = self._names.get(_storage(weight))
            if name is not None and weight.ndim == 2:
                self._seen.add(name)
                self._on_map(name, weight.storage_offset() // weight.numel(), x, output)
        return output
