"""The theory applied to language models: predict what a format does, do it, and measure it."""

from .activations import Activations, activation_moments
from .audit import Audit, TensorAudit, audit, model_statistics, predict_assignment
from .divergence import Divergence, kl_per_token, measure_divergence
from .embedded import embedded_model_folder
from .estimates import Estimate, clustered_mean, clustered_quantile, paired_difference, sequences_needed
from .fisher import Fisher, fisher_information
from .format_codec import QuantisedTensor, quantise_tensor
from .models import LanguageModel, WeightTensor, load_model, weight_tensors
from .quantise import ModelBits, TensorRecord, assign, model_bits, quantised
from .reference import Reference, build_reference
from .sensitivity import Sensitivity, noise_sensitivity
from .statistics import TensorStatistics, tensor_statistics
from .tensor_prediction import TensorPrediction, predict_tensor
from .text import Sequences, load_text, token_sequences

__all__ = [
    "Activations",
    "Audit",
    "Divergence",
    "Estimate",
    "Fisher",
    "LanguageModel",
    "ModelBits",
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
    "assign",
    "audit",
    "build_reference",
    "clustered_mean",
    "clustered_quantile",
    "embedded_model_folder",
    "fisher_information",
    "kl_per_token",
    "load_model",
    "load_text",
    "measure_divergence",
    "model_bits",
    "model_statistics",
    "noise_sensitivity",
    "paired_difference",
    "predict_assignment",
    "predict_tensor",
    "quantise_tensor",
    "quantised",
    "sequences_needed",
    "tensor_statistics",
    "token_sequences",
    "weight_tensors",
]
