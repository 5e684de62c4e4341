"""Real tensors in a report: the law of each, and what it predicts beside what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bitlaw.theory.fitting import TensorAnalysis
from bitlaw.theory.fitting.summary import summarise

from .fit import law
from .output import number
from .report_chart import scatter
from .report_data import DataSet, LeftOut
from .report_html import bullets, details, files, heading, paragraph, section, table

__all__ = ["FittedData", "data_section", "fit_facts"]

# Bits shown where there is room for one size only: that of most published formats.
_SHOWN_BITS = 4

_READING = (
    "R is the root-mean-square error of a quantiser divided by the root mean square of the values: R = "
    "0.1 means that a tenth of the values' strength is lost. It does not depend on the units.",
    "R predicted: six families (normal, Laplace, Student-t, generalised normal, logistic, uniform) are "
    "fitted to the values by maximum likelihood. Three quantisers are designed for the best of them, and "
    "their R is computed on the law, by integration. The values themselves play no further part.",
    "R measured: the same quantisers applied to every value. The standard error says how far a sample of "
    "that many independent values strays by chance, so that about 95% should lie within two of them.",
    "A measured R that strays further means that the law is not the whole truth. The Kolmogorov-Smirnov "
    "(KS) distance says how wrong its distribution function is at worst, mean/rms what the assumption of "
    "zero mean neglects (normalisation weights are all near 1), and the kurtosis how heavy the tails "
    "really are (3 for a Gaussian).",
    "Large tensors have small standard errors: a deviation of 1% may be many of them and still not matter "
    "in practice. Of very heavy tails the standard error itself is too small, since it rests on fourth "
    "moments.",
)


@dataclass(frozen=True)
class FittedData:
    """A tensor file with the analyses of its tensors."""

    data: DataSet
    analyses: Sequence[TensorAnalysis]


def fit_facts(fits: Sequence[FittedData]) -> list[str]:
    """How well prediction and measurement agree, a sentence for each file."""
    facts = []
    for fitted in fits:
        rows = [row for row in summarise(_centred(fitted.analyses)) if row.method == "lloyd_max"]
        if rows:
            row = min(rows, key=lambda found: abs(found.bits - _SHOWN_BITS))
            facts.append(
                f"{fitted.data.name}: {row.tensors} tensors of about zero mean among {len(fitted.analyses)}. At "
                f"{row.bits} bits with Lloyd-Max codebooks the measured error lies {100 * row.spread:.1f}% from the "
                "predicted one (median)."
            )
    return facts


def data_section(fits: Sequence[FittedData], left_out: Sequence[LeftOut]) -> str:
    """All files, with what they are and how to read the numbers."""
    parts = [heading("How to read R", "reading"), bullets(_READING)]
    if not any(fitted.data.kind == "model" for fitted in fits):
        parts.append(
            paragraph(
                "No model was found beside the checkout (shared/models/*/*.safetensors); the data below "
                "are other arrays, as each says.",
                "note",
            )
        )
    for fitted in fits:
        parts += _file(fitted)
    if left_out:
        rows = [(str(entry.path), entry.reason) for entry in left_out]
        parts.append(table(("not analysed", "why"), rows, left=(0, 1)))
    return section("data", "Real data: R predicted beside R measured", *parts)


def _centred(analyses: Sequence[TensorAnalysis]) -> list[TensorAnalysis]:
    """Tensors that laws of zero mean can describe: the mean is at most half the root mean square."""
    return [
        analysis
        for analysis in analyses
        if analysis.moments is not None and abs(analysis.moments.mean) <= analysis.moments.rms / 2
    ]


def _file(fitted: FittedData) -> list[str]:
    data, analyses = fitted.data, fitted.analyses
    done = [analysis for analysis in analyses if analysis.fits]
    skipped = [(analysis.name, analysis.skipped or "") for analysis in analyses if not analysis.fits]
    parts = [heading(data.name), paragraph(data.about)]
    if data.notes:
        parts.append(bullets(f"{name}: {text}" for name, text in data.notes))
    if done:
        parts += [
            scatter(done),
            _summary(done),
            details(f"The laws of {len(done)} tensors", _laws(done)),
            details(
                "R of every tensor with Lloyd-Max codebooks, predicted | measured (standard error)",
                _errors(done),
            ),
        ]
    if skipped:
        parts.append(
            details(f"{len(skipped)} tensors passed over", table(("tensor", "why"), skipped, left=(0, 1)))
        )
    return [*parts, files(f"fits/{data.name}.json", f"fits/{data.name}.csv")]


def _summary(analyses: Sequence[TensorAnalysis]) -> str:
    """Medians over the tensors of about zero mean; how many that leaves out is said."""
    centred = _centred(analyses)
    columns = ("bits", "quantiser", "R predicted", "R measured", "measured / predicted", "within 2 s.e.")
    rows = [
        (
            str(row.bits),
            row.method.replace("_", "-"),
            number(row.predicted, 4),
            number(row.measured, 4),
            f"{row.ratio:.4f}",
            f"{100 * row.within:.0f}%",
        )
        for row in summarise(centred)
    ]
    caption = f"Medians over {len(centred)} tensors."
    if len(centred) < len(analyses):
        caption += (
            f" The {len(analyses) - len(centred)} whose mean exceeds half their rms (such as normalisation "
            "weights) are left out here: no law of zero mean describes them. The picture and the files "
            "have all."
        )
    return table(columns, rows, left=(1,), caption=caption)


def _laws(analyses: Sequence[TensorAnalysis]) -> str:
    columns = (
        "tensor",
        "shape",
        "type",
        "best law",
        "std",
        "KS distance",
        "mean/rms",
        "kurtosis",
        "max/rms",
        "zeros",
    )
    rows = []
    for analysis in analyses:
        best, moments = analysis.fits[0], analysis.moments
        if moments is not None:
            rows.append(
                (
                    analysis.name,
                    " × ".join(map(str, analysis.shape)),
                    analysis.dtype,
                    law(best),
                    number(best.parameters["std"], 4),
                    number(best.ks_distance, 2),
                    number(moments.mean / moments.rms, 2),
                    number(moments.kurtosis, 4),
                    number(moments.max_over_rms, 3),
                    f"{100 * moments.zeros:.1f}%",
                )
            )
    return table(columns, rows, left=(0, 1, 2, 3))


def _errors(analyses: Sequence[TensorAnalysis]) -> str:
    sizes = list(dict.fromkeys(row.bits for row in analyses[0].comparisons))
    rows = []
    for analysis in analyses:
        cells = [
            f"{number(row.predicted, 3)} | {number(row.measured, 3)} ({number(row.standard_error, 1)})"
            for row in analysis.comparisons
            if row.method == "lloyd_max"
        ]
        rows.append((analysis.name, *cells))
    return table(("tensor", *(f"{size} bits" for size in sizes)), rows)
