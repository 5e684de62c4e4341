"""Weights are found in the products of any architecture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bitlaw.llm.fisher import Fisher, fisher_information
from bitlaw.llm.linear_maps import observed_maps, used_weights
from bitlaw.llm.models import weight_tensors
from bitlaw.llm.text import Sequences

from .unusual import ARCHITECTURES, ListedExperts, listed_experts, random_model, random_tokens


def agree(found: Fisher, expected: Fisher) -> None:
    # What attention over one position leaves to queries and keys is rounding.
    noise = 1e-7 * max(float(expected.rows(name).max()) for name in expected.names)
    for name in expected.names:
        torch.testing.assert_close(found.rows(name), expected.rows(name), rtol=1e-4, atol=noise)
        if found.diagonals:
            torch.testing.assert_close(found.diagonals[name], expected.diagonals[name], rtol=1e-4, atol=noise)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_positions_are_sequences_where_there_is_one_position(kind: str) -> None:
    """A sequence of two tokens has one loss term, whose gradient comes from one position of every product."""
    model, pairs = random_model(kind), random_tokens(5, 2)
    expected = fisher_information(model, pairs, targets="text", unit="sequence")
    assert set(expected.names) == {w.name for w in weight_tensors(model.model)}
    assert expected.unseen == []
    agree(fisher_information(model, pairs, targets="text", unit="position", batch=3), expected)
    agree(fisher_information(model, pairs, targets="text", unit="position", keep="rows", batch=5), expected)


def test_positions_are_counted_for_each_sequence() -> None:
    """Every sequence of a batch looks up the same positions; its gradient is squared alone."""
    model, tokens = random_model("gpt2"), random_tokens(6, 12)
    name = "transformer.wpe.weight"
    expected = fisher_information(model, tokens, targets="text", unit="sequence").diagonals[name]
    found = fisher_information(model, tokens, targets="text", unit="position", batch=6).diagonals[name]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6 * float(expected.max()))


@pytest.mark.parametrize("unit", ["sequence", "position"])
def test_experts_without_tokens_count_as_zero(unit: str, tmp_path: Path) -> None:
    model = listed_experts()
    tokens = random_tokens(4, 6)
    few = Sequences(tokens.tokens // 4 * 4 + torch.tensor([0, 0, 1, 1])[:, None], "two experts")
    found = fisher_information(model, few, unit=unit, targets="text", resume=tmp_path / "sums")  # type: ignore[arg-type]
    assert found.unseen == ["experts.2.weight", "experts.3.weight"]
    again = fisher_information(model, few, unit=unit, targets="text", resume=tmp_path / "sums")  # type: ignore[arg-type]
    assert again.unseen == found.unseen
    everywhere = fisher_information(model, tokens, unit=unit, targets="text")  # type: ignore[arg-type]
    assert everywhere.unseen == []


def test_a_head_that_is_no_module_is_seen() -> None:
    """The embedding is looked up, and multiplied with by a bare function."""
    model = listed_experts()
    with observed_maps(model.model, weight_tensors(model.model), lambda product: None) as uses:
        model.model(input_ids=random_tokens(2, 6).tokens)
    assert uses.multiplied >= {"embed.weight", "mix.weight"}
    assert uses.looked_up == {"embed.weight"}


def test_weights_used_in_unknown_ways_are_told() -> None:
    model, tokens = listed_experts(unusual=True), random_tokens(4, 6)
    found = fisher_information(model, tokens, targets="text", unit="sequence")
    assert float(found.rows("mix.weight").min()) > 0
    with pytest.raises(ValueError, match=r"mix.weight: no linear layer .* unit='sequence' needs none"):
        fisher_information(model, tokens, targets="text", unit="position")


def test_an_unknown_use_beside_known_ones_is_told() -> None:
    """Products alone would count a part of what the weight does."""
    model, tokens = listed_experts(), random_tokens(4, 6)
    forward = model.model.mix.forward
    model.model.mix.forward = lambda x: forward(x) + torch.einsum("bti,oi->bto", x, model.model.mix.weight)
    with pytest.raises(ValueError, match=r"mix\.weight: no linear layer"):
        fisher_information(model, tokens, targets="text", unit="position")


def test_tensors_without_memory_pass_by() -> None:
    """Wrappers of torch.func and sparse tensors are no weights, and a product with them is not known."""
    model, found = listed_experts().model, []
    weight, x = model.mix.weight, torch.ones(3, 8)
    with observed_maps(model, weight_tensors(model), found.append) as uses:
        doubled = torch.vmap(lambda row: row * 2)(x)
        slope = torch.func.grad(lambda row: row.square().sum())(x)
        sparse = (x.to_sparse() * 2).to_dense()
        model.experts[0].weight.dtype, x.type_as(model.experts[0].weight)
        assert uses.used == set()
        torch.vmap(lambda row: torch.nn.functional.linear(row, weight))(x)
    assert torch.equal(doubled, slope)
    assert torch.equal(doubled, sparse)
    assert found == []
    assert uses.unknown == {"mix.weight"}


def test_nothing_is_watched_after_an_error() -> None:
    model, found = listed_experts().model, []
    with (
        pytest.raises(RuntimeError, match="shape"),
        observed_maps(model, weight_tensors(model), found.append) as uses,
    ):
        torch.nn.functional.linear(torch.ones(2, 3), model.mix.weight)
    torch.nn.functional.linear(torch.ones(2, 8), model.mix.weight)
    assert found == []
    assert uses.used == set()


def test_a_weight_that_no_gradient_reaches_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokens = listed_experts(), random_tokens(4, 6)
    forward = model.model.mix.forward
    monkeypatch.setattr(model.model.mix, "forward", lambda x: forward(x.detach()).detach() + x)
    with pytest.raises(ValueError, match=r"mix\.weight: no gradient reaches this tensor"):
        fisher_information(model, tokens, targets="text", unit="sequence")


def test_what_is_only_looked_at_is_not_used() -> None:
    model = listed_experts().model
    with used_weights(weight_tensors(model)) as used:
        assert model.mix.weight.shape == model.mix.weight.T.size()
        assert model.mix.weight.dtype == torch.float32
    assert used == set()


@pytest.mark.parametrize("way", ["halves", "converted", "exchanged"])
def test_parts_are_not_taken_for_the_whole(way: str) -> None:
    """Half of a stacked matrix is no product that is known; a converted or transposed whole is."""
    model = ListedExperts()
    stack = torch.nn.Parameter(torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0)))
    model.stack = stack
    x = torch.ones(2, 4)
    found = []
    with observed_maps(model, weight_tensors(model), found.append) as uses:
        if way == "halves":
            torch.nn.functional.linear(x, stack[1, :2])
        elif way == "converted":
            torch.nn.functional.linear(x.double(), stack[1].double())
        else:
            x @ stack[1]
    assert [(p.name, p.slot, p.transposed) for p in found] == {
        "halves": [],
        "converted": [("stack", 1, False)],
        "exchanged": [("stack", 1, True)],
    }[way]
    assert uses.unknown == ({"stack"} if way == "halves" else set())


def test_weights_in_one_storage_are_told_apart() -> None:
    whole = torch.ones(2, 3, 4)
    model = torch.nn.Module()
    model.first, model.second = (torch.nn.Parameter(matrix, requires_grad=False) for matrix in whole)
    assert model.first.untyped_storage().data_ptr() == model.second.untyped_storage().data_ptr()
    found = []
    with observed_maps(model, weight_tensors(model), found.append) as uses:
        torch.nn.functional.linear(torch.ones(2, 4), model.first)
    assert [product.name for product in found] == ["first"]
    assert uses.used == {"first"}
