"""A quantised copy of a model's files, one tensor in memory at a time, without building the model.

The files keep their names, headers and types; only the values of the matrices that get a format change.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..theory.fitting.model_weights import StoredWeight, list_weights, stored_tensors
from ..theory.fitting.tensor_info import TensorInfo
from ..theory.fitting.tensor_writing import copy_tensors
from ..theory.formats.format import Format
from .format_codec import to_numpy
from .quantise import ModelBits, TensorRecord, quantise_weight
from .weight_files import load_weight

__all__ = ["quantise_files"]


def quantise_files(
    folder: str | os.PathLike[str],
    target: str | os.PathLike[str],
    assignment: Mapping[str, Format],
    *,
    progress: Callable[[TensorRecord], object] | None = None,
) -> tuple[list[TensorRecord], ModelBits]:
    """Copy the safetensors files of a model with some matrices as formats restore them.

    Parameters
    ----------
    folder : path
        A model with `config.json` and safetensors files.
    target : path
        An existing folder for the files of the same names, the index of the shards among them.
    assignment : mapping of str to Format
        By names of `list_weights`.
    progress : callable, optional
        Called with each tensor's record.

    Returns
    -------
    (list of TensorRecord, ModelBits)
        In the order of the model; bits of all tensors of floating-point numbers on file.

    Raises
    ------
    ValueError
        If a name is no matrix of the model, a tensor cannot be stored, or it lies in several pieces on file, so that
        only the loaded model has it whole (experts that transformers stacks).
    OSError
        If a file cannot be read or written.
    """
    folder, target = Path(folder), Path(target)
    weights = {weight.name: weight for weight in list_weights(folder, compare_ties=True)}
    on_file = stored_tensors(folder)
    sources = _sources(weights, assignment, on_file)
    records: dict[str, TensorRecord] = {}

    def changed(name: str, _: object) -> np.ndarray[Any, Any]:
        weight = sources[name]
        record, restored = quantise_weight(load_weight(weight), assignment[weight.name])
        if weight.name not in records:
            records[weight.name] = record
            if progress is not None:
                progress(record)
        return to_numpy(restored)

    for path in sorted({info.path for info in on_file.values()}):
        here = {name for name in sources if on_file[name].path == path}
        copy_tensors(path, target / path.name, dict.fromkeys(here), changed)
    for index in folder.glob("*.safetensors.index.json"):
        (target / index.name).write_bytes(index.read_bytes())
    found = [records[name] for name in weights if name in records]
    return found, _bits(found, weights, on_file)


def _sources(
    weights: Mapping[str, StoredWeight], assignment: Mapping[str, Format], on_file: Mapping[str, TensorInfo]
) -> dict[str, StoredWeight]:
    """Matrices that change by their names on file; one that two names share stands there twice."""
    found: dict[str, StoredWeight] = {}
    for name in assignment:
        if name not in weights:
            raise ValueError(f"{name}: the model has no weight tensor of this name")
        weight = weights[name]
        if len(weight.pieces) > 1:
            raise ValueError(
                f"{name}: lies in {len(weight.pieces)} pieces on file, so the model has to be loaded"
            )
        found |= {other: weight for other in (weight.pieces[0].name, *weight.tied) if other in on_file}
    return found


def _bits(
    records: Iterable[TensorRecord], weights: Mapping[str, StoredWeight], on_file: Mapping[str, TensorInfo]
) -> ModelBits:
    """Bits of what is on file, what two names share once; all that is no matrix counts as decoder."""
    stored = {weights[record.name].pieces[0].name: record.bits for record in records}
    parts = {info.name: weight.part for weight in weights.values() for info in weight.pieces}
    twins = {name for weight in weights.values() for name in weight.tied}
    total = parameters = decoder = decoder_parameters = 0
    for name, info in on_file.items():
        if info.skipped is not None or name in twins:
            continue
        bits, count = stored.get(name, 8 * info.nbytes), prod(info.shape)
        total, parameters = total + bits, parameters + count
        if parts.get(name, "decoder") == "decoder":
            decoder, decoder_parameters = decoder + bits, decoder_parameters + count
    return ModelBits(total, parameters, decoder, decoder_parameters)
