"""Predicted beside measured: they agree where the law holds and part where it fails; files are streamed."""

import json
import math
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from bitlaw.theory.fitting import FAMILIES, METHODS, TensorFileError, analyse, analyse_file, list_tensors
from bitlaw.theory.quantisers import compand, evaluate, lloyd_max, uniform
from bitlaw.theory.sources import GeneralisedNormal, Laplace, Logistic, Normal, StudentT, Uniform

from ..conftest import shared_path
from .laws import draw, values


def z_scores(analysis):
    return [(row.measured - row.predicted) / row.standard_error for row in analysis.comparisons]


@pytest.mark.parametrize(
    "law", [Normal(std=0.02), Laplace(std=3.0), Logistic(), Uniform(std=0.5), GeneralisedNormal(1.5)]
)
def test_prediction_holds_for_data_of_the_law(law):
    # 12 correlated scores, each beyond 4.5 with probability 7e-6.  From 6 bits on the overload of uniform
    # quantisers rests on a handful of values, too few for a normal score.
    analysis = analyse("w", draw(law, 50_000, np.random.default_rng(1)), bits=range(2, 6))
    assert max(map(abs, z_scores(analysis))) < 4.5


def test_prediction_fails_for_data_of_no_such_law():
    rng = np.random.default_rng(2)
    array = rng.choice([-1.0, 1.0], 50_000) + 0.05 * rng.standard_normal(50_000)
    assert max(map(abs, z_scores(analyse("w", array, bits=[4])))) > 20


def test_rows_go_by_bits_and_method_and_lloyd_max_predicts_least():
    analysis = analyse("w", draw(Laplace(), 5000, np.random.default_rng(3)), bits=[2, 5])
    rows = [(row.bits, row.method) for row in analysis.comparisons]
    assert rows == [(bits, method) for bits in (2, 5) for method in METHODS]
    for first in (0, 3):
        lloyd, cube_root, even = (row.predicted for row in analysis.comparisons[first : first + 3])
        assert lloyd <= cube_root
        assert lloyd <= even
    assert analysis.comparisons[3].predicted < analysis.comparisons[0].predicted


def test_measured_error_is_that_of_the_quantiser_designed_for_the_best_law():
    array = draw(Logistic(std=4.0), 2000, np.random.default_rng(4))
    analysis = analyse("w", array, bits=[3])
    quantiser = lloyd_max(analysis.best.source, 8)
    brute = math.sqrt(np.mean((array - quantiser(array)) ** 2) / np.mean(array**2))
    assert analysis.comparisons[0].measured == pytest.approx(brute, rel=1e-9)


def test_each_method_is_the_designer_of_its_name():
    analysis = analyse("w", draw(Laplace(std=2.0), 5000, np.random.default_rng(9)), bits=[4])
    law = analysis.best.source
    designs = {
        "lloyd_max": lloyd_max(law, 16),
        "cube_root": compand(law, 16, power=1 / 3),
        "uniform": uniform(law, levels=16),
    }
    for row in analysis.comparisons:
        distortion = evaluate(designs[row.method], law).distortion
        assert row.predicted == pytest.approx(math.sqrt(distortion) / law.std, rel=1e-9)


@settings(max_examples=15)
@given(array=values(least=30), exponent=st.integers(-20, 20))
def test_relative_errors_do_not_depend_on_units(array, exponent):
    found, scaled = (analyse("w", a, bits=[2]) for a in (array, np.ldexp(array, exponent)))
    for row, other in zip(found.comparisons, scaled.comparisons, strict=True):
        assert row.predicted == pytest.approx(other.predicted, rel=1e-12)
        assert row.measured == pytest.approx(other.measured, rel=1e-9)
    assert found.moments.kurtosis == scaled.moments.kurtosis
    assert found.best.family == scaled.best.family


@settings(max_examples=15)
@given(array=values(least=30))
def test_every_analysis_is_plain_json(array):
    content = json.loads(json.dumps(analyse("w", array, bits=[2]).to_dict(), allow_nan=False))
    assert content["name"] == "w"
    assert content["shape"] == [array.size]
    assert content["best"] == content["fits"][0]["family"]
    assert len(content["comparisons"]) == len(METHODS)
    assert content["skipped"] is None


@given(array=values(least=20))
def test_moments_are_those_of_the_values(array):
    moments = analyse("w", array, bits=[]).moments
    power = np.mean(array**2)
    assert moments.mean == pytest.approx(np.mean(array), rel=1e-9, abs=1e-12 * math.sqrt(power))
    assert moments.rms == pytest.approx(math.sqrt(power))
    assert moments.kurtosis == pytest.approx(np.mean(array**4) / power**2)
    assert moments.max_over_rms == pytest.approx(np.abs(array).max() / math.sqrt(power))
    assert moments.zeros == pytest.approx(np.mean(array == 0))


@pytest.mark.parametrize("law", [StudentT(2.05), GeneralisedNormal(0.2), GeneralisedNormal(20.0)])
def test_the_most_extreme_laws_of_a_fit_have_every_quantiser(law):
    analysis = analyse("w", draw(law, 3000, np.random.default_rng(8)), bits=[1, 8, 10])
    assert all(row.predicted > 0 and row.measured > 0 for row in analysis.comparisons)


