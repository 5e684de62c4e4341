"""Kinds and layers of a model's tensors by their names, and how figures of tensors show them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .model_runs import NotInStudy
from .model_study import ModelParts, ModelStudy
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Tensor", "by_kind", "looks", "mark_layers", "middle", "need_parts", "places", "tensors_of"]

# What common architectures call the matrices of a layer, in the order in which they are applied.
_KINDS = {
    "embedding": (),
    "query": ("q_proj", "wq", "query"),
    "key": ("k_proj", "wk", "key"),
    "value": ("v_proj", "wv", "value"),
    "output": ("o_proj", "wo", "out_proj"),
    "gate": ("gate_proj", "w1"),
    "up": ("up_proj", "w3"),
    "down": ("down_proj", "w2"),
    "head": (),
}
_CALLED = {name: kind for kind, names in _KINDS.items() for name in names}

# Attention in cool colours, the multilayer perceptron in warm ones; Okabe and Ito's other two colours beside style's.
_LOOKS: dict[str, dict[str, Any]] = {
    "embedding": {"color": GREY, "marker": "X"},
    "query": {"color": BLUE, "marker": "o"},
    "key": {"color": "#56B4E9", "marker": "v"},
    "value": {"color": GREEN, "marker": "s"},
    "output": {"color": PURPLE, "marker": "D"},
    "gate": {"color": ORANGE, "marker": "^"},
    "up": {"color": "#E69F00", "marker": "<"},
    "down": {"color": BLACK, "marker": "P"},
    "head": {"color": GREY, "marker": "*"},
}
_MORE = (("h", BLUE), ("p", ORANGE), ("8", GREEN), ("d", PURPLE), ("H", BLACK))

_NUMBER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class Tensor:
    """What a figure says of a tensor; embedding and head have no layer."""

    name: str
    kind: str
    layer: int | None

    @property
    def label(self) -> str:
        """Kind and layer."""
        return self.kind if self.layer is None else f"{self.kind}, layer {self.layer}"


def need_parts(study: ModelStudy) -> ModelParts:
    """What a study keeps of its model.

    Raises
    ------
    NotInStudy
        If it keeps nothing.
    """
    if study.parts is None or not study.parts.statistics:
        raise NotInStudy(
            "the statistics and Fisher information of the model are missing (work folder of the study)"
        )
    return study.parts


def tensors_of(parts: Mapping[str, str]) -> tuple[Tensor, ...]:
    """Kinds and layers of tensors.

    Parameters
    ----------
    parts : mapping of str to str
        "embedding", "decoder" or "head" by name of the tensor.

    Returns
    -------
    tuple of Tensor
        In the order given; a tensor that is known by no common name has its path within the layer as its kind.
    """
    return tuple(_tensor(name, part) for name, part in parts.items())


def _tensor(name: str, part: str) -> Tensor:
    if part != "decoder":
        return Tensor(name, part, None)
    path = name.removesuffix(".weight")
    number = _NUMBER.search(path)
    within = path[number.end() :] if number else path
    kind = _CALLED.get(within.rpartition(".")[2], re.sub(r"\.\d+\b", "", within))
    return Tensor(name, kind, int(number[1]) if number else None)


def by_kind(tensors: Iterable[Tensor]) -> dict[str, list[Tensor]]:
    """Tensors of each kind, kinds in the order in which a model applies them."""
    found: dict[str, list[Tensor]] = {kind: [] for kind in _KINDS if kind != "head"}
    for tensor in tensors:
        found.setdefault(tensor.kind, []).append(tensor)
    found["head"] = found.pop("head", [])
    return {kind: members for kind, members in found.items() if members}


def middle(tensors: Iterable[Tensor]) -> dict[str, Tensor]:
    """One tensor of each kind, in the middle of the layers that have it."""
    return {kind: members[len(members) // 2] for kind, members in by_kind(tensors).items()}


def looks(kinds: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of kinds."""
    spare = iter(_MORE * 10)
    found = {}
    for kind in kinds:
        if kind in _LOOKS:
            found[kind] = _LOOKS[kind]
        else:
            marker, color = next(spare, ("o", GREY))
            found[kind] = {"color": color, "marker": marker}
    return found


def places(tensors: Iterable[Tensor]) -> dict[str, float]:
    """Place of each tensor on an axis of layers, the embedding before the first and the head behind the last."""
    given = list(tensors)
    last = max((tensor.layer for tensor in given if tensor.layer is not None), default=-1)
    return {tensor.name: _place(tensor, last) for tensor in given}


def _place(tensor: Tensor, last: int) -> float:
    if tensor.layer is not None:
        return float(tensor.layer)
    return -1.0 if tensor.kind == "embedding" else last + 1.0


def mark_layers(axes: Axes, tensors: Iterable[Tensor]) -> None:
    """Ticks at some layers, and at embedding and head where there are any."""
    given = list(tensors)
    place = places(given)
    layers = sorted({tensor.layer for tensor in given if tensor.layer is not None})
    shown = layers[:: -(-len(layers) // 8) or 1]
    ticks = {float(layer): str(layer) for layer in shown}
    for tensor in given:
        if tensor.layer is None:
            ticks[place[tensor.name]] = "emb." if tensor.kind == "embedding" else tensor.kind
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xlabel("layer")
