"""Formats fitted to tensors under weights: one codebook or many, scales, and Fisher information as weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bitlaw.llm.activation_files import save_activations
from bitlaw.llm.activations import Activations
from bitlaw.llm.fisher import Fisher
from bitlaw.llm.weighted_codebook import weighted_codebook, weighted_error, weighted_scale
from bitlaw.llm.weighted_design import fisher_weights, read_weights, weighted_formats
from bitlaw.theory import parse_format
from bitlaw.theory.formats import Codebook

from .test_weighted_codebook import tensors

FORMAT = parse_format("int3,block=32,scale=absmax:float32")


def test_one_codebook_is_for_all_and_own_ones_lose_less() -> None:
    chosen, costs = tensors()
    one = weighted_formats(chosen, costs, FORMAT, levels=8, exact=True)
    assert set(one.values()) == {weighted_codebook(chosen, costs, FORMAT, 8, exact=True)}
    own = weighted_formats(chosen, costs, FORMAT, levels=8, each=True, exact=True)
    assert own.keys() == {"a", "b"}
    for tensor in chosen:
        assert own[tensor.name] == weighted_codebook([tensor], costs, FORMAT, 8, exact=True)
        plain, shared, fitted = (
            weighted_error(tensor, costs, f) for f in (FORMAT, one[tensor.name], own[tensor.name])
        )
        assert fitted < shared < plain


def test_scales_are_searched_with_and_without_a_codebook() -> None:
    chosen, costs = tensors()
    seen: list[tuple[int, int]] = []
    scaled = weighted_formats(chosen, costs, FORMAT, scales=True, progress=lambda k, n: seen.append((k, n)))
    assert scaled == {tensor.name: weighted_scale(tensor, costs, FORMAT) for tensor in chosen}
    assert seen == [(1, 2), (2, 2)]
    both = weighted_formats(chosen, costs, FORMAT, levels=5, scales=True)
    for tensor in chosen:
        element = both[tensor.name].element
        assert isinstance(element, Codebook)
        assert len(element.codepoints) == 5
        assert both[tensor.name] == weighted_scale(tensor, costs, both[tensor.name])


def test_the_weighted_error_is_that_of_the_restored_tensor() -> None:
    (tensor, *_), costs = tensors()
    none = weighted_error(tensor, {"a": torch.zeros(24, 100)}, FORMAT)
    one = torch.zeros(24, 100)
    one[3, 7] = 2.0
    assert none == 0
    assert weighted_error(tensor, {"a": one}, FORMAT) < weighted_error(tensor, {"a": torch.ones(100)}, FORMAT)
    assert weighted_error(tensor, {"a": 3 * costs["a"]}, FORMAT) == pytest.approx(
        3 * weighted_error(tensor, costs, FORMAT)
    )


def test_sums_along_rows_weigh_rows() -> None:
    chosen, _ = tensors()
    sums = {"a": torch.rand(24).double(), "b": torch.rand(2, 8).double()}
    fisher = Fisher({}, 1, "sampled", row_sums=sums, columns={"a": 100, "b": 128})
    weights = fisher_weights(fisher)
    torch.testing.assert_close(weights["b"], sums["b"][..., None] / 128)
    spread = {
        name: value.expand(t.parameter.shape)
        for t, (name, value) in zip(chosen, weights.items(), strict=True)
    }
    for tensor in chosen:
        assert weighted_error(tensor, weights, FORMAT) == pytest.approx(
            weighted_error(tensor, spread, FORMAT)
        )
    diagonal = {"a": torch.rand(24, 100)}
    assert fisher_weights(Fisher(diagonal, 1, "sampled")) == diagonal


def test_weights_come_from_files_of_either_kind(tmp_path: Path) -> None:
    fisher = Fisher({"a": torch.rand(24, 100)}, 1, "sampled")
    fisher.save(tmp_path / "fisher")
    torch.testing.assert_close(read_weights(tmp_path / "fisher"), fisher.diagonals)
    moments = {
        "a": torch.rand(100),
        "b": torch.rand(2, 128),
        "square": torch.rand(2, 2),
        "rowwise": torch.rand(9, 1),
    }
    counts = {"a": [3], "b": [1, 2], "square": [1, 2], "rowwise": [3]}
    save_activations(Activations(moments, counts), tmp_path / "moments")
    torch.testing.assert_close(read_weights(tmp_path / "moments"), moments)
    whole = Activations({"a": torch.eye(100)}, {"a": [3]})
    save_activations(whole, tmp_path / "whole")
    with pytest.raises(
        ValueError, match="a: holds whole covariances of activations; their diagonals are needed"
    ):
        read_weights(tmp_path / "whole")
    save_file({"a": torch.ones(2)}, tmp_path / "other")
    with pytest.raises(ValueError, match="other: neither Fisher information nor activation moments"):
        read_weights(tmp_path / "other")
    (tmp_path / "text").write_text("no tensors")
    with pytest.raises(ValueError, match="text: damaged"):
        read_weights(tmp_path / "text")


@pytest.mark.parametrize("options", [{}, {"each": True}, {"each": True, "scales": True}])
def test_something_must_be_fitted(options: dict[str, bool]) -> None:
    chosen, costs = tensors()
    with pytest.raises(ValueError, match="levels or scales must be given, and each needs levels"):
        weighted_formats(chosen, costs, FORMAT, **options)  # type: ignore[arg-type]
