"""The law that fits measured data."""

from .analysis import METHODS, Comparison, TensorAnalysis, analyse, analyse_file
from .fit import FAMILIES, Fit, fit, fit_all
from .measured_error import MeasuredError, measure_error
from .model_weights import StoredWeight, list_weights, read_weight
from .sample import Moments, Sample, prepare
from .tensor_files import iterate_tensors, list_tensors
from .tensor_info import TensorFileError, TensorInfo

__all__ = [
    "FAMILIES",
    "METHODS",
    "Comparison",
    "Fit",
    "MeasuredError",
    "Moments",
    "Sample",
    "StoredWeight",
    "TensorAnalysis",
    "TensorFileError",
    "TensorInfo",
    "analyse",
    "analyse_file",
    "fit",
    "fit_all",
    "iterate_tensors",
    "list_tensors",
    "list_weights",
    "measure_error",
    "prepare",
    "read_weight",
]
