"""Searched scales have the least error of all factors that a plain sweep tries."""

import numpy as np
import pytest

from bitlaw.theory import Mixture, Normal, predict
from bitlaw.theory.formats import decode, encode, parse_format, quantise
from bitlaw.theory.formats.codecs import scale_search
from bitlaw.theory.formats.codecs.plan import plan_of

from . import naive


def errors_of(format, x, factors):
    """Squared errors of all elements for each common factor, with the arithmetic that encodes them."""
    plan = plan_of(format, x.shape, x.dtype)
    flat = x.reshape(-1)
    found = plan.scaler.measure(flat, plan.blocks)
    wide = flat.astype(np.float64)
    restored = (plan.codec.restore(flat, plan.blocks, plan.scaler.scales(found, float(f))) for f in factors)
    return np.array([(wide - values) ** 2 for values in restored]).reshape(-1, *x.shape)


def squared_error(format, x):
    return float(np.sum((x.astype(np.float64) - quantise(format, x)) ** 2))


def searched(name, which):
    return parse_format(f"{name},search={which}")


FACTORS = np.geomspace(0.02, 2.5, 400)


# Ends, zeros and codes of eight bits follow the largest element of a block, so that between the factors of a sweep
# there are still ripples of a few percent.
@pytest.mark.parametrize(
    ("name", "slack"),
    [
        ("int4,block=16", 0.005),
        ("nf4,block=16,scale=rms", 0.01),
        ("int5,block=64,scale=rms", 0.01),
        ("int8,block=16", 0.08),
        ("q4_1", 0.04),
        ("ternary,block=32,scale=absmax", 0.001),
        ("int3,block=16,scale=absmax:e8m0", 0.001),
        ("int3,block=8x4,scale=signmax", 0.005),
        ("vq2x2:normal,block=32,scale=rms", 0.01),
    ],
)
@pytest.mark.parametrize("law", ["normal", "heavy"])
def test_the_search_of_blocks_comes_near_the_best_of_400_factors(name, slack, law):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((40, 64)) if law == "normal" else rng.standard_t(3, (40, 64))
    x = x.astype(np.float32)
    plain = parse_format(name)
    # Factors on rms reach as far as a block's largest element can lie: 8 rms of 64.
    reach = 8.0 if "rms" in name else 1.0
    every = errors_of(plain, x, FACTORS * reach)
    blocks = naive.block_slices(x.shape, plain.block)
    least = sum(min(e[b].sum() for e in every) for b in blocks)
    found = squared_error(searched(name, "block"), x)
    assert found <= least * (1 + slack) ** 2
    assert found < squared_error(plain, x)


def test_a_block_with_an_outlier_gives_it_up_only_where_that_pays():
    """Small factors cut 1000 off, at a loss of 10^6: the best keeps it and loses the others."""
    x = np.r_[1000.0, np.linspace(-1.0, 1.0, 31)].astype(np.float32)
    restored = quantise(searched("ternary,block=32,scale=absmax:float32", "block"), x)
    assert restored[0] == pytest.approx(1000.0, rel=0.02)
    x[0] = 2.0
    restored = quantise(searched("ternary,block=32,scale=absmax:float32", "block"), x)
    assert 0.6 < restored.max() < 1.2


def test_the_factor_of_a_block_does_not_depend_on_other_blocks():
    x = np.random.default_rng(6).standard_t(3, (12, 32)).astype(np.float32)
    for name in ("int4,block=32", "ternary,block=16,scale=absmax", "nf4,block=8,scale=rms"):
        format = searched(name, "block")
        alone = np.concatenate([quantise(format, row[None]) for row in x])
        np.testing.assert_array_equal(quantise(format, x), alone)


@pytest.mark.parametrize(
    "name", ["e2m1,block=16,scale=absmax:e4m3,group=tensor", "int4,block=32,scale=absmax:uint6,group=4"]
)
def test_factors_of_blocks_leave_the_scales_of_groups_where_they_are(name):
    """Or else the blocks would be stored with other relative scales than those they were searched with."""
    x = np.random.default_rng(7).standard_normal((32, 256)).astype(np.float32)
    plain, found = encode(parse_format(name), x), encode(searched(name, "block"), x)
    np.testing.assert_array_equal(found.group_scales, plain.group_scales)
    block = plain.format.block
    errors = [
        np.sum((x.astype(np.float64) - decode(e)).reshape(-1, block) ** 2, axis=1) for e in (plain, found)
    ]
    # A sweep does not try the plain factor itself in all blocks, only one within 1.1% of it.
    assert np.mean(errors[1] <= errors[0] * (1 + 1e-6)) > 0.99
    assert errors[1].sum() < 0.9 * errors[0].sum()


@pytest.mark.parametrize(
    ("name", "reach"),
    [
        ("int4,block=16", 1.0),
        ("ternary", 4.0),
        ("binary", 4.0),
        ("nf4,block=channel,scale=rms", 6.0),
        ("int5,scale=rms", 0.5),
        ("int8,scale=rms", 0.1),
        ("e4m3,scale=rms", 0.03),
        ("nvfp4", 1.0),
        ("q4_1", 1.0),
        ("mxfp4", 1.0),
    ],
)
@pytest.mark.parametrize("law", ["normal", "heavy"])
def test_the_search_of_a_tensor_comes_near_the_best_of_400_factors(name, reach, law):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((16, 128)) if law == "normal" else rng.standard_t(3, (16, 128))
    x = x.astype(np.float32)
    plain = parse_format(f"{name},search=none")
    least = errors_of(plain, x, FACTORS * reach).sum(axis=(1, 2)).min()
    assert squared_error(searched(name, "tensor"), x) <= least * 1.02**2


