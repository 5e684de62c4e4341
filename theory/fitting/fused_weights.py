"""Projections that inference engines merge into one matrix, in the names that transformers gives them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

__all__ = ["fused_groups"]

_FUSED = (
    (re.compile(r"(.*)\b[qkv]_proj\.weight"), "qkv"),
    (re.compile(r"(.*)\b(?:gate|up)_proj\.weight"), "gate_up"),
    (re.compile(r"(.*\bexperts\.\d+\.)w[13]\.weight"), "gate_up"),
)


def fused_groups(names: Iterable[str]) -> dict[str, str]:
    """Tensors that are merged when a model is served, so that they must share a format.

    Parameters
    ----------
    names : iterable of str
        Of weight tensors.

    Returns
    -------
    dict of str to str
        Label of the group by name, for q, k and v and for gate and up projections; tensors without a partner
        are left out.

    Examples
    --------
    >>> fused_groups(["a.q_proj.weight", "a.k_proj.weight", "a.o_proj.weight"])
    {'a.q_proj.weight': 'a.qkv', 'a.k_proj.weight': 'a.qkv'}
    """
    found = {}
    for name in names:
        for pattern, label in _FUSED:
            if (match := pattern.fullmatch(name)) is not None:
                found[name] = match[1] + label
    members = Counter(found.values())
    return {name: label for name, label in found.items() if members[label] > 1}
