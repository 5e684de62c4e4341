"""The laws that the figures compare, with the name and the look each has everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from bitlaw.theory import Laplace, Normal, Source, StudentT

from .style import BLUE, GREEN, ORANGE

__all__ = ["LAPLACE", "NORMAL", "Law", "student_t"]


@dataclass(frozen=True)
class Law:
    """A source of unit variance, its label and its colour and marker."""

    label: str
    source: Source
    colour: str
    marker: str


NORMAL = Law("Normal", Normal(), BLUE, "o")
LAPLACE = Law("Laplace", Laplace(), ORANGE, "s")


def student_t(df: int) -> Law:
    """Student's t with unit variance."""
    return Law(rf"Student-t ($\nu={df}$)", StudentT(df), GREEN, "^")
