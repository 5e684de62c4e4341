"""Figures of a real model, from audits of it in many formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from . import model_cross_entropy, model_error_prediction, model_kl_prediction, model_trade_off
from .model_results import FormatResult, ModelResults, measure_model
from .style import settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bitlaw.llm import LanguageModel, Sequences

__all__ = ["DEFAULT_FORMATS", "MODEL_FIGURES", "ModelFigure", "draw_model_figures", "render_model_figures"]


class ModelFigure(Protocol):
    """A module that holds one figure of a model."""

    title: str

    def compute(self, results: ModelResults) -> Any:
        """Return the numbers."""

    def draw(self, data: Any) -> Figure:
        """Draw the numbers."""


MODEL_FIGURES: Mapping[str, ModelFigure] = {
    "model_trade_off": model_trade_off,
    "model_kl_prediction": model_kl_prediction,
    "model_error_prediction": model_error_prediction,
    "model_cross_entropy": model_cross_entropy,
}

_CODED = "int12sym,scale=rms:float32,reach=1,multiplier={:g},code=entropy"

DEFAULT_FORMATS: tuple[str, ...] = (
    *(f"cbrt{width}:normal,scale=rms:float32" for width in (3, 4, 5, 6)),
    *(f"cbrt{width}:normal,block=channel,scale=absmax:float16" for width in (3, 4, 5, 6)),
    *(f"cbrt{width}:normal,block=64,scale=absmax:float16" for width in (3, 4, 5, 6)),
    *(f"cbrt{width}:normal,scale=rms:float32,outliers=0.5%" for width in (3, 4, 5)),
    *(_CODED.format(step) for step in (0.6, 0.3, 0.15, 0.075)),
    *("nf4", "mxfp4", "nvfp4", "q4_0", "q5_0", "q8_0"),
)

# Dates and versions would make every file differ from the last.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


def render_model_figures(
    language_model: LanguageModel,
    folder: str | PathLike[str],
    *,
    formats: Iterable[str] = DEFAULT_FORMATS,
    sequences: Sequences | None = None,
    progress: Callable[[FormatResult], object] | None = None,
) -> list[Path]:
    """Audit a model and draw all figures of it.

    Parameters
    ----------
    language_model : LanguageModel
    folder : path
        Made where it is missing; files of the same name are replaced.
    formats, sequences, progress
        As for `measure_model`.

    Returns
    -------
    list of Path
        The audits (`model_results.json`), then PNG and PDF of each of `MODEL_FIGURES`.

    Raises
    ------
    ValueError
        As `measure_model`; no figure is written then.
    ImportError
        If torch or matplotlib is not installed (extras `llm` and `figures`).
    """
    results = measure_model(language_model, formats, sequences=sequences, progress=progress)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    results.save(target / "model_results.json")
    return [target / "model_results.json", *draw_model_figures(results, target)]


def draw_model_figures(results: ModelResults, folder: str | PathLike[str]) -> list[Path]:
    """Draw all figures from audits, without the model; the same numbers give the same bytes."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for name, module in MODEL_FIGURES.items():
        figure = module.draw(module.compute(results))
        for suffix, metadata in _METADATA.items():
            written.append(target / f"{name}.{suffix}")
            with settings():
                figure.savefig(written[-1], metadata=metadata)
    return written
