"""Diagonal Fisher information of all weights, or its sums along rows alone, in memory and in files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from .files import write_whole

__all__ = ["Fisher", "Targets", "Unit"]

Targets = Literal["sampled", "text"]
Unit = Literal["sequence", "position"]

# Elements turned to float64 at once.
_SLICE = 1 << 22


@dataclass(frozen=True, eq=False)
class Fisher:
    """Diagonal Fisher information, as a mean over tokens.

    Attributes
    ----------
    diagonals : dict of str to torch.Tensor
        By name of the parameter, float32, in its shape: with weights changed by d, the KL divergence per token is
        about half the sum of diagonal * d^2, in nats.  Empty where only rows were kept.
    tokens : int
        Loss terms behind the mean.
    targets : {"sampled", "text"}
    unit : {"sequence", "position"}
        Whose gradients were squared.
    row_sums : dict of str to torch.Tensor
        Where only rows were kept: sums of the diagonal along the last axis, float64, in the shape of the others.
    columns : dict of str to int
        Where only rows were kept: length of the last axis.
    run : str
        Digest of what a run was made from, where it can be taken up; empty where it cannot.
    """

    diagonals: dict[str, torch.Tensor]
    tokens: int
    targets: Targets
    unit: Unit = "position"
    row_sums: dict[str, torch.Tensor] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    run: str = ""

    @property
    def names(self) -> list[str]:
        """Tensors it knows of."""
        return [*self.diagonals, *self.row_sums]

    @property
    def unseen(self) -> list[str]:
        """Tensors of zeros: no target depended on them, so nothing is known of what their errors cost."""
        sums = (self.row_sums or self.diagonals).items()
        return [name for name, value in sums if not value.any()]

    def rows(self, name: str) -> torch.Tensor:
        """Sums of the diagonal along the last axis of a tensor, flat, float64.

        Raises
        ------
        ValueError
            If the Fisher information does not hold the tensor.
        """
        if name in self.row_sums:
            return self.row_sums[name].reshape(-1)
        if name not in self.diagonals:
            raise ValueError(f"{name}: the Fisher information holds no such tensor")
        diagonal = self.diagonals[name]
        return torch.cat([part.double().sum(1) for part in _row_slices(diagonal)])

    def mean(self, name: str) -> float:
        """Mean of the diagonal of one tensor."""
        return float(self.rows(name).sum()) / self.elements(name)

    def elements(self, name: str) -> int:
        """Number of weights of one tensor."""
        if name in self.row_sums:
            return self.row_sums[name].numel() * self.columns[name]
        return self.diagonals[name].numel()

    def quadratic(self, name: str, change: torch.Tensor) -> float:
        """Half the sum of diagonal * change^2 of one tensor: the KL divergence that the change is predicted to cause.

        Where only rows are known, each row's sum meets the row's mean squared change, which is right for changes
        that do not depend on the place in the row.
        """
        squares = (part.cpu().double().square() for part in _row_slices(change))
        if name in self.row_sums:
            means = torch.cat([part.mean(1) for part in squares])
            return 0.5 * float(self.rows(name).cpu() @ means)
        parts = zip(_row_slices(self.diagonals[name]), squares, strict=True)
        return 0.5 * sum(float((d.cpu().double() * square).sum()) for d, square in parts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write as safetensors, under its name only when complete."""
        tensors = {name: tensor.contiguous() for name, tensor in (self.row_sums or self.diagonals).items()}
        about = {"tokens": str(self.tokens), "targets": self.targets, "unit": self.unit, "run": self.run}
        if self.row_sums:
            about["columns"] = json.dumps(self.columns)
        write_whole(Path(path), lambda file: save_file(tensors, file, about))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Fisher:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is no Fisher information.
        """
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            told: dict[str, Any] = {
                "tokens": int(about["tokens"]),
                "targets": about["targets"],
                "unit": about["unit"],
                "run": about["run"],
            }
            if "columns" in about:
                return cls({}, **told, row_sums=tensors, columns=json.loads(about["columns"]))
            return cls(tensors, **told)
        except (KeyError, OSError) as error:
            raise ValueError(f"{path}: not a file of Fisher information ({error})") from error
        except Exception as error:  # safetensors has its own error for damaged files
            raise ValueError(f"{path}: damaged ({error})") from error


def _row_slices(x: torch.Tensor) -> Iterator[torch.Tensor]:
    """Rows of the last axis, a few million elements at a time."""
    rows = x.reshape(-1, x.shape[-1])
    step = max(1, _SLICE // max(x.shape[-1], 1))
    yield from (rows[start : start + step] for start in range(0, max(len(rows), 1), step))
