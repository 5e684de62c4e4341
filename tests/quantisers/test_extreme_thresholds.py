"""Thresholds at the ends of the number line."""

import numpy as np
import pytest

from bitlaw.theory import ScalarQuantiser


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_threshold_at_the_largest_number_is_compared_without_a_warning(dtype, sign):
    largest = float(np.finfo(dtype).max)
    end = sign * largest
    quantiser = ScalarQuantiser([-1.0, 1.0] if dtype != np.float64 else [0.0, 1.0], thresholds=[end])
    # Large enough for the compiled search, whose thresholds are rounded down to the type.
    x = np.resize(np.array([-largest, 0.0, largest], dtype), 30_000)
    np.testing.assert_array_equal(quantiser.encode(x), np.float64(x) > end)
