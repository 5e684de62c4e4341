"""The theory applied to language models: predict what a format does, do it, and measure it."""

from .activation_files import load_activations, save_activations
from .activations import Activations, activation_moments
from .allocation import allocate_formats, fused_groups
from .audit import Audit, TensorAudit, audit, model_statistics, predict_assignment
from .divergence import Divergence, kl_per_token, measure_divergence
from .embedded import embedded_model_folder
from .error_structure import ErrorStructure, error_structure
from .estimates import Estimate, clustered_mean, clustered_quantile, paired_difference, sequences_needed
from .fisher import Fisher, fisher_information
from .fisher_bits import fisher_bits
from .format_codec import QuantisedTensor, quantise_tensor
from .histogram import Histogram
from .law_fits import FamilyFit
from .model_allocation import ModelAllocation, compare_measured
from .models import LanguageModel, WeightTensor, load_model, weight_tensors
from .noise_floor import noise_floor
from .quadratic import QuadraticDivergence, quadratic_divergence
from .quantise import ModelBits, TensorRecord, assign, model_bits, quantised
from .quantised_files import quantise_files
from .reference import Reference, build_reference
from .sensitivity import Sensitivity, noise_sensitivity
from .statistics import BlockMaxima, TensorStatistics, tensor_statistics
from .tensor_prediction import TensorPrediction, predict_tensor
from .text import Sequences, load_text, token_sequences
from .weight_files import stream_weights
from .weighted_codebook import weighted_codebook, weighted_error, weighted_sample, weighted_scale
from .weighted_design import read_weights, weighted_formats

__all__ = [
    "Activations",
    "Audit",
    "BlockMaxima",
    "Divergence",
    "ErrorStructure",
    "Estimate",
    "FamilyFit",
    "Fisher",
    "Histogram",
    "LanguageModel",
    "ModelAllocation",
    "ModelBits",
    "QuadraticDivergence",
    "QuantisedTensor",
    "Reference",
    "Sensitivity",
    "Sequences",
    "TensorAudit",
    "TensorPrediction",
    "TensorRecord",
    "TensorStatistics",
    "WeightTensor",
    "activation_moments",
    "allocate_formats",
    "assign",
    "audit",
    "build_reference",
    "clustered_mean",
    "clustered_quantile",
    "compare_measured",
    "embedded_model_folder",
    "error_structure",
    "fisher_bits",
    "fisher_information",
    "fused_groups",
    "kl_per_token",
    "load_activations",
    "load_model",
    "load_text",
    "measure_divergence",
    "model_bits",
    "model_statistics",
    "noise_floor",
    "noise_sensitivity",
    "paired_difference",
    "predict_assignment",
    "predict_tensor",
    "quadratic_divergence",
    "quantise_files",
    "quantise_tensor",
    "quantised",
    "read_weights",
    "save_activations",
    "sequences_needed",
    "stream_weights",
    "tensor_statistics",
    "token_sequences",
    "weight_tensors",
    "weighted_codebook",
    "weighted_error",
    "weighted_formats",
    "weighted_sample",
    "weighted_scale",
]
