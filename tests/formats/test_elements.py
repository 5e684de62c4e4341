"""What all elements have in common, and the plain ones: integers, floats, powers of two, few levels."""

import math
import pickle

import numpy as np
import pytest

from bitlaw.theory import StudentT, lloyd_max
from bitlaw.theory.formats.elements import (
    ELEMENT_EXAMPLES,
    Binary,
    Codebook,
    CubeRoot,
    Designed,
    Element,
    Float,
    Integer,
    PowerOfTwo,
    Published,
    StudentFloat,
    Ternary,
    VectorCodebook,
    parse_element,
)
from bitlaw.theory.formats.number_types import number_type
from bitlaw.theory.sources import Normal

TEXTS = [text for text in ELEMENT_EXAMPLES if not text.startswith("file:")]
MORE = [
    *("int2", "int16", "uint1", "int3half", "e4m3fnuz", "ue5m3", "e8m0", "float16", "pow2-2", "nf2", "nf8"),
    *(
        "sf3:3.5",
        "sf8:2.1",
        "iq4_nl",
        "iq4_xs",
        "IQ4-NL",
        "af4:64",
        "af4:4096",
        "cbrt8:generalised-normal:0.7",
    ),
    *("cbrt3^0.5:logistic:repeat_zero", "cbrt4^2:uniform", "lloyd2:generalised-normal:1.5:closed:zero"),
    *("lloyd3:laplace:zero", "{-1;0;1e-3}", "{-1;0.1;1|-0.3;0.4}", "vq1.5x2:laplace#7", "vq1x8:normal"),
]
SCALAR = [text for text in TEXTS if not text.startswith("vq")]


@pytest.mark.parametrize("text", TEXTS + MORE)
def test_the_text_of_an_element_parses_back_to_an_equal_element(text):
    element = parse_element(text)
    again = parse_element(str(element))
    assert again == element
    assert hash(again) == hash(element)
    assert str(again) == str(element)
    assert "," not in str(element)
    assert pickle.loads(pickle.dumps(element)) == element


@pytest.mark.parametrize("text", SCALAR)
def test_codes_have_room_for_all_codepoints_and_no_bit_is_idle(text):
    element = parse_element(text)
    levels = element.quantiser("absmax", 32.0).levels
    assert 2 ** (element.bits - 1) < levels <= 2**element.bits + 1e-9


@pytest.mark.parametrize("text", SCALAR)
@pytest.mark.parametrize("statistic", ["absmax", "signmax"])
def test_the_reach_is_a_codepoint_or_the_unit_of_a_design(text, statistic):
    element = parse_element(text)
    reach = element.reach(statistic, 32.0)
    codepoints = element.quantiser(statistic, 32.0).codepoints
    if isinstance(element, (Designed, CubeRoot)):
        assert reach == 1.0
        assert np.abs(codepoints).max() <= 1.0
    elif text == "bfloat16":
        assert reach == 1.0, "the largest number is out of reach of scales of 16 bits"
    else:
        assert reach in codepoints
        assert statistic == "absmax" or abs(reach) == np.abs(codepoints).max()
        assert statistic == "signmax" or reach == min(
            codepoints[-1], -codepoints[0] if codepoints[0] < 0 else np.inf
        )


@pytest.mark.parametrize("text", SCALAR)
def test_thresholds_lie_halfway_between_codepoints(text):
    quantiser = parse_element(text).quantiser("absmax", 32.0)
    middle = quantiser.codepoints[:-1] / 2 + quantiser.codepoints[1:] / 2
    np.testing.assert_allclose(quantiser.thresholds, middle, rtol=1e-15, atol=0)


@pytest.mark.parametrize("text", SCALAR)
def test_codepoints_without_closed_ends_serve_rms_scaling(text):
    element = parse_element(text)
    assert element.reach("rms", 32.0) == element.reach("none", math.inf) == 1.0
    assert element.design_rms > 0
    if isinstance(element, (CubeRoot, Designed)):
        assert element.design_rms == 1.0
    if not str(element).endswith("closed"):
        assert element.quantiser("rms", 32.0) == element.quantiser("none", math.inf)


@pytest.mark.parametrize(
    ("text", "first", "last", "levels"),
    [
        ("int4", -8, 7, 16),
        ("int4sym", -7, 7, 15),
        ("int4half", -7.5, 7.5, 16),
        ("uint4", 0, 15, 16),
        ("int16", -32768, 32767, 65536),
        ("uint1", 0, 1, 2),
    ],
)
def test_integers_are_evenly_spaced_by_one(text, first, last, levels):
    codepoints = parse_element(text).quantiser("absmax", 32.0).codepoints
    assert (codepoints[0], codepoints[-1], len(codepoints)) == (first, last, levels)
    assert (np.diff(codepoints) == 1).all()


