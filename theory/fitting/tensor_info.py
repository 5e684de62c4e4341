"""What is known of a stored tensor before its data are read, and the error of a file that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

__all__ = ["AnyArray", "TensorFileError", "TensorInfo", "reason_to_skip"]

AnyArray = NDArray[np.generic]

_FLOATS = frozenset(
    np.dtype(kind).newbyteorder("=")
    for kind in (
        np.float16,
        np.float32,
        np.float64,
        ml_dtypes.bfloat16,
        ml_dtypes.float8_e4m3fn,
        ml_dtypes.float8_e5m2,
    )
)


class TensorFileError(ValueError):
    """A tensor file is damaged, of an unknown kind, or holds nothing that can be read safely."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a file: everything but its values.

    Attributes
    ----------
    name : str
        Name inside the file; the file's stem for a .npy file.
    shape : tuple of int
    dtype : str
        Name of the stored type, such as "float32", "bfloat16", "int8".
    nbytes : int
        Size of its values, uncompressed.
    skipped : str or None
        Why the tensor is passed over when the file is streamed; None where it is read.
    path : Path
        The file that holds it (one of several where the tensors lie in shards).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    skipped: str | None
    path: Path


def reason_to_skip(dtype: np.dtype[np.generic]) -> str | None:
    """Why values of this type are not weights to fit, or None where they are."""
    if dtype.hasobject:
        return "Python objects are pickled, and pickles are never loaded"
    if dtype.newbyteorder("=") in _FLOATS:
        return None
    return f"{dtype.name} is not one of the supported floating-point types"
