"""Tensors of .npy and .npz files, one at a time.

A .npy file is mapped into memory, so that listing it costs one page.  An .npz file is a zip archive whose
members may be compressed: its listing decompresses each member's header alone, and its stream one member.
Only what `numpy.lib.format` reads without unpickling is read.
"""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from .tensor_info import AnyArray, TensorFileError, TensorInfo, reason_to_skip

__all__ = ["iterate_npy", "iterate_npz", "list_npy", "list_npz"]

_HEADER_READERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}

# What the readers of numpy, zipfile and zlib raise on damaged bytes: a header that is no Python literal
# (SyntaxError, TokenError, TypeError, RecursionError), sizes beyond reason (OverflowError, MemoryError),
# an encrypted member (RuntimeError), an unknown compression (NotImplementedError), an offset before the
# start of the file (OSError), a type code that numpy warns of (Warning, where warnings are errors).
_DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    SyntaxError,
    tokenize.TokenError,
    RecursionError,
    OverflowError,
    MemoryError,
    EOFError,
    OSError,
    RuntimeError,
    Warning,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    """Turn whatever damaged bytes provoke below into one error that names the file."""
    try:
        yield
    except TensorFileError:
        raise
    except _DAMAGE as error:
        raise TensorFileError(path, f"{what} is truncated or damaged ({error})") from error


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type from an array's header; leaves the stream at the first value."""
    version = npy_format.read_magic(stream)
    if version not in _HEADER_READERS:
        raise ValueError(f"version {version} of the .npy format is for structured arrays")
    shape, _, dtype = _HEADER_READERS[version](stream)
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    return tuple(shape), dtype


def _info(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> TensorInfo:
    return TensorInfo(name, shape, dtype.name, prod(shape) * dtype.itemsize, reason_to_skip(dtype), path)


def list_npy(path: Path) -> list[TensorInfo]:
    """List the one array of a .npy file; its name is the file's stem."""
    with path.open("rb") as stream, _naming(path, "the .npy header"):
        shape, dtype = _read_header(stream)
        start = stream.tell()
    if dtype.hasobject:
        raise TensorFileError(path, f"refused: {reason_to_skip(dtype)}")
    info = _info(path, path.stem, shape, dtype)
    if path.stat().st_size < start + info.nbytes:
        raise TensorFileError(
            path, f"truncated: the header promises {info.nbytes} bytes, {path.stat().st_size - start} follow"
        )
    return [info]


def iterate_npy(path: Path, infos: list[TensorInfo]) -> Iterator[tuple[str, AnyArray]]:
    """Map the array of a .npy file into memory."""
    for info in infos:
        yield info.name, _map(path, info)


def _map(path: Path, info: TensorInfo) -> AnyArray:
    with _naming(path, "the .npy file"):
        array: AnyArray = np.load(path, mmap_mode="r" if info.nbytes else None, allow_pickle=False)
    return array


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [member for member in archive.infolist() if not member.is_dir()]


def _member_name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _list_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> TensorInfo:
    name = _member_name(member)
    if not member.filename.endswith(".npy"):
        return TensorInfo(name, (), "bytes", member.file_size, "the archive member is not an array", path)
    with _naming(path, f"member {name!r}"), archive.open(member) as stream:
        shape, dtype = _read_header(stream)
        follow = member.file_size - stream.tell()
    info = _info(path, name, shape, dtype)
    if info.skipped is None and follow != info.nbytes:
        raise TensorFileError(
            path, f"member {name!r} is damaged: its header promises {info.nbytes} bytes, {follow} follow"
        )
    return info


def list_npz(path: Path) -> list[TensorInfo]:
    """List the members of an .npz archive, in stored order, from their headers alone."""
    with path.open("rb") as file, _naming(path, "the .npz archive"), zipfile.ZipFile(file) as archive:
        return [_list_member(path, archive, member) for member in _members(archive)]


def iterate_npz(path: Path, infos: list[TensorInfo]) -> Iterator[tuple[str, AnyArray]]:
    """Decompress the named members one after the other."""
    wanted = {info.name for info in infos}
    with path.open("rb") as file:
        with _naming(path, "the .npz archive"):
            archive = zipfile.ZipFile(file)
        for member in _members(archive):
            if _member_name(member) in wanted:
                yield _member_name(member), _read_member(path, archive, member)


def _read_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> AnyArray:
    with _naming(path, f"member {_member_name(member)!r}"), archive.open(member) as stream:
        array: AnyArray = npy_format.read_array(stream, allow_pickle=False)
    return array
