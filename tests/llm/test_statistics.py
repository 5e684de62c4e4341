"""Statistics of tensors of weights against plain numpy, and their way through a file."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn

from bitlaw.llm.histogram import Histogram
from bitlaw.llm.law_fits import best_law
from bitlaw.llm.models import WeightTensor
from bitlaw.llm.row_pass import BLOCK_SIZES, pass_over_rows
from bitlaw.llm.statistics import TensorStatistics, tensor_statistics
from bitlaw.llm.statistics_record import read_statistics, statistics_record
from bitlaw.theory import BlockScaled, Normal
from bitlaw.theory.fitting import FAMILIES


def weight(x: np.ndarray | torch.Tensor) -> WeightTensor:
    return WeightTensor("w", nn.Parameter(torch.as_tensor(x), requires_grad=False), "decoder")


def draws(*shape: int, spread: float = 0.0, seed: int = 0) -> np.ndarray:
    """Normal values, rows of different spreads."""
    random = np.random.default_rng(seed)
    scale = np.exp2(spread * random.standard_normal(shape[:-1]))[..., None]
    return (0.02 * scale * random.standard_normal(shape)).astype(np.float32)


def test_moments_are_those_of_the_tensor() -> None:
    x = draws(256, 512, spread=0.5)
    found = tensor_statistics(weight(x))
    y = x.astype(np.float64)
    assert found.rms == pytest.approx(np.sqrt(np.mean(y**2)), rel=1e-12)
    assert found.mean == pytest.approx(y.mean(), abs=1e-15)
    assert found.kurtosis == pytest.approx(np.mean((y - y.mean()) ** 4) / y.var() ** 2, rel=1e-9)
    assert found.largest == np.abs(y).max()


# 700 x 96 elements are more than one slice of the pass, and 96 holds no whole block of 64 twice.
@pytest.mark.parametrize("shape", [(1000, 96), (3, 50, 80), (5, 7), (2, 300_000)])
def test_channels_are_those_of_the_tensor(shape: tuple[int, ...]) -> None:
    x = draws(*shape, spread=0.5, seed=1)
    found = tensor_statistics(weight(x))
    y = x.reshape(-1, shape[-1]).astype(np.float64)
    about = y - y.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found.row_rms, np.sqrt(np.mean(y**2, axis=1)), rtol=1e-11)
    np.testing.assert_allclose(
        found.row_kurtosis, np.mean(about**4, axis=1) / np.mean(about**2, axis=1) ** 2, rtol=1e-8
    )
    np.testing.assert_array_equal(found.row_largest, np.abs(y).max(axis=1))
    np.testing.assert_allclose(found.column_rms, np.sqrt(np.mean(y**2, axis=0)), rtol=1e-12)


def test_blocks_are_the_whole_ones_of_live_rows() -> None:
    x = draws(900, 104, spread=0.5, seed=2)
    x[17] = 0
    found = tensor_statistics(weight(x))
    live = x[x.any(axis=1)].astype(np.float64)
    live /= np.sqrt(np.mean(live**2, axis=1, keepdims=True))
    assert sorted(found.blocks) == [16, 32, 64]
    for size, blocks in found.blocks.items():
        whole = 104 // size
        maxima = np.abs(live[:, : whole * size]).reshape(-1, size).max(axis=1)
        assert blocks.blocks == maxima.size == 899 * whole
        assert blocks.mean == pytest.approx(maxima.mean(), rel=1e-12)
        assert blocks.std == pytest.approx(maxima.std(), rel=1e-9)
        assert found.block_maxima[size] == blocks.mean


def test_block_maxima_of_independent_elements_are_the_expected_ones() -> None:
    found = tensor_statistics(weight(draws(512, 1024, spread=1.0, seed=3)))
    for size, blocks in found.blocks.items():
        expected = found.expected_maximum(size)
        assert expected == pytest.approx(BlockScaled(Normal(), size).expected_scale, rel=0.01)
        # Independent blocks, but for the row's common rms (it varies by 1 in sqrt(2 * 1024)) and the fitted law.
        assert blocks.mean == pytest.approx(expected, rel=0.01)
        assert blocks.blocks == 512 * 1024 // size


def test_rows_of_one_shape_show_their_law_behind_their_spreads() -> None:
    found = tensor_statistics(weight(draws(512, 1024, spread=1.0)))
    assert found.row_spread == pytest.approx(1.0, abs=0.15)
    assert found.kurtosis > 5  # all elements together have heavy tails, rows do not
    assert np.median(found.row_kurtosis) == pytest.approx(3, abs=0.1)


def test_the_histogram_counts_every_element_once() -> None:
    x = draws(700, 128, spread=0.5, seed=4)
    x[3] = 0
    x[5, 0], x[6, 0] = 100.0, -100.0  # 11.3 times the rms of their rows
    found = tensor_statistics(weight(x)).histogram
    rms = np.sqrt(np.mean(x.astype(np.float64) ** 2, axis=1, keepdims=True))
    relative = np.divide(x, rms, out=np.zeros(x.shape), where=rms > 0)
    inner, edges = np.histogram(np.clip(relative, -10, 10), bins=201, range=(-10, 10))
    np.testing.assert_array_equal(found.edges, edges)
    np.testing.assert_array_equal(found.counts, inner)
    assert found.elements == x.size
    assert (found.counts[0], found.counts[-1]) == (1, 1)
    assert np.sum(found.density * np.diff(found.edges)) == pytest.approx(1)


def test_the_histogram_has_the_density_of_its_law() -> None:
    found = tensor_statistics(weight(draws(1024, 1024, seed=5))).histogram
    centres = (found.edges[1:] + found.edges[:-1]) / 2
    expected = Normal().pdf(centres)
    error = 5 * np.sqrt(expected / (found.elements * np.diff(found.edges))) + 2e-3
    assert np.all(np.abs(found.density - expected) < error)
    # A cell is a tenth of the rms wide, and the share beyond 2 a twentieth of all.
    assert found.beyond(2.0) == pytest.approx(2 * (1 - Normal().cdf(2.0)), abs=1e-3)
    assert found.beyond(0.0) == 1.0


def test_every_family_is_fitted_to_rows_and_to_the_whole() -> None:
    x = np.random.default_rng(6).laplace(size=(256, 512)).astype(np.float32)
    found = tensor_statistics(weight(x))
    for fits in (found.fits, found.whole_fits):
        assert {fit.family for fit in fits} == set(FAMILIES)
        assert [fit.aic for fit in fits] == sorted(fit.aic for fit in fits)
        best = fits[0]
        assert best.family in ("laplace", "generalised_normal")
        assert best.elements == x.size
        assert best.ks_distance < 1.95 / np.sqrt(x.size)  # 0.1% of independent samples exceed it
        pairs = [(fit.aic, fit.log_likelihood) for fit in fits]
        assert all(
            abs(aic + 2 * mean * x.size) in (pytest.approx(2, abs=1e-3), pytest.approx(4, abs=1e-3))
            for aic, mean in pairs
        )
    assert found.law is found.whole_fits[0].source
    assert found.row_law is found.fits[0].source
    mean = found.whole_fits[0].source.logpdf(x.astype(np.float64)).mean()
    assert found.whole_fits[0].log_likelihood == pytest.approx(mean, abs=1e-6)


def test_a_uniform_law_is_fitted_but_not_predicted_from() -> None:
    x = np.random.default_rng(7).uniform(-1, 1, size=(64, 512)).astype(np.float32)
    found = tensor_statistics(weight(x))
    assert found.whole_fits[0].family == "uniform"
    assert found.law is next(fit.source for fit in found.whole_fits if fit.family != "uniform")
    assert best_law(()) == Normal()


def test_laws_see_all_columns_of_a_large_matrix() -> None:
    # One in eight elements is fitted; every eighth alone would only ever be in the columns that are large here.
    x = draws(1024, 1024, seed=8)
    x[:, ::8] *= 64
    found = tensor_statistics(weight(x))
    normal = next(fit for fit in found.whole_fits if fit.family == "normal")
    assert normal.elements < x.size / 7
    assert normal.source.std == pytest.approx(found.rms, rel=0.02)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_all_types_give_the_statistics_of_their_values(dtype: str) -> None:
    x = torch.from_numpy(draws(64, 96, spread=0.5, seed=9)).to(getattr(torch, dtype))
    found, same = tensor_statistics(weight(x)), tensor_statistics(weight(x.double()))
    assert (found.dtype, same.dtype) == (dtype, "float64")
    assert statistics_record(replace(found, dtype="float64")) == statistics_record(same)


def test_passes_over_numpy_s_own_narrow_types() -> None:
    x = draws(8, 32).astype(ml_dtypes.bfloat16)
    np.testing.assert_allclose(
        pass_over_rows(x).powers[:, 1], np.sum(x.astype(np.float64) ** 2, axis=1), rtol=1e-12
    )


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_equal_weights_have_statistics(value: float) -> None:
    found = tensor_statistics(weight(np.full((3, 64), value, dtype=np.float32)))
    assert found.fits == found.whole_fits == ()
    assert found.law == found.row_law == Normal()
    assert np.isnan(found.kurtosis)
    assert np.isnan(found.row_kurtosis).all()
    assert found.histogram.elements == 192
    assert len(found.blocks) == (3 if value else 0)
    assert all(blocks.std == pytest.approx(0, abs=1e-7) for blocks in found.blocks.values())


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b, equal_nan=True))
    if isinstance(a, Histogram):
        return isinstance(b, Histogram) and bool(np.array_equal(a.counts, b.counts))
    return a == b or (a != a and b != b)


@pytest.mark.parametrize("constant", [False, True])
def test_statistics_go_through_json_unchanged(constant: bool) -> None:
    x = np.full((3, 64), 0.5, np.float32) if constant else draws(2, 40, 96, spread=0.5, seed=10)
    before = tensor_statistics(weight(x))
    after = read_statistics(json.loads(json.dumps(statistics_record(before), allow_nan=False)))
    for field in fields(TensorStatistics):
        assert _same(getattr(before, field.name), getattr(after, field.name)), field.name
    assert after.histogram.counts.dtype == np.int64
    assert after.law == before.law


def test_records_that_do_not_tell_the_type_of_the_weights_are_of_float32() -> None:
    record = statistics_record(tensor_statistics(weight(torch.from_numpy(draws(4, 32)).bfloat16())))
    assert read_statistics(record).dtype == "bfloat16"
    del record["dtype"]
    assert read_statistics(record).dtype == "float32"


def test_block_sizes_divide_one_another() -> None:
    assert all(large % small == 0 for small, large in pairwise(BLOCK_SIZES))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    x = draws(700, 128)
    x[699, 127] = value
    with pytest.raises(ValueError, match="w: a weight is NaN or infinite"):
        tensor_statistics(weight(x))


def test_an_empty_tensor_is_refused() -> None:
    with pytest.raises(ValueError, match="w: the tensor is empty"):
        tensor_statistics(weight(np.zeros((0, 4), np.float32)))
