"""What an allocation can be told: budgets, tensors that are decided or bounded, groups, and the rule beside it."""

import json

import pytest

pytest.importorskip("torch")


from bitlaw.cli.llm.allocation_record import allocation_blocks
from bitlaw.cli.llm.constraints import _merged, constraints_of
from bitlaw.cli.main import build_parser
from bitlaw.llm.models import load_model, weight_tensors

INT3, INT4, INT6 = (f"int{width},block=channel,scale=absmax:float16" for width in (3, 4, 6))
ON = ("--sequences", 2, "--length", 16, "--device", "cpu", "--formats", INT3, INT4, INT6)


@pytest.fixture
def allocate(bitlaw, folder):
    def run(*words):
        return bitlaw("llm", "allocate", "--model", folder, *ON, *words)

    return run


@pytest.fixture(scope="module")
def sizes(folder):
    """Rows, columns and part of each matrix by name."""
    model = load_model(folder, device="cpu").model
    return {w.name: (*w.parameter.shape, w.part) for w in weight_tensors(model)}


def stored(sizes, name, width):
    rows, columns, _ = sizes[name]
    return rows * columns * width + 16 * rows


def test_a_budget_in_bytes_holds_fixed_tensors_floors_and_groups(allocate, sizes):
    decoder = [name for name, size in sizes.items() if size[2] == "decoder"]
    budget = (sum(stored(sizes, name, 4) for name in decoder) + stored(sizes, "lm_head.weight", 8)) // 8
    words = ("--fix", "lm_head.*=int8,block=channel,scale=absmax:float16", "--floor", f"*.down_proj.*={INT4}")
    more = (
        "--group",
        "ends=*.o_proj.*",
        "--group",
        "ends=*.0.*.up_proj.*",
        "--fused",
        "--exact",
        "--measure",
    )
    outcome = allocate("--bytes", budget, *words, *more, "--json")
    assert outcome.code == 0
    record = json.loads(outcome.out)
    chosen = {one["name"]: one["format"] for one in record["tensors"]}
    assert chosen.keys() == {*decoder, "lm_head.weight"}
    assert chosen["lm_head.weight"].startswith("int8")
    assert all(chosen[name] != INT3 for name in decoder if "down_proj" in name)
    # The group of one's own has a member in common with gate and up of the first layer.
    together = ("0.self_attn.o_proj", "1.self_attn.o_proj", "0.mlp.up_proj", "0.mlp.gate_proj")
    assert len({chosen[f"model.layers.{name}.weight"] for name in together}) == 1
    total = sum(stored(sizes, name, int(format[3])) for name, format in chosen.items())
    assert record["bytes"] == pytest.approx(total / 8)
    assert record["bytes"] <= budget
    assert record["budget"] == pytest.approx(8 * budget / sum(sizes[n][0] * sizes[n][1] for n in chosen))
    assert record["gap"] == 0
    assert "(duality gap 0: optimal)" in record["statement"]
    assert record["measured"]["kl"] > 0


def test_the_bits_of_a_format_buy_no_less_than_the_format(allocate):
    record = json.loads(allocate("--like", INT4, "--published", "--measure", "--json").out)
    lines = [block for block in allocation_blocks(record) if isinstance(block, str)]
    assert "By the published rule: " in "\n".join(lines)
    assert [line.split(":")[0].split()[-1] for line in lines if "measured KL" in line] == ["uniform", "rule"]
    assert record["uniform"]["format"] == INT4
    assert record["uniform"]["bits"] == pytest.approx(record["budget"])
    assert record["bits"] <= record["budget"] * (1 + 1e-12)
    assert record["predicted_kl"] <= min(
        record["uniform"]["predicted_kl"], record["published"]["predicted_kl"]
    )
    assert record["published"]["bits"] <= record["budget"] * (1 + 1e-12)
    assert record["published"]["formats"].keys() == {one["name"] for one in record["tensors"]}
    assert f"(duality gap {record['gap']:.2g}" in record["statement"] or record["gap"] == 0


def constraints(*words):
    """What options say of a model of two layers with two matrices each, and a head."""
    args = build_parser(["llm"]).parse_args(["llm", "allocate", "--bits", "4", *words])
    names = [f"layers.{k}.{leaf}_proj.weight" for k in (0, 1) for leaf in ("q", "k", "o")]
    return constraints_of(args, dict.fromkeys(names, "decoder") | {"head.weight": "head"}, ("decoder",))


