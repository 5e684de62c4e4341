"""The published rule gives formats by their widths, and a study can spend a budget by it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bitlaw.llm import study
from bitlaw.llm.audit import model_statistics
from bitlaw.llm.fisher import Fisher, fisher_information
from bitlaw.llm.fisher_bits import fisher_bits
from bitlaw.llm.models import LanguageModel, weight_tensors
from bitlaw.llm.published_allocation import published_allocation
from bitlaw.llm.study import run_study
from bitlaw.llm.study_config import Allocation, Run, Study
from bitlaw.llm.study_file import read_study
from bitlaw.llm.study_results import Results
from bitlaw.llm.tensor_prediction import predict_tensor
from bitlaw.llm.text import Sequences
from bitlaw.llm.workload import Workload
from bitlaw.theory import parse_format

# Channel scales of tensors with rows of 32 and 48 elements: their bits are not whole.
FORMATS = {f"int{width}": f"int{width},block=channel,scale=absmax:float16" for width in (2, 3, 4, 6)}
CANDIDATES = [parse_format(text) for text in FORMATS.values()]


@pytest.fixture(scope="module")
def fisher(tiny: LanguageModel, sequences: Sequences) -> Fisher:
    return fisher_information(tiny, sequences)


def test_formats_are_those_whose_widths_the_rule_rounds_to(tiny: LanguageModel, fisher: Fisher) -> None:
    known = {name: found for name, found in model_statistics(tiny).items() if found.part == "decoder"}
    elements = sum(found.elements for found in known.values())
    widths = {
        sum(predict_tensor(format, found).bits * found.elements for found in known.values()) / elements: str(
            format
        )
        for format in CANDIDATES
    }
    by_rule = fisher_bits(known, fisher, 4.5, widths=widths)
    expected = {name: min(widths, key=lambda width: abs(width - bits)) for name, bits in by_rule.items()}
    found = published_allocation(model_statistics(tiny), fisher, CANDIDATES, 4.5)
    assert {name: str(format) for name, format in found.items()} == {
        name: widths[width] for name, width in expected.items()
    }
    assert len(set(found.values())) > 1


def test_a_budget_below_all_widths_is_refused(tiny: LanguageModel, fisher: Fisher) -> None:
    with pytest.raises(ValueError, match=r"mean_bits must be at least the smallest width, 2\.\d+, got 2"):
        published_allocation(model_statistics(tiny), fisher, CANDIDATES, 2.0)
    with pytest.raises(ValueError, match="statistics must hold at least one tensor"):
        published_allocation({}, fisher, CANDIDATES, 4.0)
    with pytest.raises(ValueError, match="widths must not be empty"):
        published_allocation(model_statistics(tiny), fisher, [], 4.0)


def test_a_study_spends_a_budget_by_either_rule_or_takes_a_file(
    tiny: LanguageModel, tiny_folder: Path, tmp_path: Path
) -> None:
    names = [w.name for w in weight_tensors(tiny.model) if w.part == "decoder"]
    given = {name: FORMATS["int4"] if "mlp" in name else FORMATS["int6"] for name in names}
    tensors = [{"name": name, "format": format} for name, format in given.items()]
    (tmp_path / "chosen.json").write_text(json.dumps({"tensors": tensors}))
    (tmp_path / "sweep.toml").write_text(
        f"models = [{json.dumps(str(tiny_folder))}]\nformats = {json.dumps(list(FORMATS.values()))}\n"
        "[text]\nsequences = 6\nlength = 24\n[run]\nbatch = 3\n"
        '[[allocation]]\nname = "exact"\nbits = 4.5\n'
        '[[allocation]]\nname = "rule"\nbits = 4.5\nrule = "published"\n'
        f'[[allocation]]\nname = "like"\nlike = "{FORMATS["int4"]}"\nexact = true\n'
        '[[allocation]]\nname = "given"\nfile = "chosen.json"\n'
    )
    sizes = [(w.parameter.numel(), len(w.parameter)) for w in weight_tensors(tiny.model) if w.name in given]
    sweep = read_study(tmp_path / "sweep.toml")
    assert [allocation.rule for allocation in sweep.allocations] == ["least", "published", "least", "least"]
    with Results(tmp_path / "r.sqlite") as results:
        outcome = run_study(sweep, results, tmp_path / "work")
        rows = {row["allocation"]: row for row in results.rows()}
        told = results.rows("tensors")
    assert (outcome.done, outcome.failures) == (4, ())
    assert rows["exact"]["predicted_kl"] <= rows["rule"]["predicted_kl"]
    assert 4 < rows["rule"]["bits"] <= 4.5
    assert rows["like"]["bits"] <= sum(4 * n + 16 * r for n, r in sizes) / sum(n for n, _ in sizes)
    assert "duality gap 0" in rows["like"]["warnings"][0]
    found = {row["name"]: row["format"] for row in told if row["fingerprint"] == rows["given"]["fingerprint"]}
    assert found == given
    chosen = {row["format"] for row in told if row["fingerprint"] == rows["rule"]["fingerprint"]}
    assert 1 < len(chosen) <= len(FORMATS)


def test_a_study_hands_budget_and_exactness_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def remember(*given: Any, **options: Any) -> SimpleNamespace:
        asked.update(options, budget=given[3])
        return SimpleNamespace(assignment={}, statement="")

    monkeypatch.setattr(study, "allocate_formats", remember)
    parts: Any = SimpleNamespace(statistics={}, fisher=None)
    for exact in (False, True):
        run = Run("m", tuple(CANDIDATES), "allocated", Allocation(bytes=1000, exact=exact))
        study._assignment(run, parts)
        assert (asked["budget"], asked["unit"], asked["exact"]) == (1000, "bytes", exact)


def test_a_rule_that_means_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the published rule needs bits"):
        Allocation(rule="published")
    with pytest.raises(ValueError, match="knows no fused tensors"):
        Allocation(bits=4.0, fused=True, rule="published")
    path = tmp_path / "x.toml"
    path.write_text(
        'models = ["m"]\nformats = ["nf4"]\n[[allocation]]\nname = "a"\nbits = 4\nrule = "best"\n'
    )
    with pytest.raises(
        ValueError, match=r"allocation\[0\]\.rule must be one of least, published, got 'best'"
    ):
        read_study(path)


def test_the_rule_is_part_of_what_a_run_is() -> None:
    one, other = Allocation(bits=4.0), Allocation(bits=4.0, rule="published")
    assert one.identity() != other.identity()
    assert len(Study(("m",), {}, (one, other), Workload()).runs("m")) == 2
