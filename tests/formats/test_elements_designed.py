"""Elements whose codepoints follow from a law: constructed, and compared with what was published."""

import json

import numpy as np
import pytest
from scipy.optimize import fsolve
from scipy.stats import truncnorm

from bitlaw.theory import Laplace, Normal, StudentT, compand, evaluate, lloyd_max
from bitlaw.theory.formats.elements import (
    PUBLISHED,
    Codebook,
    CubeRoot,
    Designed,
    NormalFloat,
    Published,
    StudentFloat,
    VectorCodebook,
    approximate_block_maximum,
    parse_element,
)
from bitlaw.theory.formats.elements.published import dynamic_tree
from bitlaw.theory.formats.elements.quantile_float import quantile_codepoints
from bitlaw.theory.source_names import parse_source
from bitlaw.theory.sources import BlockScaled

LAWS = {"Normal": "normal", "Laplace": "laplace", "StudentT(5)": "student-t:5"}


def test_nf4_is_the_published_sixteen_numbers_which_its_definition_gives_to_single_precision():
    published = NormalFloat(4).quantiser("absmax", 64.0).codepoints
    assert (published == published.astype(np.float32)).all()
    # The reference computes in float32: two units in the last place of 1, for the quantile and for the ratio.
    defined = quantile_codepoints(Normal(), 4, offset=1 - 0.9677083)
    np.testing.assert_allclose(defined, published, rtol=0, atol=2 * 2.0**-24)
    np.testing.assert_allclose(quantile_codepoints(Normal(), 4), defined, rtol=0, atol=2e-7)
    assert np.abs(quantile_codepoints(StudentT(1000), 4) - published).max() > 1e-4


def test_nf3_agrees_with_the_float32_numbers_in_use():
    # As printed in the program of "AFPQ: Asymmetric Floating Point Quantization for LLMs" (arXiv 2311.01792).
    printed = [
        -1,
        -0.5350227355957031,
        -0.2469314038753510,
        0,
        0.1833375245332718,
        0.3819939494132996,
        0.6229856610298157,
        1,
    ]
    ours = NormalFloat(3).quantiser("absmax", 64.0).codepoints
    np.testing.assert_allclose(ours, printed, rtol=0, atol=2 * 2.0**-24)


def test_sf4_is_what_dotzel_et_al_print():
    # Orr et al. and Dotzel et al. print three digits, at five degrees of freedom.
    printed = [
        *(-1.000, -0.628, -0.455, -0.334, -0.237, -0.153, -0.075, 0.000),
        *(0.066, 0.133, 0.205, 0.284, 0.376, 0.491, 0.657, 1.000),
    ]
    np.testing.assert_allclose(
        StudentFloat(4).quantiser("absmax", 128.0).codepoints, printed, rtol=0, atol=5e-4
    )


@pytest.mark.parametrize("width", range(2, 9))
@pytest.mark.parametrize("kind", [NormalFloat, StudentFloat])
def test_quantile_floats_have_zero_and_both_ends_and_one_more_positive_number(kind, width):
    codepoints = kind(width).quantiser("absmax", 64.0).codepoints
    assert len(codepoints) == 2**width
    assert codepoints[[0, 2 ** (width - 1) - 1, -1]].tolist() == [-1, 0, 1]
    assert (np.diff(codepoints) > 0).all()


def test_student_floats_become_normal_floats_for_many_degrees_of_freedom():
    many = StudentFloat(3, 1e7).quantiser("absmax", 64.0).codepoints
    np.testing.assert_allclose(many, NormalFloat(3).quantiser("absmax", 64.0).codepoints, atol=1e-6)


def off_the_medians(inner, law):
    """How far codepoints of AF4 are from the medians of their cells, those beside 0 taken up to 0 itself."""
    codepoints = np.concatenate([[-1.0], inner[:6], [0.0], inner[6:], [1.0]])
    middle = (codepoints[1:] + codepoints[:-1]) / 2
    lower, upper = np.delete(middle[:-1], 6), np.delete(middle[1:], 6)
    upper[5] = lower[6] = 0.0
    below, above, at = np.split(law.cdf(np.concatenate([lower, upper, inner])), 3)
    return (below + above) / 2 - at


