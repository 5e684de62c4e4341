import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bitlaw.theory.quantisers import lattice
from bitlaw.theory.quantisers.lattices import leech_kernels as leech
from bitlaw.theory.quantisers.lattices.golay import WEIGHTS, golay_bytes, golay_words
from bitlaw.theory.quantisers.lattices.lattice import LATTICES

from .naive import is_leech, leech_squared_distance, nearest_squared_distance

SMALL = ("Z", "A2", "D4", "E8")
# Conway and Sloane, SPLAG, table 2.3 (and chapter 21): printed digits, half a unit of the last one.
PRINTED = {"Z": 0.083333, "A2": 0.0801875, "D4": 0.0766032, "E8": 0.0716821}


@st.composite
def points(draw, names=LATTICES):
    chosen = lattice(draw(st.sampled_from(names)))
    return chosen, draw(arrays(float, chosen.dimension, elements=st.floats(-20, 20)))


def squared_distance(chosen, x):
    return ((chosen.points(chosen.nearest(x)) - x) ** 2).sum(axis=-1)


@given(points(SMALL))
def test_no_lattice_point_is_nearer_than_the_nearest_by_brute_force(drawn):
    chosen, x = drawn
    assert squared_distance(chosen, x) <= nearest_squared_distance(chosen, x) + 1e-9


def test_no_leech_point_is_nearer_than_the_nearest_by_search_over_all_cosets():
    chosen = lattice("Leech")
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.normal(size=(6, 24)), 2 * generator.random((6, 24))])
    found = squared_distance(chosen, x)
    assert np.allclose(found, [leech_squared_distance(row) for row in x], rtol=1e-12)


@given(points())
def test_the_covering_radius_is_never_exceeded(drawn):
    chosen, x = drawn
    assert squared_distance(chosen, x) <= chosen.covering_radius**2 + 1e-9


@pytest.mark.parametrize(
    ("name", "hole"),
    [
        ("Z", [0.5]),
        ("A2", [0.5, 3**0.5 / 6]),
        ("D4", [1.0, 0, 0, 0]),
        ("E8", [1.0] + 7 * [0]),
        ("Leech", [2**0.5] + 23 * [0]),
    ],
)
def test_the_deepest_holes_lie_at_the_covering_radius(name, hole):
    chosen = lattice(name)
    assert squared_distance(chosen, hole) == pytest.approx(chosen.covering_radius**2, rel=1e-12)


@pytest.mark.parametrize("name", LATTICES)
def test_no_minimal_vector_leads_to_a_nearer_point(name):
    chosen = lattice(name)
    x = 3 * np.random.default_rng(2).normal(size=(20, chosen.dimension))
    error = (x - chosen.points(chosen.nearest(x))).T
    steps = chosen.points(chosen.minimal_vectors())
    # |error - v|^2 >= |error|^2 for every v, which is the Voronoi condition.
    assert (steps @ error <= (steps[0] @ steps[0]) / 2 + 1e-9).all()


@given(points(SMALL), st.integers(0, 2**32))
def test_moving_by_a_lattice_vector_moves_the_answer_with_it(drawn, seed):
    chosen, x = drawn
    vectors = chosen.minimal_vectors()
    generator = np.random.default_rng(seed)
    move = chosen.points(vectors[generator.integers(len(vectors), size=5)].sum(axis=0))
    assert squared_distance(chosen, x + move) == pytest.approx(squared_distance(chosen, x), abs=1e-9)


@given(points())
def test_what_is_found_is_a_lattice_point_and_finds_itself(drawn):
    chosen, x = drawn
    k = chosen.nearest(x)
    assert (chosen.nearest(chosen.points(k)) == k).all()
    if chosen.name == "Leech":
        assert is_leech(k)


