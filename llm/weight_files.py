"""Weights of a model streamed from its files, tensor by tensor, without building the model.

A model that fits in no memory still has tensors that do, and what its weights look like needs no forward pass: any
folder of safetensors will do, of any architecture, encoders included.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import torch
from torch import nn

from ..theory.fitting.model_weights import StoredWeight, list_weights, read_weight
from .models import WeightTensor, locate_model

__all__ = ["fetch_weights", "load_weight", "stream_weights"]

_FILES = ("config.json", "*.safetensors", "*.safetensors.index.json")
# Elements looked at at once.
_SLICE = 1 << 22


def fetch_weights(name: str | os.PathLike[str]) -> Path:
    """Folder of a model's configuration and weights.

    Parameters
    ----------
    name : str or path
        As `load_model` takes it; of a hub id, configuration and safetensors files are fetched unless the cache has
        them.

    Raises
    ------
    ValueError
        If there is no such folder.
    OSError
        If a hub id cannot be fetched (`HF_HUB_OFFLINE=1` is honoured).
    """
    found = locate_model(name)
    if Path(found).is_dir():
        return Path(found)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(found, allow_patterns=list(_FILES)))
    except (OSError, HFValidationError) as error:
        raise OSError(f"{name}: neither a model folder nor a hub id that can be fetched: {error}") from error


def stream_weights(name: str | os.PathLike[str]) -> Iterator[WeightTensor]:
    """Read the weight tensors of a model one after the other.

    Parameters
    ----------
    name : str or path
        A folder with `config.json` and safetensors files, a hub id, or "embedded".

    Returns
    -------
    iterator of WeightTensor
        Those of `weight_tensors(load_model(name).model)`, on the CPU and in the type they are stored in; names, parts
        and order as far as files and configuration tell them (see `theory.fitting.list_weights`).  The iterator
        holds no tensor: drop each before asking for the next, and there is one in memory.

    Raises
    ------
    FileNotFoundError, ValueError, OSError
        At the call, for all that configuration and headers tell, as `fetch_weights` and `list_weights`.  While
        iterating, ValueError for damaged or 8-bit values, or for weights that are NaN or infinite; the file and the
        tensor are named.
    """
    # map, unlike a generator of ours, keeps no reference to the item it handed out last
    return map(load_weight, list_weights(fetch_weights(name), compare_ties=True))


def load_weight(weight: StoredWeight) -> WeightTensor:
    """Read one tensor.

    Raises
    ------
    FileNotFoundError, ValueError
        As `stream_weights` while it is iterated.
    """
    values = _tensor(read_weight(weight))
    flat = values.view(-1)
    for start in range(0, len(flat), _SLICE):
        if not torch.isfinite(flat[start : start + _SLICE]).all():
            raise ValueError(f"{weight.pieces[0].path}: tensor {weight.name!r}: a weight is NaN or infinite")
    return WeightTensor(weight.name, nn.Parameter(values, requires_grad=False), weight.part, weight.tied)


def _tensor(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> torch.Tensor:
    """Tensor of the same memory."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
