"""The torch codec gives what the numpy codec gives."""

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.llm.scalar_codec import decode, encode, quantise
from bitlaw.theory import Laplace, Normal, ScalarQuantiser, compand, lloyd_max

DTYPES = {
    torch.float64: np.float64,
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.bfloat16: ml_dtypes.bfloat16,
}
devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])


def as_numpy(x, dtype):
    """The same bits as a numpy array."""
    if dtype == torch.bfloat16:
        return x.cpu().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return x.cpu().numpy()


@devices
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("levels", [2, 16, 257])
def test_indices_and_values_equal_those_of_numpy(dtype, levels, device):
    quantiser = lloyd_max(Laplace(), levels)
    x = torch.from_numpy(np.random.default_rng(levels).laplace(size=(37, 23))).to(dtype).to(device)
    on_thresholds = torch.tensor(np.array(quantiser.thresholds), dtype=dtype, device=device)
    for values in (x, on_thresholds):
        array = as_numpy(values, dtype)
        index = encode(quantiser, values)
        np.testing.assert_array_equal(index.cpu().numpy(), quantiser.encode(array))
        restored = quantise(quantiser, values)
        expected = quantiser.decode(quantiser.encode(array), dtype=DTYPES[dtype])
        assert as_numpy(restored, dtype).tobytes() == expected.tobytes()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=30), st.integers(1, 20))
def test_any_float32_values_are_coded_alike(values, levels):
    quantiser = compand(Normal(), levels + 1)
    x = torch.tensor(values, dtype=torch.float32)
    np.testing.assert_array_equal(
        encode(quantiser, x).numpy(), quantiser.encode(np.array(values, np.float32))
    )


def test_slices_do_not_show(monkeypatch):
    quantiser = lloyd_max(Normal(), 8)
    x = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    whole = encode(quantiser, x)
    monkeypatch.setattr("bitlaw.llm.scalar_codec._SLICE", 7)
    assert torch.equal(encode(quantiser, x), whole)


def test_non_contiguous_and_empty_tensors_keep_their_shape():
    quantiser = lloyd_max(Normal(), 8)
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).T
    assert torch.equal(encode(quantiser, x), encode(quantiser, x.contiguous()))
    assert encode(quantiser, torch.empty(0, 3)).shape == (0, 3)


def test_a_not_finite_element_is_named():
    x = torch.zeros(2, 3)
    x[1, 2] = float("nan")
    with pytest.raises(ValueError, match=r"got nan at position \(1, 2\)"):
        encode(lloyd_max(Normal(), 4), x)


def test_integer_tensors_are_not_values():
    with pytest.raises(TypeError, match="x must be a floating torch tensor"):
        encode(lloyd_max(Normal(), 4), torch.arange(3))


def test_float_tensors_are_not_indices():
    with pytest.raises(TypeError, match="index must be an integer tensor"):
        decode(lloyd_max(Normal(), 4), torch.zeros(3))


@pytest.mark.parametrize("index", [-1, 4])
def test_indices_beyond_the_codebook_are_refused(index):
    with pytest.raises(ValueError, match=r"index must lie in 0..3"):
        decode(ScalarQuantiser([0.0, 1.0, 2.0, 3.0]), torch.tensor([0, index]))
