"""Formats as text: every one comes back from its own words, and wrong words are named."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlaw.theory import Format, parse_format
from bitlaw.theory.formats import (
    ELEMENT_EXAMPLES,
    FORMAT_NAMES,
    GroupedScale,
    Outliers,
    Rotation,
    Scale,
    number_type,
    parse_element,
)

ELEMENTS = sorted(
    {
        *(e for e in ELEMENT_EXAMPLES if ":" not in e or not e.startswith("file")),
        "nf4",
        "sf4",
        "af4",
        "iq4_nl",
        "ternary",
        "binary",
        "int4",
        "uint4",
    }
)
NUMBERS = ("float32", "bfloat16", "float16", "e8m0", "e4m3", "ue5m3", "uint6", "e3m2")
ROUNDINGS = ("nearest", "up", "down")


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    statistic = draw(st.sampled_from(["absmax", "signmax", "rms", "minmax", "none"]))
    numbers = [n for n in NUMBERS if statistic != "signmax" or number_type(n).signed]
    multiplier = draw(st.sampled_from([1.0, 0.1, 1 / 3, "moment" if statistic == "rms" else 2.0]))
    return Scale(
        statistic=statistic,
        number=number_type(draw(st.sampled_from(numbers))),
        rounding=draw(st.sampled_from(ROUNDINGS)),
        multiplier=multiplier,
        search=draw(st.sampled_from(["none", "tensor", "block"])),
        reach=draw(st.sampled_from([None, 1 / 7, -8.0, 6.0])),
        zero=draw(st.sampled_from([None, "integer", number_type("float16")]))
        if statistic == "minmax"
        else None,
    )


@st.composite
def formats(draw: st.DrawFn) -> Format:
    scale = draw(scales())
    grouped = scale.statistic in ("absmax", "rms", "minmax")
    groups = st.builds(
        GroupedScale,
        st.sampled_from([8, 256, "tensor"]),
        st.sampled_from([number_type("float32"), number_type("float16")]),
        st.sampled_from(ROUNDINGS),
    )
    return Format(
        element=parse_element(draw(st.sampled_from(ELEMENTS))),
        block=draw(st.sampled_from(["tensor", "channel", 1, 64, (4, 32)])),
        scale=scale,
        group=draw(st.none() | groups) if grouped else None,
        outliers=draw(st.sampled_from([None, Outliers(fraction=0.001), Outliers(threshold=3.5)])),
        rotation=draw(st.sampled_from([None, Rotation("hadamard"), Rotation("orthogonal", size=64, seed=3)])),
        code=draw(st.sampled_from(["fixed", "entropy"])),
    )


@given(formats())
def test_every_format_comes_back_from_its_text(format: Format) -> None:
    assert parse_format(str(format)) == format
    assert str(parse_format(str(format))) == str(format)


@given(formats())
def test_every_format_comes_back_from_json_and_pickle(format: Format) -> None:
    assert Format.from_dict(json.loads(json.dumps(format.to_dict()))) == format
    assert pickle.loads(pickle.dumps(format)) == format
    assert hash(pickle.loads(pickle.dumps(format))) == hash(format)


@pytest.mark.parametrize("name", [*FORMAT_NAMES, "int4_g64", "nf3_g128", "int4_g128_asym", "NF4", "q4-0"])
def test_names_stand_for_formats(name: str) -> None:
    format = parse_format(name)
    assert parse_format(str(format)) == format


def test_a_name_can_be_changed_by_keys() -> None:
    assert parse_format("nf4,block=32") == parse_format("nf4,block=32,scale=absmax:float32")
    assert parse_format("mxfp4, code = entropy").code == "entropy"


def test_an_element_whose_text_is_a_name_keeps_its_own_defaults() -> None:
    bare = Format(parse_element("nf4"))
    assert (bare.block, str(bare.scale.number)) == ("tensor", "bfloat16")
    assert parse_format(str(bare)) == bare
    assert parse_format("nf4") != bare


def test_asymmetric_groups_use_the_range() -> None:
    assert str(parse_format("int4_g64_asym")) == "uint4,block=64,scale=minmax:float16"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mxpf4", "mxfp4"),
        ("nvfp5", "nvfp4"),
        ("nf4,blok=64", "did you mean block"),
        ("nf4,block", "key=value"),
        ("nf4,block=", "key=value"),
        ("nf4,block=0", "block must be a size of at least 1"),
        ("nf4,block=-4", "block must be a size"),
        ("nf4,block=1x2x3", "block must be a size, ROWSxCOLUMNS"),
        ("nf4,scale=absmx", "did you mean absmax"),
        ("nf4,scale=absmax:bfloat17", "bfloat16"),
        ("nf4,scale=absmax:e8m0:upp", "did you mean up"),
        ("nf4,scale=absmax:e8m0:up:down", "at most three words"),
        ("nf4,scale=signmax:e8m0", "must have a sign"),
        ("nf4,multiplier=0", "multiplier must be positive"),
        ("nf4,multiplier=much", "multiplier must be a number"),
        ("nf4,multiplier=moment", "needs the statistic rms"),
        ("nf4,reach=nan", "reach must be finite"),
        ("nf4,zero=integer", "zero needs the statistic minmax"),
        ("nf4,group=0", "blocks must be a positive integer"),
        ("nf4,group=all", "group must be a number of blocks or 'tensor'"),
        ("nf4,scale=signmax:float16,group=4", "without a sign"),
        ("nf4,code=huffman", "code must be one of"),
        ("nf4,search=blok", "did you mean block"),
        ("", "element"),
    ],
)
def test_wrong_words_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_format(text)


def test_wrong_types_are_refused() -> None:
    with pytest.raises(TypeError, match="format must be text"):
        parse_format(4)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="element must be an Element"):
        Format("nf4")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="block must be a size"):
        Format(parse_element("nf4"), block=2.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="block of a format must be text"):
        Format.from_dict({"element": "nf4", "block": 64})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="needs an element"):
        Format.from_dict({"block": "64"})
    with pytest.raises(ValueError, match="no key 'blocks'"):
        Format.from_dict({"element": "nf4", "blocks": "64"})
