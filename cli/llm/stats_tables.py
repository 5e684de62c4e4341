"""The statistics of a model's weights as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..output import Block, Table, number

__all__ = ["TAILS", "stats_blocks", "summary"]

# Multiples of a row's rms beyond which shares of elements are told.
TAILS = (2.0, 3.0, 5.0)

Row = dict[str, Any]


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Measured over predicted R of each format: the median tensor and the worst one; none where nothing errs."""
    found = []
    for k, told in enumerate(rows[0]["formats"] if rows else []):
        ratios = {row["name"]: _ratio(row["formats"][k]) for row in rows}
        known = {name: ratio for name, ratio in ratios.items() if ratio is not None}
        if known:
            worst = max(known, key=lambda name: abs(np.log(max(known[name], 1e-300))))
            found.append(
                {
                    "format": told["format"],
                    "median_ratio": float(np.median(list(known.values()))),
                    "worst_ratio": known[worst],
                    "worst_tensor": worst,
                }
            )
    return found


def _ratio(one: Row) -> float | None:
    """Measured over predicted R; None where nothing errs on either side."""
    return one["r"] / one["predicted_r"] if one["predicted_r"] else None


def stats_blocks(rows: Sequence[Row], *, details: bool) -> list[Block]:
    """All tables that people are shown."""
    if not rows:
        return ["no matrices of floating-point weights"]
    blocks: list[Block] = [_overview(rows)]
    if details:
        blocks += [_tails(rows), _whole_fits(rows), _row_fits(rows), _channels(rows), _block_maxima(rows)]
    for k, told in enumerate(rows[0]["formats"]):
        lines = [[row["name"], *_errors(row["formats"][k])] for row in rows]
        titles = ["tensor", "bits", "R predicted", "R", "R / predicted"]
        if details:
            titles += ["median row", "least", "largest"]
            lines = [[*line, *_row_ratios(row["formats"][k])] for line, row in zip(lines, rows, strict=True)]
        blocks.append(Table(titles, lines, left=("tensor",), title=told["format"]))
    found = summary(rows)
    if found:
        blocks.append(_ratios(found))
    return blocks


def _ratios(found: Iterable[Row]) -> Table:
    titles = ("format", "median tensor", "worst tensor", "which")
    lines = [
        (one["format"], number(one["median_ratio"], 4), number(one["worst_ratio"], 4), one["worst_tensor"])
        for one in found
    ]
    return Table(titles, lines, left=("format", "which"), title="R / predicted")


def _overview(rows: Iterable[Row]) -> Table:
    titles = (
        "tensor",
        "part",
        "shape",
        "rms",
        "kurtosis",
        "largest/rms",
        "row spread",
        "law",
        "law within rows",
    )
    lines = [
        (
            row["name"],
            row["part"],
            "x".join(map(str, row["shape"])),
            number(row["rms"], 4),
            number(row["kurtosis"], 4),
            number(row["largest"] / row["rms"], 4) if row["rms"] else "-",
            number(row["row_spread"], 3),
            _short(row["law"]),
            _short(row["row_law"]),
        )
        for row in rows
    ]
    return Table(titles, lines, left=("tensor", "part", "shape", "law", "law within rows"))


def _tails(rows: Iterable[Row]) -> Table:
    """Shares beyond multiples of the row's rms, each beside the law's."""
    titles = ["tensor"]
    for magnitude in TAILS:
        titles += [f"beyond {magnitude:g}", f"law beyond {magnitude:g}"]
    lines = [
        (row["name"], *(number(tail[key], 3) for tail in row["tails"] for key in ("share", "law")))
        for row in rows
    ]
    return Table(
        titles, lines, left=("tensor",), title="share of elements beyond multiples of their row's rms"
    )


def _whole_fits(rows: Sequence[Row]) -> Table:
    return _fits(rows, "whole_fits", "laws of all elements")


def _row_fits(rows: Sequence[Row]) -> Table:
    return _fits(rows, "fits", "laws within rows")


def _fits(rows: Sequence[Row], key: str, what: str) -> Table:
    """What each family loses against the best."""
    families = sorted({fit["family"] for row in rows for fit in row[key]})
    lines = []
    for row in rows:
        fits = {fit["family"]: fit for fit in row[key]}
        best = row[key][0] if row[key] else None
        lost = [
            number(best["log_likelihood"] - fits[family]["log_likelihood"], 3)
            if best and family in fits
            else "-"
            for family in families
        ]
        name = _short(best["source"]) if best else "-"
        distance = number(best["ks_distance"], 2) if best else "-"
        lines.append((row["name"], name, distance, *lost))
    title = f"{what}: the best, its Kolmogorov distance, and what each family loses in nats per element"
    return Table(("tensor", "best", "distance", *families), lines, left=("tensor", "best"), title=title)


def _channels(rows: Iterable[Row]) -> Table:
    titles = (
        "tensor",
        "row spread",
        "row kurtosis",
        "most",
        "row largest/rms",
        "most",
        "column spread",
        "most/median",
    )
    lines = []
    for row in rows:
        rms, columns = _live(row["row_rms"]), _live(row["column_rms"])
        kurtosis = [value for value in row["row_kurtosis"] if value is not None]
        pairs = zip(row["row_largest"], row["row_rms"], strict=True)
        largest = [most / spread for most, spread in pairs if spread > 0]
        top = columns.max() / np.median(columns) if len(columns) else None
        lines.append(
            (
                row["name"],
                _octaves(rms),
                *_median_and_most(kurtosis),
                *_median_and_most(largest),
                _octaves(columns),
                number(top, 3),
            )
        )
    title = "channels: rows are outputs, columns inputs; median and largest over the rows; spreads in octaves"
    return Table(titles, lines, left=("tensor",), title=title)


def _live(values: Sequence[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    found = np.array(values, dtype=np.float64)
    return found[found > 0]


def _octaves(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return number(float(np.std(np.log2(values))), 3) if len(values) else "-"


def _median_and_most(values: Sequence[float]) -> tuple[str, str]:
    return (number(float(np.median(values)), 3), number(max(values), 3)) if values else ("-", "-")


def _block_maxima(rows: Sequence[Row]) -> Table:
    sizes = sorted({size for row in rows for size in row["blocks"]}, key=int)
    titles = ["tensor"]
    for size in sizes:
        titles += [f"of {size}", "std", "/ expected"]
    lines = []
    for row in rows:
        cells = []
        for size in sizes:
            block = row["blocks"].get(size)
            cells += _block_cells(block) if block else ["-", "-", "-"]
        lines.append((row["name"], *cells))
    title = "largest magnitude of a block over its row's rms, and over that of independent elements"
    return Table(titles, lines, left=("tensor",), title=title)


def _block_cells(block: Row) -> list[str]:
    ratio = number(block["mean"] / block["expected"], 3)
    return [number(block["mean"], 3), number(block["std"], 2), ratio]


def _errors(one: Row) -> tuple[str, ...]:
    return number(one["bits"], 4), number(one["predicted_r"], 4), number(one["r"], 4), number(_ratio(one), 4)


def _row_ratios(one: Row) -> tuple[str, str, str]:
    """Measured over predicted R of the rows: median, least, largest."""
    pairs = zip(one["row_r"], one["predicted_row_r"], strict=True)
    ratios = [measured / predicted for measured, predicted in pairs if predicted > 0]
    if not ratios:
        return "-", "-", "-"
    return number(float(np.median(ratios)), 4), number(min(ratios), 4), number(max(ratios), 4)


def _short(law: Row) -> str:
    name, colon, shape = law["name"].partition(":")
    return f"{name} {number(float(shape), 3)}" if colon else name
