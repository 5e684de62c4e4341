"""Bad input is refused, by name, with what was expected and what came."""

import math

import numpy as np
import pytest

from bitlaw.theory import GeneralisedNormal, Laplace, Logistic, Normal, StudentT, Uniform

FAMILIES = [Normal, Laplace, Logistic, Uniform]
LAWS = [Normal(), Laplace(), Logistic(), Uniform(), StudentT(3.0), StudentT(1e5), GeneralisedNormal(0.5)]

each_law = pytest.mark.parametrize("law", LAWS, ids=repr)


@pytest.mark.parametrize(
    "family", [*FAMILIES, lambda std: StudentT(3.0, std), lambda std: GeneralisedNormal(1.5, std)]
)
@pytest.mark.parametrize("std", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_standard_deviations_that_are_not_positive_and_finite_are_refused(family, std):
    with pytest.raises(ValueError, match=f"std must be positive and finite, got {std}"):
        family(std)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("std", ["1", None, [1.0], 1j, True, b"1"])
def test_standard_deviations_that_are_not_numbers_are_refused(family, std):
    with pytest.raises(TypeError, match="std must be a number, got"):
        family(std)


@pytest.mark.parametrize("df", [2.0, 1.999, 1.0, 2])
def test_student_t_without_a_variance_is_refused(df):
    with pytest.raises(ValueError, match=rf"df must exceed 2 for the variance to be finite, got {float(df)}"):
        StudentT(df)


@pytest.mark.parametrize(("family", "name"), [(StudentT, "df"), (GeneralisedNormal, "beta")])
@pytest.mark.parametrize("bad", [0.0, -3.0, math.nan, math.inf])
def test_shapes_that_are_not_positive_and_finite_are_refused(family, name, bad):
    with pytest.raises(ValueError, match=f"{name} must be positive and finite, got {bad}"):
        family(bad)


@pytest.mark.parametrize(("family", "name"), [(StudentT, "df"), (GeneralisedNormal, "beta")])
@pytest.mark.parametrize("bad", ["3", None, (3.0, 4.0), True])
def test_shapes_that_are_not_numbers_are_refused(family, name, bad):
    with pytest.raises(TypeError, match=f"{name} must be a number, got"):
        family(bad)


def test_a_generalised_normal_law_beyond_double_precision_is_refused():
    with pytest.raises(ValueError, match=r"beta must be at least 0\.01, got 0\.005"):
        GeneralisedNormal(0.005)
    assert math.isfinite(GeneralisedNormal(0.01).pdf(1.0))


@each_law
def test_cells_whose_ends_are_reversed_are_refused_with_their_position(law):
    with pytest.raises(ValueError, match=r"lower must not exceed upper.*got \(1\.0, 0\.5\) at position 2"):
        law.partial_moments([0.0, 0.5, 1.0], [0.5, 1.0, 0.5])
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        law.partial_moments(math.inf, -math.inf)


@each_law
@pytest.mark.parametrize("ends", [(math.nan, 1.0), (0.0, math.nan), ([0.0, math.nan], [1.0, 2.0])])
def test_cells_whose_ends_are_not_numbers_are_refused(law, ends):
    with pytest.raises(ValueError, match="neither may be NaN"):
        law.partial_moments(*ends)


@each_law
@pytest.mark.parametrize("about", [math.nan, math.inf, -math.inf, [0.0, math.nan]])
def test_moments_about_no_finite_point_are_refused(law, about):
    with pytest.raises(ValueError, match="about must be finite, got"):
        law.partial_moments(0.0, [1.0, 2.0], about)


@each_law
@pytest.mark.parametrize("bad", ["a", "1", 1j, [[1.0], [1.0, 2.0]], None, {}])
@pytest.mark.parametrize("name", ["lower", "upper", "about"])
def test_arguments_that_are_not_real_arrays_are_refused_by_name(law, name, bad):
    arguments = {"lower": 0.0, "upper": 1.0, "about": 0.0, name: bad}
    with pytest.raises(TypeError, match=f"{name} must be an array of real numbers"):
        law.partial_moments(**arguments)


@each_law
def test_cells_of_shapes_that_do_not_match_are_refused(law):
    with pytest.raises(ValueError, match="shape"):
        law.partial_moments(np.zeros(3), np.ones(4))


@each_law
def test_numbers_of_other_types_are_numbers(law):
    expected = law.partial_moments(0.0, 1.0)
    for one in (1, np.float32(1), np.int8(1), np.array(1.0), True):
        assert (law.partial_moments(np.float32(0), one) == expected).all()
    assert Normal(np.float32(2)).std == 2.0
    assert isinstance(Normal(2).std, float)
