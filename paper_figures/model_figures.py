"""Figures of a real model, from a study of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bitlaw.theory import parse_format

from . import (
    model_allocated_bits,
    model_allocation,
    model_alternatives,
    model_bits_per_element,
    model_block_size,
    model_compression,
    model_cross_entropy,
    model_element_formats,
    model_error_prediction,
    model_fisher_structure,
    model_fisher_targets,
    model_kl_prediction,
    model_moment_matching,
    model_rotations,
    model_scale_bits,
    model_scaled_kl,
    model_signmax,
    model_trade_off,
    model_weight_histograms,
)
from .model_runs import NotInStudy
from .model_study import UNIFORM, AllocationPlan, ModelStudy
from .style import settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bitlaw.llm.study_config import Allocation, Study
    from bitlaw.llm.workload import Workload
    from bitlaw.theory import Format

__all__ = [
    "MODEL_FIGURES",
    "DrawnFigure",
    "ModelFigure",
    "draw_model_figures",
    "figure_studies",
    "missing_for",
    "wants_text_fisher",
]


class ModelFigure(Protocol):
    """A module that holds one figure of a model.

    It may also hold `ALLOCATIONS`, a tuple of `AllocationPlan` that its formats are run with (`UNIFORM` when left out),
    and `TEXT_FISHER = True` where it shows Fisher information with the text's targets.
    """

    title: str
    paper: str
    FORMATS: tuple[str, ...]

    def compute(self, study: ModelStudy) -> Any:
        """Return the numbers; raise `NotInStudy` where they are not there."""

    def draw(self, data: Any) -> Figure:
        """Draw the numbers."""


MODEL_FIGURES: Mapping[str, ModelFigure] = {
    "model_trade_off": model_trade_off,
    "model_scaled_kl": model_scaled_kl,
    "model_compression": model_compression,
    "model_allocation": model_allocation,
    "model_kl_prediction": model_kl_prediction,
    "model_error_prediction": model_error_prediction,
    "model_cross_entropy": model_cross_entropy,
    "model_block_size": model_block_size,
    "model_scale_bits": model_scale_bits,
    "model_moment_matching": model_moment_matching,
    "model_element_formats": model_element_formats,
    "model_alternatives": model_alternatives,
    "model_signmax": model_signmax,
    "model_rotations": model_rotations,
    "model_bits_per_element": model_bits_per_element,
    "model_allocated_bits": model_allocated_bits,
    "model_weight_histograms": model_weight_histograms,
    "model_fisher_structure": model_fisher_structure,
    "model_fisher_targets": model_fisher_targets,
}

# Dates and versions would make every file differ from the last.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


@dataclass(frozen=True)
class DrawnFigure:
    """A figure that was asked for: its files, or why there are none."""

    name: str
    title: str
    paper: str
    files: tuple[Path, ...]
    skipped: str | None = None


def figure_studies(
    models: Iterable[str], workload: Workload | None = None, names: Iterable[str] = ()
) -> tuple[Study, ...]:
    """Studies that together hold the runs of figures, each run once.

    Parameters
    ----------
    models : iterable of str
    workload : Workload, optional
        Text, sequences and device; the default of studies when left out.
    names : iterable of str
        Keys of `MODEL_FIGURES`; all when left out.

    Returns
    -------
    tuple of Study
        One format for all tensors first, then other allocations, with the formats of their figure alone.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    from bitlaw.llm.study_config import Study
    from bitlaw.llm.workload import Workload

    modules = _modules(names).values()
    asked = [(module, plan) for module in modules for plan in getattr(module, "ALLOCATIONS", (UNIFORM,))]
    shared = tuple(text for module, plan in asked if plan == UNIFORM for text in module.FORMATS)
    sweeps: dict[tuple[str, ...], list[AllocationPlan]] = {shared: [UNIFORM]} if shared else {}
    for module, plan in asked:
        if plan != UNIFORM:
            sweeps.setdefault(plan.formats or module.FORMATS, []).append(plan)
    return tuple(
        Study(
            tuple(models),
            _parsed(formats),
            tuple(_allocation(plan) for plan in plans),
            workload or Workload(),
        )
        for formats, plans in sweeps.items()
    )


def _parsed(formats: Iterable[str]) -> dict[str, Format]:
    """Formats by the first of their texts."""
    found: dict[Format, str] = {}
    for text in formats:
        found.setdefault(parse_format(text), text)
    return {text: format for format, text in found.items()}


def _allocation(plan: AllocationPlan) -> Allocation:
    from bitlaw.llm.study_config import Allocation

    ends = None if plan.ends is None else parse_format(plan.ends)
    return Allocation(plan.name, plan.parts, ends, plan.bits, rule=plan.rule)


def _modules(names: Iterable[str]) -> dict[str, ModelFigure]:
    """Modules of some figures, of all for none."""
    asked = list(names)
    for name in asked:
        if name not in MODEL_FIGURES:
            raise ValueError(f"names must be of {', '.join(MODEL_FIGURES)}, got {name!r}")
    return {name: MODEL_FIGURES[name] for name in asked or MODEL_FIGURES}


def wants_text_fisher(names: Iterable[str] = ()) -> bool:
    """Whether any of some figures (of all for none) shows Fisher information with the text's targets."""
    return any(getattr(module, "TEXT_FISHER", False) for module in _modules(names).values())


def missing_for(name: str, study: ModelStudy) -> str | None:
    """What a study lacks for a figure; None where it can be drawn."""
    try:
        MODEL_FIGURES[name].compute(study)
    except NotInStudy as missing:
        return str(missing)
    return None


def draw_model_figures(
    study: ModelStudy,
    folder: str | PathLike[str],
    names: Iterable[str] = (),
    progress: Callable[[DrawnFigure], object] | None = None,
) -> list[DrawnFigure]:
    """Draw figures of a model as PNG and PDF; the same numbers give the same bytes.

    Parameters
    ----------
    study : ModelStudy
    folder : path
        Made where it is missing; files of the same name are replaced.
    names : iterable of str
        Keys of `MODEL_FIGURES`; all when left out.
    progress : callable, optional
        Called with each figure.

    Returns
    -------
    list of DrawnFigure
        Those that the study holds no runs for without files, and with the reason.

    Raises
    ------
    ValueError
        If a name is unknown; nothing is drawn then.
    ImportError
        If matplotlib is not installed (extra `figures`).
    """
    modules = _modules(names)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, module in modules.items():
        try:
            data = module.compute(study)
        except NotInStudy as missing:
            drawn.append(DrawnFigure(name, module.title, module.paper, (), str(missing)))
        else:
            files = _write(module.draw(data), target / name)
            drawn.append(DrawnFigure(name, module.title, module.paper, files))
        if progress is not None:
            progress(drawn[-1])
    return drawn


def _write(figure: Figure, stem: Path) -> tuple[Path, ...]:
    files = tuple(stem.with_name(f"{stem.name}.{suffix}") for suffix in _METADATA)
    with settings():
        for file, metadata in zip(files, _METADATA.values(), strict=True):
            figure.savefig(file, metadata=metadata)
    return files
