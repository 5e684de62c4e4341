"""Optimality of allocations of any tables: exhaustive search, hulls, and what no choice may change."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory.limits import ComponentTable, allocate
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
