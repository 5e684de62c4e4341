"""The law that fits measured data."""

from .tensor_files import iterate_tensors, list_tensors
from .tensor_info import TensorFileError, TensorInfo

__all__ = ["TensorFileError", "TensorInfo", "iterate_tensors", "list_tensors"]
