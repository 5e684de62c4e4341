"""Predicted bits of outliers beyond a threshold: exact but for the share, which is that of the law that is given."""

import numpy as np
import pytest

from bitlaw.theory import Empirical, Normal, StudentT, encode, parse_format, predict

FORMATS = [
    "int4,block=64,outliers=>2.5",
    "int4,block=64,outliers=>3:float16:index",
    "int4,block=64,outliers=>4:bfloat16:gaps",
    "int4,block=64,outliers=>3:float16:bitmap",
]


def stored_bits(text, x):
    outliers = parse_format(text).outliers
    return outliers.bits(outliers.find(x), x.size) / x.size


@pytest.mark.parametrize("text", FORMATS)
@pytest.mark.parametrize("law", ["normal", "heavy"])
def test_bits_of_a_tensor_of_the_law_are_predicted_within_sampling_error(text, law):
    rng, size = np.random.default_rng(1), 1 << 15
    source = Normal() if law == "normal" else StudentT(5.0, std=np.sqrt(5.0 / 3.0))
    draw = rng.standard_normal if law == "normal" else lambda n: rng.standard_t(5, n)
    measured = [stored_bits(text, draw(size)) for _ in range(24)]
    spread = np.std(measured, ddof=1) / np.sqrt(len(measured))
    outliers = parse_format(text).outliers
    predicted = outliers.expected_bits(outliers.probability(source), size)
    # The rms of a tensor of a heavy law scatters, and the share beyond its multiples is curved in it: 1% covers that.
    assert abs(np.mean(measured) - predicted) < 4 * spread + 0.01 * predicted * (law == "heavy")


@pytest.mark.parametrize("text", FORMATS)
def test_bits_of_a_tensor_are_predicted_from_its_own_values(text):
    """Rows of very different spreads: a law that is fitted to them is far off beyond 3 rms, their values are not."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((128, 512)) * np.exp2(rng.standard_normal((128, 1)))
    measured = encode(parse_format(text), x).outlier_bits / x.size
    own = predict(text, Empirical(x.reshape(-1)), shape=x.shape).outlier_bits
    assert own == pytest.approx(
        measured, rel=0.03
    )  # the gaps in rows of outliers are shorter than independent ones
    if not text.endswith("bitmap"):
        assert predict(text, Normal(), shape=x.shape).outlier_bits < 0.7 * measured
