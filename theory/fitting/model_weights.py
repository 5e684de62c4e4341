"""The matrices of a language model in a folder of safetensors files, told from headers and read one at a time.

Names are those that the transformers library gives the parameters when it loads the model, as far as files and
configuration tell them:

- experts that are stored one by one, which it stacks, are one tensor of three dimensions: `experts.gate_up_proj`
  (gate above up) and `experts.down_proj`;
- the base model's prefix is put before names of a causal model that lack it;
- a head that shares the embedding's storage is a second name of that tensor.

What cannot be told without building the model keeps the name on file: renamed modules of single architectures
(GPT-NeoX's `embed_out`, the experts of Granite), and language models inside models of pictures.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .safetensors_files import list_safetensors, read_entry, read_header, shard_paths
from .tensor_info import AnyArray, TensorFileError, TensorInfo
from .weight_names import Part, in_tower, is_bias, model_order, part_of

__all__ = ["StoredWeight", "list_weights", "read_config", "read_weight", "stored_tensors"]

_EXPERT = re.compile(r"(.+\.experts)\.(\d+)\.(w1|w2|w3|gate_proj|up_proj|down_proj)\.weight")
_ROLES = {"w1": "gate", "gate_proj": "gate", "w3": "up", "up_proj": "up", "w2": "down", "down_proj": "down"}
_STACKS = {"gate_up_proj": ("gate", "up"), "down_proj": ("down",)}

# First words of names without the base model's prefix, and that prefix.
_PREFIXES = {
    "model": ("layers", "embed_tokens", "decoder"),
    "transformer": ("wte", "wpe", "h", "word_embeddings"),
}
_HEAD = "lm_head.weight"

# Values compared at once.
_SLICE = 1 << 24


@dataclass(frozen=True)
class StoredWeight:
    """A matrix of a model, or a stack of them, and where it lies.

    Attributes
    ----------
    name : str
    part : {"embedding", "decoder", "head"}
    shape : tuple of int
    pieces : tuple of TensorInfo
        The tensors on file that make it up, flat and one after the other.
    tied : tuple of str
        Other names of the same storage.
    """

    name: str
    part: Part
    shape: tuple[int, ...]
    pieces: tuple[TensorInfo, ...]
    tied: tuple[str, ...] = ()


def list_weights(folder: str | os.PathLike[str], *, compare_ties: bool = False) -> list[StoredWeight]:
    """List the matrices of a model from its configuration and the headers of its files.

    Parameters
    ----------
    folder : path
        With `config.json` and safetensors files; the architecture need not be known to any library.
    compare_ties : bool
        Where the files hold an embedding and a head that the configuration ties: whether values are read to see
        that they are the same (transformers does so, and keeps two that differ).

    Returns
    -------
    list of StoredWeight
        Floating tensors of two or more dimensions in the order of the model, without biases and without towers
        for pictures and sound.

    Raises
    ------
    FileNotFoundError
        If the configuration, all weights or a shard that the index names are missing.
    ValueError
        If the configuration or a file is damaged (`TensorFileError`, which names the file), a tensor occurs
        twice or is missing from the shard that should hold it, or the weights are quantised already.
    """
    folder = Path(folder)
    config = read_config(folder)
    if config.get("quantization_config"):
        method = dict(config["quantization_config"]).get("quant_method", "some method")
        raise ValueError(
            f"{folder}: the weights are quantised already ({method}), so they are not those trained"
        )
    infos = stored_tensors(folder)
    names = _model_names(infos, config)
    matrices = [
        i for i in infos.values() if len(i.shape) >= 2 and not in_tower(i.name) and not is_bias(i.name)
    ]
    stacks, single = _stacked([info for info in matrices if info.skipped is None])
    weights = [StoredWeight(names[i.name], part_of(names[i.name]), i.shape, (i,)) for i in single]
    weights = sorted(weights + stacks, key=lambda weight: model_order(weight.name))
    return _tied(weights, config, compare_ties)


def stored_tensors(folder: Path) -> dict[str, TensorInfo]:
    """All tensors of a model by their names on file, from the headers of the files that transformers would read.

    Raises
    ------
    FileNotFoundError, TensorFileError
        As `list_weights`.
    """
    single = folder / "model.safetensors"
    files = [single] if single.is_file() else shard_paths(folder)
    found: dict[str, TensorInfo] = {}
    for info in (info for file in files for info in list_safetensors(file)):
        if info.name in found:
            raise TensorFileError(info.path, f"tensor {info.name!r} is in {found[info.name].path.name} too")
        found[info.name] = info
    for index in () if files == [single] else folder.glob("*.safetensors.index.json"):
        for name, file in json.loads(index.read_text(encoding="utf-8"))["weight_map"].items():
            if name not in found:
                raise TensorFileError(folder / file, f"lacks the tensor {name!r} that {index.name} promises")
    return found


def read_config(folder: Path) -> dict[str, Any]:
    """Read the configuration of a model.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or it is not a JSON object.
    """
    file = folder / "config.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{folder}: the folder holds no config.json, so it is no model of transformers"
        ) from None
    except ValueError as error:
        raise ValueError(f"{file}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: not the configuration of a model")
    return content


def read_weight(weight: StoredWeight) -> AnyArray:
    """Read one matrix.

    Returns
    -------
    ndarray
        Of the shape and the type that are stored.

    Raises
    ------
    FileNotFoundError, TensorFileError
        If a file has gone, is damaged, or holds values of eight bits; file and tensor are named.
    """
    for info in weight.pieces:
        if info.dtype.startswith("float8"):
            raise TensorFileError(
                info.path, f"tensor {info.name!r} is of {info.dtype}: its scales are unknown"
            )
    if len(weight.pieces) == 1:
        return _read(weight.pieces[0]).reshape(weight.shape)
    first = _read(weight.pieces[0])
    whole = np.empty((len(weight.pieces), *first.shape), dtype=first.dtype)
    whole[0] = first
    for place, info in enumerate(weight.pieces[1:], 1):
        whole[place] = _read(info)
    return whole.reshape(weight.shape)


def _read(info: TensorInfo) -> AnyArray:
    entries, origin = read_header(info.path)
    if info.name not in entries:
        raise TensorFileError(info.path, f"tensor {info.name!r} is no longer there")
    return read_entry(info, entries[info.name], origin)


def _causal(config: Mapping[str, Any]) -> bool:
    architecture = str((config.get("architectures") or [""])[0])
    return architecture.endswith(("ForCausalLM", "LMHeadModel"))


def _model_names(infos: Iterable[str], config: Mapping[str, Any]) -> dict[str, str]:
    """Names of the parameters by those on file."""
    names = {name: name for name in infos}
    if any(".block_sparse_moe.experts.0." in name for name in names):
        names = {name: new.replace(".block_sparse_moe.", ".mlp.") for name, new in names.items()}
    for prefix, words in _PREFIXES.items():
        if _causal(config) and not any(name.startswith(f"{prefix}.") for name in names):
            names = {
                name: f"{prefix}.{new}" if new.split(".")[0] in words else new for name, new in names.items()
            }
    return names


def _stacked(infos: Iterable[TensorInfo]) -> tuple[list[StoredWeight], list[TensorInfo]]:
    """Stacks of experts, and all other tensors; experts that do not make up a stack stay single."""
    experts: dict[str, dict[tuple[int, str], TensorInfo]] = defaultdict(dict)
    single = []
    for info in infos:
        match = _EXPERT.fullmatch(info.name)
        known = match and experts[match[1]].setdefault((int(match[2]), _ROLES[match[3]]), info)
        if known is not info:
            single.append(info)
    stacks = []
    for prefix, members in experts.items():
        found = _stacks(prefix, members)
        stacks += found
        if not found:
            single += members.values()
    return stacks, single


def _stacks(prefix: str, members: Mapping[tuple[int, str], TensorInfo]) -> list[StoredWeight]:
    """Tensors of all experts of a layer; none where one is missing or differs."""
    count = 1 + max(number for number, _ in members)
    if len(members) < 3 * count or any(len(piece.shape) != 2 for piece in members.values()):
        return []
    found = []
    for leaf, roles in _STACKS.items():
        keys = [(number, role) for number in range(count) for role in roles]
        pieces = tuple(members[key] for key in keys)
        if len({(piece.shape, piece.dtype) for piece in pieces}) > 1:
            return []
        rows, columns = pieces[0].shape
        name = f"{prefix.replace('.block_sparse_moe.', '.mlp.')}.{leaf}"
        found.append(StoredWeight(name, "decoder", (count, rows * len(roles), columns), pieces))
    return found


def _tied(weights: list[StoredWeight], config: Mapping[str, Any], compare: bool) -> list[StoredWeight]:
    """The same weights with an embedding and a head of one storage as one."""
    embedding = next((weight for weight in weights if weight.part == "embedding"), None)
    head = next((weight for weight in weights if weight.part == "head"), None)
    text = config.get("text_config") or {}
    ties = config.get("tie_word_embeddings", text.get("tie_word_embeddings"))
    # Old configurations leave the key out; a causal model has a head all the same.
    if embedding is None or not _causal(config) or ties is False or (ties is None and head is not None):
        return weights
    if head is None:
        name = _HEAD
    elif head.shape == embedding.shape and not (compare and not _same_values(embedding, head)):
        name = head.name
    else:
        return weights
    both = replace(embedding, tied=(name,))
    return [both if weight is embedding else weight for weight in weights if weight is not head]


def _same_values(one: StoredWeight, other: StoredWeight) -> bool:
    """Whether two weights of one piece hold the same bytes."""
    (a, b) = (weight.pieces[0] for weight in (one, other))
    if (a.dtype, a.nbytes) != (b.dtype, b.nbytes):
        return False
    starts = []
    for info in (a, b):
        entries, origin = read_header(info.path)
        starts.append(origin + entries[info.name]["data_offsets"][0])
    with a.path.open("rb") as first, b.path.open("rb") as second:
        first.seek(starts[0])
        second.seek(starts[1])
        left = a.nbytes
        while left:
            size = min(left, _SLICE)
            if first.read(size) != second.read(size):
                return False
            left -= size
    return True
