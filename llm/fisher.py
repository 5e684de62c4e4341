r"""Diagonal Fisher information of a model's weights, from gradients of sequences or of single positions.

By sequences: with targets sampled from the model's own predictions, the gradients of different loss terms are
independent with mean zero, so the squared gradient of a whole sequence has the sum of their squares as its
expectation.  Nothing is left out, tied weights and weights that are used twice included.

By positions: the gradient of one position with respect to a linear layer is an outer product g x^T of the layer's
output gradient and input, so its square needs no gradient formed: the sum over positions of (g x^T)^2 is the matrix
product of the squares.  Any number of sequences goes through at once.

The catch: one loss term reaches a layer at every position that attention looks at, and products of different
positions are left out by the second way.  They add 5% to 7% to the information on the model that the project trains,
and more on others.  With the text's own tokens as targets (the "empirical Fisher") the result is another quantity,
often used in its place; loss terms are not independent then, and it is counted by positions, as in the literature.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn import functional

from .argument_checks import check_choice, check_seed, check_whole
from .fingerprint import weights_fingerprint
from .fisher_sums import Fisher, Targets, Unit
from .linear_maps import Product, observed_maps, used_weights
from .models import LanguageModel, WeightTensor, weight_tensors
from .text import Sequences

__all__ = ["Fisher", "Kept", "Targets", "Unit", "fisher_information"]

Kept = Literal["diagonal", "rows"]


def fisher_information(
    language_model: LanguageModel,
    sequences: Sequences,
    *,
    targets: Targets = "sampled",
    unit: Unit | None = None,
    batch: int = 4,
    seed: int = 0,
    keep: Kept = "diagonal",
    checkpointing: bool = False,
    resume: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Fisher:
    """Diagonal Fisher information of all weight tensors, embeddings and experts included.

    Parameters
    ----------
    language_model : LanguageModel
    sequences : Sequences
    targets : {"sampled", "text"}
        Targets drawn from the model's predictions, or the text's next tokens.
    unit : {"sequence", "position"}, optional
        Whose gradient is squared; sequences for sampled targets and positions for the text's when left out.
    batch : int >= 1
        Sequences in one pass by positions; whole sequences pass one by one.
    seed : int >= 0
        Of the drawn targets; each pass has a stream of its own, so that a resumed run draws the same.
    keep : {"diagonal", "rows"}
        "rows" keeps the sums along each row alone: all that predictions need, in the memory of a vector for each
        matrix instead of another one in float32.
    checkpointing : bool
        Recompute activations layer by layer, for models that do not fit otherwise.
    resume : path, optional
        A file that holds the sums so far; written after each batch, taken up where it exists, and left complete.
    progress : callable, optional
        Called with passes done and in all.

    Returns
    -------
    Fisher
        Zeros for a tensor that the text never used (an expert that no token was sent to): see `Fisher.unseen`.

    Raises
    ------
    ValueError
        If `targets`, `unit`, `keep`, `batch` or `seed` is impossible, there are no sequences, the model's gradients
        are not finite, a tensor is used in a way that has no gradient or (by positions) in no product, or the file
        to resume from belongs to another run.

    References
    ----------
    Orr, Ribar and Luschi (arXiv 2505.12988), section on Fisher information; Martens, JMLR 21 (2020).
    """
    batch, seed = check_whole("batch", batch, 1), check_seed(seed)
    if len(sequences) == 0 or sequences.length < 2:
        shape = tuple(sequences.tokens.shape)
        raise ValueError(
            f"sequences must hold at least one sequence of two tokens, got tokens of shape {shape}"
        )
    weights = list(weight_tensors(language_model.model))
    found = _nothing(weights, targets, unit, keep)
    batch = 1 if found.unit == "sequence" else batch
    if resume is not None:
        found = replace(found, run=_run(language_model, sequences, seed, batch))
    done = _take_up(resume, found)
    per_batch = sequences.length - 1
    total = -(-len(sequences) // batch)
    record = _of_sequences if found.unit == "sequence" else _of_positions
    with record(language_model.model, weights, found), _checkpointing(language_model.model, checkpointing):
        for index in range(total):
            tokens = sequences.tokens[index * batch : (index + 1) * batch]
            if min((index + 1) * batch, len(sequences)) * per_batch > done:
                _backward(language_model, tokens, targets, seed + index)
                done += tokens.shape[0] * per_batch
                if resume is not None:
                    replace(found, tokens=done).save(resume)
            if progress is not None:
                progress(index + 1, total)
    for name, value in (found.row_sums or found.diagonals).items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name}: the squared gradients are not finite")
        value /= done  # in place: a second set of diagonals may not fit
    return replace(found, tokens=done)


def _nothing(weights: Iterable[WeightTensor], targets: Targets, unit: Unit | None, keep: Kept) -> Fisher:
    """Sums before the first pass."""
    check_choice("targets", targets, ("sampled", "text"))
    check_choice("keep", keep, ("diagonal", "rows"))
    if unit is None:
        unit = "sequence" if targets == "sampled" else "position"
    check_choice("unit", unit, ("sequence", "position"))
    if keep == "diagonal":
        sums = {w.name: torch.zeros(w.parameter.shape, device=w.parameter.device) for w in weights}
        return Fisher(sums, 0, targets, unit)
    rows, columns = {}, {}
    for w in weights:
        rows[w.name] = torch.zeros(w.parameter.shape[:-1], dtype=torch.float64, device=w.parameter.device)
        columns[w.name] = w.parameter.shape[-1]
    return Fisher({}, 0, targets, unit, rows, columns)


def _run(language_model: LanguageModel, sequences: Sequences, seed: int, batch: int) -> str:
    """Digest of the model, the text and the order of passes."""
    told = weights_fingerprint(language_model.model), sequences.digest, sequences.length, seed, batch
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def _take_up(path: str | os.PathLike[str] | None, found: Fisher) -> int:
    """Add the sums of an earlier run; the tokens it has seen."""
    if path is None or not Path(path).exists():
        return 0
    earlier = Fisher.load(path)
    if bool(earlier.row_sums) != bool(found.row_sums):
        kept = "rows" if earlier.row_sums else "the whole diagonal"
        raise ValueError(f"resume: {path} is of a run that keeps {kept}")
    sums, more = found.row_sums or found.diagonals, earlier.row_sums or earlier.diagonals
    same = {n: tuple(t.shape) for n, t in more.items()} == {n: tuple(t.shape) for n, t in sums.items()}
    settings = [(one.targets, one.unit, one.columns, one.run) for one in (earlier, found)]
    if settings[0] != settings[1] or not same:
        raise ValueError(
            f"resume: {path} belongs to another model or text, or to other targets, units, seeds or batches"
        )
    for name, value in more.items():
        sums[name] += value.to(sums[name].device)
    return earlier.tokens


def _backward(language_model: LanguageModel, tokens: torch.Tensor, targets: Targets, seed: int) -> None:
    """One pass: the sum of the log likelihoods of the targets, differentiated."""
    inputs = tokens.to(language_model.device)
    with torch.enable_grad():
        logits = language_model.model(input_ids=inputs, use_cache=False).logits[:, :-1].float()
        flat = logits.reshape(-1, logits.shape[-1])
        wanted = _sample(flat.detach(), seed) if targets == "sampled" else inputs[:, 1:].reshape(-1)
        functional.cross_entropy(flat, wanted, reduction="sum").backward()  # type: ignore[no-untyped-call]


def _sample(logits: torch.Tensor, seed: int) -> torch.Tensor:
    """One target for each row, drawn on the CPU so that every device draws the same."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64)
    cumulative = logits.double().softmax(-1).cumsum(-1)
    drawn = torch.searchsorted(cumulative, uniform.to(logits.device)).squeeze(-1)
    return drawn.clamp(max=logits.shape[-1] - 1)