def test_errors_name_the_tensor():
    with pytest.raises(ValueError, match=r"tensor 'q_proj': .* but samples\[0, 1\] is nan"):
        analyse("q_proj", [[1.0, np.nan]])
    with pytest.raises(TypeError, match=r"tensor 'q_proj': samples must be an array of"):
        analyse("q_proj", ["a"])


@pytest.mark.parametrize(
    ("bits", "error", "message"),
    [
        ([0], ValueError, "bits must lie between 1 and 10, not 0"),
        ([4, 11], ValueError, "bits must lie between 1 and 10, not 11"),
        ([2.5], TypeError, "bits must be integers"),
        (4, TypeError, "bits must be integers"),
    ],
)
def test_bits_out_of_range_are_refused(tmp_path, bits, error, message):
    with pytest.raises(error, match=message):
        analyse("w", [1.0, 2.0], bits)
    with pytest.raises(error, match=message):
        analyse_file(tmp_path / "none.npy", bits)


# Files ----------------------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path):
    rng = np.random.default_rng(5)
    nothing = rng.standard_normal((10, 20)).astype(np.float32)
    nothing[3, 7] = np.nan
    tensors = {
        "a": rng.standard_normal((50, 40)).astype(np.float32),
        "b_half": rng.laplace(size=2000).astype(ml_dtypes.bfloat16),
        "c_codes": np.zeros(100, np.int8),
        "d_constant": np.ones(100, np.float32),
        "e_few": rng.standard_normal(63).astype(np.float32),
        "f_nan": nothing,
        "g_enough": rng.standard_normal(64).astype(np.float32),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_every_tensor_of_a_file_is_analysed_or_skipped_with_a_reason(model):
    found = {analysis.name: analysis for analysis in analyse_file(model, bits=[2])}
    assert [info.name for info in list_tensors(model)] == list(found)
    analysed = {name for name, analysis in found.items() if analysis.skipped is None}
    assert analysed == {"a", "b_half", "g_enough"}
    assert "int8" in found["c_codes"].skipped
    assert "constant" in found["d_constant"].skipped
    assert found["e_few"].skipped == "fewer than 64 values: 63"
    assert "samples[3, 7] is nan" in found["f_nan"].skipped
    assert found["f_nan"].best is None
    assert found["a"].shape == (50, 40)
    assert found["b_half"].dtype == "bfloat16"
    json.dumps([analysis.to_dict() for analysis in found.values()], allow_nan=False)


def test_a_stored_tensor_has_the_analysis_of_its_array(model, tmp_path):
    array = np.random.default_rng(6).laplace(size=(30, 30)).astype(np.float32)
    np.save(tmp_path / "w.npy", array)
    (found,) = analyse_file(tmp_path / "w.npy", bits=[2, 3])
    assert found.to_dict() == analyse("w", array, bits=[2, 3]).to_dict()


def test_progress_reaches_the_bytes_of_the_file(model):
    calls = []

    def progress(info, done, total):
        calls.append((info, done, total))

    assert len(list(analyse_file(model, bits=[], progress=progress))) == len(calls)
    infos = list_tensors(model)
    assert [info.name for info, _, _ in calls] == [info.name for info in infos]
    assert [done for _, done, _ in calls] == np.cumsum([info.nbytes for info in infos]).tolist()
    assert {total for _, _, total in calls} == {sum(info.nbytes for info in infos)}


def test_a_file_is_analysed_one_tensor_at_a_time(tmp_path):
    rng = np.random.default_rng(7)
    size = 1 << 19
    peaks = {}
    for count in (1, 4):
        path = tmp_path / f"{count}.safetensors"
        save_file({f"t{i}": rng.standard_normal(size).astype(np.float32) for i in range(count)}, path)
        tracemalloc.start()
        try:
            for _ in analyse_file(path, bits=[]):
                pass
            peaks[count] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peaks[4] < peaks[1] + size  # a quarter of one tensor: what results and caches take


def test_errors_of_the_file_come_at_the_call(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npy"):
        analyse_file(tmp_path / "none.npy")
    (tmp_path / "w.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(TensorFileError, match=r"w\.npy: .*truncated"):
        analyse_file(tmp_path / "w.npy")


@pytest.mark.shared
def test_weights_of_a_trained_model_follow_their_fitted_law():
    path = shared_path("models/stories260K/model.safetensors")
    found = [analysis for analysis in analyse_file(path, bits=[4]) if len(analysis.shape) == 2]
    assert len(found) == 36
    for analysis in found:
        assert analysis.best.family in FAMILIES
        assert analysis.best.ks_distance < 0.05
        # Light tails: the law's variance is the tensor's.  Heavy ones have it in values not drawn yet.
        if analysis.moments.kurtosis < 4:
            lloyd = analysis.comparisons[0]
            assert lloyd.predicted == pytest.approx(lloyd.measured, rel=0.1)
