"""A model as its configuration and the headers of its files tell, before any weights are loaded."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlaw.theory.fitting import list_tensors

from .errors import UsageError

__all__ = ["PARTS", "ModelPlan", "read_model_plan"]

PARTS = ("embedding", "decoder", "head")

# Names of modules as the architectures of transformers have them.
_TOWERS = ("vision", "visual", "image", "audio", "multi_modal_projector", "mm_projector")
_EMBEDDINGS = ("embed_tokens", "wte", "embed_in", "word_embeddings", "tok_embeddings")
_HEADS = ("lm_head", "embed_out", "output")
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


def read_model_plan(name: str, dtype: str = "auto") -> ModelPlan:
    """Read configuration and headers of a model that is here.

    Raises
    ------
    UsageError
        If it is not here: a plan downloads and trains nothing.
    """
    folder = _folder(name)
    config = _config(folder)
    infos = [info for info in list_tensors(folder) if info.skipped is None]
    weights = {
        info.name: (_part(info.name), info.shape)
        for info in infos
        if len(info.shape) >= 2 and not _in_tower(info.name)
    }
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


def _folder(name: str) -> Path:
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


def _config(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder}: the folder holds no config.json, so it is no model of transformers"
        ) from None
    except ValueError as error:
        raise UsageError(f"{folder / 'config.json'}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise UsageError(f"{folder / 'config.json'}: not the configuration of a model")
    return content


def _part(name: str) -> str:
    pieces = name.split(".")
    if any(piece in _EMBEDDINGS for piece in pieces):
        return "embedding"
    return "head" if any(piece in _HEADS for piece in pieces[:-1][:2]) else "decoder"


def _in_tower(name: str) -> bool:
    return any(piece.startswith(tower) for piece in name.split(".") for tower in _TOWERS)
