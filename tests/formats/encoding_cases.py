"""Formats and types that several tests of encoding share, and the comparison with the oracle."""

import ml_dtypes
import numpy as np

from bitlaw.theory.formats.codecs.encoding import decode, encode, quantise
from bitlaw.theory.formats.codecs.plan import multiplier_of, nominal_size, quantiser_of, reach_of
from tests.formats import naive

TYPES = ["float16", "bfloat16", "float32", "float64"]
ELEMENTS = [
    "int4",
    "int8",
    "int4sym",
    "int3half",
    "uint4",
    "e2m1",
    "e4m3",
    "nf4",
    "ternary",
    "binary",
    "iq4_nl",
    "int10",
]
NUMBERS = ["float32", "bfloat16", "float16", "e8m0", "e4m3", "e5m2", "ue5m3", "uint6"]
NAMED = [
    "nf4",
    "mxfp4",
    "mxfp8",
    "nvfp4",
    "q4_0",
    "q4_1",
    "q4_k",
    "q8_0",
    "iq4_nl",
    "int4_g64",
    "int4_g64_asym",
    "nf4_dq",
]


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name) if name == "bfloat16" else name)


def expected(format, array, factors=None):
    size = nominal_size(format, array.shape)
    reach = reach_of(format, size)
    quantiser = quantiser_of(format.element, format.scale.statistic, size)
    return naive.encode_quantise(format, array, quantiser, reach, multiplier_of(format, reach), factors)


def assert_as_documented(format, array, factors=None):
    codes, stored, zeros, outer, restored = expected(format, array, factors)
    encoded = encode(format, array)
    np.testing.assert_array_equal(encoded.scales.reshape(-1), np.array(stored, np.float32))
    np.testing.assert_array_equal(encoded.codes, codes)
    if zeros is not None:
        np.testing.assert_array_equal(encoded.zeros.reshape(-1), np.array(zeros, np.float32))
    if outer is not None:
        np.testing.assert_array_equal(encoded.group_scales, np.array(outer, np.float32))
    result = decode(encoded)
    assert result.dtype == restored.dtype
    np.testing.assert_array_equal(result, restored)
    np.testing.assert_array_equal(quantise(format, array), restored)