@pytest.mark.parametrize("name", LATTICES)
def test_minimal_vectors_are_as_many_and_as_long_as_the_literature_says(name):
    chosen = lattice(name)
    vectors = chosen.minimal_vectors()
    assert len({row.tobytes() for row in vectors.astype(np.int8)}) == chosen.kissing_number
    assert chosen.contains(vectors[:: 1 + len(vectors) // 10_000]).all()
    lengths = np.linalg.norm(chosen.points(vectors), axis=1)
    assert np.allclose(lengths, 2 * chosen.packing_radius, rtol=1e-14)


@pytest.mark.parametrize("name", LATTICES)
def test_nothing_lies_between_a_point_and_its_neighbours(name):
    chosen = lattice(name)
    x = np.random.default_rng(1).normal(size=(200, chosen.dimension))
    inside = x / np.linalg.norm(x, axis=1, keepdims=True) * chosen.packing_radius * 0.999
    assert (chosen.nearest(inside) == 0).all()


@pytest.mark.parametrize("name", LATTICES)
def test_monte_carlo_finds_the_second_moment(name):
    chosen = lattice(name)
    n, count = chosen.dimension, 2**18 // chosen.dimension
    x = np.random.default_rng(7).random((count, n)) * chosen.period * chosen.unit
    error = squared_distance(chosen, x) / n / chosen.volume ** (2 / n)
    assert abs(error.mean() - chosen.second_moment) < 4 * error.std() / np.sqrt(count)
    # A search that misses the nearest point now and then would fail: 2 per cent is far outside the band.
    assert 4 * error.std() / np.sqrt(count) < 0.02 * chosen.second_moment


@pytest.mark.parametrize("name", PRINTED)
def test_second_moments_have_the_printed_digits(name):
    digits = len(str(PRINTED[name])) - 2
    assert round(lattice(name).second_moment, digits) == PRINTED[name]


def test_the_second_moment_of_the_leech_lattice_is_inside_the_published_interval():
    # Conway and Sloane (1984) print 0.065771 with a standard error of 0.000074.
    assert abs(lattice("Leech").second_moment - 0.065771) < 0.000074


def test_second_moments_fall_from_lattice_to_lattice_and_stay_above_the_sphere():
    from scipy.special import gammaln

    moments = [lattice(name).second_moment for name in LATTICES]
    assert (np.diff(moments) < 0).all()
    for name in LATTICES[1:]:
        n = lattice(name).dimension
        sphere = np.exp(2 / n * gammaln(n / 2 + 1)) / ((n + 2) * np.pi)
        assert lattice(name).second_moment > sphere


def test_the_golay_code_is_self_dual_with_the_known_weights():
    words = golay_words()
    weights, counts = np.unique(words.sum(axis=1), return_counts=True)
    assert dict(zip(weights.tolist(), counts.tolist(), strict=True)) == WEIGHTS
    assert ((words[::7] @ words[::11].T) % 2 == 0).all()


def test_leech_kernel_runs_uncompiled_to_the_same_points():
    x = np.random.default_rng(3).normal(size=(2, 24)) * 4
    out, plain = np.empty((2, 24)), np.empty((2, 24))
    leech.nearest_leech(x, golay_bytes(), out)
    leech._nearest_group.py_func(x, golay_bytes()[::1], plain)
    assert (out == plain).all()


def test_leading_axes_are_kept():
    assert lattice("E8").nearest(np.zeros((2, 3, 8))).shape == (2, 3, 8)
    assert lattice("E8").nearest(np.zeros(8)).shape == (8,)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(7), r"x must have shape \(..., 8\) and not be empty, got \(7,\)"),
        (np.zeros((0, 8)), "not be empty"),
        (np.float64(0.0), "x must have shape"),
        ([0.0] * 7 + [np.nan], r"x must be finite, but x\[7\] is nan"),
        ([1e300] * 8, "x must lie within"),
    ],
)
def test_bad_vectors_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        lattice("E8").nearest(x)


def test_unknown_lattices_are_refused():
    with pytest.raises(ValueError, match="name must be one of 'Z', 'A2', 'D4', 'E8', 'Leech', got 'E7'"):
        lattice("E7")
