"""Allocation: many components, groups, fixed components, units, and the control."""

import numpy as np
import pytest

from bitlaw.theory.limits import Component, ComponentTable, allocate


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


def test_an_exact_problem_beyond_reach_says_so(monkeypatch):
    import bitlaw.theory.limits._exact_allocation as exact

    monkeypatch.setattr(exact, "_STATES", 3)
    rates, distortions, sizes = curves(60, 12, seed=5)
    table = ComponentTable.from_arrays(rates, distortions, sizes=sizes)
    with pytest.raises(ValueError, match="exact allocation needs more than 3 states"):
        allocate(table, 4.0, unit="bits_per_element", exact=True)
