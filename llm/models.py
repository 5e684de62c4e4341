"""Causal language models by folder, hub id or the name `embedded`, and the tensors in them that hold weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..theory.fitting.weight_names import Part, in_tower, is_bias
from .argument_checks import check_choice
from .device_maps import DeviceMap, check_device_map, check_in_reach, pick_device
from .embedded import embedded_model_folder
from .loading import check_architecture, read_model, read_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "DTYPES",
    "EMBEDDED",
    "LanguageModel",
    "Part",
    "WeightTensor",
    "load_model",
    "locate_model",
    "pick_device",
    "weight_tensors",
]

EMBEDDED = "embedded"
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A model with its tokenizer.

    Attributes
    ----------
    name : str
        What it was asked for by.
    model : PreTrainedModel
        In evaluation mode, without gradients.
    tokenizer : PreTrainedTokenizerBase
    folder : Path, optional
        Where it was loaded from; weights that are overwritten are read again from there instead of kept, where
        the files hold them bit for bit.

    Raises
    ------
    ValueError
        If weights are offloaded (kept on the disk, or in the CPU's memory for a GPU): between calls such a model
        has no weights to read or to overwrite.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    folder: Path | None = None

    def __post_init__(self) -> None:
        check_in_reach(self.name, self.model)

    @property
    def device(self) -> torch.device:
        """Device of the first parameter, where inputs go; others may lie elsewhere."""
        device: torch.device = next(self.model.parameters()).device
        return device


@dataclass(frozen=True, eq=False)
class WeightTensor:
    """A tensor of weights that a format may store.

    Attributes
    ----------
    name : str
        Of the parameter; of the first one where several share the tensor.
    parameter : torch.nn.Parameter
        Two or three dimensions (rows are outputs, in GPT-2 and its kin inputs; experts come first), blocks run along
        the last.
    part : {"embedding", "decoder", "head"}
    tied : tuple of str
        Other names of the same storage.
    """

    name: str
    parameter: nn.Parameter
    part: Part
    tied: tuple[str, ...] = ()


def load_model(
    name: str | os.PathLike[str] = EMBEDDED,
    *,
    device: str = "auto",
    dtype: str = "auto",
    device_map: DeviceMap | None = None,
    trust_remote_code: bool = False,
) -> LanguageModel:
    """Load a causal language model with its tokenizer.

    Parameters
    ----------
    name : str or path
        A local folder in the form of transformers, a hub id, or "embedded".
    device : str
        Where it goes: "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:N".
    dtype : {"auto", "float32", "bfloat16", "float16"}
        Type of the weights; "auto" is the one they are stored in.
    device_map : str or mapping of str to str or int, optional
        Instead of `device`, by means of the accelerate library: "auto", "balanced", "balanced_low_0" or "sequential"
        spread the layers over all GPUs; a mapping gives modules by name their device.
    trust_remote_code : bool
        Whether code that lies beside the weights may run.

    Returns
    -------
    LanguageModel

    Raises
    ------
    ValueError
        If the folder is missing or holds no causal model, the architecture, dtype or device is unknown, there is
        no tokenizer, weights are damaged, missing, of another shape, NaN or infinite, `device_map` comes with a
        `device` or without accelerate, or the devices have no room for all weights.
    OSError
        If a hub id cannot be fetched (`HF_HUB_OFFLINE=1` is honoured).
    """
    folder = locate_model(name)
    kind = _dtype(dtype)
    target = pick_device(device)
    if device_map is not None:
        check_device_map(device_map, device)
    check_architecture(str(name), folder, trust_remote_code=trust_remote_code)
    tokenizer = read_tokenizer(str(name), folder, trust_remote_code=trust_remote_code)
    model = read_model(
        str(name), folder, dtype=kind, device_map=device_map, trust_remote_code=trust_remote_code
    )
    if device_map is None:
        model = model.to(target)
    return LanguageModel(str(name), model.eval().requires_grad_(False), tokenizer, _fetched(folder))


def _fetched(name: str) -> Path | None:
    """Folder on this machine of a model that has been loaded; None where there is none to be found."""
    from transformers.utils import cached_file

    if Path(name).is_dir():
        return Path(name).resolve()
    try:
        config = cached_file(name, "config.json", local_files_only=True)
    except OSError:
        return None
    return None if config is None else Path(config).parent


def locate_model(name: str | os.PathLike[str]) -> str:
    """Folder or hub id of a name; the embedded model is trained where it is not there yet.

    Raises
    ------
    ValueError
        If the name can only be a folder, and there is none, or it holds no model.
    """
    if str(name) == EMBEDDED:
        return str(embedded_model_folder())
    path = Path(name)
    if not str(name):
        raise ValueError("the name of a model must not be empty")
    if path.is_file():
        raise ValueError(f"{name}: is a file, the folder of a model was expected")
    if path.is_dir() and not (path / "config.json").exists():
        raise ValueError(f"{name}: the folder holds no config.json, so it is no model of transformers")
    if not path.is_dir() and (path.is_absolute() or str(name).startswith(".") or str(name).count("/") > 1):
        raise ValueError(f"{name}: there is no such folder")
    return str(name)


def _dtype(name: str) -> torch.dtype | str:
    check_choice("dtype", name, DTYPES)
    kind: torch.dtype | str = name if name == "auto" else getattr(torch, name)
    return kind


def weight_tensors(model: nn.Module) -> Iterator[WeightTensor]:
    """Weight tensors of a language model, each storage once.

    Parameters
    ----------
    model : nn.Module
        A causal model of transformers, or any module.

    Yields
    ------
    WeightTensor
        Floating parameters of two or more dimensions, in the order of the model; vision and audio towers are
        left out, norms and biases too.  Tables of positions are embeddings, as those of tokens are.
    """
    names: dict[int, list[str]] = {}
    parameters: dict[int, nn.Parameter] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if parameter.ndim >= 2 and parameter.is_floating_point() and not _left_out(name):
            names.setdefault(id(parameter), []).append(name)
            parameters[id(parameter)] = parameter
    looked_up, head = _ends(model)
    for key, (first, *others) in names.items():
        part: Part = "embedding" if key in looked_up else "head" if key == head else "decoder"
        yield WeightTensor(first, parameters[key], part, tuple(others))


def _left_out(name: str) -> bool:
    return in_tower(name) or is_bias(name)


def _ends(model: nn.Module) -> tuple[set[int], int]:
    """Identities of all weights that are looked up, and of that of the output head (-1 where there is none)."""
    looked_up = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    found = []
    for getter in ("get_input_embeddings", "get_output_embeddings"):
        try:
            module = getattr(model, getter, lambda: None)()
        except NotImplementedError:
            module = None
        weight = getattr(module, "weight", None)
        found.append(id(weight) if isinstance(weight, nn.Parameter) else -1)
    return looked_up | {found[0]}, found[1]
