"""Passes over language models against the passes they cannot do without, and formats against a copy of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.format_codec import quantise_on_device, quantise_tensor
from bitlaw.llm.models import LanguageModel
from bitlaw.llm.reference import build_reference
from bitlaw.llm.text import Sequences
from bitlaw.theory import parse_format
from tests.benchmarks.timing import device_name, devices, seconds

TITLE = "Language models: seconds, and the time over that of what is compared"
ELEMENTS = 1 << 24
FORMATS = ("int4_g64", "nf4", "mxfp4", "nvfp4", "int4_g128_asym")
SEQUENCES, LENGTH = 8, 256


def run(device: str = "auto") -> list[dict[str, Any]]:
    """Rows for the CPU and a GPU, or one of them."""
    return [row for one in devices(device) for row in (*_passes(one), *_formats(one))]


def _row(device: str, what: str, time: float, compared: str, other: float) -> dict[str, Any]:
    told = {"device": device_name(device), "what": what}
    return told | {"seconds": time, "compared with": compared, "ratio": time / other}


def _elapsed(device: str, work: Callable[[], Any]) -> float:
    """Seconds until the device has done the work, and not only been told to."""

    def whole() -> None:
        work()
        if device == "cuda":
            torch.cuda.synchronize()

    return seconds(whole)


def _model(device: str) -> LanguageModel:
    torch.manual_seed(0)
    wide = device == "cuda"
    config = LlamaConfig(
        vocab_size=32_000 if wide else 4096,
        hidden_size=2048 if wide else 256,
        intermediate_size=5632 if wide else 704,
        num_hidden_layers=8 if wide else 4,
        num_attention_heads=16 if wide else 4,
        num_key_value_heads=4 if wide else 2,
    )
    model = LlamaForCausalLM(config).to(device).eval().requires_grad_(False)
    return LanguageModel("random", model, None)  # type: ignore[arg-type]


def _passes(device: str) -> list[dict[str, Any]]:
    language_model = _model(device)
    model = language_model.model
    vocabulary = model.config.vocab_size
    tokens = torch.randint(0, vocabulary, (SEQUENCES, LENGTH), generator=torch.Generator().manual_seed(0))
    sequences = Sequences(tokens, "random")

    @torch.no_grad()
    def forward() -> None:
        model(input_ids=tokens.to(device), use_cache=False)

    def backward() -> None:
        logits = model(input_ids=tokens.to(device), use_cache=False).logits[:, :-1].float()
        functional.cross_entropy(
            logits.reshape(-1, vocabulary), tokens[:, 1:].reshape(-1).to(device)
        ).backward()
        model.zero_grad()

    reference = build_reference(language_model, sequences)
    fisher = {
        unit: _elapsed(
            device,
            lambda unit=unit: fisher_information(language_model, sequences, unit=unit, batch=SEQUENCES),
        )
        for unit in ("sequence", "position")
    }
    divergence = _elapsed(device, lambda: measure_divergence(language_model, reference))
    once = _elapsed(device, forward)
    model.requires_grad_(True)
    plain = _elapsed(device, backward)
    return [
        *(
            _row(device, f"Fisher information by {unit}s", time, "forward and backward pass", plain)
            for unit, time in fisher.items()
        ),
        _row(device, "KL divergence", divergence, "two forward passes", 2 * once),
    ]


def _formats(device: str) -> list[dict[str, Any]]:
    x = torch.randn(ELEMENTS // 4096, 4096, device=device)
    rows = []

    copy = _elapsed(device, x.clone)
    for name in FORMATS:
        format = parse_format(name)
        codec = quantise_tensor if device == "cpu" else quantise_on_device
        time = _elapsed(device, lambda format=format, codec=codec: codec(format, x))
        gigabytes = x.numel() * x.element_size() / time / 1e9
        rows.append(_row(device, f"{name}, {gigabytes:.2f} GB/s", time, "copy on the device", copy))
    return rows
