"""Quantisers as source text of other programs, every digit kept."""

from __future__ import annotations

from bitlaw.theory import ScalarQuantiser

__all__ = ["c_literal", "numpy_literal"]


def c_literal(quantiser: ScalarQuantiser, comment: str) -> str:
    """C arrays of double; a value x belongs to the first codepoint whose threshold is not below x."""
    return "\n".join(
        [
            f"/* {comment.replace('*/', '* /')} */",
            _array("static const double codepoints[{n}] = {{{values}}};", quantiser.codepoints.tolist()),
            *(
                [_array("static const double thresholds[{n}] = {{{values}}};", quantiser.thresholds.tolist())]
                if quantiser.levels > 1
                else []
            ),
            "",
        ]
    )


def numpy_literal(quantiser: ScalarQuantiser, comment: str) -> str:
    """Python statements that define the arrays; codepoints[np.searchsorted(thresholds, x)] quantises x."""
    return "\n".join(
        [
            f"# {comment}",
            "import numpy as np",
            "",
            _array("codepoints = np.array([{values}])", quantiser.codepoints.tolist()),
            _array("thresholds = np.array([{values}])", quantiser.thresholds.tolist()),
            "",
        ]
    )


def _array(template: str, values: list[float]) -> str:
    lines = [", ".join(map(repr, values[k : k + 4])) for k in range(0, len(values), 4)]
    inner = "\n    " + ",\n    ".join(lines) + ",\n" if len(lines) > 1 else "".join(lines)
    return template.format(n=len(values), values=inner)