@pytest.mark.parametrize("block", [32, 64, 128, 256, 512, 1024, 2048, 4096])
def test_all_printed_digits_of_af4_follow_from_its_conditions(block):
    printed = np.array(PUBLISHED["af4" if block == 64 else f"af4:{block}"].codepoints)
    law = BlockScaled(Normal(), block, "absmax")
    start = np.delete(printed, [0, 7, 15]).round(2)
    found = fsolve(off_the_medians, start, args=(law,), xtol=1e-12)
    np.testing.assert_allclose(np.delete(printed, [0, 7, 15]), found, rtol=0, atol=0.51e-8)


def test_dynamic8_has_its_decades_and_every_code():
    codepoints = Published("dynamic8").quantiser("absmax", 64.0).codepoints
    assert len(set(codepoints.tolist())) == 256
    np.testing.assert_array_equal(codepoints, dynamic_tree(8))
    # 2^i numbers of each sign between 10^(i-7) and 10^(i-6), and 0 and 1 (create_dynamic_map of bitsandbytes).
    for i in range(7):
        assert ((codepoints > 10.0 ** (i - 7)) & (codepoints < 10.0 ** (i - 6))).sum() == 2**i
    np.testing.assert_allclose(
        codepoints[[0, 126, 127, 128, -2, -1]], [-0.99296875, -5.5e-7, 0, 5.5e-7, 0.99296875, 1]
    )
    np.testing.assert_array_equal(codepoints[:-1], -codepoints[:-1][::-1])


def test_fp4_is_a_float_but_for_its_least_magnitude():
    ours = Published("fp4").quantiser("absmax", 64.0).codepoints
    e2m1 = parse_element("e2m1").quantiser("absmax", 64.0).codepoints / 6
    differ = ~np.isclose(ours, e2m1, rtol=1e-12)
    assert np.abs(ours[differ]).tolist() == [1 / 192, 1 / 192]
    assert Published("fp4").bits == 4


def test_published_codebooks_name_their_source_and_keep_to_their_digits():
    for name, published in PUBLISHED.items():
        assert published.source
        assert list(published.codepoints) == sorted(published.codepoints), name
        unit = 12 if name == "fp4" else 1
        scaled = np.array(published.codepoints) * unit * 10.0**published.digits
        if published.digits < 16:
            np.testing.assert_allclose(scaled, np.rint(scaled), rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("source", "worst"), [(Normal(), 0.14), (Laplace(), 0.01), (StudentT(5), 0.05), (StudentT(10), 0.1)]
)
def test_closed_forms_of_the_block_maximum_are_as_rough_as_documented(source, worst):
    off = [
        approximate_block_maximum(source, block) / BlockScaled(source, block, "absmax").expected_scale - 1
        for block in (16.0, 64.0, 1024.0)
    ]
    assert worst / 2 < np.abs(off).max() < worst


def test_the_closed_form_of_the_maximum_scales_with_the_law():
    for make in (Normal, Laplace, lambda std: StudentT(4, std)):
        assert approximate_block_maximum(make(3.0), 64) == pytest.approx(
            3 * approximate_block_maximum(make(1.0), 64), rel=1e-14
        )


def test_cube_root_codepoints_for_rms_are_those_of_compand():
    for layout in ("symmetric", "asymmetric", "repeat_zero"):
        element = CubeRoot(4, StudentT(5), layout)
        assert element.quantiser("rms", 64.0) == compand(StudentT(5), 16, layout=layout)
    assert CubeRoot(4, Normal(), power=0.5).quantiser("rms", 64.0) == compand(Normal(), 16, power=0.5)


def test_cube_root_codepoints_for_the_normal_law_are_quantiles_of_the_cut_normal_law():
    # f^(1/3) of the normal law is normal with sqrt(3) times the deviation; cut at m it is scipy's truncnorm.
    maximum = np.sqrt(2 * np.log(64 / np.pi))
    s = np.sqrt(3) / maximum
    half = {
        ("absmax", "symmetric"): np.linspace(0, 1, 16),
        ("absmax", "asymmetric"): np.r_[np.linspace(0, 0.5, 8), np.linspace(0.5, 1, 9)[1:]],
        ("absmax", "repeat_zero"): np.r_[np.linspace(0, 0.5, 8), np.linspace(0.5, 1, 8)],
        ("signmax", "asymmetric"): np.r_[np.linspace(0, 0.5, 9)[1:], np.linspace(0.5, 1, 9)[1:]],
        ("signmax", "repeat_zero"): np.r_[np.linspace(0, 0.5, 9)[1:], np.linspace(0.5, 1, 8)],
    }
    for (statistic, layout), p in half.items():
        ours = CubeRoot(4, Normal(), layout).quantiser(statistic, 64.0).codepoints
        np.testing.assert_allclose(
            ours, truncnorm.ppf(p, -1 / s, 1 / s, scale=s), atol=1e-9, err_msg=str((statistic, layout))
        )


