"""Write tensor files: a copy of a file with some tensors changed, or new arrays.

A copy has the header of its original, byte for byte, and holds one tensor in memory at a time; what is not
changed is copied as it is, whatever its type.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from .safetensors_files import dtype_codes, read_header
from .tensor_files import iterate_tensors, list_tensors
from .tensor_info import TensorFileError

__all__ = ["copy_tensors", "other_tensors", "write_tensors"]

Change = Callable[[str, NDArray[Any]], NDArray[Any]]

_ALIGNED = 8  # safetensors headers are padded with spaces to whole words
_CHUNK = 1 << 24


def copy_tensors(path: Path, target: Path, change: Mapping[str, object], changed: Change) -> None:
    """Copy a .npy, .npz or .safetensors file with some tensors changed.

    Parameters
    ----------
    path : Path
        One file, no folder.
    target : Path
        Written anew; of any name, the kind of file is that of `path`.
    change : container of str
        Names of tensors to be changed.
    changed : callable
        Called with the name and values of each; answers values of the same shape, stored in the same type.

    Raises
    ------
    TensorFileError
        If `path` is a folder, or a name is none of a tensor that can be read.
    ValueError
        If changed values have another shape.
    """
    if path.is_dir():
        raise TensorFileError(path, "is a folder; give its files one by one")
    usable = {info.name for info in list_tensors(path) if info.skipped is None}
    for name in change:
        if name not in usable:
            raise TensorFileError(path, f"holds no tensor {name!r} of floating-point numbers")
    copiers = {".npy": _copy_npy, ".npz": _copy_npz, ".safetensors": _copy_safetensors}
    with target.open("wb") as stream:
        copiers[path.suffix](path, stream, change, changed)


def other_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors that `iterate_tensors` passes over: integers, booleans, complex numbers.

    Raises
    ------
    TensorFileError
        If one is no array of numbers (packed codes, pickles, other members of an archive).
    """
    skipped = [info for info in list_tensors(path) if info.skipped is not None]
    found: dict[str, NDArray[Any]] = {}
    if not skipped:
        return found
    opened = safe_open(path, framework="np") if path.suffix == ".safetensors" else np.load(path)
    with opened as tensors:
        read = tensors.get_tensor if path.suffix == ".safetensors" else tensors.__getitem__
        for info in skipped:
            try:
                found[info.name] = np.asarray(read(info.name))
            except (KeyError, TypeError, ValueError, AttributeError, SafetensorError) as error:
                raise TensorFileError(path, f"tensor {info.name!r} cannot be copied ({error})") from error
    return found


def write_tensors(target: Path, arrays: Mapping[str, NDArray[Any]], kind: str) -> None:
    """Write arrays as `.safetensors` or `.npz`.

    Raises
    ------
    ValueError
        If the kind is another one, or the file cannot hold an array's type (bfloat16 in .npz).
    """
    if kind == ".safetensors":
        _write_safetensors(target, arrays)
    elif kind == ".npz":
        for name, array in arrays.items():
            if array.dtype.kind in "VO" or array.dtype.isbuiltin == 2:  # registered by another package
                raise ValueError(f"tensor {name!r}: {array.dtype} cannot be stored in .npz; use .safetensors")
        with target.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
    else:
        raise ValueError(f"kind must be .safetensors or .npz, got {kind!r}")


def _new_values(name: str, old: NDArray[Any], changed: Change) -> NDArray[Any]:
    new = changed(name, old)
    if new.shape != old.shape:
        raise ValueError(f"tensor {name!r} must keep its shape {old.shape}, got {new.shape}")
    return np.ascontiguousarray(new.astype(old.dtype, copy=False)).reshape(old.shape)


def _copy_npy(path: Path, stream: IO[bytes], change: Mapping[str, object], changed: Change) -> None:
    for name, array in iterate_tensors(path):
        npy_format.write_array(stream, _new_values(name, array, changed) if name in change else array)


def _copy_npz(path: Path, stream: IO[bytes], change: Mapping[str, object], changed: Change) -> None:
    tensors = iterate_tensors(path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(stream, "w") as copy:
        usable = {info.name for info in list_tensors(path) if info.skipped is None}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            array = next(tensors)[1] if name in usable else None
            with copy.open(member.filename, "w", force_zip64=True) as part:
                if array is not None and name in change:
                    npy_format.write_array(part, _new_values(name, array, changed))
                else:
                    with archive.open(member) as original:
                        shutil.copyfileobj(original, part, _CHUNK)


def _copy_safetensors(path: Path, stream: IO[bytes], change: Mapping[str, object], changed: Change) -> None:
    entries, origin = read_header(path)
    ordered = sorted(entries.items(), key=lambda item: (item[1]["data_offsets"], item[0]))
    tensors = iterate_tensors(path)
    usable = {info.name for info in list_tensors(path) if info.skipped is None}
    with path.open("rb") as original:
        stream.write(original.read(origin))
        for name, entry in ordered:
            array = next(tensors)[1] if name in usable else None
            if array is not None and name in change:
                stream.write(_bytes(_new_values(name, array, changed)))
            else:
                start, end = entry["data_offsets"]
                original.seek(origin + start)
                _copy_bytes(original, stream, end - start)


def _copy_bytes(original: IO[bytes], stream: IO[bytes], count: int) -> None:
    while count > 0:
        piece = original.read(min(count, _CHUNK))
        stream.write(piece)
        count -= len(piece)


def _write_safetensors(target: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    codes, header, end = dtype_codes(), {}, 0
    for name, array in arrays.items():
        code = codes.get(array.dtype.newbyteorder("="))
        if code is None:
            raise ValueError(f"tensor {name!r}: {array.dtype} cannot be stored in .safetensors")
        start, end = end, end + array.nbytes
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    with target.open("wb") as stream:
        stream.write(len(text).to_bytes(_ALIGNED, "little") + text)
        for array in arrays.values():
            stream.write(_bytes(array.astype(array.dtype.newbyteorder("<"), copy=False)))


def _bytes(array: NDArray[Any]) -> memoryview:
    flat: NDArray[np.uint8] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return flat.data
