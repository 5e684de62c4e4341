"""The one place that sets how numba compiles.

Kernels are private, take and return arrays and scalars, check nothing and raise nothing; they compile at
their first call and are cached on disk, so that importing the theory costs nothing.  `fastmath` stays off:
kernels look for NaN and promise the last bit.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["kernel", "parallel_kernel"]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a sequential kernel; the plain Python function stays reachable as `.py_func`."""
    return cast(F, numba.njit(cache=True, error_model="numpy", nogil=True)(function))


def parallel_kernel(function: F) -> F:
    """Compile a kernel whose `numba.prange` loops run over all cores."""
    return cast(F, numba.njit(cache=True, error_model="numpy", nogil=True, parallel=True)(function))
