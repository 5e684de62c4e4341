"""Tensor files: what is stored comes back one tensor at a time, and damage is named."""

import json
import tracemalloc
import zipfile

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save, save_file

from bitlaw.theory.fitting import TensorFileError, iterate_tensors, list_tensors

from ..conftest import shared_path

FLOATS = [np.float16, np.float32, np.float64]
HALVES_AND_EIGHTHS = [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]
SUFFIXES = [".npy", ".npz", ".safetensors"]


def write(path, array):
    """One tensor named as the file's stem, in the format of the suffix."""
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez_compressed(path, **{path.stem: array})
    else:
        save_file({path.stem: np.ascontiguousarray(array)}, path)


def arrays_or_error(path):
    """What reading the file ends in; any other exception is passed on."""
    try:
        return [array for _, array in iterate_tensors(path)]
    except TensorFileError as error:
        return error


def raw_safetensors(path, entries, body):
    """A safetensors file of any header, for types that the package cannot write."""
    header = json.dumps(entries).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + body)


arrays = hnp.arrays(
    dtype=st.sampled_from(FLOATS),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    elements=st.floats(-1e3, 1e3, width=16),
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(array=arrays)
def test_every_format_returns_shape_type_and_bits(tmp_path_factory, suffix, array):
    path = tmp_path_factory.mktemp("file") / f"w{suffix}"
    write(path, array.reshape(1) if suffix == ".safetensors" and array.ndim == 0 else array)
    (info,) = list_tensors(path)
    ((name, found),) = iterate_tensors(path)
    assert name == info.name == "w"
    assert info.shape == found.shape
    assert info.dtype == found.dtype.name == array.dtype.name
    assert info.nbytes == found.nbytes
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", HALVES_AND_EIGHTHS)
def test_safetensors_narrow_floats_keep_their_type_and_bits(tmp_path, dtype):
    array = np.linspace(-3, 3, 12).reshape(3, 4).astype(dtype)
    save_file({"w": array}, tmp_path / "w.safetensors")
    ((_, found),) = iterate_tensors(tmp_path / "w.safetensors")
    assert found.dtype == array.dtype
    assert np.array_equal(found.view(np.uint8), array.view(np.uint8))


def test_many_tensors_come_in_listed_order_with_their_own_values(tmp_path):
    tensors = {f"t{i}": np.full((i + 1, 2), i, np.float32) for i in range(7)}
    save_file(tensors, tmp_path / "m.safetensors")
    np.savez(tmp_path / "m.npz", **tensors)
    for path in (tmp_path / "m.safetensors", tmp_path / "m.npz"):
        found = list(iterate_tensors(path))
        assert [name for name, _ in found] == [info.name for info in list_tensors(path)]
        assert {name for name, _ in found} == set(tensors)
        assert all(np.array_equal(array, tensors[name]) for name, array in found)


def test_big_endian_and_column_order_arrays_keep_their_values(tmp_path):
    np.save(tmp_path / "w.npy", np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3)))
    ((_, found),) = iterate_tensors(tmp_path / "w.npy")
    assert np.array_equal(found, np.arange(6.0).reshape(2, 3))
    assert list_tensors(tmp_path / "w.npy")[0].skipped is None


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("kind", ["int8", "int64", "uint16", "bool"])
def test_other_types_are_listed_with_a_reason_and_passed_over(tmp_path, suffix, kind):
    path = tmp_path / f"m{suffix}"
    tensors = {"w": np.ones(4, np.float32), "codes": np.ones(3, kind)}
    np.savez(path, **tensors) if suffix == ".npz" else save_file(tensors, path)
    reasons = {info.name: info.skipped for info in list_tensors(path)}
    assert reasons["w"] is None
    assert kind in reasons["codes"]
    assert [name for name, _ in iterate_tensors(path)] == ["w"]


def test_scales_and_packed_codes_of_safetensors_are_listed_with_a_reason(tmp_path):
    entries = {"scale": {"dtype": "F8_E8M0", "shape": [4], "data_offsets": [0, 4]}}
    raw_safetensors(tmp_path / "m.safetensors", entries, bytes(4))
    (info,) = list_tensors(tmp_path / "m.safetensors")
    assert "F8_E8M0" in info.skipped
    assert list(iterate_tensors(tmp_path / "m.safetensors")) == []


