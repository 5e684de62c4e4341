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
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from math import prod
from pathlib import Path

import torch

from ..theory.fitting.safetensors_files import read_header, shard_paths
from ..theory.fitting.tensor_info import TensorFileError
from .models import LanguageModel, WeightTensor

__all__ = ["Keeper", "kept_weights"]

# Bytes of a file that are read at once.
_SLICE = 1 << 24

_KINDS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

# Matrices of one expert as files name them, and where transformers puts them in the tensor of all experts.
_EXPERT = re.compile(r"(.+)\.[^.]+\.experts\.(\d+)\.(w1|w2|w3|gate_proj|up_proj|down_proj)\.weight")
_EXPERTS = re.compile(r"(.+)\.[^.]+\.experts\.(gate_up_proj|down_proj)")
_ROLES = {"w1": "gate", "gate_proj": "gate", "w3": "up", "up_proj": "up", "w2": "down", "down_proj": "down"}
_MERGED = {"gate_up_proj": ("gate", "up"), "down_proj": ("down",)}


@dataclass(frozen=True)
class _Stored:
    """Where a file holds a tensor."""

    path: Path
    start: int
    kind: torch.dtype
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class _Piece:
    """Elements of a parameter, flat and contiguous, and where a file holds them."""

    stored: _Stored
    first: int


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
        """Make sure that a tensor, as it is now, can come back."""
        self._tensors[tensor.name] = tensor
        pieces = self._files.pieces(tensor)
        digest = self._files.digest_if_equal(pieces, tensor.parameter.detach()) if pieces else None
        if digest is not None:
            self._places[tensor.name] = (pieces, digest)
            self.on_file.add(tensor.name)
        else:
            self.copies[tensor.name] = tensor.parameter.detach().to("cpu", copy=True)

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
        self._stack = stack

    @cached_property
    def _entries(self) -> dict[str, _Stored]:
        """All tensors of the folder by name; none where it cannot be read."""
        found: dict[str, _Stored] = {}
        try:
            for path in [] if self.folder is None else shard_paths(self.folder):
                self._streams[path] = self._stack.enter_context(path.open("rb"))
                entries, origin = read_header(path)
                for name, entry in entries.items():
                    if entry["dtype"] in _KINDS:
                        start = origin + entry["data_offsets"][0]
                        found[name] = _Stored(path, start, _KINDS[entry["dtype"]], tuple(entry["shape"]))
        except (OSError, TensorFileError):
            return {}
        return found

    @cached_property
    def _experts(self) -> dict[tuple[str, str, int], _Stored]:
        """Matrices of single experts by layer, role and number."""
        found = {}
        for name, stored in self._entries.items():
            if match := _EXPERT.fullmatch(name):
                found[match[1], _ROLES[match[3]], int(match[2])] = stored
        return found

    def pieces(self, tensor: WeightTensor) -> list[_Piece]:
        """Where the files seem to hold a tensor, by names and shapes; empty where they do not."""
        shape = tuple(tensor.parameter.shape)
        if not tensor.parameter.is_contiguous():
            return []
        for name in (tensor.name, *tensor.tied):
            stored = self._entries.get(name) or self._by_ending(name)
            if stored is not None and stored.shape == shape:
                return [_Piece(stored, 0)]
        return self._merged(tensor.name, shape)

    def _by_ending(self, name: str) -> _Stored | None:
        """The one tensor whose name is this one with or without a prefix."""
        found = [
            stored
            for other, stored in self._entries.items()
            if other.endswith(f".{name}") or name.endswith(f".{other}")
        ]
        return found[0] if len(found) == 1 else None

    def _merged(self, name: str, shape: tuple[int, ...]) -> list[_Piece]:
        """Pieces of a tensor of all experts that files hold one by one."""
        match = _EXPERTS.fullmatch(name)
        if match is None or len(shape) != 3:
            return []
        roles = _MERGED[match[2]]
        expected = (shape[1] // len(roles), shape[2])
        pieces = []
        for number in range(shape[0]):
            for role in roles:
                stored = self._experts.get((match[1], role, number))
                if stored is None or stored.shape != expected:
                    return []
                pieces.append(_Piece(stored, len(pieces) * prod(expected)))
        return pieces if len(pieces) * prod(expected) == prod(shape) else []

    def digest_if_equal(self, pieces: Iterable[_Piece], values: torch.Tensor) -> bytes | None:
        """Digest of the bytes on file, if they are these values bit for bit; None if not."""
        digest = hashlib.sha1(usedforsecurity=False)
        flat = values.view(-1)
        try:
            for piece in pieces:
                for first, raw in self._slices(piece):
                    part = _converted(raw, piece, values.dtype)
                    if not _same_bits(part, flat[first : first + len(part)].cpu()):
                        return None
                    digest.update(raw)
        except OSError:
            return None
        return digest.digest()

    def read_back(self, pieces: Iterable[_Piece], expected: bytes, values: torch.Tensor) -> bool:
        """Overwrite values by those on file; whether these are the bytes of that digest."""
        digest = hashlib.sha1(usedforsecurity=False)
        flat = values.view(-1)
        try:
            for piece in pieces:
                for first, raw in self._slices(piece):
                    part = _converted(raw, piece, values.dtype)
                    flat[first : first + len(part)].copy_(part)
                    digest.update(raw)
        except OSError:
            return False
        return digest.digest() == expected

    def _slices(self, piece: _Piece) -> Iterator[tuple[int, bytearray]]:
        """First element in the parameter, and bytes, of one slice after the other."""
        stored = piece.stored
        stream, step = self._streams[stored.path], _SLICE // stored.kind.itemsize
        for first in range(0, stored.elements, step):
            count = min(step, stored.elements - first)
            raw = bytearray(count * stored.kind.itemsize)
            stream.seek(stored.start + first * stored.kind.itemsize)
            if stream.readinto(raw) != len(raw):
                raise OSError(f"{stored.path}: the file has become shorter")
            yield piece.first + first, raw


def _converted(raw: bytearray, piece: _Piece, kind: torch.dtype) -> torch.Tensor:
    return torch.frombuffer(raw, dtype=piece.stored.kind).to(kind)


def _same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    bits = _BITS[a.dtype.itemsize]
    return torch.equal(a.view(bits), b.view(bits))
