"""Names of sources: there and back, and what is wrong with a name that is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import Empirical, GeneralisedNormal, Laplace, Logistic, Normal, StudentT, Uniform
from bitlaw.theory.source_names import SOURCE_NAMES, parse_source, source_name


@given(
    source=st.one_of(
        st.sampled_from([Normal(), Laplace(), Logistic(), Uniform()]),
        st.floats(2.0, 1e6, exclude_min=True).map(StudentT),
        st.floats(0.3, 20).map(GeneralisedNormal),
    ),
    std=st.floats(1e-9, 1e9),
)
def test_name_leads_back_to_the_same_law(source, std):
    scaled = parse_source(source_name(source), std)
    assert type(scaled) is type(source)
    assert scaled.std == std
    assert parse_source(source_name(source)) == source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Gaussian", Normal()),
        (" normal ", Normal()),
        ("STUDENT_T:5", StudentT(5)),
        ("student:3.5", StudentT(3.5)),
        ("generalized-gaussian:2", GeneralisedNormal(2)),
        ("generalised_normal:1e0", GeneralisedNormal(1)),
    ],
)
def test_common_spellings_are_understood(text, source):
    assert parse_source(text) == source


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("norma", "did you mean normal"),
        ("cauchy", "unknown source 'cauchy'; known: normal, laplace"),
        ("", "unknown source ''"),
        ("student-t", "needs its df"),
        ("student-t:", "needs its df"),
        ("student-t:five", "df of source student-t must be a number, got 'five'"),
        ("student-t:2", "df must exceed 2"),
        ("student-t:nan", "df must be positive and finite"),
        ("generalised-normal:-1", "beta must be positive"),
        ("normal:", "takes no parameter"),
        ("uniform:3", "takes no parameter"),
    ],
)
def test_name_that_is_none_is_explained(text, match):
    with pytest.raises(ValueError, match=match):
        parse_source(text)


def test_source_without_a_name_is_refused():
    with pytest.raises(TypeError, match="must be of a named family"):
        source_name(Empirical([1.0, 2.0]))


def test_every_listed_name_is_known():
    for name in SOURCE_NAMES:
        assert math.isfinite(
            parse_source(name.replace("DF", "5").replace("BETA", "2")).differential_entropy()
        )
