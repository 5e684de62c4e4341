"""Formats on torch tensors against the numpy codec, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.llm import format_codec
from bitlaw.llm.format_codec import on_device, quantise_on_device, quantise_tensor, to_numpy
from bitlaw.theory.formats.codecs.encoding import decode, encode
from bitlaw.theory.formats.names import FORMAT_NAMES
from bitlaw.theory.formats.spec import parse_format

KINDS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
SPECS = (
    *(name for name, text in FORMAT_NAMES.items() if "search" not in text),
    "int4_g64",
    "int3_g32_asym",
    "e2m1,block=channel,scale=rms:float32",
    "int4,block=4x8",
    "nf4,block=5x3,scale=signmax:bfloat16",
    "uint4,block=3x16,scale=minmax:bfloat16,zero=e5m2",
    "nf3,block=16,scale=absmax:e8m0:up,code=entropy",
    "e4m3,scale=none",
    "int4,block=16,scale=absmax:e4m3,group=3:float16",
)


def tensor(shape: tuple[int, ...], kind: torch.dtype, seed: int, spread: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator) * torch.exp(
        spread * torch.randn((*shape[:-1], 1), generator=generator)
    )
    x[torch.rand(shape, generator=generator) < 0.1] = 0.0
    return x.to(kind)


def same(format_text: str, x: torch.Tensor) -> None:
    format = parse_format(format_text)
    assert on_device(format, x)
    found = quantise_on_device(format, x)
    encoded = encode(format, to_numpy(x))
    expected = decode(encoded)
    assert found.restored.dtype == x.dtype
    assert found.restored.shape == x.shape
    np.testing.assert_array_equal(to_numpy(found.restored), expected)
    assert found.bits == encoded.bits
    assert found.entropy == pytest.approx(encoded.entropy(), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("spec", SPECS)
def test_every_format_is_the_numpy_codec_to_the_last_bit(spec: str, kind: torch.dtype) -> None:
    same(spec, tensor((7, 70), kind, 0, 1.0))


@given(
    spec=st.sampled_from(SPECS),
    kind=st.sampled_from(KINDS),
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3).map(tuple),
    seed=st.integers(0, 99),
    spread=st.sampled_from([0.0, 1.0, 8.0]),
)
@settings(max_examples=150)
def test_shapes_and_magnitudes_do_not_matter(
    spec: str, kind: torch.dtype, shape: tuple[int, ...], seed: int, spread: float
) -> None:
    format, x = parse_format(spec), tensor(shape, kind, seed, spread)
    if on_device(format, x) and torch.isfinite(x).all():
        same(spec, x)


@pytest.mark.parametrize("spec", SPECS)
def test_slices_change_nothing(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format_codec, "_SLICE", 100)  # some slices are of blocks, others are inside of one
    same(spec, tensor((7, 130), torch.float32, 0, 1.0))


def test_what_torch_does_not_do_goes_through_numpy() -> None:
    x = tensor((16, 64), torch.float32, 1, 0.5)
    for spec in (
        "int4_g64,outliers=0.01",
        "int4_g64,rotation=hadamard",
        "int4_g64,search=block",
        "vq4x2:normal,scale=rms",
    ):
        format = parse_format(spec)
        assert not on_device(format, x)
        np.testing.assert_array_equal(
            quantise_tensor(format, x).restored.numpy(), decode(encode(format, x.numpy()))
        )


def test_a_transposed_tensor_is_read_in_its_own_order() -> None:
    x = tensor((24, 48), torch.float32, 2, 0.5).T
    format = parse_format("nf4")
    assert torch.equal(
        quantise_on_device(format, x).restored, quantise_on_device(format, x.contiguous()).restored
    )


def test_bad_tensors_are_refused() -> None:
    format = parse_format("nf4")
    with pytest.raises(TypeError, match=r"floating torch tensor, got torch\.int64"):
        quantise_tensor(format, torch.arange(4))
    bad = torch.tensor([0.0, float("nan")])
    with pytest.raises(ValueError, match="element 1 is nan"):
        quantise_on_device(format, bad)
    with pytest.raises(ValueError, match="nan"):
        quantise_tensor(format, bad)


@pytest.mark.gpu
@pytest.mark.parametrize("spec", SPECS)
def test_the_gpu_gives_the_same_bits(spec: str) -> None:
    x = tensor((33, 200), torch.bfloat16, 3, 1.0)
    format = parse_format(spec)
    assert torch.equal(quantise_tensor(format, x.cuda()).restored.cpu(), quantise_tensor(format, x).restored)