def minima(errors):
    """Places of local minima that are the least within 5 places on either side."""
    return [k for k in range(5, len(errors) - 5) if errors[k] == errors[k - 5 : k + 6].min()]


def two_sizes(share, size):
    """`size` elements, a given share of them a hundred times larger."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal(size)
    few = round(share * size)
    x[:few] = 100.0 * rng.choice([-1.0, 1.0], few) * rng.uniform(0.8, 1.0, few)
    return x.astype(np.float32)


# A step for the many loses the few, and the reverse; which is the smaller loss is a matter of their share.
TWO_MINIMA = [
    ("int4,scale=rms:float32", 0.6e-4, min),
    ("int4,scale=rms:float32", 1.5e-4, max),
    ("nf4,block=tensor,scale=rms:float32", 0.6e-4, min),
    ("nf4,block=tensor,scale=rms:float32", 1.5e-4, max),
    ("int4,scale=absmax:float32", 0.6e-4, min),
    ("int4,scale=absmax:float32", 1.5e-4, max),
]


@pytest.mark.parametrize(("name", "share", "deeper"), TWO_MINIMA)
def test_the_search_of_a_tensor_finds_the_deeper_of_two_minima(name, share, deeper):
    x = two_sizes(share, 1 << 16)
    peak = np.abs(x).max() / np.sqrt(np.mean(x.astype(np.float64) ** 2))
    # From the factor on that puts no element beyond the largest codepoint, 1 for nf4 and 7 for int4.
    covering = peak / {"nf4": 1.0, "int4": 7.0}[name.split(",")[0]] if "rms" in name else 1.0
    factors = np.geomspace(0.008, 2.0, 160) * covering
    errors = errors_of(parse_format(name), x, factors).sum(axis=1)
    places = minima(errors)
    deepest = min(places, key=lambda k: errors[k])
    assert max(places) - min(places) > 30  # a factor of three and more
    assert (deepest - np.mean(places)) * (1 if deeper is max else -1) > 0
    assert squared_error(searched(name, "tensor"), x) <= errors.min() * 1.01**2
    # and with each block as large as the tensor, the search of blocks does as well
    assert squared_error(searched(name, "block"), x) <= errors.min() * 1.02**2


def test_predicted_searches_find_the_deeper_of_two_minima():
    for share in (0.6e-4, 1.5e-4):
        source = Mixture([Normal(), Normal(100.0)], [1 - share, share])
        text = "int4,scale=rms:float32"
        found = predict(f"{text},search=tensor", source)
        multipliers = np.geomspace(0.3, 20, 12) / source.std
        least = min(predict(f"{text},multiplier={m:.6g}", source).R for m in multipliers)
        assert found.R <= least * 1.0001


def valleys(factor):
    """Error 0.5 around factor 1 and 0.3 around 0.05, 0.9 between, with a ripple of half an octave at 0.6."""
    depth = 0.4 * np.exp(-((np.log(factor) / 0.15) ** 2)) + 0.6 * np.exp(
        -((np.log(factor / 0.05) / 0.15) ** 2)
    )
    return np.maximum(0.9 - depth, 10.0 * (np.abs(np.log2(factor / 0.6)) < 0.25))


def test_a_sweep_passes_ripples_and_errors_of_less_than_twice_the_least():
    low, best, high = scale_search.around_best(valleys, 1.0, 5.0)
    assert low < best < high
    assert best == pytest.approx(0.05, rel=0.02)
    # An octave of more than twice the least ends it.
    higher = scale_search.around_best(lambda f: valleys(f) + 0.2 * (f < 0.5), 1.0, 5.0)
    assert higher[1] == pytest.approx(1.0, rel=0.02)


def test_a_sweep_ends_for_each_block_by_itself(monkeypatch):
    """What lies beyond an octave of large errors is not looked at, however long other blocks take."""
    x = np.ones((2, 8), np.float32)

    def errors(x, blocks, scales, codec):
        found = np.abs(scales.scales * 7.0 - 0.9)  # least at the factor 0.9, unless there is something lower
        beyond = scales.scales * 7.0 < 0.05
        return np.where(beyond & (np.arange(blocks.count) == 0), 0.0, np.maximum(found, 0.01))

    monkeypatch.setattr(scale_search, "_errors", errors)
    format = searched("int4,block=8,scale=absmax:float32", "block")
    alone = encode(format, x[:1]).scales
    monkeypatch.setattr(
        scale_search, "_errors", lambda x, blocks, *rest: errors(x, blocks, *rest) * [1.0, 1e-9]
    )
    monkeypatch.setattr(scale_search, "_far", lambda least, energy: np.where(least < 1e-9, 1.0, 2 * least))
    assert encode(format, x).scales[0] == alone[0]


def test_tensors_that_no_factor_helps_are_searched_as_well():
    for name in ("ternary,block=8,scale=absmax", "e2m1,scale=rms", "int4,block=4,scale=absmax:e4m3"):
        for which in ("tensor", "block"):
            format = searched(name, which)
            np.testing.assert_array_equal(quantise(format, np.zeros((3, 8), np.float32)), 0.0)
            tiny = np.full((2, 8), 1e-30, np.float32)
            assert np.all(np.abs(quantise(format, tiny)) <= 2e-30)
            assert quantise(format, np.zeros((0, 8), np.float32)).shape == (0, 8)
