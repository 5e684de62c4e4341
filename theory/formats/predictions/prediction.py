"""What a format does to a source: bits, error and entropy, by integration.

The elements of a block are independent draws of the source; the law of an element over its block's stored
scale follows (`BlockScaled`), and the error of the restored values with it.  What remains is bookkeeping:
shorter blocks at the ends of rows, outliers, zero points, outer scales, and bits counted to the last one.
Where no integral is known (a factor searched for each block, codebooks of vectors) the format is applied to a
seeded draw, and the standard error says how far that can be trusted.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from ...limits import rate_distortion
from ...quantisers.evaluation import entropy_bits
from ..format import Format
from ..spec import parse_format
from .exact_outcome import exact_outcome
from .layout import layout_of
from .rescaled import rescaled
from .rotated import rotated
from .simulated_outcome import needs_simulation, simulated_outcome
from .stored_bits import stored_bits
from .without_outliers import without_outliers

if TYPE_CHECKING:
    from ...sources import Source

__all__ = ["Prediction", "predict"]


@dataclass(frozen=True)
class Prediction:
    """Bits and error of a format on a source.

    Attributes
    ----------
    format : Format
    source : Source
        As it was predicted for, at its standard deviation.
    shape : tuple of int
        Of the tensor.
    bits : float
        Bits per element of everything that is stored, with codes as the format stores them: of fixed length,
        or coded to their entropy.
    element_bits, scale_bits, outlier_bits, codebook_bits : float
        Its parts per element: codes of fixed length; scales, zero points and outer scales; positions and
        values of outliers; a codebook that travels with the tensor.
    entropy : float
        Bits per element of the index, one law for the whole tensor.
    compressed_bits : float
        Bits per element with codes of their entropy in place of the fixed length.
    R : float
        Root mean squared error over root mean square of the data.
    distortion : float
        Mean squared error, in the source's units squared.
    method : {"exact", "simulation"}
    standard_error : float
        Of R; 0 where nothing was simulated.
    factor : float
        Factor on the statistic: the multiplier, or what the search for the tensor found.
    approximations : tuple of str
        What the prediction takes as given and a tensor may not honour, one sentence each.
    """

    format: Format
    source: Source = field(repr=False)
    shape: tuple[int, ...]
    bits: float
    element_bits: float
    scale_bits: float
    outlier_bits: float
    codebook_bits: float
    entropy: float
    compressed_bits: float
    R: float
    distortion: float
    method: Literal["exact", "simulation"]
    standard_error: float
    factor: float
    approximations: tuple[str, ...] = ()

    @cached_property
    def limit(self) -> float:
        """Least bits per element at this distortion that any code can have (`rate_distortion`)."""
        return rate_distortion(self.source, self.distortion).rate

    @property
    def gap_bits(self) -> float:
        """Bits, as stored, above the rate-distortion function at this distortion."""
        return self.bits - self.limit

    @property
    def compressed_gap_bits(self) -> float:
        """Bits with entropy-coded indices above the rate-distortion function at this distortion."""
        return self.compressed_bits - self.limit

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists for JSON; without the gaps, which take time."""
        data = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return data | {
            "format": str(self.format),
            "source": repr(self.source),
            "shape": list(self.shape),
            "approximations": list(self.approximations),
        }

    def __str__(self) -> str:
        error = f" +- {self.standard_error:.2g}" if self.method == "simulation" else ""
        return (
            f"{self.format}: {self.bits:.4f} bits, R = {self.R:.6g}{error}, entropy {self.entropy:.4f} "
            f"({self.compressed_bits:.4f} bits coded)"
        )


def predict(
    format: Format | str,
    source: Source,
    *,
    std: float | None = None,
    shape: tuple[int, ...] = (4096, 4096),
) -> Prediction:
    """Bits per element and relative error of a format on a tensor of independent elements.

    R^2 = E (x - restored)^2 / E x^2, the mean over elements and tensors.

    Parameters
    ----------
    format : Format or str
        A format, its specification or its name.
    source : Source
        Law of the elements.
    std : float > 0, optional
        Standard deviation of the data where it is not the source's; it matters where a stored scale is
        rounded coarsely (E8M0), can underflow, or is left out.
    shape : tuple of int
        Shape of the tensor: what shorter blocks, headers and whole bytes depend on.

    Returns
    -------
    Prediction
        Exact to about 1e-8 of R for exact and coarsely stored scales, 1e-6 for finely stored ones (float16, or
        bfloat16 over a wide range) that are rounded to nearest, 1e-4 for those that are rounded in one
        direction.  `approximations` says what was assumed.

    Raises
    ------
    TypeError
        If the format is neither, the source is none, or the shape holds no integers.
    ValueError
        If the format's text is not understood, or std or a length is not positive.

    Notes
    -----
    Not for data whose elements depend on each other or differ in variance from row to row: quantise those
    (`Format.quantise`) and measure.

    Examples
    --------
    >>> from bitlaw.theory import Normal, predict
    >>> found = predict("nf4", Normal())
    >>> found.bits, round(found.R, 4)
    (4.5, 0.092)
    """
    if isinstance(format, str):
        format = parse_format(format)
    if not isinstance(format, Format):
        raise TypeError(f"format must be a Format or its text, got {format!r}")
    return _predict(format, rescaled(source, std), _lengths(shape))


def _lengths(shape: object) -> tuple[int, ...]:
    try:
        lengths = tuple(operator.index(length) for length in shape)  # type: ignore[attr-defined]
    except TypeError:
        raise TypeError(f"shape must be a tuple of integers, got {shape!r}") from None
    if any(length < 1 for length in lengths):
        raise ValueError(f"shape must hold lengths of at least 1, got {shape}")
    return lengths


@lru_cache(maxsize=1024)
def _predict(format: Format, source: Source, shape: tuple[int, ...]) -> Prediction:
    elements = math.prod(shape)
    turned = rotated(format.rotation, source, shape)
    stored_elements = math.prod(turned.shape)
    layout = layout_of(format, turned.shape)
    kept = without_outliers(turned.source, format.outliers, stored_elements)
    if turned.few or needs_simulation(format, kept, layout):
        found = simulated_outcome(format, source, shape)
    else:
        found = exact_outcome(format, kept, layout, turned.shape)
    widths = stored_bits(format, layout, turned.shape)
    scale_bits = (widths.scales + widths.zeros + widths.groups) / elements
    overhead = scale_bits + widths.codebook / elements + kept.bits * stored_elements / elements
    entropy = entropy_bits(found.probabilities) * found.codes * stored_elements / elements + 0.0
    fixed, coded = widths.codes / elements + overhead, entropy + overhead
    energy = source.std**2 + source.mean**2
    R = math.sqrt(found.distortion / energy)
    return Prediction(
        format=format,
        source=source,
        shape=shape,
        bits=coded if format.code == "entropy" else fixed,
        element_bits=widths.codes / elements,
        scale_bits=scale_bits,
        outlier_bits=kept.bits * stored_elements / elements,
        codebook_bits=widths.codebook / elements,
        entropy=entropy,
        compressed_bits=coded,
        R=R,
        distortion=found.distortion,
        method=found.method,
        standard_error=found.standard_error / (2.0 * R * energy) if R > 0 else 0.0,
        factor=found.factor,
        approximations=turned.approximations + found.approximations,
    )
