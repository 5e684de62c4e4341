"""Runs of a study of one language model on one text, as plain numbers that its figures share.

They come from the rows of a results file, are kept as JSON, and are drawn as often as wished; nothing here imports
torch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property, lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

from bitlaw.theory import parse_format

from .model_runs import NotInStudy, RunResult, TensorResult, missing_runs

__all__ = ["ModelResults"]


@dataclass(frozen=True)
class ModelResults:
    """All runs of one model on one set of sequences.

    Attributes
    ----------
    model, text : str
        As the study names them.
    sequences, length : int
        How many sequences, and of how many tokens.
    runs : tuple of RunResult
        In the order in which they were done.
    digests : dict of str to str
        `weights`, `tokens` and `code` of the runs.
    """

    model: str
    text: str
    sequences: int
    length: int
    runs: tuple[RunResult, ...]
    digests: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _uniform(self) -> dict[str, RunResult]:
        """By specification."""
        found = [run for run in self.runs if run.uniform]
        counts = Counter(run.parts for run in found)
        parts = max(counts, key=lambda one: (counts[one], len(one)), default=frozenset())
        return {run.specification: run for run in found if run.parts == parts}

    @property
    def uniform(self) -> tuple[RunResult, ...]:
        """Runs with one format for all tensors, over those parts of the model that most of them quantise.

        Raises
        ------
        NotInStudy
            If there is none.
        """
        if not self._uniform:
            raise NotInStudy("the study has no run with one format for all tensors")
        return tuple(self._uniform.values())

    def find(self, formats: Iterable[str]) -> dict[str, RunResult]:
        """Uniform runs of formats by their text as given, those that are there, in the order given."""
        keys = {text: _canonical(text) for text in formats}
        return {text: self._uniform[key] for text, key in keys.items() if key in self._uniform}

    def need(self, formats: Iterable[str]) -> dict[str, RunResult]:
        """As `find`, where all must be there.

        Raises
        ------
        NotInStudy
            Names the missing ones.
        """
        wanted = list(formats)
        found = self.find(wanted)
        missing = [text for text in wanted if text not in found]
        if missing:
            raise missing_runs(missing)
        return found

    def main(self, formats: Iterable[str]) -> tuple[RunResult, ...]:
        """Uniform runs of formats where all of them are there, and all uniform runs otherwise.

        Raises
        ------
        NotInStudy
            If there is none.
        """
        wanted = list(formats)
        found = self.find(wanted)
        return tuple(found.values()) if len(found) == len(wanted) else self.uniform

    @classmethod
    def from_rows(
        cls,
        runs: Sequence[Mapping[str, Any]],
        tensors: Sequence[Mapping[str, Any]],
        model: str | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> ModelResults:
        """Take the runs of one model from the rows of a study's two tables.

        Of runs that were repeated with other measuring, the last one is taken.

        Parameters
        ----------
        runs, tensors : sequences of mappings
            As `bitlaw.llm.study_results.Results.rows` gives them.
        model : str, optional
            As the study names it, or the last part of its path; may be left out where the rows are of one.
        digests : mapping of str to str, optional
            `weights`, `tokens` and `code` of the rows to take, under whatever name the model has there; those of the
            model's last row when left out.

        Returns
        -------
        ModelResults

        Raises
        ------
        ValueError
            If there are no rows of the model, or rows of several and none is named.
        """
        wanted = None if digests is None else _digests(digests)
        if wanted is not None:
            runs = [row for row in runs if _digests(row) == wanted]
        if wanted is None or model is not None:
            name = _chosen(runs, model)
            runs = [row for row in runs if row["model"] == name]
        if not runs:
            raise ValueError("the results hold no runs with this text, these weights and this code")
        last = runs[-1]
        rows = [row for row in runs if _digests(row) == _digests(last)]
        kept = {(row["specification"], row["allocation"]): row for row in rows}
        of_run: dict[str, list[TensorResult]] = {row["fingerprint"]: [] for row in kept.values()}
        for row in tensors:
            if row["fingerprint"] in of_run:
                of_run[row["fingerprint"]].append(_taken(TensorResult, row))
        found = (
            _taken(RunResult, row | {"name": row["format"], "tensors": tuple(of_run[row["fingerprint"]])})
            for row in map(dict, kept.values())
        )
        return cls(
            last["model"], last["text"], last["sequences"], last["length"], tuple(found), _digests(last)
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=1, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> ModelResults:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        try:
            told = json.loads(Path(path).read_text(encoding="utf-8"))
            runs = tuple(
                RunResult(**row | {"tensors": tuple(TensorResult(**tensor) for tensor in row["tensors"])})
                for row in told["runs"]
            )
            return cls(**told | {"runs": runs})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: holds no results of a model ({error})") from error


def _digests(row: Mapping[str, Any]) -> dict[str, str]:
    """What the runs of one set of results share."""
    return {name: row[name] for name in ("weights", "tokens", "code")}


def _chosen(runs: Sequence[Mapping[str, Any]], model: str | None) -> str:
    """The model of a results file that is meant."""
    known = list(dict.fromkeys(str(row["model"]) for row in runs))
    if not known:
        raise ValueError("the results hold no runs")
    told = ", ".join(known)
    if model is None:
        if len(known) > 1:
            raise ValueError(f"the results hold runs of {len(known)} models, name one of {told}")
        return known[0]
    found = [name for name in known if name == model] or [name for name in known if Path(name).name == model]
    if len(found) != 1:
        raise ValueError(f"the results hold {len(found) or 'no'} models {model!r}, but runs of {told}")
    return found[0]


def _taken(kind: Any, row: Mapping[str, Any]) -> Any:
    """A dataclass from those columns of a row that it has."""
    return kind(**{one.name: row[one.name] for one in fields(kind)})


@lru_cache(maxsize=1024)
def _canonical(text: str) -> str:
    return str(parse_format(text))
