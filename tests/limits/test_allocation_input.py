"""Components, tables and budgets that cannot be: each fault is named."""

import numpy as np
import pytest

from bitlaw.theory.limits import Component, ComponentTable, allocate


def one(**changes):
    return Component(**{"name": "w", "rates": [1.0, 2.0], "distortions": [1.0, 0.5], **changes})


@pytest.mark.parametrize(
    ("parts", "error", "match"),
    [
        ([], ValueError, "components must not be empty"),
        ([3], TypeError, "components must be Component objects or a ComponentTable, got 3"),
        ([one(rates=[])], ValueError, "rates and distortions of component 'w' must be one-dimensional"),
        ([one(rates=[], distortions=[])], ValueError, "component 'w' has no operating point"),
        (
            [one(rates=[1.0, np.nan])],
            ValueError,
            "rates of component 'w' must be finite and not negative, got nan",
        ),
        ([one(), one(distortions=[1.0, -0.5])], ValueError, "distortions of component 'w' must be finite"),
        ([one(rates=["a", "b"])], TypeError, "rates must be real numbers"),
        ([one(size=0)], ValueError, "size of component 'w' must be finite and positive, got 0"),
        ([one(weight=-1.0)], ValueError, "weight of component 'w' must be finite and not negative, got -1"),
        ([one(weight=np.inf)], ValueError, "weight of component 'w' must be finite"),
        ([one(fixed=2)], ValueError, "fixed of component 'w' must be an index below 2, got 2"),
        ([one(fixed=0.5)], TypeError, "fixed must be integers"),
        (
            [one(group=1), Component("v", [1.0], [1.0], group=1)],
            ValueError,
            "component 'w' and component 'v' share a group but not their number of operating points",
        ),
        ([one(group=1, fixed=0), one(group=1, fixed=1)], ValueError, "fixed at different operating points"),
    ],
)
def test_bad_components_are_named(parts, error, match):
    with pytest.raises(error, match=match):
        allocate(parts, 10)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "match"),
    [
        ((0,), {}, ValueError, "budget must be finite and positive, got 0"),
        ((np.nan,), {}, ValueError, "budget must be finite and positive, got nan"),
        (("9",), {}, TypeError, "budget must be a real number, got '9'"),
        (
            (9,),
            {"unit": "nats"},
            ValueError,
            "unit must be 'bits', 'bytes' or 'bits_per_element', got 'nats'",
        ),
    ],
)
def test_bad_budgets_are_named(arguments, options, error, match):
    with pytest.raises(error, match=match):
        allocate([one()], *arguments, **options)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: ComponentTable.from_arrays([1.0], [1.0]), r"distortions must have shape \(n, p\)"),
        (lambda: ComponentTable.from_arrays([1.0, 2], [[1.0]]), "rates must broadcast to shape"),
        (lambda: ComponentTable.from_arrays([1.0], [[1.0]], sizes=[1, 2]), "sizes must broadcast to shape"),
        (lambda: ComponentTable.from_arrays([1.0], [[1.0]], groups=[1, 2]), "groups must broadcast to shape"),
    ],
)
def test_bad_tables_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()
