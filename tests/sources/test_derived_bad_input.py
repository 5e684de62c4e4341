"""Truncated and wrapped laws refuse what they cannot answer, and say which argument it was."""

import math

import numpy as np
import pytest
import scipy.stats

from bitlaw.theory import Empirical, Normal, Truncated, Uniform, from_scipy

INF = math.inf


@pytest.mark.parametrize("bad", [Normal, 3, None, "normal", Empirical([1.0, 2.0])])
def test_a_source_without_a_density_is_refused(bad):
    with pytest.raises(TypeError, match="source must be a source with a density"):
        Truncated(bad, 0.0, 1.0)


@pytest.mark.parametrize("name", ["lower", "upper"])
@pytest.mark.parametrize("bad", ["a", "1", None, [1.0, 2.0], 1j, True])
def test_ends_that_are_not_numbers_are_refused(name, bad):
    ends = {"lower": -1.0, "upper": 2.0, name: bad}
    with pytest.raises(TypeError, match=f"{name} must be a number, got"):
        Truncated(Normal(), **ends)


@pytest.mark.parametrize(
    ("lower", "upper"), [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.nan), (INF, INF), (-INF, -INF)]
)
def test_empty_intervals_are_refused(lower, upper):
    with pytest.raises(ValueError, match=r"lower must be below upper, got"):
        Truncated(Normal(), lower, upper)


@pytest.mark.parametrize(("law", "lower", "upper"), [(Uniform(), 2.0, 3.0), (Normal(), 50.0, INF)])
def test_intervals_without_mass_are_refused(law, lower, upper):
    with pytest.raises(ValueError, match="must hold some mass"):
        Truncated(law, lower, upper)


def test_bad_cells_of_a_truncated_law_are_refused():
    cut = Truncated(Normal(), 0.0, 1.0)
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        cut.partial_moments(3.0, 2.0)
    with pytest.raises(ValueError, match="NaN"):
        cut.partial_moments(np.nan, 0.0)
    with pytest.raises(ValueError, match="about must be finite"):
        cut.partial_moments(0.0, 1.0, INF)
    with pytest.raises(TypeError, match="upper must be an array of real numbers"):
        cut.partial_moments(0.0, "b")
    assert cut.partial_moments([], []).shape == (3, 0)
    assert (cut.partial_moments([-3.0, 1.0], [0.0, INF]) == 0).all()


@pytest.mark.parametrize(
    "bad",
    [
        scipy.stats.norm,
        scipy.stats.poisson(3.0),
        scipy.stats.poisson,
        scipy.stats.multivariate_normal([0, 0]),
        scipy.stats.gaussian_kde([1.0, 2.0, 3.0]),
        Normal(),
        "norm",
        None,
        3,
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_what_is_not_a_frozen_continuous_law_is_refused(bad):
    with pytest.raises(TypeError, match=r"must be a frozen continuous scipy.stats law, got"):
        from_scipy(bad)


@pytest.mark.parametrize(
    "frozen",
    [
        scipy.stats.cauchy(),
        scipy.stats.t(2.0),
        scipy.stats.t(1.5),
        scipy.stats.pareto(2.0),
        scipy.stats.pareto(1.0),
    ],
    ids=["Cauchy", "t 2", "t 1.5", "Pareto 2", "Pareto 1"],
)
def test_laws_of_infinite_variance_are_refused(frozen):
    with pytest.raises(ValueError, match="finite variance"):
        from_scipy(frozen)


def test_a_density_that_does_not_integrate_to_one_is_refused():
    with pytest.raises(ValueError, match=r"integrate to one|piecewise smooth"):
        from_scipy(scipy.stats.vonmises(2.0))  # periodic: scipy's density never ends


@pytest.mark.parametrize(
    "frozen", [scipy.stats.gamma(-1.0), scipy.stats.norm(0, -1.0), scipy.stats.norm(math.nan)]
)
def test_parameters_that_are_not_in_range_are_refused(frozen):
    with pytest.raises(ValueError, match="must have parameters in their range, got"):
        from_scipy(frozen)


@pytest.mark.parametrize(
    ("bad", "error"), [("ab", TypeError), (3, TypeError), ((None,), TypeError), ((math.nan,), ValueError)]
)
def test_breakpoints_that_are_not_numbers_are_refused(bad, error):
    with pytest.raises(error, match="breakpoints must be"):
        from_scipy(scipy.stats.norm(), breakpoints=bad)


def test_bad_cells_of_a_wrapped_law_are_refused():
    law = from_scipy(scipy.stats.norm())
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        law.partial_moments(1.0, 0.0)
    with pytest.raises(ValueError, match="NaN"):
        law.partial_moments(np.nan, 0.0)
    with pytest.raises(ValueError, match="about must be finite"):
        law.partial_moments(0.0, 1.0, np.nan)
    with pytest.raises(TypeError, match="lower must be an array of real numbers"):
        law.partial_moments("a", 1.0)
    assert law.partial_moments([], []).shape == (3, 0)
    assert law.partial_moments(np.zeros((2, 1)), np.ones(3)).shape == (3, 2, 3)


def test_cells_beyond_the_support_hold_nothing():
    law = from_scipy(scipy.stats.beta(2, 5))
    assert (law.partial_moments([-INF, -3.0, 1.0, 2.0], [-1.0, 0.0, 1.0, INF], 0.5) == 0).all()
