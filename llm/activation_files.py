"""Second moments of activations in files: one tensor for each weight, under the name of the weight."""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

from .activations import Activations
from .files import write_whole

__all__ = ["load_activations", "save_activations"]

_KIND = "activation moments"


def save_activations(activations: Activations, path: str | os.PathLike[str]) -> None:
    """Write as safetensors, under its name only when complete.

    Parameters
    ----------
    activations : Activations
        Its counts of tokens and what it left out go to the metadata of the file.
    path : path

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    tensors = {name: moments.contiguous() for name, moments in activations.moments.items()}
    about = {
        "kind": _KIND,
        "tokens": json.dumps(activations.tokens),
        "left_out": json.dumps(activations.left_out),
    }
    write_whole(Path(path), lambda file: save_file(tensors, file, about))


def load_activations(path: str | os.PathLike[str]) -> Activations:
    """Read what `save_activations` wrote, on the CPU.

    Returns
    -------
    Activations
        Its moments serve `weighted_sample`, `weighted_codebook` and `weighted_scale` where they are diagonal.

    Raises
    ------
    ValueError
        If the file is missing, damaged or holds something else.
    """
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            if about.get("kind") != _KIND:
                raise ValueError(f"{path}: not a file of activation moments")
            moments = {name: file.get_tensor(name) for name in file.keys()}
        return Activations(moments, json.loads(about["tokens"]), tuple(json.loads(about["left_out"])))
    except (KeyError, OSError) as error:
        raise ValueError(f"{path}: not a file of activation moments ({error})") from error
    except ValueError:
        raise
    except Exception as error:  # safetensors has its own error for damaged files
        raise ValueError(f"{path}: damaged ({error})") from error
