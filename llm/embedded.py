"""A small language model that the project trains itself, so that everything runs on a bare machine.

A Llama-style model of about a million weights is trained for a minute or two on the standard library's own
documentation and kept in the user's cache, under a fingerprint of recipe, text and library versions.  It is a
real model in the form that every other one has: a folder with config, tokenizer and safetensors.

The catch: sums in float32 depend on the number of threads, so the training fixes it; another processor or version
of torch may still give other last digits, which is why the fingerprint of a study is taken from the weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .standard_text import standard_documents

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Recipe", "embedded_model_folder", "embedded_model_path", "train_embedded_model"]

_END = "<|end|>"


@dataclass(frozen=True)
class Recipe:
    """Shape and training of the embedded model; the defaults take a minute or two on two cores.

    With 500 steps the loss on held-out text is about 3.2 nats per token of a 1,024-token vocabulary; twice the
    steps gain 0.2.
    """

    vocabulary: int = 1024
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 2
    context: int = 512
    steps: int = 500
    batch: int = 16
    sequence: int = 128
    learning_rate: float = 3e-3
    warmup: int = 40
    seed: int = 0
    threads: int = 2


def embedded_model_folder(
    recipe: Recipe | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: Callable[[int, float], object] | None = None,
) -> Path:
    """Folder of the embedded model, trained first where the cache does not hold it.

    Parameters
    ----------
    recipe : Recipe, optional
    cache : path, optional
        Default `$XDG_CACHE_HOME/bitlaw`, or `~/.cache/bitlaw`.
    progress : callable, optional
        Called with step and loss while training.

    Returns
    -------
    Path
        A complete model folder; an interrupted training leaves none.
    """
    recipe = recipe or Recipe()
    folder = embedded_model_path(recipe, cache)
    root = folder.parent
    if not (folder / "config.json").exists():
        root.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="training-", dir=root))
        try:
            train_embedded_model(unfinished, recipe, progress)
            _move(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def embedded_model_path(recipe: Recipe | None = None, cache: str | os.PathLike[str] | None = None) -> Path:
    """Folder in which `embedded_model_folder` finds the model or puts it; nothing is trained."""
    root = Path(cache) if cache is not None else _cache_folder()
    return root / f"embedded-{_fingerprint(recipe or Recipe())}"


def _move(source: Path, target: Path) -> None:
    """Rename a folder into place, unless another process was first."""
    try:
        source.rename(target)
    except OSError:
        if not (target / "config.json").exists():
            raise


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bitlaw"


def _fingerprint(recipe: Recipe) -> str:
    libraries = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
    text = hashlib.sha256("\0".join(standard_documents("train")).encode()).hexdigest()
    words = json.dumps([asdict(recipe), libraries, text], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def train_embedded_model(
    folder: str | os.PathLike[str],
    recipe: Recipe,
    progress: Callable[[int, float], object] | None = None,
) -> None:
    """Train the embedded model and write it as a transformers folder.

    Raises
    ------
    ImportError
        If transformers is not installed (it comes with the extra `llm`).
    """
    documents = standard_documents("train")
    tokenizer = _train_tokenizer(documents, recipe.vocabulary)
    threads = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            model = _new_model(recipe)
            _train(model, _tokens(tokenizer, documents), recipe, progress)
    finally:
        torch.set_num_threads(threads)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _train_tokenizer(documents: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level byte-pair encoding."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[_END],
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=_END, bos_token=_END)


def _tokens(tokenizer: PreTrainedTokenizerFast, documents: Iterable[str]) -> torch.Tensor:
    """All documents in one row, an end token after each."""
    end = tokenizer.convert_tokens_to_ids(_END)
    encoded = tokenizer(list(documents), add_special_tokens=False)["input_ids"]
    return torch.tensor([token for ids in encoded for token in (*ids, end)])


def _new_model(recipe: Recipe) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=recipe.vocabulary,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.hidden * 8 // 3 // 16 * 16,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_value_heads,
        max_position_embeddings=recipe.context,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    return LlamaForCausalLM(config).float()


def _train(
    model: Any, tokens: torch.Tensor, recipe: Recipe, progress: Callable[[int, float], object] | None
) -> None:
    """AdamW on random windows, with a linear warm-up and a linear decay to a twentieth."""
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=0.1, betas=(0.9, 0.95)
    )
    windows = tokens.unfold(0, recipe.sequence, 1)
    model.train()
    for step in range(recipe.steps):
        rate = min(1.0, (step + 1) / recipe.warmup) * (0.05 + 0.95 * (1 - step / recipe.steps))
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rate
        batch = windows[torch.randint(len(windows), (recipe.batch,))]
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if progress is not None:
            progress(step, float(loss.detach()))
    model.eval()
