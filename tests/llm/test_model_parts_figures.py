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
from bitlaw.llm.models import WeightTensor
from bitlaw.llm.statistics import tensor_statistics
from bitlaw.llm.study_parts import StudyParts
from bitlaw.paper_figures import (
    model_allocated_bits,
    model_bits_per_element,
    model_fisher_structure,
    model_fisher_targets,
    model_weight_histograms,
)
from bitlaw.paper_figures.model_figures import MODEL_FIGURES, draw_model_figures
from bitlaw.paper_figures.model_runs import NotInStudy
from bitlaw.paper_figures.model_study import ModelStudy
from bitlaw.paper_figures.model_tensors import by_kind, looks, middle, places, tensors_of

from .constructed import DOWN, EMBEDDING, NAMES, QUERY, SHAPE, information, made, statistics, with_parts

OF_PARTS = (model_weight_histograms, model_fisher_structure, model_fisher_targets, model_allocated_bits)


@pytest.fixture(scope="module", name="made")
def made_up() -> ModelStudy:
    return made()


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


def test_the_middle_of_a_kind_is_in_the_middle_layer() -> None:
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


def test_tensors_of_equal_weights_have_no_panel(made: ModelStudy) -> None:
    constant = tensor_statistics(WeightTensor(EMBEDDING, nn.Parameter(torch.ones(SHAPE)), "embedding"))
    data = model_weight_histograms.compute(with_parts(made, statistics=statistics() | {EMBEDDING: constant}))
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


@pytest.mark.parametrize("module", OF_PARTS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_figures_of_the_model_need_what_the_study_keeps(module: Any, whole_study: ModelStudy) -> None:
    with pytest.raises(NotInStudy, match="work folder of the study"):
        module.compute(replace(whole_study, parts=None))


def test_all_are_drawn_from_a_study(whole_study: ModelStudy, tmp_path: Path) -> None:
    names = [name for name, module in MODEL_FIGURES.items() if module in (*OF_PARTS, model_bits_per_element)]
    assert len(names) == 5
    drawn = draw_model_figures(whole_study, tmp_path, names)
    assert [one.skipped for one in drawn] == [None] * 5
    assert all(path.stat().st_size > 0 for one in drawn for path in one.files)
