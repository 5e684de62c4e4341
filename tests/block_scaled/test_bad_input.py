import numpy as np
import pytest

from bitlaw.theory import Normal
from bitlaw.theory.sources import BlockScaled, ScaleSteps

STEPS = ScaleSteps([0.0, 1.0, 2.0], [0.5, 1.5])


@pytest.mark.parametrize("block", [1, 1.99, 0, -3, 2**32 + 1, np.nan, np.inf])
def test_block_sizes_run_from_2_to_2_to_the_32(block):
    with pytest.raises(ValueError, match=r"block_size must be between 2 and 4\.29497e"):
        BlockScaled(Normal(), block)


@pytest.mark.parametrize("block", ["64", None, True, [64]])
def test_block_sizes_are_numbers(block):
    with pytest.raises(TypeError, match="block_size must be a number"):
        BlockScaled(Normal(), block)


def test_scales_have_names():
    with pytest.raises(ValueError, match="scale must be one of 'absmax', 'signmax', 'rms', got 'max'"):
        BlockScaled(Normal(), 64, "max")


@pytest.mark.parametrize("zeros", [-0.1, 1.0, 2, np.nan])
def test_zeros_is_a_probability_below_one(zeros):
    with pytest.raises(ValueError, match="zeros must be between 0 and 1"):
        BlockScaled(Normal(), 64, zeros=zeros)


@pytest.mark.parametrize("source", [None, 3.0, "normal", Normal])
def test_sources_are_laws(source):
    with pytest.raises(TypeError, match="source must be a Source"):
        BlockScaled(source, 64)


def test_a_divided_law_is_not_divided_again():
    with pytest.raises(ValueError, match="source must be the law of the elements themselves"):
        BlockScaled(BlockScaled(Normal(), 64), 64)


def test_steps_are_scale_steps():
    with pytest.raises(TypeError, match="steps must be ScaleSteps"):
        BlockScaled(Normal(), 64, steps=[0.0, 1.0])


def test_groups_need_steps_that_store_one():
    with pytest.raises(ValueError, match="group needs steps"):
        BlockScaled(Normal(), 64, group=4)
    with pytest.raises(ValueError, match="group must be between 1 and inf"):
        BlockScaled(Normal(), 64, steps=STEPS, group=0.5)


@pytest.mark.parametrize(
    ("edges", "values", "match"),
    [
        ([0.0, 1.0], [1.0, 2.0], "edges must hold one number more than values, got 2 and 2"),
        ([0.0], [], "edges must hold one number more"),
        ([0.0, 2.0, 1.0], [1.0, 2.0], "edges must be one strictly ascending row"),
        ([0.0, 1.0, 2.0], [2.0, 1.0], "values must be one strictly ascending row"),
        ([0.0, np.nan, 2.0], [1.0, 2.0], "edges must be one strictly ascending row"),
        ([-1.0, 1.0], [1.0], "not negative"),
        ([-np.inf, 1.0], [1.0], "not negative"),
        ([0.0, 1.0], [0.0], "values must be positive"),
        ([0.0, 1.0], [np.inf], "values must be positive and finite"),
        ([[0.0, 1.0]], [1.0], "edges must be one strictly ascending row"),
    ],
    ids=range(10),
)
def test_steps_ascend_and_match(edges, values, match):
    with pytest.raises(ValueError, match=match):
        ScaleSteps(edges, values)


def test_steps_are_numbers():
    with pytest.raises(TypeError, match="edges must be an array of real numbers"):
        ScaleSteps(["a", "b"], [1.0])


def test_steps_are_values_and_functions():
    same, other = ScaleSteps([0.0, 1.0, 2.0], [0.5, 1.5]), ScaleSteps([0.0, 1.0, 2.0], [0.5, 1.6])
    assert STEPS == same
    assert hash(STEPS) == hash(same)
    assert STEPS != other
    assert STEPS != 3
    assert STEPS([0.0, 0.1, 1.0, 1.1, 9.0]).tolist() == [0.0, 0.5, 0.5, 1.5, 1.5]
    assert BlockScaled(Normal(), 64, steps=STEPS) == BlockScaled(Normal(), 64, steps=same)


def test_cells_are_checked():
    law = BlockScaled(Normal(), 64)
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        law.partial_moments(0.5, 0.1)
    with pytest.raises(ValueError, match="neither may be NaN"):
        law.probability(np.nan, 0.1)
    with pytest.raises(ValueError, match="about must be finite"):
        law.partial_moments(0.0, 0.1, np.inf)
