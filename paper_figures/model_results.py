"""Audits of one language model in several formats, as plain numbers that its figures share.

Measured once with the model (torch is imported then and not before), kept as JSON, and drawn as often as wished.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bitlaw.theory import Format, parse_format

from .style import BLACK, BLUE, GREEN, ORANGE, PURPLE

if TYPE_CHECKING:
    from bitlaw.llm import LanguageModel, Sequences

__all__ = ["FAMILIES", "FormatResult", "ModelResults", "TensorResult", "family_of", "measure_model"]

# How the formats of one family look in all figures, in the order of legends.
FAMILIES: dict[str, dict[str, Any]] = {
    "tensor scale": {"color": BLUE, "marker": "o"},
    "channel scale": {"color": PURPLE, "marker": "v"},
    "block scale": {"color": ORANGE, "marker": "s"},
    "outliers kept": {"color": GREEN, "marker": "^"},
    "entropy-coded": {"color": BLACK, "marker": "D"},
}
_PARTS: tuple[Literal["embedding", "decoder", "head"], ...] = ("embedding", "decoder", "head")


@dataclass(frozen=True)
class TensorResult:
    """R of one tensor in one format, predicted and measured."""

    name: str
    part: str
    predicted_r: float
    r: float


@dataclass(frozen=True)
class FormatResult:
    """An audit: bits per weight, R, KL and change of the cross-entropy (nats per token), with 95% intervals.

    An end of an interval is None where a single sequence tells none.
    """

    name: str
    family: str
    bits: float
    predicted_bits: float
    predicted_kl: float
    kl: float
    kl_lower: float | None
    kl_upper: float | None
    loss_change: float
    loss_lower: float | None
    loss_upper: float | None
    tensors: tuple[TensorResult, ...]


@dataclass(frozen=True)
class ModelResults:
    """Audits of one model on one set of sequences."""

    model: str
    sequences: int
    length: int
    formats: tuple[FormatResult, ...]

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
            formats = tuple(
                FormatResult(**row | {"tensors": tuple(TensorResult(**tensor) for tensor in row["tensors"])})
                for row in told["formats"]
            )
            return cls(**told | {"formats": formats})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: holds no results of a model ({error})") from error


def family_of(format: Format) -> str:
    """Key of `FAMILIES` for a format: a lossless code counts first, then outliers, then what shares a scale."""
    if format.code == "entropy":
        return "entropy-coded"
    if format.outliers is not None:
        return "outliers kept"
    return f"{format.block} scale" if format.block in ("channel", "tensor") else "block scale"


def measure_model(
    language_model: LanguageModel,
    formats: Iterable[str],
    *,
    sequences: Sequences | None = None,
    progress: Callable[[FormatResult], object] | None = None,
) -> ModelResults:
    """Audit a model in several formats, all weight matrices in each.

    Parameters
    ----------
    language_model : LanguageModel
        Unquantised; as before afterwards.
    formats : iterable of str
        Names or specifications, each once.
    sequences : Sequences, optional
        For the Fisher information and for the KL; 32 of 256 tokens of the standard text when left out.
    progress : callable, optional
        Called with each result.

    Returns
    -------
    ModelResults

    Raises
    ------
    ValueError
        If a format is unknown or named twice, there is none, or a tensor cannot be stored in it.
    """
    wanted = _parsed(formats)
    from bitlaw.llm import build_reference, fisher_information, model_statistics, token_sequences

    used = sequences or token_sequences("standard", language_model.tokenizer, length=256, count=32)
    reference = build_reference(language_model, used)
    statistics = model_statistics(language_model)
    fisher = fisher_information(language_model, used)
    results = []
    for name, format in wanted.items():
        results.append(_measure(language_model, name, format, (reference, statistics, fisher)))
        if progress is not None:
            progress(results[-1])
    return ModelResults(Path(language_model.name).name, len(used), used.length, tuple(results))


def _parsed(formats: Iterable[str]) -> dict[str, Format]:
    if isinstance(formats, str):
        raise TypeError(f"formats must be a list of names, got the text {formats!r}")
    names = list(formats)
    if not names:
        raise ValueError("formats must name at least one format, got none")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"formats must name each format once, got {twice[0]!r} twice")
    return {name: parse_format(name) for name in names}


def _measure(language_model: LanguageModel, name: str, format: Format, known: Any) -> FormatResult:
    from bitlaw.llm import assign, audit, paired_difference
    from bitlaw.llm.audit_record import run_row, tensor_rows

    found = audit(language_model, assign(language_model.model, format, parts=_PARTS), *known)
    change = paired_difference(found.measured.loss, found.measured.reference_loss)
    single = change.sequences == 1
    row = run_row(found)
    copied = ("bits", "predicted_bits", "predicted_kl", "kl", "kl_lower", "kl_upper")
    names = [field.name for field in fields(TensorResult)]
    return FormatResult(
        name=name,
        family=family_of(format),
        loss_change=change.value,
        loss_lower=None if single else change.lower,
        loss_upper=None if single else change.upper,
        tensors=tuple(TensorResult(**{key: tensor[key] for key in names}) for tensor in tensor_rows(found)),
        **{key: row[key] for key in copied},
    )
