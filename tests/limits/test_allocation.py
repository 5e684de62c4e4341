"""Allocation: exhaustive search as oracle, hull exactness, groups, fixed components, control, bad input."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory.limits import Component, ComponentTable, allocate
from bitlaw.theory.limits._exact_allocation import solve_core
from bitlaw.theory.limits._hull import lower_hulls

from .naive import best_choice, hull_losses


@st.composite
def tables(draw, most=5, points=5):
    """Small tables of integer costs, with groups and fixed components in some."""
    count, width = draw(st.integers(1, most)), draw(st.integers(1, points))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rates = rng.integers(1, 9, (count, width)).astype(float)
    groups = rng.choice([-1, -1, -1, 0], count)
    fixed = rng.choice([-1, -1, -1, 0], count)
    if (groups == 0).any():
        fixed[groups == 0] = fixed[np.argmax(groups == 0)]
    return ComponentTable.from_arrays(
        rates,
        rng.exponential(size=(count, width)),
        sizes=rng.integers(1, 10, count),
        weights=rng.exponential(size=count),
        groups=groups,
        fixed=fixed,
    )


def rows(table):
    """Bits and loss of each component's points."""
    cost = table.rates * np.repeat(table.sizes, np.diff(table.offsets))
    loss = table.distortions * np.repeat(table.sizes * table.weights, np.diff(table.offsets))
    return np.split(cost, table.offsets[1:-1]), np.split(loss, table.offsets[1:-1])


def allowed(table):
    def check(choice):
        choice = np.array(choice)
        held = (table.fixed < 0) | (choice == table.fixed)
        members = choice[table.groups == 0]
        return held.all() and (members == members[:1]).all()

    return check


def budgets(table, part):
    bits, _ = rows(table)
    low, high = sum(row.min() for row in bits), sum(row.max() for row in bits)
    return float(np.floor(low + part * (high - low))) + 1


@settings(max_examples=150)
@given(tables(), st.floats(0, 1))
def test_exact_choice_is_that_of_exhaustive_search(table, part):
    budget = budgets(table, part)
    wanted = best_choice(*rows(table), budget, allowed(table))
    if wanted is None:
        with pytest.raises(ValueError, match="budget must be at least"):
            allocate(table, budget)
        return
    exact, quick = allocate(table, budget, exact=True), allocate(table, budget)
    assert exact.loss == pytest.approx(wanted, rel=1e-12)
    assert exact.gap == 0
    assert quick.bound <= wanted * (1 + 1e-12)
    assert wanted <= quick.loss * (1 + 1e-12)
    for result in (exact, quick):
        assert allowed(table)(result.choices)
        assert result.bits <= budget * (1 + 1e-11)


