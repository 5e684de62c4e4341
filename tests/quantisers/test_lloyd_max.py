"""Lloyd-Max: published and recomputed values, the method's own claims, and what it refuses."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlaw.theory import (
    Empirical,
    GeneralisedNormal,
    Laplace,
    Normal,
    StudentT,
    Uniform,
    compand,
    evaluate,
    globally_optimal,
    lloyd_max,
    shannon_lower_bound,
    uniform,
)
from bitlaw.theory.quantisers.tridiagonal import solve_positive
from tests.laws import heavy, log_concave, rescaled, symmetric
from tests.naive import lloyd_iteration, riemann_distortion, tridiagonal

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "designs.json").read_text())
LAWS = {"Normal()": Normal(), "Laplace()": Laplace(), "StudentT(5)": StudentT(5)}
# Max (1960), table I: mean squared error as printed, five decimals.
MAX_1960 = {2: 0.3634, 3: 0.1902, 4: 0.1175, 5: 0.07994, 8: 0.03454, 16: 0.009497, 32: 0.002499}
few = st.integers(2, 24)


@pytest.mark.parametrize("row", REFERENCE["lloyd_max"], ids=lambda r: f"{r['law']}-{r['levels']}")
def test_designs_equal_the_forty_digit_reference(row):
    source = LAWS[row["law"]]
    quantiser = lloyd_max(source, row["levels"])
    positive = quantiser.codepoints[quantiser.codepoints > 0]
    np.testing.assert_allclose(positive, [float(q) for q in row["positive"]], rtol=2e-14)
    assert evaluate(quantiser, source).distortion == pytest.approx(float(row["D"]), rel=5e-15)


def test_the_reference_comparison_can_fail():
    row = next(r for r in REFERENCE["lloyd_max"] if r["law"] == "Normal()" and r["levels"] == 8)
    other = evaluate(compand(Normal(), 8), Normal()).distortion
    assert other != pytest.approx(float(row["D"]), rel=1e-3)


@pytest.mark.parametrize(("levels", "printed"), MAX_1960.items())
def test_gaussian_designs_agree_with_the_table_of_max_1960(levels, printed):
    # The table's last digits at 16 and 32 levels are known to be a few units low: 0.1 and 0.3 per cent.
    distortion = evaluate(lloyd_max(Normal(), levels), Normal()).distortion
    assert distortion == pytest.approx(printed, rel=3e-3 if levels >= 16 else 5e-4)


@pytest.mark.shared
def test_designs_equal_the_shared_reference(shared_json):
    for name, rows in shared_json("reference/lloyd_max.json")["rows"].items():
        source = LAWS.get(f"{name}()", StudentT(5))
        for levels, row in rows.items():
            quantiser = lloyd_max(source, int(levels))
            result = evaluate(quantiser, source)
            np.testing.assert_allclose(quantiser.codepoints, row["codepoints"], rtol=1e-12, atol=1e-14)
            assert result.distortion == pytest.approx(row["distortion"], rel=1e-13)
            assert result.entropy == pytest.approx(row["entropy_bits"], rel=1e-12)


@pytest.mark.parametrize("source", [Normal(), Laplace(), StudentT(4)], ids=str)
def test_newton_finds_the_fixed_point_of_lloyds_iteration(source):
    quantiser = lloyd_max(source, 6)
    slow = lloyd_iteration(source, np.linspace(-2, 2, 6) * source.std, 4000)
    np.testing.assert_allclose(quantiser.codepoints, slow, rtol=1e-9)


def test_lloyds_iteration_is_still_far_after_a_hundred_steps_on_a_laplace_law():
    start = compand(Laplace(), 64).codepoints
    slow = lloyd_iteration(Laplace(), start, 100)
    assert np.max(np.abs(slow - lloyd_max(Laplace(), 64).codepoints)) > 1e-2


@pytest.mark.parametrize("source", [Normal(), Laplace(), StudentT(3), GeneralisedNormal(0.5)], ids=str)
def test_few_steps_suffice_for_sixty_thousand_levels(source):
    quantiser = lloyd_max(source, 65_536)
    assert quantiser.design.status == "converged"
    assert quantiser.design.iterations < 30
    assert quantiser.design.residual < 1e-10


@given(symmetric, few)
def test_codepoints_are_centroids_and_thresholds_midpoints(source, levels):
    result = evaluate(lloyd_max(source, levels), source)
    assert result.centroid_residual < 1e-12
    assert result.threshold_residual < 1e-14
    assert result.centroid_gain < 1e-24


@given(symmetric, few)
def test_codepoints_ascend_strictly(source, levels):
    assert (np.diff(lloyd_max(source, levels).codepoints) > 0).all()


@given(log_concave(), few)
def test_designs_of_symmetric_log_concave_laws_are_exactly_symmetric(source, levels):
    codepoints = lloyd_max(source, levels).codepoints
    np.testing.assert_array_equal(codepoints, -codepoints[::-1])


@given(symmetric, few, st.floats(-2, 2).map(lambda e: 10**e))
def test_designs_scale_with_the_law(source, levels, factor):
    scaled = lloyd_max(rescaled(source, factor), levels)
    np.testing.assert_allclose(
        scaled.codepoints,
        factor * lloyd_max(source, levels).codepoints,
        rtol=1e-11,
        atol=1e-13 * scaled.codepoints[-1],
    )


@given(log_concave(), few)
def test_log_concave_laws_carry_the_certificate_of_uniqueness(source, levels):
    assert lloyd_max(source, levels).design.certificate == "log-concave law"


@given(heavy(), few)
def test_other_laws_are_at_least_at_a_local_minimum(source, levels):
    quantiser = lloyd_max(source, levels)
    assert quantiser.design.certificate == "local minimum"
    rng = np.random.default_rng(levels)
    best = evaluate(quantiser, source).distortion
    for _ in range(5):
        moved = quantiser.codepoints * (1 + 1e-3 * rng.standard_normal(levels))
        assert (
            evaluate(
                dataclasses.replace(quantiser, codepoints=np.sort(moved), thresholds=None), source
            ).distortion
            >= best
        )


@given(symmetric, few)
def test_no_companding_quantiser_beats_lloyd_max(source, levels):
    best = evaluate(lloyd_max(source, levels), source).distortion
    for power in (1 / 3, 0.6, 1.0):
        assert evaluate(compand(source, levels, power=power), source).distortion >= best * (1 - 1e-12)


@given(symmetric, few)
def test_no_uniform_quantiser_beats_lloyd_max(source, levels):
    best = evaluate(lloyd_max(source, levels), source).distortion
    assert evaluate(uniform(source, levels), source).distortion >= best * (1 - 1e-12)


@given(symmetric, few)
def test_one_more_level_lowers_the_distortion(source, levels):
    fewer, more = (evaluate(lloyd_max(source, n), source).distortion for n in (levels, levels + 1))
    assert more < fewer


@given(symmetric, few)
def test_distortion_stays_above_the_shannon_bound_at_the_entropy(source, levels):
    result = evaluate(lloyd_max(source, levels), source)
    assert result.distortion > shannon_lower_bound(source, result.entropy)


@settings(max_examples=6)
@given(st.sampled_from([StudentT(3), StudentT(2.3), GeneralisedNormal(0.7)]), st.integers(2, 9))
def test_the_dynamic_programme_brackets_the_design(source, levels):
    cost = evaluate(lloyd_max(source, levels), source).distortion
    optimum = globally_optimal(source, levels, atoms=4096)
    assert optimum.lower_bound <= cost * (1 + 1e-12)
    assert cost <= optimum.distortion * (1 + 1e-12)


def test_certify_states_a_proved_bracket():
    design = lloyd_max(StudentT(5), 8, certify=True).design
    assert design.certificate.startswith("dynamic programming: at most ")
    assert float(design.certificate.split()[4]) < 1e-3


def test_a_symmetric_saddle_is_left_for_a_lopsided_minimum():
    # 2 E|X| f(0) > 1: moving both codepoints of the symmetric pair lowers the distortion.
    source = GeneralisedNormal(0.5)
    quantiser = lloyd_max(source, 2)
    half = float(source.partial_moments(0.0, np.inf)[1]) * 2
    symmetric_pair = dataclasses.replace(quantiser, codepoints=np.array([-half, half]), thresholds=None)
    assert evaluate(quantiser, source).distortion < evaluate(symmetric_pair, source).distortion * 0.99
    assert quantiser.design.certificate == "local minimum"


def test_the_laplace_pair_is_symmetric_although_its_second_derivative_is_singular():
    np.testing.assert_allclose(lloyd_max(Laplace(), 2).codepoints, [-(0.5**0.5), 0.5**0.5], rtol=1e-15)


def test_uniform_laws_are_cut_into_equal_cells():
    edge = 3**0.5
    np.testing.assert_allclose(
        lloyd_max(Uniform(), 5).codepoints, edge * np.array([-0.8, -0.4, 0, 0.4, 0.8]), atol=1e-15
    )


def test_distortion_by_moments_equals_a_plain_sum_over_a_grid():
    quantiser = lloyd_max(Normal(), 7)
    assert evaluate(quantiser, Normal()).distortion == pytest.approx(
        riemann_distortion(quantiser, Normal(), -12, 12), rel=1e-7
    )


@pytest.mark.parametrize(
    ("source", "constant"),
    [(Normal(), np.sqrt(3) * np.pi / 2), (Laplace(), 4.5), (Uniform(), 1.0)],
    ids=["normal", "laplace", "uniform"],
)
def test_distortion_tends_to_panter_and_dite(source, constant):
    gaps = [
        evaluate(lloyd_max(source, n), source).distortion * n * n / constant - 1 for n in (256, 1024, 4096)
    ]
    assert abs(gaps[-1]) < 2e-3
    assert all(abs(b) <= abs(a) / 2 + 1e-9 for a, b in itertools.pairwise(gaps))


@pytest.mark.parametrize("source", [Normal(), Laplace(), StudentT(5)], ids=str)
def test_each_bit_is_worth_six_decibels(source):
    snr = [evaluate(lloyd_max(source, 2**b), source).snr_db for b in (13, 14, 15)]
    np.testing.assert_allclose(np.diff(snr), 20 * np.log10(2), atol=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_designs_from_data_approach_the_design_of_the_law(seed):
    # A codepoint is a mean over its cell: its error is about the cell's spread over the root of its count,
    # coupled to its neighbours by at most the condition of the second derivative (below 40 at 8 levels).
    count = 200_000
    data = np.random.default_rng(seed).standard_normal(count)
    from_data, from_law = lloyd_max(Empirical(data), 8), lloyd_max(Normal(), 8)
    result = evaluate(from_law, Normal())
    error = np.sqrt(result.cell_distortions / result.probabilities / (count * result.probabilities))
    assert (np.abs(from_data.codepoints - from_law.codepoints) < 5 * 40 * error).all()
    excess = evaluate(from_data, Normal()).distortion / result.distortion - 1
    assert 0 <= excess < 50 * 8 / count


def test_a_start_of_the_callers_leads_to_the_same_design():
    start = np.linspace(-1, 3, 9)
    np.testing.assert_allclose(
        lloyd_max(Normal(), 9, start=start).codepoints, lloyd_max(Normal(), 9).codepoints, atol=1e-12
    )


def test_running_out_of_steps_is_reported():
    assert lloyd_max(StudentT(3), 33, max_iterations=1).design.status == "iteration limit"


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_the_tridiagonal_solver_agrees_with_dense_algebra(n, seed):
    rng = np.random.default_rng(seed)
    off = rng.standard_normal(n - 1)
    diagonal = 0.1 + np.abs(np.append(off, 0)) + np.abs(np.append(0, off))
    right = rng.standard_normal(n)
    solution, positive = solve_positive(diagonal, off, right)
    assert positive
    np.testing.assert_allclose(tridiagonal(diagonal, off) @ solution, right, atol=1e-10)
    plain, _ = solve_positive.py_func(diagonal, off, right)
    np.testing.assert_allclose(plain, solution, rtol=1e-13)


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_the_tridiagonal_solver_knows_a_positive_definite_matrix(n, seed):
    rng = np.random.default_rng(seed)
    off, diagonal = rng.standard_normal(n - 1), rng.uniform(0.2, 2, n)
    least = np.linalg.eigvalsh(tridiagonal(diagonal, off))[0]
    assert solve_positive(diagonal, off, np.ones(n))[1] == (least > 0)


@pytest.mark.parametrize("levels", [0, 1, -3, 65_537])
def test_impossible_numbers_of_levels_are_refused(levels):
    with pytest.raises(ValueError, match="levels must be between 2 and 65536"):
        lloyd_max(Normal(), levels)


@pytest.mark.parametrize("levels", [2.5, "4", None, True])
def test_levels_must_be_an_integer(levels):
    with pytest.raises(TypeError, match="levels must be an integer"):
        lloyd_max(Normal(), levels)


@pytest.mark.parametrize("start", [[0.0, 1.0], [1.0, 0.0, 2.0], [0.0, np.nan, 1.0]])
def test_a_bad_start_is_refused(start):
    with pytest.raises(ValueError, match="start must hold 3 finite, strictly ascending"):
        lloyd_max(Normal(), 3, start=start)


def test_codepoints_beyond_the_floating_range_are_refused():
    with pytest.raises(ValueError, match="leave cells of no mass"):
        lloyd_max(StudentT(2.05), 65_536)


def test_fewer_distinct_values_than_levels_are_refused():
    with pytest.raises(ValueError, match="distinct"):
        lloyd_max(Empirical([0.0, 1.0, 1.0, 2.0]), 4)
