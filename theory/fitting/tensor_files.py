"""Stream the tensors of a .npy, .npz or .safetensors file, or of a folder of shards, one at a time.

A model does not fit in memory; its largest tensor does.  A file is first listed from its headers, then read
tensor by tensor, each in its stored type.  Nothing is ever unpickled.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path

from .numpy_files import iterate_npy, iterate_npz, list_npy, list_npz
from .safetensors_files import iterate_safetensors, list_safetensors, shard_paths
from .tensor_info import AnyArray, TensorFileError, TensorInfo

__all__ = ["iterate_tensors", "list_tensors"]

_Lister = Callable[[Path], list[TensorInfo]]
_Iterator = Callable[[Path, list[TensorInfo]], Iterator[tuple[str, AnyArray]]]

_FORMATS: dict[str, tuple[_Lister, _Iterator]] = {
    ".npy": (list_npy, iterate_npy),
    ".npz": (list_npz, iterate_npz),
    ".safetensors": (list_safetensors, iterate_safetensors),
}


def list_tensors(path: str | os.PathLike[str]) -> list[TensorInfo]:
    """List the tensors of a file without reading their values.

    Parameters
    ----------
    path : str or path-like
        A .npy, .npz or .safetensors file, or a folder of .safetensors shards (those of its
        `*.safetensors.index.json` where it has one, else all).

    Returns
    -------
    list of TensorInfo
        Name, shape, type and size of every tensor, in stored order.  Those that `iterate_tensors` passes
        over (integers, complex numbers, pickled members of an archive, packed codes) carry the reason.

    Raises
    ------
    FileNotFoundError
        If the file, or a shard that an index names, does not exist.
    TensorFileError
        If the file is of an unknown kind, truncated or damaged, holds no tensor, names a tensor twice, or
        is a pickled array.  The message begins with the path.  It is a ValueError.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(folder + "/two.npz", w=np.ones((2, 3), np.float32), step=np.int64(7))
    ...     [(info.name, info.shape, info.skipped is None) for info in list_tensors(folder + "/two.npz")]
    [('w', (2, 3), True), ('step', (), False)]
    """
    infos = [info for file in _files(path) for info in _FORMATS[file.suffix][0](file)]
    if not infos:
        raise TensorFileError(Path(path), "holds no tensors")
    name, occurrences = Counter(info.name for info in infos).most_common(1)[0]
    if occurrences > 1:
        raise TensorFileError(Path(path), f"holds {occurrences} tensors named {name!r}")
    return infos


def iterate_tensors(path: str | os.PathLike[str]) -> Iterator[tuple[str, AnyArray]]:
    """Read the floating-point tensors of a file one at a time.

    Parameters
    ----------
    path : str or path-like
        As for `list_tensors`.

    Returns
    -------
    iterator of (str, ndarray)
        Name and values of each tensor that `list_tensors` does not mark as skipped, in that order, in its
        stored shape and type: float16, float32, float64, or, from `ml_dtypes`, bfloat16, float8_e4m3fn,
        float8_e5m2.  The iterator holds no tensor but the one it yields last.

    Raises
    ------
    FileNotFoundError, TensorFileError
        At the call, for all that the headers tell; while iterating, for damaged values.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(folder + "/w.npy", np.arange(3.0))
    ...     [(name, array.sum().item()) for name, array in iterate_tensors(folder + "/w.npy")]
    [('w', 3.0)]
    """
    wanted = [info for info in list_tensors(path) if info.skipped is None]
    # chain, unlike a generator of ours, keeps no reference to the item it handed out last
    return chain.from_iterable(
        _FORMATS[file.suffix][1](file, list(infos)) for file, infos in groupby(wanted, key=attrgetter("path"))
    )


def _files(path: str | os.PathLike[str]) -> list[Path]:
    """Find the files behind a path, all of a known kind."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a string or path-like, not {type(path).__name__}")
    file = Path(path)
    if file.is_dir():
        return shard_paths(file)
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file")
    if file.suffix not in _FORMATS:
        raise TensorFileError(
            file, f"unknown kind of file {file.suffix!r}: expected one of {', '.join(_FORMATS)}"
        )
    return [file]
