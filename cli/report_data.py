"""The real data of a report: models beside the checkout, and measurements that ship with matplotlib.

Nothing is downloaded.  The measurements are taken out of matplotlib's sample data, turned into arrays of
about zero mean (differences, logarithmic returns, values less their mean), and written down beside the
report, so that the very values that were analysed can be looked at.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .files import write_file

__all__ = ["DataSet", "LeftOut", "find_models", "sample_measurements"]

FloatArray = NDArray[np.float64]

# Larger models are left out of an automatic report, which is to be done in two minutes; a core analyses about
# half a megabyte a second.  They can be asked for by name.
_LARGEST_MODEL = 64 * 2**20


@dataclass(frozen=True)
class DataSet:
    """A tensor file, and what is known of its contents; `kind` is "model", "measurements" or "given"."""

    name: str
    kind: str
    path: Path
    about: str
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A file that was found but not analysed, and why."""

    path: Path
    reason: str


def find_models(start: Path) -> tuple[list[DataSet], list[LeftOut]]:
    """Find models in the first shared/models/ beside or above a folder."""
    for folder in (start, *start.parents):
        root = folder / "shared" / "models"
        if root.is_dir():
            break
    else:
        return [], []
    found: list[DataSet] = []
    left_out: list[LeftOut] = []
    for model in sorted({path.parent for path in root.glob("*/*.safetensors")}):
        size = sum(path.stat().st_size for path in model.glob("*.safetensors"))
        if size > _LARGEST_MODEL:
            reason = f"{size / 2**20:.0f} MiB would take too long here; ask for it with --data"
            left_out.append(LeftOut(model, reason))
        else:
            about = (
                f"Weights of the model in {model}, as they are stored. Whether they were trained in this "
                "form or restored from a coarser one is not known here."
            )
            found.append(DataSet(model.name, "model", model, about))
    return found, left_out


@dataclass(frozen=True)
class _Measurement:
    file: str
    about: str
    read: Callable[[bytes], FloatArray]


def _eeg(content: bytes) -> FloatArray:
    channels = np.frombuffer(content, dtype="<f8").reshape(-1, 4)
    return np.asarray(channels - channels.mean(axis=0))


def _slice_differences(content: bytes) -> FloatArray:
    pixels = np.frombuffer(gzip.decompress(content), dtype=">u2").reshape(256, 256)
    return np.diff(pixels.astype(np.float64), axis=1)


def _elevation_differences(content: bytes) -> FloatArray:
    with np.load(io.BytesIO(content)) as archive:
        return np.diff(archive["elevation"].astype(np.float64), axis=1)


def _relief(content: bytes) -> FloatArray:
    with np.load(io.BytesIO(content)) as archive:
        heights = archive["topo"].astype(np.float64)
    centred: FloatArray = heights - heights.mean()
    return centred


def _daily_returns(content: bytes) -> FloatArray:
    with np.load(io.BytesIO(content)) as archive:
        return np.diff(np.log(archive["price_data"]["adj_close"].astype(np.float64)))


def _monthly_returns(content: bytes) -> FloatArray:
    lines = [line for line in content.decode().splitlines() if not line.startswith("#")]
    rows = [row[1:] for row in csv.reader(lines[1:]) if all(row[:2])]
    prices = np.array([[float(cell) if cell else np.nan for cell in row] for row in rows])
    returns = np.diff(np.log(prices), axis=0)
    kept: FloatArray = returns[np.isfinite(returns)]
    return kept


_MEASUREMENTS = {
    "eeg": _Measurement(
        "eeg.dat", "electroencephalogram, 800 samples of 4 channels, less the mean of each channel", _eeg
    ),
    "mri_differences": _Measurement(
        "s1045.ima.gz",
        "differences of neighbouring pixels of a magnetic-resonance image (integers)",
        _slice_differences,
    ),
    "elevation_differences": _Measurement(
        "jacksboro_fault_dem.npz",
        "differences of neighbouring heights in a digital elevation model, in metres (integers)",
        _elevation_differences,
    ),
    "relief": _Measurement(
        "topobathy.npz", "heights of land and sea floor, less their mean: no single bell shape", _relief
    ),
    "google_daily_returns": _Measurement(
        "goog.npz", "daily logarithmic returns of one share, 2004 to 2008", _daily_returns
    ),
    "shares_monthly_returns": _Measurement(
        "Stocks.csv", "monthly logarithmic returns of eight shares and two indices", _monthly_returns
    ),
}


def sample_measurements(folder: Path) -> DataSet | None:
    """Write measurements.npz from matplotlib's sample data; None where they are not installed."""
    samples = _sample_folder()
    arrays, notes = {}, []
    for name, measurement in _MEASUREMENTS.items():
        path = samples / measurement.file if samples else None
        if path is not None and path.is_file():
            arrays[name] = measurement.read(path.read_bytes())
            notes.append((name, f"{measurement.about} ({measurement.file})"))
    if not arrays:
        return None
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_file(folder / "measurements.npz", content.getvalue())
    about = (
        "Measurements that ship with matplotlib as sample data. They are not weights of any model: they "
        "stand for data whose law nobody designed."
    )
    return DataSet("measurements", "measurements", folder / "measurements.npz", about, tuple(notes))


def _sample_folder() -> Path | None:
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "mpl-data" / "sample_data"
