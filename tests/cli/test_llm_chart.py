"""Pictures of a report on a model: every place in them is a number of the record."""

import math
import re
import statistics
from xml.etree import ElementTree

import numpy as np
import pytest

from bitlaw.cli.chart_axes import Axis
from bitlaw.cli.llm.chart import divergence_chart, error_chart

NAMES = ("q8_0", "nf4", "nvfp4", "int4,block=<64>", "int3_g64", "unpredicted")


@pytest.fixture
def record():
    rng = np.random.default_rng(5)
    formats, tensors = [], []
    for k, name in enumerate(NAMES):
        predicted = (1.5e-5, 0.004, 0.0041, 0.0042, 0.03, 0.0)[k]
        kl = predicted * 1.1
        formats.append(
            {"format": name, "predicted_kl": predicted, "kl": kl, "kl_lower": 0.9 * kl, "kl_upper": 1.2 * kl}
        )
        ratios = 1 + 0.02 * rng.standard_normal(7)
        tensors += [{"asked": name, "predicted_r": 0.1, "r": 0.1 * ratio} for ratio in ratios]
    return formats, tensors


def drawing(html):
    """Parsed picture."""
    return ElementTree.fromstring(re.search(r"<svg.*</svg>", html).group(0))


def number(label):
    """Value of a tick's label."""
    if label.startswith("10") and len(label) > 2 and label[2] in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹":
        return 10.0 ** int(label[2:].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
    return float(label)


def scale(svg, anchor, log):
    """Value of a pixel, by the ticks: those across have their labels in the middle, those up at the end."""
    key = "x" if anchor == "middle" else "y"
    shift = 0 if anchor == "middle" else 4
    found = []
    for text in svg.iter("text"):
        if (
            text.get("text-anchor") == anchor
            and text.get(key)
            and re.fullmatch(r"[\d.⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", text.text)
        ):
            found.append((float(text.get(key)) - shift, number(text.text)))
    places, values = np.array(found).T
    line = np.polyfit(places, np.log(values) if log else values, 1)
    return lambda place: math.exp(np.polyval(line, place)) if log else float(np.polyval(line, place))


def test_dots_and_intervals_lie_where_the_record_says(record):
    formats, _ = record
    svg = drawing(divergence_chart(formats))
    across, up = scale(svg, "middle", True), scale(svg, "end", True)
    dots = [(float(c.get("cx")), float(c.get("cy"))) for c in svg.iter("circle")]
    bars = [p.get("d") for p in svg.iter("path") if p.get("class") == "interval"]
    shown = [row for row in formats if row["predicted_kl"] > 0]
    assert len(dots) == len(bars) == len(shown) == 5
    for row, (x, y), bar in zip(shown, dots, bars, strict=True):
        assert across(x) == pytest.approx(row["predicted_kl"], rel=0.01)
        assert up(y) == pytest.approx(row["kl"], rel=0.01)
        low, high = re.match(r"M[\d.]+ ([\d.]+)V([\d.]+)M", bar).groups()
        assert up(float(low)) == pytest.approx(row["kl_lower"], rel=0.01)
        assert up(float(high)) == pytest.approx(row["kl_upper"], rel=0.01)
    # The line of perfect prediction: what is across is up.
    (line,) = [p.get("d") for p in svg.iter("path") if p.get("stroke") == "#556070"]
    x0, y0, x1, y1 = map(float, re.fullmatch(r"M(\S+) (\S+)L(\S+) (\S+)", line).groups())
    assert across(x0) == pytest.approx(up(y0), rel=0.01)
    assert across(x1) == pytest.approx(up(y1), rel=0.01)


def test_every_dot_has_its_name_and_no_name_covers_another(record):
    formats, _ = record
    svg = drawing(divergence_chart(formats))
    labels = {t.text: float(t.get("y")) for t in svg.iter("text") if t.text in NAMES}
    assert set(labels) == set(NAMES[:5])
    heights = sorted(labels.values())
    assert min(np.diff(heights)) >= 17
    by_kl = sorted((row for row in formats if row["kl"] > 0), key=lambda row: -row["kl"])
    assert sorted(labels, key=labels.get) == [row["format"] for row in by_kl]


def test_pictures_are_told_in_words(record):
    formats, tensors = record
    words = drawing(divergence_chart(formats)).get("aria-label")
    assert "nf4: predicted 0.004, measured 0.0044" in words
    assert "int4,block=<64>" in words
    assert "q8_0: median" in drawing(error_chart(formats, tensors)).get("aria-label")


def test_intervals_that_are_not_there_or_reach_zero_are_not_made_up(record):
    formats, _ = record
    formats[0] |= {"kl_lower": None, "kl_upper": None}
    formats[1] |= {"kl_lower": -0.001}
    svg = drawing(divergence_chart(formats))
    bars = [p.get("d") for p in svg.iter("path") if p.get("class") == "interval"]
    assert len(bars) == 4
    assert [bar.count("h8") for bar in bars] == [1, 2, 2, 2]
    assert divergence_chart([formats[-1]]) == ""


def test_strips_hold_every_tensor_and_its_median(record):
    formats, tensors = record
    svg = drawing(error_chart(formats, tensors))
    across = scale(svg, "middle", False)
    strips = [p.get("d") for p in svg.iter("path") if p.get("class") == "dots"]
    medians = [p.get("d") for p in svg.iter("path") if p.get("class") == "median"]
    assert len(strips) == len(medians) == len(NAMES)
    for name, strip, median in zip(NAMES, strips, medians, strict=True):
        ratios = [row["r"] / row["predicted_r"] for row in tensors if row["asked"] == name]
        places = [float(place) for place in re.findall(r"M([\d.]+) ", strip)]
        assert [across(place) for place in places] == pytest.approx(ratios, abs=5e-4)
        told = across(float(re.match(r"M([\d.]+) ", median)[1]))
        assert told == pytest.approx(statistics.median(ratios), abs=5e-4)
        assert f"{statistics.median(ratios):.3f}" in [text.text for text in svg.iter("text")]
    (band,) = svg.iter("rect")
    left = float(band.get("x"))
    assert across(left) == pytest.approx(0.97, abs=5e-4)
    assert across(left + float(band.get("width"))) == pytest.approx(1.03, abs=5e-4)


def test_errors_that_are_far_off_get_a_logarithmic_axis(record):
    formats, tensors = record
    tensors[0]["r"] = 1.0
    svg = drawing(error_chart(formats, tensors))
    (first, *_) = [p.get("d") for p in svg.iter("path") if p.get("class") == "dots"]
    assert scale(svg, "middle", True)(float(re.match(r"M([\d.]+) ", first)[1])) == pytest.approx(10, rel=0.01)
    assert error_chart(formats, [row | {"r": 0.0} for row in tensors]) == ""


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (Axis(0.9, 1.1, 0, 100, log=False), ["0.90", "0.95", "1.00", "1.05", "1.10"]),
        (Axis(0.04, 3.0, 0, 100), ["0.05", "0.1", "0.2", "0.5", "1", "2"]),
        (Axis(2e-6, 0.5, 0, 100), ["10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹"]),
    ],
)
def test_ticks_are_round_numbers_in_place(axis, labels):
    found = axis.marks()
    assert [label for _, label in found] == labels
    for place, label in found:
        assert axis.place(number(label)) == pytest.approx(place, abs=0.11)
