"""What a study keeps of a model, opened again without the model.

A work folder holds a folder for each model, text and way of measuring: weight statistics, Fisher information, and,
where a caller asks for it, Fisher information with the text's own tokens as targets beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .fisher import Fisher, fisher_information
from .statistics import TensorStatistics
from .workload import Opened, kept_folder, read_kept_statistics, told_plainly

__all__ = ["StudyParts", "keep_text_fisher", "open_parts"]

_TEXT_FISHER = "fisher-text.safetensors"


@dataclass(frozen=True, eq=False)
class StudyParts:
    """What is kept of a model.

    Attributes
    ----------
    statistics : mapping of str to TensorStatistics
    fisher : Fisher
        What the study's runs were predicted with.
    text_fisher : Fisher, optional
        With the text's own tokens as targets, if it was asked for.
    """

    statistics: Mapping[str, TensorStatistics]
    fisher: Fisher
    text_fisher: Fisher | None = None


def open_parts(folder: str | os.PathLike[str], digests: Mapping[str, str]) -> StudyParts | None:
    """Open what a study kept of a model.

    Parameters
    ----------
    folder : path
        The study's work folder.
    digests : mapping of str to str
        Of the rows of the model: `weights`, `tokens` and `code` of a results file; what is not told is free.

    Returns
    -------
    StudyParts or None
        The newest that are complete; None where there are none.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    abouts = sorted(Path(folder).glob("*/about.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for about in abouts:
        told = _told(about)
        kept = about.parent
        files = (kept / "statistics.json", kept / "fisher.safetensors")
        if all(told.get(name) == value for name, value in digests.items()) and all(
            file.exists() for file in files
        ):
            text = kept / _TEXT_FISHER
            return StudyParts(
                read_kept_statistics(files[0]),
                Fisher.load(files[1]),
                Fisher.load(text) if text.exists() else None,
            )
    return None


def _told(about: Path) -> dict[str, str]:
    try:
        told = json.loads(about.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{about}: damaged ({error})") from error
    if not isinstance(told, dict):
        raise ValueError(f"{about}: damaged (no table of digests)")
    return told


def keep_text_fisher(
    opened: Opened,
    folder: str | os.PathLike[str],
    progress: Callable[[int, int], object] | None = None,
) -> Fisher:
    """Fisher information with the text's own tokens as targets, made or taken up in a study's work folder.

    Parameters
    ----------
    opened : Opened
    folder : path
        The study's work folder.
    progress : callable, optional
        Called with batches done and in all.

    Returns
    -------
    Fisher

    Raises
    ------
    OSError
        If the folder cannot be written; what is complete in it stays.
    ValueError
        As `fisher_information`.
    """
    kept = kept_folder(opened, folder)
    file, sums = kept / _TEXT_FISHER, kept / "fisher-text-sums.safetensors"
    with told_plainly(kept):
        kept.mkdir(parents=True, exist_ok=True)
        if file.exists():
            return Fisher.load(file)
        found = fisher_information(
            opened.language_model,
            opened.sequences,
            targets="text",
            batch=opened.workload.batch,
            resume=sums,
            progress=progress,
        )
        found.save(file)
        sums.unlink(missing_ok=True)
        return found
