"""Formats for each tensor: the optimum against all assignments, its rules, and the published formula."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from bitlaw.llm.allocation import allocate_formats, fused_groups
from bitlaw.llm.audit import fisher_rows, model_statistics
from bitlaw.llm.divergence import Divergence
from bitlaw.llm.fisher import Fisher
from bitlaw.llm.fisher_bits import fisher_bits
from bitlaw.llm.model_allocation import ModelAllocation, compare_measured
from bitlaw.llm.models import LanguageModel, WeightTensor, weight_tensors
from bitlaw.llm.quantise import quantised
from bitlaw.llm.statistics import TensorStatistics, tensor_statistics
from bitlaw.llm.tensor_prediction import predict_tensor
from bitlaw.theory import Format, parse_format

INTEGERS = [parse_format(f"int{bits}_g64") for bits in (2, 3, 4, 6)]
CODED = parse_format("int6,block=channel,code=entropy")
# Rows, columns, rms and mean Fisher information.
SHAPES = {
    "a.q_proj.weight": (16, 64, 0.02, 900.0),
    "a.k_proj.weight": (8, 64, 0.05, 30.0),
    "a.v_proj.weight": (8, 192, 0.01, 20_000.0),
    "a.o_proj.weight": (24, 128, 0.03, 5.0),
}

Problem = tuple[dict[str, TensorStatistics], Fisher]


def problem(shapes: dict[str, tuple[int, int, float, float]], seed: int = 0) -> Problem:
    """Statistics of normal weights, and Fisher information that varies from element to element."""
    generator = torch.Generator().manual_seed(seed)
    statistics, diagonals = {}, {}
    for name, (rows, columns, rms, fisher) in shapes.items():
        weight = nn.Parameter(rms * torch.randn(rows, columns, generator=generator))
        statistics[name] = tensor_statistics(WeightTensor(name, weight, "decoder"))
        diagonals[name] = fisher * 2 * torch.rand(rows, columns, generator=generator)
    return statistics, Fisher(diagonals, 1, "sampled")


@pytest.fixture(scope="module")
def four() -> Problem:
    return problem(SHAPES)


def all_assignments(four: Problem, candidates: list[Format]) -> tuple[np.ndarray, np.ndarray]:
    """Total bits and KL of every assignment there is."""
    statistics, fisher = four
    bits, kl = [], []
    for name, found in statistics.items():
        predicted = [predict_tensor(format, found) for format in candidates]
        bits.append([p.bits * p.elements for p in predicted])
        kl.append([0.5 * float(fisher_rows(fisher, name) @ p.row_errors) for p in predicted])
    choices = np.array(list(product(range(len(candidates)), repeat=len(bits))))
    places = np.arange(len(bits))
    return np.array(bits)[places, choices].sum(1), np.array(kl)[places, choices].sum(1)


def test_no_assignment_within_the_budget_is_better(four: Problem) -> None:
    candidates = [*INTEGERS, CODED]
    bits, kl = all_assignments(four, candidates)
    for budget in np.linspace(bits.min(), bits.max(), 12):
        best = kl[bits <= budget * (1 + 1e-12)].min()
        exact = allocate_formats(*four, candidates, float(budget), unit="bits", exact=True)
        quick = allocate_formats(*four, candidates, float(budget), unit="bits")
        assert exact.kl == pytest.approx(best, rel=1e-12)
        assert exact.gap == 0
        assert quick.bound <= best * (1 + 1e-12)
        assert best <= quick.kl * (1 + 1e-12)


def test_budgets_between_two_segments_of_the_hull_are_met_optimally(four: Problem) -> None:
    bits, kl = all_assignments(four, INTEGERS)
    met = 0
    for budget in np.linspace(bits.min(), bits.max(), 9):
        start = allocate_formats(*four, INTEGERS, float(budget), unit="bits")
        found = allocate_formats(*four, INTEGERS, start.bits_per_element)
        spent = found.bits_per_element * sum(t.prediction.elements for t in found.tensors)
        if found.gap <= 1e-9 * found.kl:
            met += 1
            assert found.kl == pytest.approx(kl[bits <= spent * (1 + 1e-12)].min(), rel=1e-9)
    assert met >= 3


@pytest.mark.parametrize("format", INTEGERS, ids=["int2", "int3", "int4", "int6"])
def test_at_the_bits_of_a_format_it_is_the_control_and_never_better(four: Problem, format: Format) -> None:
    found = allocate_formats(*four, INTEGERS, format)
    control = found.uniform
    assert control is not None
    assert control.format == format
    assert control.bits_per_element == pytest.approx(found.budget, rel=1e-12)
    assert found.bits_per_element <= found.budget * (1 + 1e-12)
    assert found.kl <= control.kl
    assert control.kl == pytest.approx(sum(t.kl for t in control.tensors))
    assert set(control.assignment.values()) == {format}


def test_different_tensors_get_different_formats(four: Problem) -> None:
    found = allocate_formats(*four, INTEGERS, INTEGERS[1])
    assert found.assignment["a.v_proj.weight"] == INTEGERS[2]
    assert found.assignment["a.o_proj.weight"] == INTEGERS[0]
    assert not found.uniform_is_as_good
    assert "of its KL" in found.statement or "of that KL" in found.statement


def test_units_of_the_budget_agree(four: Problem) -> None:
    elements = sum(found.elements for found in four[0].values())
    one = allocate_formats(*four, INTEGERS, 3.5)
    for budget, unit in ((3.5 * elements, "bits"), (3.5 * elements / 8, "bytes")):
        other = allocate_formats(*four, INTEGERS, budget, unit=unit)
        assert other.assignment == one.assignment
        assert other.budget == pytest.approx(3.5)


def test_predicted_bits_are_those_that_are_stored(tiny: LanguageModel) -> None:
    statistics = model_statistics(tiny)
    generator = torch.Generator().manual_seed(3)
    weights = list(weight_tensors(tiny.model))
    fisher = Fisher(
        {
            w.name: torch.rand(w.parameter.shape, generator=generator) * 10.0 ** (k % 4)
            for k, w in enumerate(weights)
        },
        1,
        "sampled",
    )
    found = allocate_formats(statistics, fisher, INTEGERS, 3.7, groups=fused_groups(statistics))
    assert len(set(found.assignment.values())) > 1
    with quantised(tiny, found.assignment) as records:
        stored, elements = sum(r.bits for r in records), sum(r.elements for r in records)
    assert stored <= 3.7 * elements
    assert stored / elements == pytest.approx(found.bits_per_element, rel=1e-9)
    for layer in range(2):
        at = f"model.layers.{layer}."
        assert len({found.assignment[f"{at}self_attn.{x}_proj.weight"] for x in "qkv"}) == 1
        assert len({found.assignment[f"{at}mlp.{x}_proj.weight"] for x in ("gate", "up")}) == 1


def test_groups_cost_what_they_forbid(four: Problem) -> None:
    groups = fused_groups(SHAPES)
    assert groups == dict.fromkeys(["a.q_proj.weight", "a.k_proj.weight", "a.v_proj.weight"], "a.qkv")
    free = allocate_formats(*four, INTEGERS, 3.5, exact=True)
    fused = allocate_formats(*four, INTEGERS, 3.5, groups=groups, exact=True)
    assert len({fused.assignment[name] for name in groups}) == 1
    assert fused.kl > free.kl


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["l.1.mlp.gate_proj.weight", "l.1.mlp.up_proj.weight"], ["l.1.mlp.gate_up"] * 2),
        (["m.experts.3.w1.weight", "m.experts.3.w3.weight"], ["m.experts.3.gate_up"] * 2),
        (["l.1.mlp.gate_proj.weight", "l.2.mlp.up_proj.weight"], []),
        (["l.self_attn.q_proj.bias", "l.self_attn.o_proj.weight", "qkv.weight"], []),
    ],
)
def test_fused_tensors_are_found_by_name(names: list[str], labels: list[str]) -> None:
    assert list(fused_groups(names).values()) == labels


def test_fixed_tensors_keep_their_format_and_count(four: Problem) -> None:
    eight, name = parse_format("int8_g64"), "a.k_proj.weight"
    found = allocate_formats(*four, INTEGERS, 4.0, fixed={name: eight})
    assert found.assignment[name] == eight
    assert found.uniform is not None
    assert found.uniform.assignment[name] == eight
    assert set(found.uniform.assignment.values()) == {eight, found.uniform.format}
    bits = sum(t.prediction.bits * t.prediction.elements for t in found.tensors)
    assert bits / sum(t.prediction.elements for t in found.tensors) == pytest.approx(found.bits_per_element)
    assert found.bits_per_element <= 4.0


@pytest.mark.parametrize("candidates", [INTEGERS, INTEGERS[:1]])
def test_nothing_is_compared_where_every_format_was_given(four: Problem, candidates: list[Format]) -> None:
    eight = parse_format("int8_g64")
    found = allocate_formats(*four, candidates, 9.0, fixed=dict.fromkeys(four[0], eight))
    assert set(found.assignment.values()) == {eight}
    assert found.uniform is None
    assert not found.uniform_is_as_good
    assert found.statement.startswith("The format of every tensor was given, so nothing was chosen: 8.25")


def test_floors_are_kept_by_the_allocation_and_its_control(four: Problem) -> None:
    name = "a.k_proj.weight"
    floor = parse_format("int6sym,block=64,scale=absmax:float16")
    assert allocate_formats(*four, INTEGERS, 4.3).assignment[name] != INTEGERS[3]
    found = allocate_formats(*four, INTEGERS, 4.3, floors={name: floor}, groups=fused_groups(SHAPES))
    assert found.uniform is not None
    assert found.uniform.format == INTEGERS[0]
    for assignment in (found.assignment, found.uniform.assignment):
        assert {assignment[f"a.{x}_proj.weight"] for x in "qkv"} == {INTEGERS[3]}
        assert assignment["a.o_proj.weight"] == INTEGERS[0]
    assert found.kl <= found.uniform.kl


def test_equal_tensors_gain_nothing_and_it_is_said() -> None:
    alike = problem(dict.fromkeys(["x"], (16, 128, 0.02, 10.0)))
    found = allocate_formats(*alike, INTEGERS, INTEGERS[2])
    assert found.uniform_is_as_good
    assert found.statement.endswith("Uniform is as good: the allocation gains nothing.")
    between = allocate_formats(*alike, INTEGERS, 4.0)
    assert between.bits_per_element == pytest.approx(3.25)
    assert between.uniform is not None
    assert between.uniform.interpolated_kl == pytest.approx(between.kl)


def test_one_candidate_is_its_own_control(four: Problem) -> None:
    found = allocate_formats(*four, [INTEGERS[0]], 20.0)
    assert found.uniform is not None
    assert (found.uniform.format, found.uniform.kl) == (INTEGERS[0], found.kl)
    assert found.uniform.bits_per_element == pytest.approx(found.bits_per_element, rel=1e-12)
    assert "Uniform is as good" in found.statement


def test_single_formats_are_interpolated_at_other_bits(four: Problem) -> None:
    found = allocate_formats(*four, INTEGERS, 3.75)
    three, four_bits = (allocate_formats(*four, [format], format) for format in INTEGERS[1:3])
    share = found.bits_per_element - 3.25
    assert found.uniform is not None
    assert 0.1 < share < 0.9
    assert found.uniform.interpolated_kl == pytest.approx(three.kl ** (1 - share) * four_bits.kl**share)
    assert "Between uniform formats at the allocation's bits" in found.statement


def test_tied_tensors_are_counted_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(32, 64)
            self.head = nn.Linear(64, 32, bias=False)
            self.head.weight = self.embed.weight

        def get_input_embeddings(self) -> nn.Module:
            return self.embed

    torch.manual_seed(0)
    statistics = {w.name: tensor_statistics(w) for w in weight_tensors(Tied())}
    fisher = Fisher({name: torch.ones(s.shape) for name, s in statistics.items()}, 1, "sampled")
    found = allocate_formats(statistics, fisher, INTEGERS, 32 * 64 * 4.25, unit="bits", parts=["embedding"])
    assert [(t.name, t.format, t.prediction.elements) for t in found.tensors] == [
        ("embed.weight", INTEGERS[2], 32 * 64)
    ]


@pytest.mark.parametrize("unit", ["bits_per_element", "bytes"])
def test_too_small_a_budget_names_the_range(four: Problem, unit: str) -> None:
    budget = 2.0 if unit == "bits_per_element" else 2.0 / 8 * sum(s.elements for s in four[0].values())
    with pytest.raises(
        ValueError, match=r"at least 2\.25 bits per element .* more than 6\.25 saves nothing; got 2"
    ):
        allocate_formats(*four, INTEGERS, budget, unit=unit)


def wrong(four: Problem, **changes: object) -> ModelAllocation:
    arguments: dict[str, object] = {"candidates": INTEGERS, "budget": 4.0} | changes
    return allocate_formats(*four, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": []}, "candidates must hold at least one"),
        ({"parts": ["head"]}, "statistics hold no tensor in head"),
        ({"parts": ["body"]}, "parts must be embedding, decoder or head, got 'body'"),
        ({"fixed": {"z": CODED}}, "fixed: there are no statistics of a tensor 'z'"),
        ({"groups": {"z": "y"}}, "groups: there are no statistics of a tensor 'z'"),
        ({"unit": "nibbles"}, "unit must be"),
        ({"budget": -1.0}, "budget must be"),
        (
            {"floors": {"a.q_proj.weight": parse_format("int8_g64")}},
            "no candidate has the 8.25 bits per element that a.q_proj.weight needs, the largest has 6.25",
        ),
        (
            {"groups": fused_groups(SHAPES), "fixed": {"a.k_proj.weight": CODED}},
            "a.q_proj.weight and a.k_proj.weight share a group",
        ),
    ],
    ids=["empty", "no part", "part", "fixed", "groups", "unit", "negative", "floor", "half a group"],
)
def test_impossible_requests_are_refused(four: Problem, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong(four, **changes)


def test_texts_are_no_formats(four: Problem) -> None:
    with pytest.raises(TypeError, match="candidates must be Format objects, got 'int4'"):
        wrong(four, candidates=["int4"])


def test_published_rule_on_two_tensors_by_hand() -> None:
    # rms 3 times and Fisher information 1/4: log2 3 + log2(1/4) / 2 = 0.58 bits more, for a quarter of the elements.
    statistics, fisher = problem({"wide": (48, 64, 0.01, 8.0), "thin": (16, 64, 0.03, 2.0)})
    extra = np.log2(statistics["thin"].rms / statistics["wide"].rms)
    extra += 0.5 * np.log2(fisher.mean("thin") / fisher.mean("wide"))
    assert extra == pytest.approx(0.58, abs=0.1)
    found = fisher_bits(statistics, fisher, 3.0)
    assert found["thin"] - found["wide"] == pytest.approx(extra)
    assert 0.75 * found["wide"] + 0.25 * found["thin"] == pytest.approx(3.0)
    # Rising b_0 passes: thin at 3 (mean 2.25), wide at 3 (3.0), thin at 4 (3.25), wide at 4 (4.0).
    expected = {2.0: (2, 2), 2.3: (2, 3), 3.0: (3, 3), 3.25: (3, 4), 3.9: (3, 4), 4.0: (4, 4), 9.0: (4, 4)}
    for mean, widths in expected.items():
        rounded = fisher_bits(statistics, fisher, mean, widths=[4, 2, 3])
        assert (rounded["wide"], rounded["thin"]) == widths
    # Too little is left for the next in line, and enough for the one after it.
    assert fisher_bits(statistics, fisher, 2.99, widths=[2, 3, 4]) == {"wide": 2.0, "thin": 4.0}


def test_published_rule_refuses_what_it_cannot_answer() -> None:
    statistics, fisher = problem({"live": (8, 64, 0.01, 8.0), "dead": (8, 64, 0.01, 0.0)})
    with pytest.raises(ValueError, match="dead: weights or Fisher information are all zero"):
        fisher_bits(statistics, fisher, 3.0)
    assert fisher_bits(statistics, fisher, 3.0, widths=[2, 3, 4]) == {"live": 4.0, "dead": 2.0}
    with pytest.raises(ValueError, match="mean_bits must be at least the smallest width, 4, got 3"):
        fisher_bits(statistics, fisher, 3.0, widths=[4, 5])
    with pytest.raises(ValueError, match="live: the Fisher information holds no such tensor"):
        fisher_bits(statistics, Fisher({}, 1, "sampled"), 3.0)
    with pytest.raises(ValueError, match="statistics must hold at least one tensor"):
        fisher_bits({}, fisher, 3.0)
    with pytest.raises(ValueError, match="widths must not be empty"):
        fisher_bits(statistics, fisher, 3.0, widths=[])


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [
        (-0.02, "the allocation is better"),
        (-0.0001, "no difference"),
        (0.0001, "no difference"),
        (0.02, "uniform is better"),
    ],
)
def test_measurements_are_compared_in_words(shift: float, verdict: str) -> None:
    rng = np.random.default_rng(0)
    kl = rng.gamma(2.0, 0.05, size=(20, 30))
    noise = rng.normal(0, 0.001, size=(20, 1))  # the mean's standard error is 0.0002
    other = kl + shift + noise - noise.mean()
    first, second = (Divergence(table, table, table, table, table) for table in (other, kl))
    assert f": {verdict}" in compare_measured(first, second)
