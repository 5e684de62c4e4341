"""Copies of tensor files with some tensors changed, and new files of arrays."""

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from bitlaw.theory.fitting import TensorFileError, iterate_tensors
from bitlaw.theory.fitting.tensor_writing import copy_tensors, other_tensors, write_tensors

TENSORS = {
    "w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.arange(4, dtype=np.float64),
    "ids": np.arange(3),
    "flag": np.array([True, False]),
}


def saved(folder, kind):
    path = folder / f"in{kind}"
    if kind == ".npy":
        np.save(path, TENSORS["w"])
    elif kind == ".npz":
        np.savez_compressed(path, **TENSORS)
    else:
        save_file(TENSORS, path, metadata={"k": "v"})
    return path


def doubled(name, array):
    return 2 * array


@pytest.mark.parametrize("kind", [".npz", ".safetensors"])
def test_only_what_is_named_changes(tmp_path, kind):
    target = tmp_path / "out"
    copy_tensors(saved(tmp_path, kind), target, {"w": None}, doubled)
    target = target.rename(tmp_path / f"out{kind}")
    found = dict(iterate_tensors(target)) | other_tensors(target)
    assert set(found) == set(TENSORS)
    for name, array in TENSORS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], 2 * array if name == "w" else array)


def test_a_copy_without_changes_is_the_same_file(tmp_path):
    for kind in (".npy", ".safetensors"):
        path = saved(tmp_path, kind)
        copy_tensors(path, tmp_path / "out", {}, doubled)
        assert (tmp_path / "out").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", [".npz", ".safetensors"])
def test_written_arrays_are_read_back(tmp_path, kind):
    path = tmp_path / f"new{kind}"
    big_endian = np.arange(3, dtype=">i4")
    write_tensors(
        path, TENSORS | {"scalar": np.float32(2.5), "turned": TENSORS["w"].T, "big": big_endian}, kind
    )
    found = dict(np.load(path)) if kind == ".npz" else load_file(path)
    assert found["scalar"] == 2.5
    assert np.array_equal(found["turned"], TENSORS["w"].T)
    assert np.array_equal(found["big"], [0, 1, 2])
    assert all(np.array_equal(found[name], array) for name, array in TENSORS.items())


def test_bfloat16_goes_to_safetensors_alone(tmp_path):
    arrays = {"w": np.ones((2, 2), ml_dtypes.bfloat16)}
    write_tensors(tmp_path / "w.safetensors", arrays, ".safetensors")
    with safe_open(tmp_path / "w.safetensors", "np") as file:
        assert file.get_slice("w").get_dtype() == "BF16"
    with pytest.raises(ValueError, match=r"tensor 'w': bfloat16 cannot be stored in \.npz"):
        write_tensors(tmp_path / "w.npz", arrays, ".npz")


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"kind must be \.safetensors or \.npz, got '\.npy'"):
        write_tensors(tmp_path / "w.npy", TENSORS, ".npy")
    with pytest.raises(ValueError, match=r"tensor 't': .* cannot be stored in \.safetensors"):
        write_tensors(tmp_path / "t", {"t": np.array(["text"])}, ".safetensors")


@pytest.mark.parametrize("name", ["nothing", "ids"])
def test_a_name_that_is_no_tensor_of_floats_is_refused(tmp_path, name):
    path = saved(tmp_path, ".npz")
    with pytest.raises(TensorFileError, match=f"holds no tensor '{name}' of floating-point numbers"):
        copy_tensors(path, tmp_path / "out", {name: None}, doubled)
    assert not (tmp_path / "out").exists()


def test_folders_and_other_shapes_are_refused(tmp_path):
    with pytest.raises(TensorFileError, match="is a folder; give its files one by one"):
        copy_tensors(tmp_path, tmp_path / "out", {}, doubled)
    with pytest.raises(ValueError, match=r"tensor 'w' must keep its shape \(2, 3\), got \(3, 2\)"):
        copy_tensors(saved(tmp_path, ".npz"), tmp_path / "out", {"w": None}, lambda name, array: array.T)


def test_members_that_are_no_numbers_are_not_copied_silently(tmp_path):
    np.savez(tmp_path / "odd.npz", w=np.ones(3), objects=np.array([{}], dtype=object))
    with pytest.raises(TensorFileError, match="tensor 'objects' cannot be copied"):
        other_tensors(tmp_path / "odd.npz")
