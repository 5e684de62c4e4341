"""Models and tokenizers as transformers reads them; whatever is wrong with their files is told in one sentence."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import nn

from .device_maps import DeviceMap

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["check_architecture", "check_finite", "read_model", "read_tokenizer"]

# Messages of transformers name every architecture that it knows.
_LONGEST = 300


def read_model(
    name: str,
    folder: str,
    *,
    dtype: torch.dtype | str = "auto",
    device_map: DeviceMap | None = None,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """Build a causal language model and fill it with its weights.

    Parameters
    ----------
    name : str
        For messages.
    folder : str
        Or a hub id.
    dtype, device_map, trust_remote_code
        As `load_model` takes them.

    Returns
    -------
    PreTrainedModel

    Raises
    ------
    ValueError
        If it is no causal language model, its files are damaged, or they lack a weight or hold one of another shape
        (transformers would make one up) or one that is NaN or infinite.
    OSError
        If there are no files, or a hub id cannot be fetched.
    """
    from transformers import AutoModelForCausalLM

    with _told(name, "not a causal language model that transformers can read"), _quiet():
        model, info = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map=device_map,
            trust_remote_code=trust_remote_code,
            ignore_mismatched_sizes=True,  # they are refused below, with their names
            output_loading_info=True,
        )
    for key, stored, wanted in sorted(info["mismatched_keys"]):
        raise ValueError(
            f"{name}: {key} has shape {tuple(stored)} in the files, but the configuration wants {tuple(wanted)}"
        )
    for key in sorted(info["missing_keys"]):
        raise ValueError(f"{name}: the files hold no {key}, which the configuration wants")
    check_finite(model)
    found: PreTrainedModel = model
    return found


def read_tokenizer(name: str, folder: str, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Read the tokenizer that lies beside a model.

    Raises
    ------
    ValueError
        If there is none, or it is damaged.
    OSError
        If a hub id cannot be fetched.
    """
    from transformers import AutoTokenizer

    missing = "no tokenizer that transformers can read (such as tokenizer.json) lies beside the model"
    with _told(name, missing, longest=70), _quiet():
        found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trust_remote_code
        )
    return found


def check_architecture(name: str, folder: str, *, trust_remote_code: bool = False) -> None:
    """Raise ValueError unless a configuration is that of a causal language model; no weights are read."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    with _told(name, "not a causal language model that transformers knows"), _quiet():
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    own_code = trust_remote_code and "AutoModelForCausalLM" in getattr(config, "auto_map", {})
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING and not own_code:
        raise ValueError(
            f"{name}: not a causal language model that transformers knows: its type is {config.model_type!r}"
        )


def check_finite(model: nn.Module) -> None:
    """Raise ValueError, naming the parameter, if a weight is NaN or infinite."""
    for name, parameter in model.named_parameters():
        known = parameter.is_floating_point() and parameter.dtype.itemsize > 1 and not parameter.is_meta
        if known and parameter.numel():
            low, high = torch.aminmax(parameter.detach())
            if not (torch.isfinite(low) and torch.isfinite(high)):
                raise ValueError(f"{name}: a weight is NaN or infinite")


@contextmanager
def _told(name: str, what: str, longest: int = _LONGEST) -> Iterator[None]:
    """Errors of transformers and safetensors as one sentence on the model."""
    try:
        yield
    except SafetensorError as error:
        raise ValueError(f"{name}: a .safetensors file is truncated or damaged ({error})") from error
    except OSError as error:
        words = "transformers cannot read this folder"
        if not Path(name).is_dir():
            words = "neither a model folder nor a hub id that can be fetched"
        raise OSError(f"{name}: {words}: {_short(error, longest)}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError) as error:
        if "trust_remote_code" in str(error):
            raise ValueError(f"{name}: needs code that lies beside it, and such code is not run") from error
        raise ValueError(f"{name}: {what}: {_short(error, longest)}") from error


def _short(error: BaseException, longest: int) -> str:
    return textwrap.shorten(str(error), longest, placeholder=" ...")


@contextmanager
def _quiet() -> Iterator[None]:
    """No reports of transformers beside what is raised."""
    from transformers.utils import logging

    before: Any = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
