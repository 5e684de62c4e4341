"""A model as its configuration and the headers of its files tell, before any weights are loaded."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitlaw.theory.fitting.model_weights import list_weights, read_config, stored_tensors
from bitlaw.theory.fitting.weight_names import PARTS, layer_of

from ..errors import UsageError

__all__ = ["PARTS", "ModelPlan", "model_folder", "read_model_plan"]

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class ModelPlan:
    """A model as its headers tell.

    Attributes
    ----------
    name : str
    architecture : str
    parameters : int
    stored : int
        Bytes of all values as they are stored.
    element : int
        Bytes of a weight when it is loaded.
    hidden, vocabulary : int
    weights : dict of str to (str, tuple of int)
        Part and shape of each matrix.
    """

    name: str
    architecture: str
    parameters: int
    stored: int
    element: int
    hidden: int
    vocabulary: int
    weights: Mapping[str, tuple[str, tuple[int, ...]]]

    def elements(self, parts: Sequence[str]) -> int:
        """Weights in the matrices of some parts."""
        return sum(math.prod(shape) for part, shape in self.weights.values() if part in parts)

    def ends(self, parts: Sequence[str]) -> set[str]:
        """Matrices of some parts that are the embedding, the head, or lie in the first or the last layer."""
        chosen = {name: (part, layer_of(name)) for name, (part, _) in self.weights.items() if part in parts}
        layers = [layer for _, layer in chosen.values() if layer is not None]
        outer = {min(layers), max(layers)} if layers else set()
        return {name for name, (part, layer) in chosen.items() if part != "decoder" or layer in outer}


def read_model_plan(name: str, dtype: str = "auto") -> ModelPlan:
    """Read configuration and headers of a model that is here.

    Raises
    ------
    UsageError
        If it is not here: a plan downloads and trains nothing.
    FileNotFoundError, ValueError
        As `theory.fitting.list_weights`.
    """
    folder = model_folder(name)
    config = read_config(folder)
    infos = [info for info in stored_tensors(folder).values() if info.skipped is None]
    weights = {weight.name: (weight.part, weight.shape) for weight in list_weights(folder)}
    stored = sum(info.nbytes for info in infos)
    count = sum(math.prod(info.shape) for info in infos)
    text = config.get("text_config", config)
    return ModelPlan(
        name=name,
        architecture=(config.get("architectures") or ["unknown"])[0],
        parameters=count,
        stored=stored,
        element=_BYTES.get(dtype, max(1, round(stored / max(count, 1)))),
        hidden=int(text.get("hidden_size", text.get("n_embd", 0))),
        vocabulary=int(text.get("vocab_size", 0)),
        weights=weights,
    )


def model_folder(name: str) -> Path:
    """Folder of a model that is here.

    Raises
    ------
    UsageError
        If it is not: a plan downloads and trains nothing.
    """
    if name == "embedded":
        if importlib.util.find_spec("torch") is None:
            raise UsageError("--model embedded needs torch: install it with  pip install 'bitlaw[llm]'")
        from bitlaw.llm.embedded import embedded_model_path

        folder = embedded_model_path()
        if not folder.is_dir():
            raise UsageError(
                "the embedded model is not trained yet (a minute or two on two cores, a million weights, 4 MB); "
                "a dry run trains nothing"
            )
        return folder
    if not Path(name).is_dir():
        raise UsageError(f"--model {name}: there is no such folder, and a dry run downloads nothing")
    return Path(name)