def test_the_layout_for_a_signed_maximum_has_zero_and_the_positive_end_alone():
    codepoints = CubeRoot(4, Laplace()).quantiser("signmax", 64.0).codepoints
    assert codepoints[7] == 0
    assert codepoints[-1] == 1
    assert codepoints[0] > -1
    assert CubeRoot(4, Laplace()).quantiser("absmax", 64.0).symmetric


@pytest.mark.shared
def test_cube_root_and_designed_codebooks_are_those_of_the_reference(shared_json):
    for law, sizes in shared_json("reference/block_scaling.json")["rows"].items():
        for block, row in sizes.items():
            for width in (3, 4):
                reference = row[f"bits{width}"]
                ours = CubeRoot(width, parse_source(LAWS[law])).quantiser("absmax", float(block))
                np.testing.assert_allclose(ours.codepoints, reference["cube_root_codepoints"], atol=1e-8)
                closed = Designed(width, parse_source(LAWS[law]), "closed").quantiser("absmax", float(block))
                np.testing.assert_allclose(
                    closed.codepoints, reference["optimal_ends_pinned_codepoints"], atol=1e-8
                )


@pytest.mark.shared
@pytest.mark.parametrize("law", list(LAWS))
def test_designed_codebooks_have_the_least_error_of_the_reference(shared_json, law):
    source = parse_source(LAWS[law])
    row = shared_json("reference/block_scaling.json")["rows"][law]["64"]["bits4"]
    cases = {"absmax": "optimal_free_R", "signmax": "signmax_optimal_free_R"}
    for statistic, key in cases.items():
        quantiser = Designed(4, source).quantiser(statistic, 64.0)
        error = evaluate(quantiser, BlockScaled(source, 64.0, statistic)).distortion ** 0.5
        assert error == pytest.approx(row[key], rel=1e-8)


def test_designs_follow_the_statistic_and_are_remembered():
    element = Designed(3, Normal())
    assert element.quantiser("rms", 64.0) == element.quantiser("none", np.inf) == lloyd_max(Normal(), 8)
    assert element.quantiser("absmax", 64.0) is Designed(3, Normal()).quantiser("absmax", 64)
    assert element.quantiser("absmax", 64.0) != element.quantiser("absmax", 32.0)
    assert element.quantiser("absmax", 64.0) != element.quantiser("signmax", 64.0)


@pytest.mark.parametrize(("statistic", "ends"), [("absmax", [-1, 1]), ("signmax", [None, 1])])
def test_held_codepoints_cost_error_and_stay_where_they_are(statistic, ends):
    law = BlockScaled(Normal(), 64.0, statistic)
    errors = []
    for element in (
        Designed(3, Normal()),
        Designed(3, Normal(), "closed"),
        Designed(3, Normal(), "closed", True),
    ):
        quantiser = element.quantiser(statistic, 64.0)
        errors.append(evaluate(quantiser, law).distortion)
        if element.ends == "closed":
            held = [
                ends[0] is None or quantiser.codepoints[0] == ends[0],
                quantiser.codepoints[-1] == ends[1],
            ]
            assert all(held)
        assert (quantiser.codepoints[3] == 0) == element.zero
    assert errors[0] <= errors[1] <= errors[2]