def test_the_last_pattern_that_fits_decides():
    found = constraints("--fix", "layers.*=int4", "--fix", "*.1.o*=int8", "--floor", "*.q_proj.weight=int3")
    assert {name: str(format) for name, format in found.fixed.items()} == {
        name: "int8" if name == "layers.1.o_proj.weight" else "int4" for name in found.names
    }
    assert found.floors.keys() == {"layers.0.q_proj.weight", "layers.1.q_proj.weight"}
    assert "head.weight" in constraints("--fix", "head*=int8").names
    assert "head.weight" not in constraints().names


def test_groups_with_a_member_in_common_are_one():
    groups = constraints("--fused", "--group", "a=*.0.[qo]_proj*", "--group", "b=*.1.o_proj*").groups
    members = {}
    for name, label in groups.items():
        members.setdefault(label, set()).add(name)
    first, second, third = sorted(members.values(), key=lambda one: (len(one), sorted(one)))
    assert first == {"layers.1.o_proj.weight"}
    assert second == {"layers.1.q_proj.weight", "layers.1.k_proj.weight"}
    assert third == {f"layers.0.{leaf}_proj.weight" for leaf in "qko"}
    chain = _merged([["a", "b"], ["c", "d"], ["d", "b"]])
    assert len({chain[name] for name in "abcd"}) == 1


FIRST = "model.layers.0.self_attn.q_proj.weight"
BAD = [
    (("--bytes", 10), "--bytes 10: the budget must be at least 9216 bytes with these formats"),
    (
        ("--bits", 4, "--fix", f"*={INT6}"),
        "--bits 4: the budget must be at least 6.46226 bits for each weight with these formats; the tensors of "
        "--fix alone take 162% of the budget",
    ),
    (("--bits", "inf"), "--bits must be positive and finite, got inf"),
    (("--bytes", "1k"), "argument --bytes: bytes must be an integer, got '1k'"),
    (("--bytes", 0), "argument --bytes: bytes must be at least 1, got 0"),
    (("--like", "int9x"), "--like int9x: "),
    (("--like", "int2,block=channel"), "--like int2,block=channel: the budget must be at least 3."),
    (("--bits", 4, "--like", INT4), "argument --like: not allowed with argument --bits"),
    ((), "one of the arguments --bits --bytes --like is required"),
    (("--bits", 5, "--fix", "*.r_proj.*=int4"), "--fix: the pattern '*.r_proj.*' fits no tensor"),
    (
        ("--bits", 5, "--floor", f"lm_head.weight={INT4}"),
        "--floor: the pattern 'lm_head.weight' fits no tensor",
    ),
    (("--bits", 5, "--group", "a=none"), "--group: the pattern 'none' fits no tensor"),
    (
        ("--bits", 5, "--fix", "lm_head.weight"),
        "argument --fix: must be PATTERN=FORMAT, got 'lm_head.weight'",
    ),
    (("--bits", 5, "--floor", "*=int4x"), "argument --floor: *: "),
    (("--bits", 5, "--group", "=*"), "argument --group: must be LABEL=PATTERN, got '=*'"),
    (
        ("--bits", 9, "--floor", f"{FIRST}=int8_g64"),
        f"--floor: no format has as many bits for {FIRST} as int8",
    ),
    (("--bits", 9, "--fused", "--fix", f"{FIRST}={INT4}"), f"--fix: {FIRST} and "),
    (("--bits", 5, "--published", "--fused"), "--published knows no --fix, --floor, --group and --fused"),
]


@pytest.mark.parametrize(("words", "reason"), BAD)
def test_what_cannot_be_met_is_refused_before_anything_runs(allocate, words, reason):
    outcome = allocate(*words, "--dry-run")
    assert outcome.code == 2
    assert outcome.err.startswith(f"bitlaw: error: {reason}")
    assert len(outcome.err.splitlines()) == 1


def test_a_budget_in_bytes_may_be_the_least_that_is_needed(allocate):
    assert allocate("--bytes", 9216, "--dry-run").code == 0
    assert "at least 9216 bytes" in allocate("--bytes", 9215, "--dry-run").err


@pytest.mark.parametrize(("words", "reason"), [BAD[0], BAD[8], BAD[14]])
def test_a_run_refuses_the_same(allocate, words, reason):
    outcome = allocate(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"bitlaw: error: {reason}" in outcome.err


def test_what_only_weights_tell_is_refused_by_the_name_of_the_option(allocate):
    coded = ("--formats", f"{INT3},code=entropy")
    low = allocate("--bits", 0.7, *coded)
    assert "bitlaw: error: --bits 0.7: the budget must be at least" in low.err
    high = allocate("--bits", 20, *coded, "--floor", f"*={INT6}")
    assert "bitlaw: error: --floor: no candidate has the" in high.err
    assert (low.code, high.code) == (2, 2)
