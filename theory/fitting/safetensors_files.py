"""Tensors of .safetensors files, and of folders of shards, one at a time.

The `safetensors` package checks a file; the bytes of each tensor are then read at the offsets of the header.
Its own numpy loader is not used for them because it knows no float8 and, in older versions, no bfloat16.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

from .tensor_info import AnyArray, TensorFileError, TensorInfo, reason_to_skip

__all__ = [
    "dtype_codes",
    "iterate_safetensors",
    "list_safetensors",
    "read_entry",
    "read_header",
    "shard_paths",
]

_PREFIX = 8  # bytes of the little-endian header length that opens every file

_DTYPES: dict[str, np.dtype[np.generic]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
    "C64": np.dtype("<c8"),
}


def dtype_codes() -> dict[np.dtype[np.generic], str]:
    """Give the codes of the types that a header knows."""
    return {dtype.newbyteorder("="): code for code, dtype in _DTYPES.items()}


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Read the entries of the checked header, and the position of the first value."""
    try:
        with safe_open(path, framework="np"):
            pass
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(_PREFIX), "little")
            entries: dict[str, Any] = json.loads(stream.read(length))
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError, ValueError) as error:
        raise TensorFileError(path, f"the .safetensors file is truncated or damaged ({error})") from error
    entries.pop("__metadata__", None)
    return entries, _PREFIX + length


def _list_entry(path: Path, name: str, entry: dict[str, Any]) -> TensorInfo:
    shape: tuple[int, ...] = tuple(entry["shape"])
    start, end = entry["data_offsets"]
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        reason = f"{entry['dtype']} holds scales or packed codes, not values"
        return TensorInfo(name, shape, entry["dtype"], end - start, reason, path)
    if end - start != prod(shape) * dtype.itemsize:
        raise TensorFileError(path, f"tensor {name!r} has {end - start} bytes for shape {shape} of {dtype}")
    return TensorInfo(name, shape, dtype.name, end - start, reason_to_skip(dtype), path)


def list_safetensors(path: Path) -> list[TensorInfo]:
    """List the tensors of one .safetensors file, in the order of their bytes, from the header alone."""
    entries, _ = read_header(path)
    ordered = sorted(entries.items(), key=lambda item: (item[1]["data_offsets"], item[0]))
    return [_list_entry(path, name, entry) for name, entry in ordered]


def iterate_safetensors(path: Path, infos: list[TensorInfo]) -> Iterator[tuple[str, AnyArray]]:
    """Read the named tensors one after the other."""
    entries, origin = read_header(path)
    for info in infos:
        yield info.name, read_entry(info, entries[info.name], origin)


def read_entry(info: TensorInfo, entry: dict[str, Any], origin: int) -> AnyArray:
    """Read the values of one tensor, whose entry is that of the header."""
    start, end = entry["data_offsets"]
    values = np.fromfile(info.path, dtype=np.uint8, count=end - start, offset=origin + start)
    if len(values) != end - start:
        raise TensorFileError(info.path, f"truncated inside tensor {info.name!r}")
    return values.view(_DTYPES[entry["dtype"]]).reshape(info.shape)


def shard_paths(folder: Path) -> list[Path]:
    """Find the files of a folder that together hold one model.

    The files that the folder's `*.safetensors.index.json` names, or every `*.safetensors` file where there
    is no index.
    """
    indices = sorted(folder.glob("*.safetensors.index.json"))
    if len(indices) > 1:
        raise TensorFileError(folder, f"holds several indices: {', '.join(path.name for path in indices)}")
    if indices:
        return _indexed_paths(indices[0])
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise TensorFileError(folder, "the folder holds no .safetensors file")
    return shards


def _indexed_paths(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TensorFileError(index, f"not an index with a weight_map ({error!r})") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise TensorFileError(index, f"weight_map must name files of its own folder, not {name!r}")
        if not (index.parent / name).is_file():
            raise FileNotFoundError(f"{index.parent / name}: shard named by {index.name} does not exist")
    return [index.parent / name for name in names]