@pytest.mark.parametrize(
    ("text", "absmax", "signmax", "minmax"),
    [
        ("int4", 7, -8, 15),
        ("int4sym", 7, 7, 14),
        ("uint4", 15, 15, 15),
        ("e2m1", 6, 6, 12),
        ("ue3m0", 16, 16, 15.875),
        ("iq4_nl", 113, -127, 240),
        ("nf4", 1, 1, 2),
        ("ternary", 1, 1, 2),
        ("{-3;0;2}", 2, -3, 5),
    ],
)
def test_each_statistic_is_mapped_on_its_end_of_the_codepoints(text, absmax, signmax, minmax):
    element = parse_element(text)
    reach = [element.reach(statistic, 32.0) for statistic in ("absmax", "signmax", "minmax", "rms")]
    assert reach == [absmax, signmax, minmax, 1]


# OCP OFP8 and MX v1.0; zero once, NaN and infinities left out.
@pytest.mark.parametrize(
    ("text", "largest", "levels", "bits"),
    [
        ("e2m1", 6.0, 15, 4),
        ("e3m2", 28.0, 63, 6),
        ("e2m3", 7.5, 63, 6),
        ("e4m3", 448.0, 253, 8),
        ("e5m2", 57344.0, 247, 8),
        ("e4m3fnuz", 240.0, 255, 8),
        ("e0m3", 7.0, 15, 4),
        ("e8m0", 2.0**127, 255, 8),
        ("ue4m3", 448.0, 127, 7),
        ("bfloat16", 3.3895313892515355e38, 65279, 16),
    ],
)
def test_floats_have_the_finite_numbers_of_their_type(text, largest, levels, bits):
    element = parse_element(text)
    codepoints = element.quantiser("absmax", 32.0).codepoints
    assert (codepoints[-1], len(codepoints), element.bits) == (largest, levels, bits)
    assert np.isfinite(codepoints).all()
    assert (np.diff(codepoints) > 0).all()


def test_a_float_quantises_as_its_number_type_rounds_but_for_ties():
    number = number_type("e3m2")
    x = np.random.default_rng(0).normal(size=1000) * 8
    np.testing.assert_array_equal(Float(number).quantiser("absmax", 32.0)(x), number.round(x))


def test_powers_of_two_are_the_float_without_mantissa_in_other_units():
    for width in range(2, 8):
        ours = PowerOfTwo(width)
        theirs = Float(number_type(f"e{width - 1}m0"))
        scale = theirs.number.largest
        codepoints = theirs.quantiser("absmax", 32.0).codepoints
        np.testing.assert_array_equal(ours.quantiser("absmax", 32.0).codepoints * scale, codepoints)
        assert ours.design_rms * scale == theirs.design_rms


def test_powers_of_two_without_zero_use_every_code():
    assert PowerOfTwo(3, zero=False).quantiser("absmax", 32.0).codepoints.tolist() == [
        *(-1, -0.5, -0.25, -0.125, 0.125, 0.25, 0.5, 1)
    ]


def test_five_ternary_codes_fit_in_a_byte_and_a_sign_in_a_bit():
    assert Ternary().bits * 5 == 8 >= 5 * math.log2(3)
    assert Ternary().quantiser("rms", 32.0)([-0.51, -0.5, 0.5, 0.51]).tolist() == [-1, -1, 0, 1]
    assert Binary().bits == 1
    assert Binary().quantiser("rms", 32.0)([-0.1, 0.0, 0.1]).tolist() == [-1, -1, 1]


def test_moments_are_matched_as_orr_et_al_match_them():
    # Integers as if the data were uniform up to the largest; floats with an rms of 1 where the bias is 2^(E-1).
    assert Integer(4).design_rms == pytest.approx(7 / math.sqrt(3), rel=1e-15)
    assert parse_element("int5half").design_rms == pytest.approx(15.5 / math.sqrt(3), rel=1e-15)
    assert parse_element("e2m1").design_rms == 2.0
    assert parse_element("e2m1b2").design_rms == 1.0
    assert parse_element("e4m3").design_rms == 2.0
    assert parse_element("e0m3").design_rms == pytest.approx(7 / math.sqrt(3), rel=1e-15)


