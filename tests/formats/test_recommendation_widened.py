"""`recommend` with candidates that a caller adds: formats of his own, outliers and rotations."""

from dataclasses import replace

import numpy as np
import pytest

from bitlaw.theory import Normal
from bitlaw.theory.formats import decode, encode, parse_format, predict, recommend, relative_error


@pytest.fixture(scope="module")
def spiky():
    """Normal weights, one in 500 of them thirty times larger."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((32, 512))
    x[rng.random(x.shape) < 0.002] *= 30
    return x.astype(np.float32)


def best(data, budget, **options):
    return recommend(data, budget, count=3, codes="fixed", laws=[], **options)


def test_outliers_win_where_they_should_and_their_bits_are_counted(spiky):
    plain, widened = best(spiky, 4.3)[0], best(spiky, 4.3, parts=["outliers=0.25%"])[0]
    assert "outliers=0.25%" in str(widened.format)
    assert widened.R < 0.8 * plain.R
    encoded = encode(widened.format, spiky)
    assert widened.outlier_bits == pytest.approx(encoded.outlier_bits / spiky.size)
    assert widened.bits == pytest.approx(encoded.bits_per_element, abs=1e-4)
    assert widened.bits <= 4.31
    assert plain.outlier_bits == 0
    assert f"outliers {widened.outlier_bits:.4g} (0.25%)" in widened.reasons[0]
    without = next(reason for reason in widened.reasons if reason.startswith("outliers=none: R +"))
    other = relative_error(spiky, decode(encode(replace(widened.format, outliers=None), spiky)))
    assert f"R {100 * (other / widened.R - 1):+.1f}%" in without


def test_outliers_of_unknown_number_stay_within_the_budget(spiky):
    found = best(spiky, 4.3, parts=["outliers=>4"])
    assert any("outliers=>4" in str(one.format) for one in found)
    assert all(encode(one.format, spiky).bits_per_element <= 4.32 for one in found)


def test_rotations_win_where_they_should(spiky):
    found = best(spiky, 3.1, parts=["rotation=hadamard"])
    assert "rotation=hadamard" in str(found[0].format)
    assert found[0].R < best(spiky, 3.1)[0].R
    assert any(reason.startswith("rotation=none: R +") for reason in found[0].reasons)


def test_parts_may_come_together(spiky):
    found = best(spiky, 3.1, parts=["rotation=hadamard,outliers=0.25%"])[0]
    assert "outliers=0.25%" in str(found.format)
    # Kept apart, large elements need not be spread as well.
    assert any(reason.startswith("rotation=none: R -") for reason in found.reasons)


def test_a_format_of_the_caller_takes_its_place():
    data = np.random.default_rng(1).standard_normal((32, 256)).astype(np.float32)
    own = parse_format("vq2x2:normal,block=channel,scale=rms:bfloat16")
    found = recommend(
        data,
        2.1,
        count=100,
        codes="fixed",
        laws=[],
        also=[own, "int8,block=64", "binary"],
    )
    formats = [one.format for one in found]
    assert own in formats
    assert parse_format("binary") in formats  # far below the budget, but asked for
    assert parse_format("int8,block=64") not in formats  # beyond it
    errors = [one.R for one in found]
    assert errors == sorted(errors)


def test_parts_serve_lossless_codes_and_laws():
    one = recommend(
        Normal(), 3.3, count=2, codes="entropy", laws=[], shape=(16, 512), parts=["outliers=0.5%"]
    )
    kept = [found for found in one if found.format.outliers is not None]
    assert all(found.bits <= 3.33 for found in one)
    for found in kept:
        assert found.outlier_bits == predict(found.format, Normal(), shape=(16, 512)).outlier_bits > 0
    own = "int6,block=64,outliers=0.5%,code=entropy"
    added = recommend(Normal(), 6.1, count=8, codes="entropy", laws=[], shape=(16, 512), also=[own])
    assert parse_format(own) in [found.format for found in added]


def test_nothing_added_changes_nothing(spiky):
    assert best(spiky, 2.2, also=[], parts=()) == best(spiky, 2.2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"also": "nf4"}, TypeError, "also must be a sequence of texts, got 'nf4'"),
        ({"also": ["nf44x"]}, ValueError, "nf44x"),
        ({"parts": "outliers=1%"}, TypeError, "parts must be a sequence of texts"),
        ({"parts": [3]}, TypeError, "parts must be texts, got 3"),
        (
            {"parts": ["block=32"]},
            ValueError,
            r"parts must be outliers=\.\.\. or rotation=\.\.\. .* got 'block=32'",
        ),
        ({"parts": ["outliers=1%,block=32"]}, ValueError, "parts must be outliers"),
        ({"parts": ["code=fixed"]}, ValueError, "parts must be outliers"),
        ({"parts": ["outliers=120%"]}, ValueError, "parts: .*fraction must be below 1"),
        ({"parts": ["rotation=hadamart"]}, ValueError, "parts: .*hadamart"),
    ],
    ids=str,
)
def test_what_cannot_be_added_is_named(options, error, message):
    with pytest.raises(error, match=message):
        recommend(Normal(), 4.0, shape=(8, 64), **options)
