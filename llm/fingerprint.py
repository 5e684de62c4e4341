"""What tells one model from another: a digest of its weights and of the configuration that says how they are used."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import nn

__all__ = ["weights_fingerprint"]

# Where a model lay, and what wrote it.
_NO_MATTER = ("_name_or_path", "transformers_version")


def weights_fingerprint(model: nn.Module) -> str:
    """Digest of all parameters, their names, types and shapes, and of the configuration that says how they are used.

    Raises
    ------
    ValueError
        If a parameter is offloaded, so that there are no weights to digest.
    """
    digest = hashlib.sha256()
    config = getattr(model, "config", None)
    if config is not None:
        told = {key: value for key, value in config.to_dict().items() if key not in _NO_MATTER}
        digest.update(json.dumps(told, sort_keys=True, default=str).encode())
    for name, parameter in model.named_parameters():
        if parameter.is_meta:
            raise ValueError(f"{name}: the weights are offloaded, so that they cannot be read")
        digest.update(f"{name}{parameter.dtype}{tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