def test_other_codepoints_have_the_rms_of_the_law_whose_cube_root_spreads_them():
    uniform = Codebook(tuple(np.linspace(-2, 2, 9).tolist()))
    assert uniform.design_rms == pytest.approx(2 / math.sqrt(3), rel=1e-12)
    # Many cube-root codepoints of a law give back its standard deviation, but for the tails they do not reach.
    codepoints = parse_element("cbrt8:normal").quantiser("rms", 32.0).codepoints
    assert Codebook(tuple(codepoints.tolist())).design_rms == pytest.approx(1.0, rel=0.02)
    # Quantiles of the normal law are spread by f itself: by the cube root of a law narrower by sqrt(3).
    nf8 = parse_element("nf8")
    unit = 1 / -Normal().ppf((1 / 512 + 1 / 510) / 2)
    assert nf8.design_rms == pytest.approx(unit / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("int", "did you mean int"),
        ("intt4", "did you mean int4"),
        ("e2m", "did you mean e2m"),
        ("nf", "did you mean nf"),
        ("nf5x", "did you mean nf"),
        ("ternery", "did you mean ternary"),
        ("iq4nll", "did you mean iq4_nl"),
        ("cbrt:normal", "did you mean cbrt4:normal"),
        ("qqq", "known, among others: int4, e2m1, pow2-4, ternary, "),
        ("", "known, among others: int4, "),
        ("int1", "width must be 2 to 16"),
        ("int17", "width must be 2 to 16"),
        ("uint0", "unknown element 'uint0'|width must be 1 to 16"),
        ("nf1", "width must be 2 to 8"),
        ("pow2-9", "width must be 2 to 8"),
        ("sf4:2", "df must"),
        ("sf4:x", "degrees of freedom, got 'sf4:x'"),
        ("sf4:", "degrees of freedom, got 'sf4:'"),
        ("float32", "at most 16 bits"),
        ("af4:100", "af4 is published for blocks of 32, 64"),
        ("cbrt4", "cbrt needs its law"),
        ("cbrt4:", "cbrt needs its law"),
        ("cbrt4:nrmal", "unknown source 'nrmal'"),
        ("cbrt4:student-t", "needs its df"),
        ("cbrt4^x:normal", "power of cbrt must be a number"),
        ("cbrt4^-1:normal", "power must be positive"),
        ("cbrt9:normal", "width must be 2 to 8"),
        ("lloyd4", "lloyd needs its law"),
        ("lloyd4:nrmal:closed", "unknown source 'nrmal'"),
        ("vq4x2", "vq needs its law"),
        ("vq4x1:normal", "dimension must be 2 to 8"),
        ("vq4x3:normal", "rate \\* dimension must be a whole number, 1 to 10, got 4 \\* 3"),
        ("vq0.3x2:normal", "rate \\* dimension"),
        ("vq1..5x2:normal", "could not convert|must be a number"),
        ("{}", "codebook must be numbers"),
        ("{1}", "must number 2 to 65536"),
        ("{1;0}", "must ascend"),
        ("{0;nan}", "must be finite"),
        ("{0;a}", "codebook must be numbers with ; between"),
        ("{0;1|0.2;0.3}", "thresholds must number one less"),
    ],
)
def test_texts_of_no_element_are_refused_with_what_is_wrong(text, hint):
    with pytest.raises(ValueError, match=hint):
        parse_element(text)


def test_wrong_arguments_are_refused():
    with pytest.raises(TypeError, match="element must be text, got 4"):
        parse_element(4)
    with pytest.raises(TypeError, match=r"width must be an integer, got 4\.0"):
        Integer(4.0)
    with pytest.raises(TypeError, match="width must be an integer, got True"):
        Integer(True)
    with pytest.raises(ValueError, match="kind must be one of"):
        Integer(4, "odd")
    with pytest.raises(TypeError, match="number must be a NumberType"):
        Float("e2m1")
    with pytest.raises(ValueError, match="number must not be an unsigned integer"):
        Float(number_type("uint4"))
    with pytest.raises(TypeError, match="zero must be True or False"):
        PowerOfTwo(4, 1)
    with pytest.raises(ValueError, match="name must be one of iq4_nl"):
        Published("nf4")
    with pytest.raises(ValueError, match="df must"):
        StudentFloat(4, 1.0)
    for kind in (CubeRoot, Designed):
        with pytest.raises(ValueError, match="source must have a standard deviation of 1"):
            kind(4, Normal(2.0))
        with pytest.raises(TypeError, match="source must be of a named family"):
            kind(4, "normal")
    with pytest.raises(ValueError, match="layout must be one of"):
        CubeRoot(4, Normal(), "odd")
    with pytest.raises(ValueError, match="ends must be one of"):
        Designed(4, Normal(), "open")
    with pytest.raises(TypeError, match="zero must be True or False"):
        Designed(4, Normal(), "free", None)
    with pytest.raises(TypeError, match="dimension must be an integer"):
        VectorCodebook(2, 2.0, Normal())
    with pytest.raises(ValueError, match="seed must be 0 to"):
        VectorCodebook(2, 2, Normal(), -1)
    with pytest.raises(ValueError, match="rate must be positive"):
        VectorCodebook(0, 2, Normal())


def test_any_class_with_bits_text_and_codepoints_is_an_element():
    class Pair(Element):
        bits = 1.0

        def quantiser(self, statistic, block_size):
            return lloyd_max(StudentT(5), 2)

    assert Pair().reach("absmax", 32.0) == Pair().quantiser("absmax", 32.0).codepoints[1]
    assert Pair().stored_codebook_bits == 0
