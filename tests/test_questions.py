"""What docs/questions.md says in words follows from what its examples print.

The examples themselves are run by test_docs.py, so that each number below is one that was just computed.
"""

import doctest
import re

import pytest

from .test_docs import ROOT, fences

PAGE = ROOT / "docs" / "questions.md"
TEXT = PAGE.read_text(encoding="utf-8")
OUTPUTS = [
    example.want
    for fence in fences(PAGE)
    for example in doctest.DocTestParser().get_examples(fence.text)
    if example.want
]
NUMBER = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")
QUESTIONS = re.findall(r"^## ([^\n]*\?)\n\n(.*?)(?=^## )", TEXT, flags=re.MULTILINE | re.DOTALL)


def rows(first: str, among: str) -> list[list[str]]:
    """Cells of the printed lines that start with a text, in the one answer that holds another text."""
    (answer,) = [answer for _, answer in QUESTIONS if among in answer]
    lines = [line for line in answer.splitlines() if line.startswith(first)]
    assert lines, f"nothing starts with {first!r}"
    return [re.sub(r"[|%+]", " ", line[len(first) :]).split() for line in lines]


def numbers(first: str, among: str) -> list[list[float]]:
    return [[float(cell) for cell in row if NUMBER.fullmatch(cell)] for row in rows(first, among)]


def test_every_number_in_the_text_was_printed_by_an_example():
    words = re.sub(r"```.*?```|`[^`\n]*`", "", TEXT.partition("## Sources")[0], flags=re.DOTALL)
    said = set(NUMBER.findall(words))
    printed = set(NUMBER.findall("\n".join(OUTPUTS)))
    assert len(said) > 40
    assert said <= printed, f"said, not printed: {sorted(said - printed)}"


@pytest.mark.parametrize(("question", "answer"), QUESTIONS, ids=[question for question, _ in QUESTIONS])
def test_every_question_has_its_answer_in_bold_first_and_an_example(question, answer):
    assert re.match(r"\*\*[^*]+\*\*\n", answer)
    assert "```python" in answer


def test_six_questions_are_answered():
    assert len(QUESTIONS) == 6


def test_nf4_loses_to_every_optimum_and_most_to_the_freest():
    for row in numbers("normal  ", "signmax, free")[:3] + numbers("student-t:5 ", "signmax, free")[:3]:
        losses = row[2::3]
        assert len(losses) == 4
        assert 0 < losses[0] < losses[1] < losses[2] < losses[3]


def test_rounding_up_costs_more_than_rounding_down_and_e4m3_costs_least():
    costs = {
        scale: numbers(scale, "e8m0 up")[-1][-3:]
        for scale in ("e4m3 and", "e8m0 down, max on 3.5  ", "e8m0 down, max on 4 ", "e8m0 up, max on 6 ")
    }
    for law in zip(*costs.values(), strict=True):
        assert list(law) == sorted(law)


def test_twice_the_best_block_costs_little_and_half_of_it_more():
    table = [
        row
        for bits in "345"
        for number in ("float16", "ue5m3  ")
        for row in rows(f"{bits} {number} ", "UE5M3")
    ]
    assert len(table) == 18
    beside = [list(map(float, row[9:])) for row in table if len(row) >= 10]
    assert f"{max(half for half, *_ in beside):.3f}" == "0.103"
    assert f"{max(double for _, *doubles in beside for double in doubles):.3f}" == "0.038"
    for row in table:
        best = (16, 32, 64, 128, 256, 512).index(int(row[8]))
        assert float(row[1 + best]) == min(map(float, row[1:7]))


def test_scalings_stand_in_the_order_that_the_answer_gives():
    def costs(way):
        return numbers(way, "rms, tensor, 19")[0][2::3]

    absmax, signmax, coded = costs("absmax, 64  "), costs("signmax, 64 "), costs("rms, tensor, coded")
    tensor, others = costs("rms, tensor  "), [costs("absmax, 64, coded"), costs("absmax, 1024, coded")]
    for law in range(3):
        assert coded[law] < min(other[law] for other in others)
        assert coded[law] < signmax[law] < absmax[law]
        assert (tensor[law] < signmax[law]) == (law == 0)


def test_the_range_of_gaps_that_the_answer_names_is_that_of_its_table():
    four = "nf4 nf4_dq sf4 af4 mxfp4 nvfp4 q4_0 q4_1 q4_k iq4_nl".split()
    floats = "mxfp8 mxfp8_e5m2 fp8_e4m3 fp8_e5m2".split()
    for names, least, greatest in ((four, 0.70, 1.66), (floats, 2.76, 4.16)):
        gaps = [gap for name in names for gap in numbers(f"{name} ", "rate-distortion function at")[0][1:4]]
        assert (min(gaps), max(gaps)) == (least, greatest)