def test_a_pickled_array_is_refused_and_never_loaded(tmp_path):
    np.save(tmp_path / "o.npy", np.array([{"a": 1}]))
    with pytest.raises(TensorFileError, match=r"o\.npy: refused: Python objects are pickled"):
        list_tensors(tmp_path / "o.npy")
    np.savez(tmp_path / "o.npz", o=np.array([{"a": 1}]), w=np.ones(3))
    reasons = {info.name: info.skipped for info in list_tensors(tmp_path / "o.npz")}
    assert "pickles are never loaded" in reasons["o"]
    assert [name for name, _ in iterate_tensors(tmp_path / "o.npz")] == ["w"]


def test_archive_members_that_are_no_arrays_are_listed_with_a_reason(tmp_path):
    np.savez(tmp_path / "m.npz", w=np.ones(3))
    with zipfile.ZipFile(tmp_path / "m.npz", "a") as archive:
        archive.writestr("README", "text")
    reasons = {info.name: info.skipped for info in list_tensors(tmp_path / "m.npz")}
    assert "not an array" in reasons["README"]
    assert [name for name, _ in iterate_tensors(tmp_path / "m.npz")] == ["w"]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_streaming_holds_one_tensor_at_a_time(tmp_path, suffix):
    count, size = 3, 1 << 22
    path = tmp_path / f"m{suffix}"
    rng = np.random.default_rng(0)
    tensors = {f"t{i}": rng.integers(0, 9, size // 4).astype(np.float32) for i in range(count)}
    np.savez_compressed(path, **tensors) if suffix == ".npz" else save_file(tensors, path)
    del tensors
    stream = iterate_tensors(path)
    tracemalloc.start()
    try:
        for _ in range(count):
            _, array = next(stream)
            assert array.nbytes == size
            del array
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size <= peak < 1.5 * size


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_listing_reads_no_values(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    write(path, np.zeros(1 << 20, np.float32))
    tracemalloc.start()
    try:
        list_tensors(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 19


# Damage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(cut=st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_cut_short_anywhere_is_an_error_that_names_it(tmp_path_factory, suffix, cut):
    path = tmp_path_factory.mktemp("cut") / f"w{suffix}"
    write(path, np.random.default_rng(1).standard_normal(50))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(cut * len(whole))])
    with pytest.raises(TensorFileError, match=rf"w{suffix}: .*(truncated|damaged)"):
        list(iterate_tensors(path))


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255))
def test_one_wrong_byte_gives_an_array_or_a_clear_error(tmp_path_factory, suffix, position, value):
    path = tmp_path_factory.mktemp("byte") / f"w{suffix}"
    write(path, np.random.default_rng(2).standard_normal(20).astype(np.float32))
    content = bytearray(path.read_bytes())
    content[position % len(content)] = value
    path.write_bytes(content)
    outcome = arrays_or_error(path)
    if isinstance(outcome, TensorFileError):
        assert str(outcome).startswith(str(path))
    else:
        assert all(isinstance(array, np.ndarray) for array in outcome)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(content=st.binary(max_size=200))
def test_random_bytes_are_an_error_that_names_the_file(tmp_path_factory, suffix, content):
    path = tmp_path_factory.mktemp("noise") / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(TensorFileError, match=rf"w{suffix}"):
        list_tensors(path)


@pytest.mark.parametrize("length", [2**63, 2**40, 10_000, 3])
def test_a_nonsensical_safetensors_header_length_is_an_error(tmp_path, length):
    content = save({"w": np.ones(4, np.float32)})
    (tmp_path / "w.safetensors").write_bytes(length.to_bytes(8, "little") + content[8:])
    with pytest.raises(
        TensorFileError, match=r"w\.safetensors: the \.safetensors file is truncated or damaged"
    ):
        list_tensors(tmp_path / "w.safetensors")


@pytest.mark.parametrize("shape", ["(-4,)", "(True,)", "('a',)", "(4.0,)", "(1000000000000,)"])
def test_a_nonsensical_npy_shape_is_an_error(tmp_path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16)
    (tmp_path / "w.npy").write_bytes(content)
    with pytest.raises(TensorFileError, match=r"w\.npy: .*(truncated|damaged)"):
        list_tensors(tmp_path / "w.npy")


