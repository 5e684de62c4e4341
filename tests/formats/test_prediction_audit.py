"""Predictions agree with simulations that share nothing with them."""

from hypothesis import given, settings

from bitlaw.theory.formats.prediction import predict

from .audit import combinations, compare


@settings(max_examples=300)
@given(combinations())
def test_error_and_entropy_agree_with_simulation_within_four_standard_errors(combination):
    found = compare(combination, predict)
    assert abs(found.error) < 4, (str(combination), found)
    assert abs(found.entropy) < 4, (str(combination), found)
