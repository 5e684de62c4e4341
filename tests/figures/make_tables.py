"""Writes the tables that figures read: run `python -m tests.figures.make_tables` after a design has changed.

It takes some minutes.  Tests hold rows of the tables to the functions that make them.
"""

from pathlib import Path

from bitlaw import paper_figures
from bitlaw.paper_figures.bound_curve import RATES, TABLED
from bitlaw.paper_figures.operating_points import LAWS
from bitlaw.paper_figures.vector_measurements import LATTICES, STATES, measure_lattice, measure_trellis
from bitlaw.theory import distortion_rate

FOLDER = Path(paper_figures.__file__).parent

VECTOR_HEADER = '''"""Rate, mean squared error and standard error of the gap of lattices and trellises at 2 bits.

Written by `python -m tests.figures.make_tables` from `vector_measurements`; one row for each law of
`operating_points`.
"""

from __future__ import annotations

__all__ = ["LATTICE_ROWS", "TRELLIS_ROWS"]

Row = tuple[float, float, float]

'''

BOUND_HEADER = '''"""Distortion, and distortion per bit, of the rate-distortion function at rates of `bound_curve`.

Written by `python -m tests.figures.make_tables`; each is that of `distortion_rate`, of laws of unit variance.
"""

from __future__ import annotations

__all__ = ["POINTS"]

'''


def vector_table():
    lattices = {name: [tuple(measure_lattice(name, law.source)) for law in LAWS] for name in LATTICES}
    trellises = {}
    for code in ("fixed", "entropy"):
        for states in STATES:
            trellises[code, states] = [tuple(measure_trellis(code, states, law.source)) for law in LAWS]
            print(code, states, flush=True)
    return (
        VECTOR_HEADER
        + _literal("LATTICE_ROWS: dict[str, tuple[Row, ...]]", lattices)
        + "\n"
        + _literal("TRELLIS_ROWS: dict[tuple[str, int], tuple[Row, ...]]", trellises)
    )


def bound_table():
    points = {
        name: [(limit.distortion, limit.slope) for limit in (distortion_rate(law, rate) for rate in RATES)]
        for name, law in TABLED.items()
    }
    return BOUND_HEADER + _literal("POINTS: dict[str, tuple[tuple[float, float], ...]]", points)


def _literal(name, rows):
    lines = [f"{name} = {{"]
    for key, values in rows.items():
        lines.append(f"    {_text(key)}: (")
        lines += [f"        ({', '.join(map(repr, row))})," for row in values]
        lines.append("    ),")
    return "\n".join([*lines, "}", ""])


def _text(key):
    return '"' + key + '"' if isinstance(key, str) else f'("{key[0]}", {key[1]})'


if __name__ == "__main__":
    (FOLDER / "bound_table.py").write_text(bound_table())
    (FOLDER / "vector_table.py").write_text(vector_table())
