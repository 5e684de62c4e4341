"""Writing files: whole or not at all, and never over someone else's work unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UsageError

__all__ = ["check_target", "make_folder", "part_of", "write_file"]


def check_target(path: str | None, force: bool) -> Path | None:
    """Path of an output file, checked before any work is done; None for standard output.

    A file that exists is only replaced when asked to; its folder must exist.
    """
    if path is None or path == "-":
        return None
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"--output {path}: is a folder, a file was expected")
    if target.is_file() and not force:
        raise UsageError(f"--output {path}: the file exists; add --force to replace it")
    if not target.parent.is_dir():
        raise UsageError(f"--output {path}: the folder {target.parent} does not exist")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise UsageError(f"--output {path}: no permission to write there")
    return target


def make_folder(path: str | Path) -> Path:
    """Folder for several files, made where it is missing."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--output {path}: cannot make the folder ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise UsageError(f"--output {path}: no permission to write there")
    return folder


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file so that it is never seen half written: beside its place first, then moved there."""
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
        path.write_bytes(data)
        return
    with part_of(path) as part:
        part.write_bytes(data)


@contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """Path beside a file's place, to be written; it is moved there at the end, and removed after an error."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:  # a full disk names no file, and no one knows the part
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        part.unlink(missing_ok=True)
