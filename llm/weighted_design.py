"""A format whose codebook, scales or both are fitted to the tensors of a model, under weights of their elements.

The catch: what is least in weighted squared error is so on the text that the weights came from, and squared errors are
not all that a divergence is made of; both sides have to be measured.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

import torch

from ..theory import Format
from .activation_files import load_activations
from .activations import Activations
from .fisher import Fisher
from .models import WeightTensor
from .weighted_codebook import weighted_codebook, weighted_scale

__all__ = ["activation_weights", "fisher_weights", "read_weights", "weighted_formats"]


def weighted_formats(
    tensors: Iterable[WeightTensor],
    weights: Mapping[str, torch.Tensor],
    format: Format,
    *,
    levels: int | None = None,
    each: bool = False,
    scales: bool = False,
    exact: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Format]:
    """Fit a format to each tensor at the least weighted squared error.

    Parameters
    ----------
    tensors : iterable of WeightTensor
    weights : mapping of str to torch.Tensor
        Of the elements; see `weighted_sample`.
    format : Format
    levels : int, optional
        Codepoints of a codebook in place of the format's element, designed by `weighted_codebook`; the element stays
        when left out.
    each : bool
        A codebook for each tensor instead of one for all.
    scales : bool
        Search a factor on the scales of each tensor by `weighted_scale`, after the codebook.
    exact, seed
        See `weighted_codebook`.
    progress : callable, optional
        Called with tensors done and in all.

    Returns
    -------
    dict of str to Format
        By name of the tensor, as `quantised` takes them.

    Raises
    ------
    ValueError
        If nothing is to be fitted, or as `weighted_codebook` and `weighted_scale`.
    """
    chosen = list(tensors)
    if levels is None and (each or not scales):
        raise ValueError("levels or scales must be given, and each needs levels")
    if levels is not None and not each:
        format = weighted_codebook(chosen, weights, format, levels, exact=exact, seed=seed)
    found = {}
    for done, tensor in enumerate(chosen, 1):
        own = format
        if levels is not None and each:
            own = weighted_codebook([tensor], weights, format, levels, exact=exact, seed=seed)
        found[tensor.name] = weighted_scale(tensor, weights, own) if scales else own
        if progress is not None:
            progress(done, len(chosen))
    return found


def fisher_weights(fisher: Fisher) -> dict[str, torch.Tensor]:
    """Diagonals of Fisher information as weights of elements; where rows alone were kept, their means for each row."""
    rows = {name: (sums / fisher.columns[name])[..., None] for name, sums in fisher.row_sums.items()}
    return dict(fisher.diagonals) | rows


def activation_weights(activations: Activations) -> dict[str, torch.Tensor]:
    """Second moments of inputs as weights of the elements that they are multiplied with.

    Raises
    ------
    ValueError
        If they are whole covariances.
    """
    for name, moments in activations.moments.items():
        by_expert = moments.ndim == 2 and len(activations.tokens[name]) == len(moments)
        if moments.ndim > 1 and moments.shape[-1] == moments.shape[-2] > 1 and not by_expert:
            raise ValueError(f"{name}: holds whole covariances of activations; their diagonals are needed")
    return activations.moments


def read_weights(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Weights of elements from a file of Fisher information or of activation moments.

    Raises
    ------
    ValueError
        If the file is neither, damaged, or holds whole covariances.
    """
    try:
        return activation_weights(load_activations(path))
    except ValueError as error:
        if "not a file of activation moments" not in str(error):
            raise
    try:
        return fisher_weights(Fisher.load(path))
    except ValueError as error:
        if "not a file of Fisher information" not in str(error):
            raise
    raise ValueError(f"{path}: neither Fisher information nor activation moments")
