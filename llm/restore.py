"""Weights that are overwritten for a while, and come back bit for bit.

A model that fills the memory cannot be held twice.  What a tensor was is read again from the files that the model was
loaded from, if they hold exactly that: each tensor is compared with them, bit for bit, before it may be overwritten.
A tensor that differs (trained further, converted beyond recovery, stored in another form) is copied to the CPU's
memory instead.

Files are read slice by slice through handles that stay open, so a model folder that is moved or deleted meanwhile
does no harm.  One that is overwritten in place does: a digest of the bytes tells, and that is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any

import torch

from ..theory.fitting.model_weights import StoredWeight, list_weights
from ..theory.fitting.safetensors_files import read_header
from .models import LanguageModel, WeightTensor

__all__ = ["Keeper", "kept_weights"]

# Bytes of a file that are read at once.
_SLICE = 1 << 24

_KINDS = {kind: getattr(torch, kind) for kind in ("float64", "float32", "float16", "bfloat16")}
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class _Piece:
    """Elements of a parameter, flat and contiguous, and where a file holds them."""

    path: Path
    start: int
    kind: torch.dtype
    elements: int


class Keeper:
    """Remembers what tensors were before they are overwritten.

    Attributes
    ----------
    on_file : set of str
        Names of the tensors that will be read again.
    copies : dict of str to torch.Tensor
        Of those that the files do not hold.
    """

    def __init__(self, folder: Path | None, stack: ExitStack) -> None:
        self.on_file: set[str] = set()
        self.copies: dict[str, torch.Tensor] = {}
        self._tensors: dict[str, WeightTensor] = {}
        self._places: dict[str, tuple[list[_Piece], bytes]] = {}
        self._files = _Files(folder, stack)

    def keep(self, tensor: WeightTensor) -> None:
        """Make sure that a tensor, as it is now, can come back.

        Raises
        ------
        ValueError
            If there is nothing to overwrite: the weights are offloaded.
        """
        if tensor.parameter.is_meta:
            raise ValueError(f"{tensor.name}: the weights are offloaded, so that they cannot be overwritten")
        pieces = self._files.pieces(tensor)
        digest = self._files.digest_if_equal(pieces, tensor.parameter.detach()) if pieces else None
        if digest is not None:
            self._places[tensor.name] = (pieces, digest)
            self.on_file.add(tensor.name)
        else:
            self.copies[tensor.name] = tensor.parameter.detach().to("cpu", copy=True)
        self._tensors[tensor.name] = tensor

    def restore(self) -> None:
        """Bring all tensors back.

        Raises
        ------
        OSError
            If the files are no longer what they were; all other tensors are back then.
        """
        lost = []
        for name, tensor in self._tensors.items():
            if name in self.copies:
                tensor.parameter.data.copy_(self.copies.pop(name))
            elif not self._files.read_back(*self._places[name], tensor.parameter.data):
                lost.append(name)
        if lost:
            raise OSError(
                f"{self._files.folder}: the files of the model changed while its weights were overwritten, so "
                f"{lost[0]}{f' and {len(lost) - 1} more' if len(lost) > 1 else ''} could not be read again: "
                "load the model anew"
            )


@contextmanager
def kept_weights(language_model: LanguageModel) -> Iterator[Keeper]:
    """Let weights be overwritten, once the keeper has been told of each, and bring them back at the end.

    Yields
    ------
    Keeper

    Raises
    ------
    OSError
        If the files of the model changed meanwhile.
    """
    with ExitStack() as stack:
        keeper = Keeper(language_model.folder, stack)
        try:
            yield keeper
        finally:
            keeper.restore()


class _Files:
    """The safetensors files of a model, held open."""

    def __init__(self, folder: Path | None, stack: ExitStack) -> None:
        self.folder = folder
        self._streams: dict[Path, BufferedReader] = {}
        self._headers: dict[Path, tuple[dict[str, Any], int]] = {}
        self._stack = stack

    @cached_property
    def _weights(self) -> dict[str, StoredWeight]:
        """Matrices of the model on file by name; none where the folder cannot be read."""
        if self.folder is None:
            return {}
        try:
            weights = list_weights(self.folder)
            for path in {info.path for weight in weights for info in weight.pieces}:
                self._streams[path] = self._stack.enter_context(path.open("rb"))
                self._headers[path] = read_header(path)
        except (OSError, ValueError):
            return {}
        return {name: weight for weight in weights for name in (weight.name, *weight.tied)}

    def pieces(self, tensor: WeightTensor) -> list[_Piece]:
        """Where the files seem to hold a tensor, by names and shapes; empty where they do not."""
        for name in (tensor.name, *tensor.tied):
            weight = self._weights.get(name) or self._by_ending(name)
            fits = weight is not None and weight.shape == tuple(tensor.parameter.shape)
            if weight is not None and fits and tensor.parameter.is_contiguous():
                return self._pieces(weight)
        return []

    def _pieces(self, weight: StoredWeight) -> list[_Piece]:
        found = []
        for info in weight.pieces:
            entries, origin = self._headers[info.path]
            entry = entries.get(info.name)
            if entry is None or info.dtype not in _KINDS:
                return []
            start = origin + entry["data_offsets"][0]
            found.append(_Piece(info.path, start, _KINDS[info.dtype], prod(info.shape)))
        return found if sum(piece.elements for piece in found) == prod(weight.shape) else []

    def _by_ending(self, name: str) -> StoredWeight | None:
        """The one matrix whose name is this one with or without a prefix."""
        found = [
            weight
            for other, weight in self._weights.items()
            if other.endswith(f".{name}") or name.endswith(f".{other}")
        ]
        return found[0] if len(found) == 1 else None

    def digest_if_equal(self, pieces: Iterable[_Piece], values: torch.Tensor) -> bytes | None:
        """Digest of the bytes on file, if they are these values bit for bit; None if not."""
        digest, flat = hashlib.sha1(usedforsecurity=False), values.view(-1)
        try:
            for first, raw, kind in self._slices(pieces):
                part = torch.frombuffer(raw, dtype=kind).to(values.dtype)
                if not _same_bits(part, flat[first : first + len(part)].cpu()):
                    return None
                digest.update(raw)
        except OSError:
            return None
        return digest.digest()

    def read_back(self, pieces: Iterable[_Piece], expected: bytes, values: torch.Tensor) -> bool:
        """Overwrite values by those on file; whether these are the bytes of that digest."""
        digest, flat = hashlib.sha1(usedforsecurity=False), values.view(-1)
        try:
            for first, raw, kind in self._slices(pieces):
                part = torch.frombuffer(raw, dtype=kind).to(values.dtype)
                flat[first : first + len(part)].copy_(part)
                digest.update(raw)
        except OSError:
            return False
        return digest.digest() == expected

    def _slices(self, pieces: Iterable[_Piece]) -> Iterator[tuple[int, bytearray, torch.dtype]]:
        """First element in the parameter, bytes and their type, of one slice after the other."""
        first = 0
        for piece in pieces:
            stream, step = self._streams[piece.path], max(1, _SLICE // piece.kind.itemsize)
            stream.seek(piece.start)
            for done in range(0, piece.elements, step):
                raw = bytearray(min(step, piece.elements - done) * piece.kind.itemsize)
                if stream.readinto(raw) != len(raw):
                    raise OSError(f"{piece.path}: the file has become shorter")
                yield first + done, raw, piece.kind
            first += piece.elements


def _same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    bits = _BITS[a.dtype.itemsize]
    return torch.equal(a.view(bits), b.view(bits))
