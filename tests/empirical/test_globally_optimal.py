"""The certificate of a continuous law: the bound is below every quantiser, and the quantiser close to it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from bitlaw.theory.quantisers import ScalarQuantiser, globally_optimal, lloyd_max
from bitlaw.theory.quantisers._atoms import atoms_of
from bitlaw.theory.quantisers._centroids import cells_of
from bitlaw.theory.sources import Empirical, GeneralisedNormal, Laplace, Normal, StudentT, Uniform

LAWS = [Normal(), Laplace(), StudentT(2.1), StudentT(3.0), StudentT(7.0), GeneralisedNormal(0.5), Uniform()]
laws_drawn = st.one_of(
    st.builds(Normal, std=st.floats(1e-6, 1e6)),
    st.builds(Laplace, std=st.floats(1e-6, 1e6)),
    st.builds(StudentT, df=st.floats(2.05, 30), std=st.floats(1e-6, 1e6)),
    st.builds(GeneralisedNormal, beta=st.floats(0.4, 4)),
)


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("levels", [2, 5, 64])
def test_the_bracket_is_narrow_and_holds_the_designed_quantiser(levels, law):
    optimum = globally_optimal(law, levels)
    designed = cells_of(law, lloyd_max(law, levels).codepoints).distortion
    assert optimum.lower_bound <= designed
    assert optimum.lower_bound >= optimum.distortion * (1 - 3e-4)
    if law.log_concave:  # where the design is the optimum, the certified quantiser cannot be better
        assert designed <= optimum.distortion * (1 + 1e-12)


@pytest.mark.parametrize(("levels", "optimum"), [(2, 1 - 2 / math.pi), (4, 0.1174818478), (8, 0.0345477608)])
def test_the_known_optimum_of_the_normal_law_lies_in_the_bracket(levels, optimum):
    found = globally_optimal(Normal(), levels)
    assert found.lower_bound <= optimum
    assert optimum * (1 - 1e-9) <= found.distortion <= optimum * (1 + 1e-6)


@pytest.mark.shared
def test_reference_optima_lie_in_the_bracket(shared_json):
    laws = {"Normal": Normal(), "Laplace": Laplace(), "StudentT(5)": StudentT(5.0)}
    for name, rows in shared_json("reference/lloyd_max.json")["rows"].items():
        for levels, row in rows.items():
            optimum = globally_optimal(laws[name], int(levels))
            assert optimum.lower_bound <= row["distortion"] * (1 + 1e-12)
            assert row["distortion"] <= optimum.distortion * (1 + 1e-12)


@given(law=laws_drawn, levels=st.integers(1, 12), seed=st.integers(0, 10_000))
def test_no_quantiser_undercuts_the_bound(law, levels, seed):
    optimum = globally_optimal(law, levels, atoms=3000)
    rng = np.random.default_rng(seed)
    start = optimum.quantiser.codepoints + 0.02 * law.std * rng.standard_normal(levels)
    cells = cells_of(law, np.sort(start))
    for _ in range(5):
        assert optimum.lower_bound <= cells.distortion
        cells = cells_of(law, cells.centroids)


@pytest.mark.parametrize("law", [Normal(), StudentT(3.0), Uniform()], ids=str)
def test_the_bracket_narrows_as_the_square_of_the_atoms(law):
    width = [
        1 - (o := globally_optimal(law, 16, atoms=m)).lower_bound / o.distortion
        for m in (8_000, 32_000, 128_000)
    ]
    slopes = np.diff(np.log(width)) / np.log(4)
    assert (slopes < -1.7).all()  # a base of 2,600 atoms, placed evenly, dilutes the square at first


@given(law=laws_drawn, count=st.integers(3000, 9000))
def test_atoms_hold_the_mass_the_mean_and_the_spread_of_the_law(law, count):
    atoms = atoms_of(law, count)
    assert abs(atoms.masses.size - count) < 0.4 * count
    assert (np.diff(atoms.centroids) >= 0).all()
    assert atoms.masses.sum() == pytest.approx(1.0, rel=1e-11)
    assert abs(atoms.masses @ atoms.centroids) < 1e-9 * law.std
    spread = atoms.masses @ atoms.centroids**2 + atoms.within
    # Heavy tails are cut at 1e-150 in probability; at 2.05 degrees of freedom the rest has variance 1e-4.
    assert law.std**2 * (1 - 1e-3) < spread < law.std**2 * (1 + 1e-9)


class Ended(Uniform):
    """Half the mass uniform on [-1, 1], a quarter at either end, as after division by a block's maximum."""

    def __init__(self):
        super().__init__(std=1 / 3**0.5)

    def ppf(self, q):
        return np.clip(4 * np.asarray(q) - 2, -1.0, 1.0)

    def isf(self, q):
        return -self.ppf(q)

    def partial_moments(self, lower, upper, about=0.0):
        lower, upper, about = np.broadcast_arrays(lower, upper, about)
        moments = super().partial_moments(lower, upper, about) / 2
        for end in (-1.0, 1.0):
            held = 0.25 * ((lower < end) & (end <= upper))
            moments = moments + held * np.stack([np.ones_like(about), end - about, (end - about) ** 2])
        return moments


def test_masses_at_the_ends_of_the_support_belong_to_the_atoms():
    law = Ended()
    atoms = atoms_of(law, 5000)
    assert atoms.masses.sum() == pytest.approx(1.0, rel=1e-12)
    assert atoms.masses[[0, -1]] == pytest.approx(0.25, rel=1e-2)
    # The upper of three codepoints is the centroid of the atom at 1 and of the density 1/4 on (q/2, 1].
    q = brentq(lambda q: 0.25 * (1 - q) + (1 - q / 2) / 4 * ((1 + q / 2) / 2 - q), 0.5, 1.0)
    optimum = globally_optimal(law, 3)
    assert optimum.quantiser.codepoints == pytest.approx([-q, 0.0, q], abs=1e-6)
    assert optimum.distortion * (1 - 1e-4) <= optimum.lower_bound <= optimum.distortion


def test_one_level_is_the_mean_and_its_bound_the_variance():
    optimum = globally_optimal(Laplace(std=2.0), 1)
    assert optimum.quantiser.codepoints == pytest.approx([0.0], abs=1e-12)
    assert optimum.distortion == pytest.approx(4.0, rel=1e-12)
    assert optimum.lower_bound == pytest.approx(4.0, rel=1e-9)


def test_the_record_says_what_was_proved():
    quantiser = globally_optimal(StudentT(3.0), 4).quantiser
    assert isinstance(quantiser, ScalarQuantiser)
    assert quantiser.design.method == "globally_optimal"
    assert quantiser.design.certificate == "dynamic programming"


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((Normal(), 0), {}, ValueError, "levels must be between 1 and 65536, got 0"),
        ((Normal(), 2.5), {}, TypeError, "levels must be an integer"),
        ((Normal(), 4), {"atoms": 7}, ValueError, "atoms must be at least twice the levels, 8, got 7"),
        ((Normal(), 4), {"atoms": 1e4}, TypeError, "atoms must be an integer, got 10000.0"),
        ((Empirical([1.0, 2.0]), 2), {"atoms": 10}, ValueError, "leave them out for an Empirical source"),
        ((Empirical([1.0, 2.0]), 3), {}, ValueError, "number of distinct values, 2, got 3"),
    ],
)
def test_impossible_requests_are_refused(arguments, options, kind, message):
    with pytest.raises(kind, match=message):
        globally_optimal(*arguments, **options)
