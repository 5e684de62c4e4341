"""Predictions agree with simulations that share nothing with them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings

from bitlaw.theory.formats.codecs.encoding import encode
from bitlaw.theory.formats.outliers import Outliers
from bitlaw.theory.formats.predictions import block_outcome, prediction, scaled_laws, without_outliers
from bitlaw.theory.formats.predictions.prediction import predict
from bitlaw.theory.formats.spec import parse_format

from .audit import SHAPE, SOURCES, Combination, combinations, compare, drawn


@settings(max_examples=150)
@given(combinations())
def test_error_and_entropy_agree_with_simulation_within_four_standard_errors(combination):
    found = compare(combination, predict)
    assert abs(found.error) < 4, (str(combination), found)
    assert abs(found.entropy) < 4, (str(combination), found)


def violations(combination):
    """Names of the claims of a prediction that a larger simulation, or an encoded array, refutes."""
    found = compare(combination, predict, elements=1 << 20)
    x = drawn(combination.source, 1 << 18)[0] * combination.std
    encoded = encode(combination.format, x)
    stated = predict(combination.format, SOURCES[combination.source], std=combination.std, shape=SHAPE)
    off = {
        "error": abs(found.error) > 4,
        "entropy": abs(found.entropy) > 4,
        "scale bits": abs(stated.scale_bits * x.size - encoded.scale_bits) > 1e-6,
        "element bits": abs(stated.element_bits * x.size - encoded.element_bits) > 1e-6,
        # The lengths of coded gaps vary from draw to draw; an index list has one length.
        "outlier bits": abs(stated.outlier_bits * x.size - encoded.outlier_bits) > 1e-6,
    }
    return {name for name, wrong in off.items() if wrong}


def scaled_fields(**factors):
    """Function that multiplies fields of what it is given."""
    return lambda found: dataclasses.replace(
        found, **{name: getattr(found, name) * factor for name, factor in factors.items()}
    )


def wrapped(function, change):
    return lambda *arguments, **options: change(function(*arguments, **options))


def plant_scale(monkeypatch):
    """Stored scales come out 1% larger than what their interval is rounded to."""
    monkeypatch.setattr(
        scaled_laws, "_staircase", wrapped(scaled_laws._staircase, scaled_fields(values=1.01))
    )


def plant_node(monkeypatch):
    """Finely stored scales are 1% off."""
    monkeypatch.setattr(
        scaled_laws,
        "error_nodes",
        wrapped(scaled_laws.error_nodes, lambda nodes: tuple((w, 1.01 * f) for w, f in nodes)),
    )


def plant_codepoint(monkeypatch):
    """Codepoints are 1% larger, thresholds stay."""
    change = scaled_fields(codepoints=1.01)
    monkeypatch.setattr(block_outcome, "in_units", wrapped(block_outcome.in_units, change))


def plant_outliers(monkeypatch):
    """One outlier in a hundred too many, in bits and in the blocks."""
    monkeypatch.setattr(Outliers, "probability", wrapped(Outliers.probability, lambda share: 1.01 * share))


def plant_outlier_values(monkeypatch):
    """Values kept apart are rounded with a step 1% larger."""
    monkeypatch.setattr(Outliers, "value_error", wrapped(Outliers.value_error, lambda error: 1.01**2 * error))


def plant_entropy(monkeypatch):
    monkeypatch.setattr(
        prediction, "entropy_bits", wrapped(prediction.entropy_bits, lambda bits: 1.01 * bits)
    )


def plant_scale_bits(monkeypatch):
    change = scaled_fields(scales=1.01)
    monkeypatch.setattr(prediction, "stored_bits", wrapped(prediction.stored_bits, change))


def plant_element_bits(monkeypatch):
    change = scaled_fields(codes=1.01)
    monkeypatch.setattr(prediction, "stored_bits", wrapped(prediction.stored_bits, change))


PLANTED = [
    ("int8,block=16,scale=absmax:e5m2", plant_scale, "error"),
    ("int8,block=16,scale=absmax:e4m3,group=4", plant_scale, "error"),
    ("int8,block=16,scale=absmax:float32", plant_node, "error"),
    ("int8,block=16,scale=absmax:float32", plant_codepoint, "error"),
    ("nf4,block=16,scale=absmax:float32", plant_entropy, "entropy"),
    ("int4,block=16,scale=absmax:float32,outliers=1%:float16:index", plant_outliers, "outlier bits"),
    ("int8,block=16,scale=absmax:float32,outliers=10%:e3m1:index", plant_outlier_values, "error"),
    ("int4,block=16,scale=absmax:float32", plant_scale_bits, "scale bits"),
    ("int4,block=16,scale=absmax:float32", plant_element_bits, "element bits"),
]


@pytest.fixture(autouse=True)
def _fresh_predictions():
    """Predictions are remembered: none may outlive a planted fault."""
    yield
    prediction._predict.cache_clear()
    scaled_laws._law.cache_clear()
    without_outliers.without_outliers.cache_clear()


@pytest.mark.parametrize(
    ("text", "plant", "claim"), PLANTED, ids=[f"{plant.__name__}-{text}" for text, plant, _ in PLANTED]
)
def test_an_error_of_one_percent_in_a_component_is_caught(text, plant, claim, monkeypatch):
    combination = Combination(parse_format(text), "normal", 0.7)
    assert violations(combination) == set()
    prediction._predict.cache_clear()
    without_outliers.without_outliers.cache_clear()
    plant(monkeypatch)
    assert claim in violations(combination)


def test_the_distance_of_a_right_prediction_is_spread_like_a_normal_law():
    """Neither much less than one (an inflated error bar hides faults) nor more."""
    distances = []

    @settings(max_examples=60)
    @given(combinations(numbers=("float32",), statistics=("absmax",), groups=False))
    def run(combination):
        distances.append(compare(combination, predict, elements=1 << 16).error)

    run()
    squares = np.mean(np.square([distance for distance in distances if abs(distance) < 100]))
    # The mean of 60 squares of a normal variable has a standard error of sqrt(2 / 60); the draws are shared.
    assert 0.2 < squares < 2.0