@pytest.mark.parametrize("change", [-8, 8])
def test_an_archive_member_of_the_wrong_length_is_an_error_of_the_listing(tmp_path, change):
    np.save(tmp_path / "w.npy", np.ones(10))
    content = (tmp_path / "w.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("w.npy", content[:change] if change < 0 else content + bytes(change))
    with pytest.raises(
        TensorFileError, match=rf"w\.npz: member 'w' is damaged: .* 80 bytes, {80 + change} follow"
    ):
        list_tensors(tmp_path / "w.npz")


def test_a_flipped_bit_in_a_stored_archive_fails_its_checksum(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, w=np.zeros(100))
    content = bytearray(path.read_bytes())
    content[content.index(b"\x93NUMPY") + 400] ^= 1
    path.write_bytes(content)
    with pytest.raises(TensorFileError, match=r"w\.npz: member 'w' is truncated or damaged.*CRC"):
        list(iterate_tensors(path))


def test_missing_unknown_empty_and_duplicate_files_have_their_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz: no such file"):
        list_tensors(tmp_path / "none.npz")
    (tmp_path / "w.bin").write_bytes(b"1")
    with pytest.raises(TensorFileError, match=r"w\.bin: unknown kind of file '\.bin'.*\.npy, \.npz"):
        list_tensors(tmp_path / "w.bin")
    np.savez(tmp_path / "empty.npz")
    save_file({}, tmp_path / "empty.safetensors")
    for path in (tmp_path / "empty.npz", tmp_path / "empty.safetensors"):
        with pytest.raises(TensorFileError, match=r"empty\.\w+: holds no tensors"):
            iterate_tensors(path)
    with pytest.raises(TypeError, match="path must be a string or path-like, not int"):
        list_tensors(3)


# Shards ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shards(tmp_path):
    save_file({"a": np.ones(3, np.float32)}, tmp_path / "model-00001-of-00002.safetensors")
    save_file({"b": np.zeros(2, np.float32)}, tmp_path / "model-00002-of-00002.safetensors")
    return tmp_path


def write_index(folder, weight_map):
    content = json.dumps({"weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(content)


def test_a_folder_of_shards_is_one_model(shards):
    assert [name for name, _ in iterate_tensors(shards)] == ["a", "b"]
    assert [info.path.name[:11] for info in list_tensors(shards)] == ["model-00001", "model-00002"]


def test_an_index_says_which_files_belong_to_the_model(shards):
    save_file({"a": np.ones(3, np.float32)}, shards / "consolidated.safetensors")
    with pytest.raises(TensorFileError, match="holds 2 tensors named 'a'"):
        list_tensors(shards)
    write_index(shards, {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"})
    assert [info.name for info in list_tensors(shards)] == ["a", "b"]


def test_a_bad_index_or_a_missing_shard_has_its_error(shards):
    write_index(shards, {"a": "model-00003-of-00002.safetensors"})
    with pytest.raises(FileNotFoundError, match=r"model-00003-of-00002\.safetensors: shard named by"):
        list_tensors(shards)
    write_index(shards, {"a": "../model-00001-of-00002.safetensors"})
    with pytest.raises(TensorFileError, match="must name files of its own folder"):
        list_tensors(shards)
    for content in ("{", "[]", '{"weight_map": 3}', '{"weight_map": {"a": [1]}}'):
        (shards / "model.safetensors.index.json").write_text(content)
        with pytest.raises(TensorFileError, match=r"index\.json: not an index with a weight_map"):
            list_tensors(shards)


def test_two_indices_or_an_empty_folder_have_their_error(shards, tmp_path_factory):
    write_index(shards, {"a": "model-00001-of-00002.safetensors"})
    (shards / "other.safetensors.index.json").write_text("{}")
    with pytest.raises(TensorFileError, match="several indices"):
        list_tensors(shards)
    with pytest.raises(TensorFileError, match=r"holds no \.safetensors file"):
        list_tensors(tmp_path_factory.mktemp("empty"))


@pytest.mark.shared
def test_a_published_model_lists_all_its_weights():
    infos = list_tensors(shared_path("models/stories260K/model.safetensors"))
    arrays = dict(iterate_tensors(shared_path("models/stories260K")))
    assert set(arrays) == {info.name for info in infos}
    assert sum(array.size for array in arrays.values()) == 260_032