@settings(max_examples=30)
@given(tables(most=9, points=4), st.floats(0, 1))
def test_dynamic_programming_improves_a_bad_choice_to_the_best(table, part):
    # From the worst start: the cheapest points, so that nothing is pruned by a good known choice.
    bits, loss = (np.concatenate(parts) for parts in rows(table))
    offsets = table.offsets
    start = np.array([a + np.lexsort((-loss[a:b], bits[a:b]))[0] for a, b in itertools.pairwise(offsets)])
    budget = float(bits[start].sum() + part * 20)
    found = solve_core(offsets, bits, loss, start, budget, 0.05)
    wanted = best_choice(*rows(table), budget)
    assert loss[found].sum() == pytest.approx(wanted, rel=1e-12)
    assert bits[found].sum() <= budget * (1 + 1e-11)


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_dynamic_programming_finds_the_best_from_the_second_best(seed, part):
    rng = np.random.default_rng(seed)
    bits, loss = rng.integers(1, 9, (5, 3)).astype(float), rng.exponential(size=(5, 3))
    budget = float(np.floor(bits.min(axis=1).sum() + part * np.ptp(bits, axis=1).sum())) + 1
    choices = np.array(list(itertools.product(range(3), repeat=5)))
    spent = bits[np.arange(5), choices].sum(axis=1)
    lost = loss[np.arange(5), choices].sum(axis=1)
    order = [k for k in np.argsort(lost) if spent[k] <= budget]
    table = ComponentTable.from_arrays(bits, loss)
    offsets, slope = table.offsets, allocate(table, budget).slope
    second = offsets[:-1] + choices[order[min(1, len(order) - 1)]]
    found = solve_core(offsets, bits.ravel(), loss.ravel(), second, budget, slope)
    if slope > 0:
        assert loss.ravel()[found].sum() == pytest.approx(lost[order[0]], rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_hull_is_that_of_the_definition(seed, size):
    rng = np.random.default_rng(seed)
    bits, loss = rng.integers(0, 6, size).astype(float), rng.integers(0, 6, size).astype(float)
    hull, ends = lower_hulls(np.array([0, size]), bits, loss)
    assert ends.tolist() == [0, len(hull)]
    assert (np.diff(bits[hull]) > 0).all()
    assert (np.diff(loss[hull]) < 0).all()
    vertices = {(bits[k], loss[k]) for k in hull}
    on_hull = {(bits[k], loss[k]) for k in hull_losses(bits, loss)}
    assert vertices <= on_hull
    # What is left out lies on a segment: the slopes strictly fall.
    slopes = np.diff(loss[hull]) / np.diff(bits[hull])
    assert (np.diff(slopes) > 0).all()
    compiled = lower_hulls.py_func(np.array([0, size]), bits, loss)
    np.testing.assert_array_equal(loss[compiled[0]], loss[hull])


@settings(max_examples=40)
@given(tables(), st.integers(0, 30))
def test_lagrangian_is_exact_at_the_budgets_of_the_hull(table, steps):
    first = allocate(table, 1e9)
    budget = first.feasible[0]
    for _ in range(steps):
        result = allocate(table, max(budget, 1e-9))
        assert result.gap == pytest.approx(0, abs=1e-12 * max(result.loss, 1e-30))
        if result.slope == 0:
            break
        # The next hull budget: the cheapest one at which the relaxed bound has no fraction again.
        following = [b for b in np.arange(budget + 1, budget + 90) if allocate(table, float(b)).gap < 1e-13]
        assert following
        budget = float(following[0])


@settings(max_examples=60)
@given(tables(), st.floats(0, 1))
def test_choice_is_never_worse_than_one_format_for_all(table, part):
    budget = budgets(table, part)
    try:
        result = allocate(table, budget)
    except ValueError:
        return
    if result.uniform is None:
        return
    assert result.uniform.bits <= budget
    assert result.loss <= result.uniform.loss * (1 + 1e-12)
    # At the control's own bits it is no worse either.
    again = allocate(table, max(result.uniform.bits, 1e-9))
    assert again.loss <= result.uniform.loss * (1 + 1e-12)


@settings(max_examples=40)
@given(tables(), st.floats(0, 1), st.randoms(use_true_random=False))
def test_order_of_components_does_not_matter(table, part, random):
    budget = budgets(table, part)
    order = list(range(len(table)))
    random.shuffle(order)
    width = int(table.offsets[1])
    moved = ComponentTable.from_arrays(
        table.rates.reshape(-1, width)[order],
        table.distortions.reshape(-1, width)[order],
        sizes=table.sizes[order],
        weights=table.weights[order],
        groups=table.groups[order],
        fixed=table.fixed[order],
    )
    try:
        one = allocate(table, budget, exact=True)
    except ValueError:
        return
    two = allocate(moved, budget, exact=True)
    assert two.loss == pytest.approx(one.loss, rel=1e-12)
    assert two.bound == pytest.approx(one.bound, rel=1e-12)


@settings(max_examples=40)
@given(tables(), st.floats(0, 1), st.floats(0.1, 10))
def test_more_budget_never_loses_more(table, part, more):
    budget = budgets(table, part)
    try:
        one = allocate(table, budget, exact=True)
    except ValueError:
        return
    two = allocate(table, budget + more, exact=True)
    assert two.loss <= one.loss * (1 + 1e-12)
    assert allocate(table, budget + more).bound <= allocate(table, budget).bound * (1 + 1e-12)


@given(tables(), st.floats(1e-3, 1e3))
def test_scaling_all_weights_changes_no_choice(table, factor):
    budget = budgets(table, 0.5)
    width = int(table.offsets[1])
    scaled = ComponentTable.from_arrays(
        table.rates.reshape(-1, width),
        table.distortions.reshape(-1, width),
        sizes=table.sizes,
        weights=table.weights * factor,
        groups=table.groups,
        fixed=table.fixed,
    )
    try:
        one = allocate(table, budget)
    except ValueError:
        return
    two = allocate(scaled, budget)
    assert two.loss == pytest.approx(one.loss * factor, rel=1e-10)


def curves(count, points, seed=0):
    rng = np.random.default_rng(seed)
    rates = np.linspace(2, 8, points)
    variance = np.exp(rng.normal(size=count) * 1.5)
    noise = np.exp(rng.normal(size=(count, points)) * 0.1)
    return rates, variance[:, None] * 4.0**-rates * noise, rng.integers(100, 10_000, count)


def test_many_components_are_within_a_millionth_of_the_bound():
    rates, distortions, sizes = curves(20_000, 12)
    table = ComponentTable.from_arrays(rates, distortions, sizes=sizes)
    result = allocate(table, 4.0, unit="bits_per_element")
    assert result.bits_per_element <= 4.0
    assert result.gap < 1e-6 * result.loss
    assert result.loss < 0.5 * result.uniform.loss


def test_exact_closes_the_gap_of_a_few_hundred_components():
    rates, distortions, sizes = curves(200, 12, seed=3)
    table = ComponentTable.from_arrays(rates, distortions, sizes=sizes)
    quick, exact = (allocate(table, 4.0, unit="bits_per_element", exact=e) for e in (False, True))
    assert quick.bound * (1 - 1e-12) <= exact.loss <= quick.loss
    assert exact.gap == 0


def test_continuous_curves_approach_water_filling():
    from bitlaw.theory.limits import reverse_water_filling

    variances = np.array([8.0, 2.0, 1.0, 0.1])
    rates = np.arange(0, 6, 0.005)
    table = ComponentTable.from_arrays(rates, variances[:, None] * 4.0**-rates)
    result = allocate(table, 1.3, unit="bits_per_element")
    filling = reverse_water_filling(variances, 1.3)
    np.testing.assert_allclose(result.rates, filling.rates, atol=0.011)
    assert result.loss == pytest.approx(filling.distortion * 4, rel=1e-4)


def test_groups_share_and_fixed_components_stay():
    points = {"rates": [1.0, 2.0, 3.0], "distortions": [1.0, 0.3, 0.1]}
    parts = [
        Component("q", **points, size=10, weight=9.0, group="attention"),
        Component("k", **points, size=10, weight=0.1, group="attention"),
        Component("head", **points, size=5, fixed=2),
        Component("mlp", **points, size=40),
    ]
    result = allocate(parts, 145)
    assert result.choices[0] == result.choices[1]
    assert result.choices[2] == 2
    assert result.bits == np.dot(result.rates, [10, 10, 5, 40])
    assert result.loss == pytest.approx(np.dot(result.distortions, [90, 1, 5, 40]))
    assert result.elements == 65


def test_a_fixed_member_fixes_its_group():
    points = {"rates": [1.0, 2.0], "distortions": [1.0, 0.3]}
    parts = [Component("a", **points, group=1, fixed=1), Component("b", **points, group=1)]
    assert allocate(parts, 4).choices.tolist() == [1, 1]
    with pytest.raises(ValueError, match="at least 4 bits"):
        allocate(parts, 3)


def test_components_may_have_different_numbers_of_points():
    parts = [
        Component("a", [4.0], [0.1]),
        Component("b", [2.0, 3.0], [0.5, 0.2]),
        Component("c", [1, 5], [1, 0]),
    ]
    result = allocate(parts, 12)
    assert result.choices.tolist() == [0, 1, 1]
    assert result.uniform is not None  # b and c both have two points
    ragged = [*parts, Component("d", [1, 2, 3], [1, 0.5, 0.2])]
    assert allocate(ragged, 12).uniform is None


def test_budget_units_agree():
    parts = [Component("a", [1.0, 2.0, 3.0], [1.0, 0.3, 0.1], size=16)]
    for budget, unit in ((33, "bits"), (33 / 8, "bytes"), (33 / 16, "bits_per_element")):
        result = allocate(parts, budget, unit=unit)
        assert result.choices.tolist() == [1]
        assert result.budget == pytest.approx(33)


def test_points_below_the_hull_of_others_are_used_inside_the_gap():
    # The middle point is above the hull, and the only one that fits.
    parts = [Component("a", [1.0, 2.0, 3.0], [1.0, 0.9, 0.0])]
    result = allocate(parts, 2)
    assert result.choices.tolist() == [1]
    assert result.bound == pytest.approx(0.5)
    assert result.gap == pytest.approx(0.4)


def test_a_swap_is_found():
    # Greedy filling takes the steep step of a and is left with a bit; giving it back pays for b.
    parts = [Component("a", [1.0, 2.0], [10.0, 8.9]), Component("b", [1.0, 3.0], [10.0, 7.9])]
    result = allocate(parts, 4)
    assert result.choices.tolist() == [0, 1]
    assert result.loss == pytest.approx(17.9)


def test_one_format_for_all_is_the_fallback_where_pairs_of_moves_do_not_reach_it():
    rates = [[7, 10], [1, 7], [2, 7], [9, 3], [11, 4]]
    losses = [[11, 3], [11, 5], [10, 4], [8, 8], [0, 9]]
    result = allocate(ComponentTable.from_arrays(rates, losses), 31)
    assert result.uniform.choice == 1
    assert result.loss == result.uniform.loss == 29


def test_feasible_range_is_stated():
    parts = [Component("a", [2.0, 4.0, 6.0], [1.0, 0.2, 0.3], size=8)]
    assert allocate(parts, 16).feasible == (16.0, 32.0)
    assert allocate(parts, 1e9).slope == 0
    with pytest.raises(
        ValueError, match=r"at least 16 bits \(2 bytes\).* got 15 bits; more than 32 bits save"
    ):
        allocate(parts, 15)


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


def test_an_exact_problem_beyond_reach_says_so(monkeypatch):
    import bitlaw.theory.limits._exact_allocation as exact

    monkeypatch.setattr(exact, "_STATES", 3)
    rates, distortions, sizes = curves(60, 12, seed=5)
    table = ComponentTable.from_arrays(rates, distortions, sizes=sizes)
    with pytest.raises(ValueError, match="exact allocation needs more than 3 states"):
        allocate(table, 4.0, unit="bits_per_element", exact=True)
