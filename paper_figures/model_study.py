"""What figures of a language model are computed from, and the runs that they ask of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from .model_results import ModelResults

if TYPE_CHECKING:
    from bitlaw.llm import Fisher, TensorStatistics

__all__ = ["UNIFORM", "AllocationPlan", "ModelParts", "ModelStudy"]


@dataclass(frozen=True)
class AllocationPlan:
    """How a figure's formats are given to tensors; plain values, so that no figure imports torch.

    Attributes
    ----------
    name : str
        Column `allocation` of its runs.
    parts : tuple of {"embedding", "decoder", "head"}
    ends : str, optional
        Format of the first and the last layer of the decoder.
    bits : float, optional
        A budget: every tensor gets one of the formats.
    rule : {"least", "published"}
        How a budget is spent.
    formats : tuple of str
        Those of the figure's `FORMATS` that it is run with; all when left out.
    """

    name: str = "all"
    parts: tuple[Literal["embedding", "decoder", "head"], ...] = ("embedding", "decoder", "head")
    ends: str | None = None
    bits: float | None = None
    rule: Literal["least", "published"] = "least"
    formats: tuple[str, ...] = ()


# One format for all tensors.
UNIFORM = AllocationPlan()


class ModelParts(Protocol):
    """What a study keeps of a model beside its rows."""

    @property
    def statistics(self) -> Mapping[str, TensorStatistics]:
        """Of the weights, by tensor."""

    @property
    def fisher(self) -> Fisher:
        """Information that the runs were predicted with."""

    @property
    def text_fisher(self) -> Fisher | None:
        """Information with the text's own tokens as targets, where it was computed."""


@dataclass(frozen=True)
class ModelStudy:
    """Runs of one model on one text, and what the study's work folder keeps of the model, if it is there."""

    results: ModelResults
    parts: ModelParts | None = None

    @classmethod
    def open(
        cls,
        results: str | PathLike[str],
        work: str | PathLike[str] | None = None,
        model: str | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> ModelStudy:
        """Read a study's results and work folder; the model itself is not loaded.

        Parameters
        ----------
        results : path
            SQLite file of a study, or what `ModelResults.save` wrote (ending .json).
        work : path, optional
            The study's work folder; figures of weights and Fisher information cannot be computed without.
        model, digests : optional
            As for `ModelResults.from_rows`.

        Returns
        -------
        ModelStudy
            Without parts where the folder holds none of this model.

        Raises
        ------
        ValueError, OSError
            If a file is missing or cannot be read, or holds no runs of the model.
        """
        if not Path(results).is_file():
            raise ValueError(f"{results}: there is no such file")
        if work is not None and not Path(work).is_dir():
            raise ValueError(f"{work}: there is no such folder")
        found = _read(Path(results), model, digests)
        if work is None:
            return cls(found)
        from bitlaw.llm.study_parts import open_parts

        return cls(found, open_parts(work, found.digests))


def _read(path: Path, model: str | None, digests: Mapping[str, str] | None) -> ModelResults:
    if path.suffix == ".json":
        found = ModelResults.load(path)
        if model not in (None, found.model, Path(found.model).name):
            raise ValueError(f"{path}: the results are of {found.model}, not of {model!r}")
        return found
    from bitlaw.llm.study_results import Results

    with Results(path) as file:
        rows, tensors = file.rows(), file.rows("tensors")
    try:
        return ModelResults.from_rows(rows, tensors, model, digests)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
