"""Models spread over several devices, with every weight within reach.

Where the devices have no room, transformers leaves layers in the CPU's memory or on the disk and copies them to a
device for each call.  Such a model runs, but between calls its parameters hold nothing: a format written to them would
be lost, and what is read from them is no weight.  So it is refused.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

import torch
from torch import nn

__all__ = ["SPREADS", "DeviceMap", "check_device_map", "check_in_reach", "pick_device"]

# A way to spread a model, a device for all of it, or a device for each module.
DeviceMap = str | Mapping[str, str | int | torch.device]

SPREADS = ("auto", "balanced", "balanced_low_0", "sequential")

_INSTEAD = (
    "give the model devices that have room for all of it (or a smaller dtype); `stream_weights` and "
    "`bitlaw llm quantise --stream` read files tensor by tensor and need no room for a model"
)


def pick_device(device: str = "auto") -> torch.device:
    """Device of a name: "auto" is a GPU where there is one, else the CPU.

    Raises
    ------
    ValueError
        If the name is no device of torch, or the device is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        if found.type not in ("cpu", "cuda"):
            raise ValueError(found.type)
    except (RuntimeError, ValueError, TypeError):
        raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {device!r}") from None
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} was asked for, but torch finds no GPU here")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {device!r} was asked for, but there are {torch.cuda.device_count()} GPUs")
    return found


def check_device_map(device_map: object, device: str = "auto") -> None:
    """Raise ValueError unless a model can be spread so, here, with every weight within reach."""
    if device != "auto":
        raise ValueError(f"device and device_map exclude one another, got {device!r} and {device_map!r}")
    if isinstance(device_map, str):
        if device_map not in SPREADS:
            _told(device_map)
    elif not isinstance(device_map, Mapping) or not device_map:
        raise ValueError(
            f"device_map must be {', '.join(map(repr, SPREADS))}, a device or a device for each module, "
            f"got {device_map!r}"
        )
    else:
        kinds = {_told(value) for value in device_map.values()}
        if len(kinds) > 1:
            raise ValueError(
                "device_map puts modules on the CPU beside a GPU, where their weights are out of reach between "
                f"calls: {_INSTEAD}"
            )
    if importlib.util.find_spec("accelerate") is None:
        raise ValueError("device_map needs accelerate: install it with  pip install 'bitlaw[devices]'")


def _told(value: object) -> str:
    """Type of one device of a map."""
    if value == "disk":
        raise ValueError(f"device_map puts modules on the disk, where formats do not reach them: {_INSTEAD}")
    try:
        return pick_device(_name(value)).type
    except ValueError as error:
        raise ValueError(f"device_map: {error}") from None


def _name(value: object) -> str:
    """Numbers are those of GPUs."""
    return f"cuda:{value}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def check_in_reach(name: str, model: nn.Module) -> None:
    """Raise ValueError, naming a parameter, unless all weights are in memory and each on its module's device."""
    away = [key for key, parameter in model.named_parameters() if parameter.is_meta]
    if away:
        more = f" and {len(away) - 1} more" if len(away) > 1 else ""
        raise ValueError(
            f"{name}: {away[0]}{more} are offloaded: the devices had no room for them, and formats do not reach "
            f"what is copied there for each call; {_INSTEAD}"
        )
    placed = getattr(model, "hf_device_map", None) or {}
    for key, parameter in model.named_parameters(remove_duplicate=False):
        modules = [module for module in placed if f"{key}.".startswith(f"{module}." if module else "")]
        if modules:
            wanted = torch.device(_name(placed[max(modules, key=len)]))
            if (wanted.type, wanted.index or 0) != (parameter.device.type, parameter.device.index or 0):
                raise ValueError(
                    f"{name}: device_map puts {key} on {wanted}, but it shares its weights with a tensor on "
                    f"{parameter.device}: both need one device"
                )
