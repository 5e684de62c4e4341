"""What a model is measured on is checked before anything is loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bitlaw.llm.workload import Workload, _measuring


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sequences": 0}, "sequences must be a whole number of at least 1, got 0"),
        ({"sequences": True}, "sequences must be a whole number of at least 1, got True"),
        ({"sequences": float("nan")}, "sequences must be a whole number of at least 1, got nan"),
        ({"length": 1}, "length must be a whole number of at least 2, got 1"),
        ({"length": 8.0}, r"length must be a whole number of at least 2, got 8\.0"),
        ({"batch": -2}, "batch must be a whole number of at least 1, got -2"),
        ({"batch": "8"}, "batch must be a whole number of at least 1, got '8'"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": 1 << 63}, r"seed must be less than 2\^63, got 9223372036854775808"),
        ({"text": ""}, "text must be a text that is not empty, got ''"),
        ({"text": 3}, "text must be a text that is not empty, got 3"),
        ({"dtype": "int8"}, "dtype must be 'auto', 'float32', 'bfloat16' or 'float16', got 'int8'"),
        ({"targets": "drawn"}, "targets must be 'sampled' or 'text', got 'drawn'"),
        ({"fisher": "columns"}, "fisher must be 'diagonal' or 'rows', got 'columns'"),
        ({"unit": "token"}, "unit must be 'sequence' or 'position', got 'token'"),
        ({"checkpointing": 1}, "checkpointing must be true or false, got 1"),
        ({"device": 0}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 0"),
        (
            {"device_map": "even"},
            "device_map must be 'auto', 'balanced', 'balanced_low_0' or 'sequential', got",
        ),
        ({"device": "cpu", "device_map": "auto"}, "device and device_map exclude one another, got 'cpu'"),
    ],
)
def test_impossible_values_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Workload(**settings)


def test_whole_numbers_of_other_libraries_are_whole_numbers() -> None:
    assert Workload(sequences=np.int64(3)).sequences == 3
    assert Workload(seed=(1 << 63) - 1).seed == (1 << 63) - 1


def test_all_that_decides_fisher_information_is_in_the_digest() -> None:
    changed: list[dict[str, Any]] = [
        {},
        {"fisher": "rows"},
        {"unit": "position"},
        {"checkpointing": True},
        {"targets": "text"},
        {"seed": 1},
        {"batch": 3},
    ]
    assert len({_measuring(Workload(**change)) for change in changed}) == len(changed)