def test_what_is_not_designed_for_a_scaling_refuses_it():
    for element in (CubeRoot(4, Normal()), Designed(4, Normal())):
        with pytest.raises(
            ValueError, match=r"statistic must be absmax, signmax, rms or none for .*4:normal, got 'minmax'"
        ):
            element.quantiser("minmax", 64.0)
        with pytest.raises(ValueError, match="block_size must be"):
            element.quantiser("absmax", np.inf)
    with pytest.raises(ValueError, match=r"block_size must be above 3\.142"):
        CubeRoot(4, Normal()).quantiser("absmax", 3.0)
    with pytest.raises(TypeError, match="source must be normal, laplace or student-t"):
        parse_element("cbrt4:logistic").quantiser("absmax", 64.0)
    with pytest.raises(ValueError, match="ends must be free for statistic 'rms'"):
        Designed(4, Normal(), "closed").quantiser("rms", 64.0)


def test_written_codebooks_count_as_stored_and_keep_their_thresholds():
    element = Codebook((-1.0, 0.0, 2.0), (-0.25, 1.0))
    assert element.quantiser("absmax", 32.0).thresholds.tolist() == [-0.25, 1.0]
    assert str(element) == "{-1;0;2|-0.25;1}"
    assert element.stored_codebook_bits == 96
    assert element.bits == 2
    assert Codebook((-1, 0, 2), (-0.5, 1.0)) == Codebook([-1.0, 0.0, 2.0])
    assert parse_element("{0.1;0.30000000000000004}").codepoints == (0.1, 0.1 + 0.2)


def test_a_codebook_file_is_read_back(tmp_path):
    quantiser = lloyd_max(StudentT(3), 16)
    path = tmp_path / "Case Matters.json"
    path.write_text(json.dumps(quantiser.to_dict()))
    element = parse_element(f"file:{path}")
    assert element.quantiser("rms", 32.0) == quantiser
    assert str(element) == f"file:{path}"
    assert parse_element(str(element)) == element == Codebook.from_file(path)
    assert element.stored_codebook_bits == 16 * 32


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("[1, 2]", "it must hold an object, got list"),
        ("{", "must hold a quantiser as JSON"),
        ('{"codepoints": [1, 0]}', "must ascend"),
        ('{"codepoints": ["a", "b"]}', "must hold a quantiser as JSON"),
        ('{"points": [1]}', "these keys came"),
    ],
)
def test_a_file_without_a_quantiser_is_named_in_the_error(tmp_path, content, hint):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=hint) as error:
        parse_element(f"file:{path}")
    assert "bad.json" in str(error.value)


def test_a_file_that_is_not_there_and_a_path_with_a_comma_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        parse_element(f"file:{tmp_path / 'none.json'}")
    (tmp_path / "a,b.json").write_text('{"codepoints": [0, 1]}')
    with pytest.raises(ValueError, match="path must have no comma"):
        Codebook.from_file(tmp_path / "a,b.json")


def test_vector_codebooks_are_seeded_and_beat_scalar_ones_of_the_same_bits():
    element = parse_element("vq2x2:normal")
    words = element.vector_quantiser()
    assert words.codebook.shape == (16, 2)
    assert (element.bits, element.dimension, element.words_bits, element.stored_codebook_bits) == (
        2.0,
        2,
        4,
        0,
    )
    assert VectorCodebook(2.0, 2, Normal()).vector_quantiser() is words
    data = np.random.default_rng(1).normal(size=(1 << 14, 2))
    error = words.errors_and_bits(data)[0] / 2
    scalar = evaluate(lloyd_max(Normal(), 4), Normal()).distortion
    assert error.mean() + 4 * error.std() / 2**7 < scalar
    again = parse_element("vq1x2:normal#3").vector_quantiser()
    assert not np.array_equal(again.codebook, parse_element("vq1x2:normal").vector_quantiser().codebook)


def test_vector_codebooks_have_no_scalar_quantiser_but_a_reach():
    element = parse_element("vq1x2:laplace")
    with pytest.raises(TypeError, match="vq1x2:laplace quantises 2 elements together"):
        element.quantiser("rms", 32.0)
    coordinates = element.vector_quantiser().codebook.ravel()
    assert element.reach("rms", 32.0) == element.design_rms == 1.0
    assert element.reach("absmax", 32.0) == np.abs(coordinates).max()
    assert element.reach("signmax", 32.0) in coordinates
    assert abs(element.reach("signmax", 32.0)) == element.reach("absmax", 32.0)
    with pytest.raises(ValueError, match="statistic must be"):
        element.reach("minmax", 32.0)
