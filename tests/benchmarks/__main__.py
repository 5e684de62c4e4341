"""Run all benchmarks, or those named, and print one table each."""

import argparse
import importlib
import inspect
import os
import pkgutil
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table


def names() -> list[str]:
    """Modules of this folder that are benchmarks."""
    here = Path(__file__).parent
    return [
        m.name for m in pkgutil.iter_modules([str(here)]) if not m.name.startswith("_") and m.name != "timing"
    ]


def show(name: str, console: Console, device: str) -> None:
    """Run one benchmark, on a device if it knows of any, and print its rows."""
    module = importlib.import_module(f"tests.benchmarks.{name}")
    rows = module.run(device=device) if "device" in inspect.signature(module.run).parameters else module.run()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(title=module.TITLE, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if isinstance(rows[0].get(column), str) else "right")
    for row in rows:
        table.add_row(*(_text(row.get(column, "")) for column in columns))
    console.print(table)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Parse the names and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*names(), []], help="benchmarks to run; default all")
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="of models and memory: the CPU, a GPU, or (the default) both where there is one",
    )
    arguments = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 140)
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in arguments.names or names():
        show(name, console, arguments.device)


if __name__ == "__main__":
    main()
