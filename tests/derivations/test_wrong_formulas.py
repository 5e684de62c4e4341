"""A wrong formula cannot be derived: every claim of every derivation fails once it is changed."""

import dataclasses

import pytest
import sympy as sp

from bitlaw.theory.derivations import ALL, DerivationError, Identity, Step
from bitlaw.theory.derivations.identity import derivation

from .checking import derived

by_name = pytest.mark.parametrize("function", ALL, ids=lambda function: function.__name__)


def _changed(side):
    """The same side with a thousandth added, to the last entry of a matrix."""
    if isinstance(side, sp.MatrixBase):
        entries = list(side)
        entries[-1] += sp.Rational(1, 1000)
        return sp.ImmutableMatrix(*side.shape, entries)
    return side + sp.Rational(1, 1000)


@by_name
def test_no_step_can_be_shown_with_a_thousandth_added_to_its_right_side(function):
    for step in derived(function).steps:
        if step.relation == "=":
            with pytest.raises(DerivationError, match="not shown"):
                dataclasses.replace(step, right=_changed(step.right))


@by_name
def test_no_inequality_can_be_shown_the_other_way_round(function):
    for step in derived(function).steps:
        if step.relation != "=":
            with pytest.raises(DerivationError, match="not shown"):
                dataclasses.replace(step, left=step.right, right=step.left)


def _symbol(identity, name):
    (found,) = (symbol for symbol in identity.right.free_symbols if symbol.name == name)
    return found


def _quarter_becomes_half(identity):
    f = sp.Function("f", positive=True)
    return identity.right.replace(f, lambda at: 2 * f(at) if not at.is_Symbol else f(at))


# Mistakes that are easily made, by derivation: the wrong right-hand side from the right one.
MISTAKES = {
    "lloyd_max_hessian": ("half instead of a quarter", _quarter_becomes_half),
    "entropy_threshold_formula": (
        "threshold shifted towards the shorter code",
        lambda i: i.right.subs(_symbol(i, "lambda"), -_symbol(i, "lambda")),
    ),
    "bennett_integral": ("error linear in the spacing", lambda i: i.right * 12 / 6),
    "power_density_student_t": (
        "one degree of freedom too many",
        lambda i: i.right.subs(_symbol(i, "nu"), _symbol(i, "nu") + 1 / _symbol(i, "p")),
    ),
    "power_density_laplace": ("scale of the Gaussian's rule", lambda i: i.right * sp.sqrt(_symbol(i, "p"))),
    "panter_dite_gaussian": ("pi without the root of 3", lambda i: i.right / sp.sqrt(3)),
    "panter_dite_laplace": ("scale taken for standard deviation", lambda i: 2 * i.right),
    "gaussian_partial_moments": ("ends exchanged", lambda i: -i.right),
    "student_t_truncation": ("a factor nu forgotten", lambda i: i.right / (_symbol(i, "m") + 2)),
    "student_t_unit_variance_scale": ("inverse scale", lambda i: 1 / i.right),
    "laplace_slope": ("offset at the middle of the cell", lambda i: sp.Integer(0)),
    "laplace_outer_offset": ("middle of the cell", lambda i: _symbol(i, "Delta") / 2),
    "high_rate_gap": ("nats for bits", lambda i: i.right * sp.log(2)),
    "shannon_lower_bound": ("a factor of 2 pi e / 12", lambda i: i.right * 2 * sp.pi * sp.E / 12),
    "laplace_block_maximum": (
        "one element fewer",
        lambda i: i.right.subs(_symbol(i, "B"), _symbol(i, "B") - 1),
    ),
    "block_partial_moments": ("the unweighted law", lambda i: i.right / _symbol(i, "m") ** 2),
    "kl_softmax": ("without the half", lambda i: 2 * i.right),
    "optimal_bit_allocation": (
        "the Fisher information to the first power",
        lambda i: i.right + sp.log(_symbol(i, "f")) / (2 * sp.log(2)),
    ),
    "cancellation_gap": (
        "the geometric mean twice",
        lambda i: i.right + sp.log(_symbol(i, "alpha_1")),
    ),
    "water_filling_spacing": ("equal spacing", lambda i: _symbol(i, "c")),
    "shrinkage_factor": ("norm instead of its square", lambda i: i.right * sp.sqrt(_symbol(i, "n"))),
}


@pytest.mark.parametrize("function", [f for f in ALL if f.__name__ in MISTAKES], ids=lambda f: f.__name__)
def test_a_common_mistake_is_refused(function):
    identity = derived(function)
    _, mistake = MISTAKES[identity.name]
    identity.verify(identity.right)
    with pytest.raises(DerivationError, match="not shown"):
        identity.verify(mistake(identity))


def test_the_mistakes_belong_to_derivations():
    assert set(MISTAKES) <= {function.__name__ for function in ALL}


y = sp.Symbol("y", real=True)


def test_a_derivation_with_a_wrong_step_raises_and_says_which():
    @derivation
    def square(proof):
        """Square: its slope is y."""
        proof.equal("The slope of the square", (y**2).diff(y), y)
        return (y**2).diff(y), y

    with pytest.raises(DerivationError, match=r"not shown: The slope of the square: 2\*y = y"):
        square()


def test_a_derivation_that_returns_what_it_did_not_show_raises():
    @derivation
    def square(proof):
        """Square: its slope is y."""
        proof.equal("The slope of the square", (y**2).diff(y), 2 * y)
        return (y**2).diff(y), y

    with pytest.raises(DerivationError, match="square returns an equation that none of its steps shows"):
        square()


def test_a_true_derivation_returns_its_identity():
    @derivation
    def square(proof):
        """Square: its slope is 2y."""
        proof.positive("The slope at 1", (y**2).diff(y).subs(y, 1))
        proof.nonnegative("The square", y**2)
        proof.equal("The slope of the square", (y**2).diff(y), 2 * y)
        return (y**2).diff(y), 2 * y

    identity = square()
    assert isinstance(identity, Identity)
    assert identity.statement == "Square: its slope is 2y."
    assert [step.relation for step in identity.steps] == [">", ">=", "="]


@pytest.mark.parametrize("relation", [">", ">="])
def test_a_sign_that_depends_on_the_symbol_is_not_shown(relation):
    with pytest.raises(DerivationError, match="not shown: indefinite"):
        Step("indefinite", y, sp.Integer(0), relation)


def test_zero_is_not_positive():
    with pytest.raises(DerivationError, match="not shown"):
        Step("zero", y - y, sp.Integer(0), ">")


def test_an_unknown_relation_is_refused():
    with pytest.raises(ValueError, match="relation must be one of =, >, >=; got '<'"):
        Step("backwards", y, y, "<")


def test_a_tangent_that_crosses_is_refused():
    @derivation
    def cubic(proof):
        """Cubic: it is claimed to touch zero from above."""
        proof.touches_zero("the cubic at 0", y**3, y, 0)
        return y, y

    with pytest.raises(DerivationError, match="it is convex"):
        cubic()
