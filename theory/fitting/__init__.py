"""The law that fits measured data."""

from .fit import FAMILIES, Fit, fit, fit_all
from .measured_error import MeasuredError, measure_error
from .sample import Moments, Sample, prepare
from .tensor_files import iterate_tensors, list_tensors
from .tensor_info import TensorFileError, TensorInfo

__all__ = [
    "FAMILIES",
    "Fit",
    "MeasuredError",
    "Moments",
    "Sample",
    "TensorFileError",
    "TensorInfo",
    "fit",
    "fit_all",
    "iterate_tensors",
    "list_tensors",
    "measure_error",
    "prepare",
]
