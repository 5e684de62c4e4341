"""Figures of weights, Fisher information and bits of tensors show their source, and say what they lack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bitlaw.llm import fisher_bits
from bitlaw.llm.fisher import Fisher
from bitlaw.llm.models import Part, WeightTensor
from bitlaw.llm.statistics import TensorStatistics, tensor_statistics
from bitlaw.llm.study import run_study
from bitlaw.llm.study_config import Allocation, Study
from bitlaw.llm.study_parts import StudyParts, keep_text_fisher
from bitlaw.llm.study_results import RUN_COLUMNS, TENSOR_COLUMNS, Results
from bitlaw.llm.workload import Workload, open_workload
from bitlaw.paper_figures import (
    model_allocated_bits,
    model_bits_per_element,
    model_fisher_structure,
    model_fisher_targets,
    model_weight_histograms,
)
from bitlaw.paper_figures.model_figures import MODEL_FIGURES, draw_model_figures
from bitlaw.paper_figures.model_results import ModelResults
from bitlaw.paper_figures.model_runs import NotInStudy
from bitlaw.paper_figures.model_study import ModelStudy
from bitlaw.paper_figures.model_tensors import by_kind, looks, middle, places, tensors_of
from bitlaw.theory import parse_format

OF_PARTS = (model_weight_histograms, model_fisher_structure, model_fisher_targets, model_allocated_bits)
NONE = ModelResults("some/model", "t", 2, 8, ())
EMBEDDING, QUERY, DOWN = "embed.weight", "layers.{}.attn.q_proj.weight", "layers.{}.mlp.down_proj.weight"
NAMES: dict[str, Part] = {
    EMBEDDING: "embedding",
    **{text.format(layer): "decoder" for layer in range(3) for text in (QUERY, DOWN)},
    "lm_head.weight": "head",
}
SHAPE = (24, 64)


def weights(name: str, part: Part, generator: torch.Generator) -> TensorStatistics:
    return tensor_statistics(WeightTensor(name, nn.Parameter(torch.randn(SHAPE, generator=generator)), part))


def information(seed: int, targets: Any = "sampled") -> Fisher:
    generator = torch.Generator().manual_seed(seed)
    values = {name: torch.rand(SHAPE, generator=generator) * 4**place for place, name in enumerate(NAMES)}
    return Fisher(values, 100, targets)


@pytest.fixture(scope="module")
def statistics() -> dict[str, TensorStatistics]:
    generator = torch.Generator().manual_seed(0)
    return {name: weights(name, part, generator) for name, part in NAMES.items()}


@pytest.fixture(scope="module")
def made(statistics: dict[str, TensorStatistics]) -> ModelStudy:
    return ModelStudy(NONE, StudyParts(statistics, information(1), information(2, "text")))


def with_parts(study: ModelStudy, **changes: Any) -> ModelStudy:
    assert isinstance(study.parts, StudyParts)
    return replace(study, parts=replace(study.parts, **changes))


@pytest.fixture(scope="module")
def real(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelStudy:
    """Two formats on all tensors, a budget by each rule, and both kinds of Fisher information."""
    folder = tmp_path_factory.mktemp("parts")
    workload = Workload(sequences=4, length=24, batch=4, device="cpu")
    parts: Any = ("embedding", "decoder", "head")
    formats = {text: parse_format(text) for text in ("q4_0", "int3,scale=absmax:float32,outliers=1%")}
    allocations = (
        Allocation("all", parts),
        Allocation("least", parts, bits=4.0),
        Allocation("published rule", parts, bits=3.9, rule="published"),
    )
    keep_text_fisher(open_workload(str(tiny_folder), workload), folder / "work")
    with Results(folder / "r.sqlite") as results:
        study = Study((str(tiny_folder),), formats, allocations, workload)
        assert not run_study(study, results, folder / "work").failures
    return ModelStudy.open(folder / "r.sqlite", folder / "work")


def test_kinds_and_layers_are_read_from_names() -> None:
    decoder = (
        "model.layers.11.self_attn.k_proj.weight",
        "model.layers.0.mlp.experts.3.w1.weight",
        "transformer.h.2.attn.c_proj.weight",
        "transformer.h.2.mlp.c_proj.weight",
        "model.layers.1.mlp.experts.gate_up_proj",
        "project_in.weight",
    )
    found = tensors_of(dict.fromkeys(decoder, "decoder") | {"wte.weight": "embedding", "out.weight": "head"})
    assert [(tensor.kind, tensor.layer) for tensor in found] == [
        ("key", 11),
        ("gate", 0),
        ("attn.c_proj", 2),
        ("mlp.c_proj", 2),
        ("mlp.experts.gate_up_proj", 1),
        ("project_in", None),
        ("embedding", None),
        ("head", None),
    ]
    assert [found[0].label, found[-1].label] == ["key, layer 11", "head"]
    kinds = list(by_kind(found))
    assert (kinds[0], kinds[-1]) == ("embedding", "head")
    shown = [(look["color"], look["marker"]) for look in looks(kinds).values()]
    assert len(set(shown)) == len(kinds)
    place = places(found)
    assert (place["wte.weight"], place[decoder[0]], place["out.weight"]) == (-1, 11, 12)


def test_the_middle_of_a_kind_is_in_the_middle_layer(statistics: dict[str, TensorStatistics]) -> None:
    found = middle(tensors_of(NAMES))
    assert [tensor.name for tensor in found.values()] == [
        EMBEDDING,
        QUERY.format(1),
        DOWN.format(1),
        "lm_head.weight",
    ]


def test_histograms_are_those_of_the_statistics(made: ModelStudy) -> None:
    data = model_weight_histograms.compute(made)
    assert [panel.label for panel in data.panels] == ["embedding", "query, layer 1", "down, layer 1", "head"]
    assert made.parts is not None
    for panel in data.panels:
        found = made.parts.statistics[panel.name]
        widths = np.diff(panel.edges)
        np.testing.assert_allclose(
            panel.density[1:-1] * widths[1:-1] * found.elements, found.histogram.counts[1:-1], rtol=1e-12
        )
        assert np.isnan(panel.density[[0, -1]]).all(), "outer cells have no density"
        assert panel.laws == {fit.family: fit.source for fit in found.fits if fit.family in panel.laws}
        assert set(panel.laws) == {"normal", "laplace", "student_t", "generalised_normal"}
        assert panel.best == found.fits[0].family
        # Elements are over their row's rms and so is the law: half of both lie within 0.674 of a Normal.
        inner = np.abs(panel.edges[:-1] + widths / 2) < 0.674
        share = np.nansum(panel.density[inner] * widths[inner])
        assert share == pytest.approx(0.5, abs=5 * np.sqrt(0.25 / found.elements) + 0.02)
        assert float(panel.laws["normal"].probability(-0.674, 0.674)) == pytest.approx(share, abs=0.06)


def test_a_histogram_is_drawn_where_it_was_counted(made: ModelStudy) -> None:
    data = model_weight_histograms.compute(made)
    figure = model_weight_histograms.draw(data)
    for axes, panel in zip(figure.axes, data.panels, strict=False):
        (dots,) = [line for line in axes.lines if line.get_label() == "weights"]
        x, y = np.asarray(dots.get_xdata(), float), np.asarray(dots.get_ydata(), float)
        cells = np.searchsorted(panel.edges, x) - 1
        np.testing.assert_array_equal(y, panel.density[cells])
        assert len(y) == np.count_nonzero(panel.density > 0)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["weights", "Normal", "Laplace", "Student-t", "gen. Normal"]


def test_tensors_of_equal_weights_have_no_panel(
    made: ModelStudy, statistics: dict[str, TensorStatistics]
) -> None:
    constant = tensor_statistics(WeightTensor(EMBEDDING, nn.Parameter(torch.ones(SHAPE)), "embedding"))
    data = model_weight_histograms.compute(with_parts(made, statistics=statistics | {EMBEDDING: constant}))
    assert [panel.label for panel in data.panels] == ["query, layer 1", "down, layer 1", "head"]
    with pytest.raises(NotInStudy, match="all weights of every tensor are equal"):
        model_weight_histograms.compute(with_parts(made, statistics={EMBEDDING: constant}))


def test_the_structure_is_that_of_the_diagonals(made: ModelStudy) -> None:
    data = model_fisher_structure.compute(made)
    assert made.parts is not None
    fisher = made.parts.fisher
    assert data.means == {name: fisher.mean(name) for name in NAMES}
    assert data.tokens == 100
    for kind, tensor in middle(data.tensors).items():
        values = fisher.diagonals[tensor.name].double().numpy()
        within = data.within[kind]
        ordered = np.sort(values.ravel())[::-1]
        for share, held in zip(within.shares, within.held, strict=True):
            count = round(share * ordered.size)
            assert count == pytest.approx(share * ordered.size)
            assert held == pytest.approx(ordered[:count].sum() / ordered.sum(), rel=1e-6)
        assert within.held[-1] == within.shares[-1] == 1
        spreads = (values, values.mean(1), values.mean(0))
        expected = [float(np.log2(one).std()) for one in spreads]
        assert list(within.octaves.values()) == pytest.approx(expected, rel=1e-5)


def test_rows_alone_tell_means_and_the_spread_of_rows(made: ModelStudy) -> None:
    assert made.parts is not None
    whole = made.parts.fisher
    rows = {name: whole.rows(name) for name in NAMES}
    fisher = Fisher({}, 100, "sampled", row_sums=rows, columns=dict.fromkeys(NAMES, SHAPE[1]))
    expected = model_fisher_structure.compute(made)
    data = model_fisher_structure.compute(with_parts(made, fisher=fisher))
    assert data.means == pytest.approx(expected.means, rel=1e-12)
    for kind, within in data.within.items():
        assert len(within.held) == 0
        assert within.octaves == pytest.approx({"row means": expected.within[kind].octaves["row means"]})
    model_fisher_structure.draw(data).canvas.draw()


def test_tensors_without_information_are_left_out(made: ModelStudy) -> None:
    assert made.parts is not None
    fisher = made.parts.fisher
    zero = Fisher(fisher.diagonals | {EMBEDDING: torch.zeros(SHAPE)}, 100, "sampled")
    known = with_parts(made, fisher=zero)
    for module in (model_fisher_structure, model_fisher_targets):
        assert [tensor.name for tensor in module.compute(known).tensors] == list(NAMES)[1:]
    bits = model_allocated_bits.compute(known)
    assert set(bits.least) - set(bits.published) == {EMBEDDING}
    model_allocated_bits.draw(bits).canvas.draw()
    nothing = with_parts(made, fisher=Fisher({EMBEDDING: torch.zeros(SHAPE)}, 100, "sampled"))
    for module in (model_fisher_structure, model_fisher_targets):
        with pytest.raises(NotInStudy, match="holds no tensor with any"):
            module.compute(nothing)


def test_bits_that_other_targets_move_are_those_of_the_rule(made: ModelStudy) -> None:
    data = model_fisher_targets.compute(made)
    assert isinstance(made.parts, StudyParts)
    assert made.parts.text_fisher is not None
    assert data.sampled == {name: made.parts.fisher.mean(name) for name in NAMES}
    assert data.text == {name: made.parts.text_fisher.mean(name) for name in NAMES}
    with_text = fisher_bits(made.parts.statistics, made.parts.text_fisher, 4.0)
    sampled = fisher_bits(made.parts.statistics, made.parts.fisher, 4.0)
    assert data.more_bits == pytest.approx(
        {name: with_text[name] - sampled[name] for name in NAMES}, abs=1e-9
    )
    assert max(map(abs, data.more_bits.values())) > 1e-3
    doubled = Fisher({n: 2 * f for n, f in made.parts.fisher.diagonals.items()}, 100, "text")
    none = model_fisher_targets.compute(with_parts(made, text_fisher=doubled))
    assert list(none.more_bits.values()) == pytest.approx([0.0] * len(NAMES), abs=1e-9)
    right = model_fisher_targets.draw(none).axes[1]
    assert right.get_ylim() == (-0.1, 0.1), "no difference does not look like a large one"


def test_targets_that_are_missing_are_named(made: ModelStudy) -> None:
    with pytest.raises(NotInStudy, match="with the text's own targets is missing"):
        model_fisher_targets.compute(with_parts(made, text_fisher=None))
    with pytest.raises(NotInStudy, match="there are no sampled ones"):
        model_fisher_targets.compute(with_parts(made, fisher=information(2, "text")))


def test_without_a_run_the_bits_are_the_least_predicted(made: ModelStudy) -> None:
    data = model_allocated_bits.compute(made)
    assert made.parts is not None
    assert not data.measured
    assert data.mean <= model_allocated_bits.BUDGET
    assert np.mean(list(data.least.values())) == pytest.approx(data.mean)  # tensors are of one size
    assert data.published == fisher_bits(made.parts.statistics, made.parts.fisher, data.mean)
    # Information grows fourfold from tensor to tensor: a bit more by the rule, no bit fewer by the choice.
    by_rule, chosen = list(data.published.values()), list(data.least.values())
    assert np.diff(by_rule) == pytest.approx([1.0] * (len(NAMES) - 1), abs=0.2)
    assert chosen == sorted(chosen)


def test_a_run_at_a_budget_is_shown_with_its_measured_bits(real: ModelStudy) -> None:
    data = model_allocated_bits.compute(real)
    (run,) = [run for run in real.results.runs if run.allocation == "least"]
    assert real.parts is not None
    assert data.measured
    assert data.least == {tensor.name: tensor.bits for tensor in run.tensors}
    assert data.mean == run.bits
    assert data.published == fisher_bits(real.parts.statistics, real.parts.fisher, run.bits)
    texts = {text.get_text() for text in model_allocated_bits.draw(data).legends[0].get_texts()}
    assert {"mean", "embedding", "query", "down"} <= texts


def test_runs_by_the_published_rule_are_not_shown_as_the_least(real: ModelStudy) -> None:
    kept = tuple(run for run in real.results.runs if run.allocation != "least")
    assert any("published" in run.allocation for run in kept)
    assert not model_allocated_bits.compute(replace(real, results=replace(real.results, runs=kept))).measured


def test_bars_are_the_parts_of_the_runs(real: ModelStudy) -> None:
    data = model_bits_per_element.compute(real)
    runs = {run.name: run for run in real.results.uniform}
    assert {bar.name for bar in data.bars} == set(runs)
    for bar in data.bars:
        run = runs[bar.name]
        values = [run.element_bits, run.scale_bits, run.outlier_bits, run.codebook_bits]
        assert list(bar.parts.values()) == values
        assert sum(values) == pytest.approx(run.predicted_bits, rel=1e-9)
        assert (bar.measured, bar.kl, bar.kl_upper) == (run.bits, run.kl, run.kl_upper)
    assert [bar.label for bar in data.bars] == ["int3, tensor, 1% outliers", "q4_0"]
    left = model_bits_per_element.draw(data).axes[0]
    ends = [patch.get_x() + patch.get_width() for patch in left.patches]
    assert ends[-len(data.bars) :] == pytest.approx([runs[bar.name].predicted_bits for bar in data.bars])


def rows(formats: tuple[str, ...]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    runs, tensors = [], []
    for place, text in enumerate(formats):
        about = {"model": "m", "text": "t", "weights": "w", "tokens": "t", "code": "c", "allocation": "all"}
        about |= {"fingerprint": str(place), "format": text, "specification": str(parse_format(text))}
        runs.append(dict.fromkeys(RUN_COLUMNS, 1.0) | about | {"bits": 9.0 - place / 8, "kl_lower": None})
        tensors.append(dict.fromkeys(TENSOR_COLUMNS, 1.0) | {"fingerprint": str(place), "format": text})
    return runs, tensors


def test_a_large_study_shows_the_formats_of_other_figures() -> None:
    more = tuple(f"int{width},block={size}" for width in range(2, 8) for size in (8, 16, 32, 64))
    large = ModelStudy(ModelResults.from_rows(*rows((*model_bits_per_element.FORMATS, *more))))
    bars = model_bits_per_element.compute(large).bars
    assert {bar.name for bar in bars} == set(model_bits_per_element.FORMATS)
    assert [bar.measured for bar in bars] == sorted(bar.measured for bar in bars)
    assert len({bar.label for bar in bars}) == len(bars), "no two rows have one label"
    small = ModelStudy(ModelResults.from_rows(*rows(more)))
    assert {bar.name for bar in model_bits_per_element.compute(small).bars} == set(more)
    assert all(bar.kl_lower == bar.kl for bar in bars), "no interval is none"
    with pytest.raises(NotInStudy, match="no run with one format for all tensors"):
        model_bits_per_element.compute(ModelStudy(NONE))


@pytest.mark.parametrize("module", OF_PARTS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_figures_of_the_model_need_what_the_study_keeps(module: Any, real: ModelStudy) -> None:
    with pytest.raises(NotInStudy, match="work folder of the study"):
        module.compute(replace(real, parts=None))


def test_parts_of_another_model_are_not_shown_beside_the_runs(real: ModelStudy, made: ModelStudy) -> None:
    with pytest.raises(NotInStudy, match="of another model than the runs"):
        model_allocated_bits.compute(replace(real, parts=made.parts))


def test_all_are_drawn_from_a_study(real: ModelStudy, tmp_path: Path) -> None:
    names = [name for name, module in MODEL_FIGURES.items() if module in (*OF_PARTS, model_bits_per_element)]
    assert len(names) == 5
    drawn = draw_model_figures(real, tmp_path, names)
    assert [one.skipped for one in drawn] == [None] * 5
    assert all(path.stat().st_size > 0 for one in drawn for path in one.files)