@contextmanager
def _of_sequences(model: Any, weights: list[WeightTensor], found: Fisher) -> Iterator[None]:
    """Hooks on every weight that add the square of its gradient when a backward pass has it whole, and let it go."""
    reached = set()

    def square(name: str) -> Callable[[torch.Tensor], None]:
        def hook(parameter: torch.Tensor) -> None:
            reached.add(name)
            squares = parameter.grad.float().square()  # type: ignore[union-attr]
            parameter.grad = None
            if found.row_sums:
                found.row_sums[name] += squares.sum(-1, dtype=torch.float64)
            else:
                found.diagonals[name] += squares

        return hook

    with ExitStack() as stack:
        for w in weights:
            w.parameter.requires_grad_(True)
            stack.callback(w.parameter.requires_grad_, False)
            watch: Any = w.parameter.register_post_accumulate_grad_hook
            stack.callback(watch(square(w.name)).remove)
        used = stack.enter_context(used_weights(weights))
        yield
    _raise_first(used - reached, "no gradient reaches this tensor")


@contextmanager
def _of_positions(model: Any, weights: list[WeightTensor], found: Fisher) -> Iterator[None]:
    """Hooks on every product that add squared gradients to the sums during backward passes."""

    def on_map(product: Product) -> None:
        if product.outputs.requires_grad:
            add = _add_rows if found.row_sums else _add
            product.outputs.register_hook(add(found, product))  # type: ignore[no-untyped-call]

    def on_lookup(name: str, rows: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            return output
        # The weights themselves ask for no gradient, so the graph starts at the embedding's output.
        started = output.requires_grad_() if output.is_leaf else output
        if (
            rows.numel() == shape[-1]
        ):  # one row for a position of all sequences: gradients of each, not their sum
            rows = rows.reshape(-1).expand(shape)
            started = started.reshape(-1, started.shape[-1]).expand(*shape, started.shape[-1])
        started.register_hook(  # type: ignore[no-untyped-call]
            lambda gradient: _scatter(found, name, rows.reshape(-1), gradient)
        )
        return started

    shape = torch.Size()

    def look(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        nonlocal shape
        shape = kwargs["input_ids"].shape

    hook = model.register_forward_pre_hook(look, with_kwargs=True)
    try:
        with observed_maps(model, weights, on_map, on_lookup) as uses:
            yield
    finally:
        hook.remove()
    _raise_first(uses.unknown, "no linear layer holds this tensor; unit='sequence' needs none")


def _raise_first(names: set[str], reason: str) -> None:
    if names:
        raise ValueError(f"{min(names)}: {reason}")


@contextmanager
def _checkpointing(model: Any, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    dropped = {
        k: v for k, v in model.config.to_dict().items() if "drop" in k and isinstance(v, float) and v > 0
    }
    if dropped:
        raise ValueError(
            f"checkpointing runs models in training mode, and this one drops activations: {dropped}"
        )
    name = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    getattr(model, f"{name}_checkpointing_enable")({"use_reentrant": False})
    model.train()  # transformers recomputes in training mode only
    try:
        yield
    finally:
        model.eval()
        getattr(model, f"{name}_checkpointing_disable")()
        model.disable_input_require_grads()  # transformers leaves the hook of enabling behind


def _squares(x: torch.Tensor) -> torch.Tensor:
    return x.detach().reshape(-1, x.shape[-1]).float().square()


def _add(found: Fisher, product: Product) -> Callable[[torch.Tensor], None]:
    """Adds the product of the squares of outputs' gradients and inputs."""
    diagonal, squares = found.diagonals[product.name], _squares(product.inputs)
    total = diagonal.reshape(-1, *diagonal.shape[-2:])[product.slot]

    def hook(gradient: torch.Tensor) -> None:
        pair = _squares(gradient).to(total.device), squares.to(total.device)
        rows, columns = pair[::-1] if product.transposed else pair
        total.addmm_(rows.T, columns)

    return hook


def _add_rows(found: Fisher, product: Product) -> Callable[[torch.Tensor], None]:
    """Adds the sums of that product along its rows: a row's square times the sum of the other factor's squares."""
    sums, squares = found.row_sums[product.name], _squares(product.inputs)
    total = sums.reshape(-1, sums.shape[-1])[product.slot]
    kept = squares if product.transposed else squares.sum(1)

    def hook(gradient: torch.Tensor) -> None:
        new, old = _squares(gradient), kept.to(gradient.device)
        total.add_((old.T @ new.sum(1) if product.transposed else new.T @ old).to(total))

    return hook


def _scatter(found: Fisher, name: str, rows: torch.Tensor, gradient: torch.Tensor) -> None:
    squares = _squares(gradient)
    if found.row_sums:
        total, squares = found.row_sums[name], squares.sum(1).double()
    else:
        total = found.diagonals[name]
    total.index_add_(0, rows.to(total.device), squares.to(total.device))
