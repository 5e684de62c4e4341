r"""Successive cancellation (the recursion of GPTQ) and the spacing that makes it optimal.

A row w of weights is rounded to $\hat w_i = \alpha_i z_i$ with integers z; the loss is $(w-\hat
w)\Sigma(w-\hat w)^T$ with $\Sigma = LL^T$, L lower triangular with diagonal $\ell_i$. Going from the last
column to the first, each rounding error is passed on to the columns before it.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = [
    "cancellation_gap",
    "cancellation_loss_three",
    "cancellation_loss_two",
    "equal_spacing_penalty",
    "shrinkage_factor",
    "water_filling_spacing",
    "water_filling_start",
]


def _lower(size: int) -> Formula:
    return sp.Matrix(size, size, lambda i, j: sp.Symbol(f"l_{i + 1}{j + 1}", positive=True) if j <= i else 0)


def _cancellation(proof: Proof, size: int) -> tuple[Formula, Formula]:
    """Loss of a row as the sum of the squared errors of the rounding steps."""
    factor = _lower(size)
    w = sp.Matrix(1, size, sp.symbols(f"w_1:{size + 1}", real=True))
    z = sp.symbols(f"z_1:{size + 1}", integer=True)
    spacing = sp.symbols(f"alpha_1:{size + 1}", positive=True)
    rounded = sp.Matrix(1, size, [spacing[i] * z[i] for i in range(size)])
    y = w * factor
    errors = [sp.Integer(0)] * size
    for i in reversed(range(size)):
        errors[i] = y[i] - spacing[i] * z[i] * factor[i, i]
        for k in range(i + 1):
            y[k] -= spacing[i] * z[i] * factor[i, k]
    final = ((w - rounded) * factor).applyfunc(sp.expand)
    proof.equal("What the recursion leaves in each column is its rounding error", y, final)
    proof.equal("The errors seen on the way are the same", sp.Matrix(1, size, errors), final)
    left = ((w - rounded) * factor * factor.T * (w - rounded).T)[0]
    right = sum(error**2 for error in errors)
    proof.equal(
        "So the loss is the sum of their squares", left, right, symbol=r"(w-\hat w)\Sigma(w-\hat w)^T"
    )
    u, width = sp.symbols("u Delta", positive=True)
    mean_square = sp.integrate(u**2, (u, -width / 2, width / 2)) / width
    proof.equal(
        "Each error is uniform at high rate, of width $\\alpha_i\\ell_i$ and mean square",
        mean_square,
        width**2 / 12,
    )
    determinant = (factor * factor.T).det()
    diagonal = [factor[i, i] for i in range(size)]
    claim = "The product of the squared diagonal is the determinant of $\\Sigma$"
    proof.equal(claim, determinant, sp.prod(diagonal) ** 2, symbol=r"|\Sigma|")
    level = sp.Symbol("c", positive=True)
    even = {spacing[i]: level / diagonal[i] for i in range(size)}
    product = (sp.prod(spacing) ** 2 * sp.prod(diagonal) ** 2) ** sp.Rational(1, size) / 12
    claim = r"With $\alpha_i\ell_i = c$ the loss per weight is $\frac1{12}(\prod\alpha_i^2\,|\Sigma|)^{1/n}$"
    proof.equal(claim, product.subs(even), level**2 / 12)
    return left, right


@derivation
def cancellation_loss_two(proof: Proof) -> tuple[Formula, Formula]:
    r"""Loss of two columns: $e_1^2 + e_2^2$, each error at most half of $\alpha_i\ell_i$.

    The product of the squared diagonal of L is $|\Sigma|$, so at high rate, with $\alpha_i\ell_i$ all equal,
    the loss per weight is $\frac1{12}(\alpha_1\alpha_2)\,|\Sigma|^{1/2}$.

    References
    ----------
    Frantar et al. (2022), arXiv:2210.17323 (GPTQ); Lifar, Savkin, Ordentlich and Polyanskiy (2026),
    arXiv:2603.04956 (WaterSIC).
    """
    return _cancellation(proof, 2)


@derivation
def cancellation_loss_three(proof: Proof) -> tuple[Formula, Formula]:
    r"""Loss of three columns: $e_1^2 + e_2^2 + e_3^2$, each error at most half of $\alpha_i\ell_i$.

    The product of the squared diagonal of L is $|\Sigma|$, so at high rate, with $\alpha_i\ell_i$ all equal,
    the loss per weight is $\frac1{12}(\alpha_1\alpha_2\alpha_3)^{2/3}\,|\Sigma|^{1/3}$.

    References
    ----------
    Frantar et al. (2022), arXiv:2210.17323; Lifar et al. (2026), arXiv:2603.04956.
    """
    return _cancellation(proof, 3)


@derivation
def water_filling_spacing(proof: Proof) -> tuple[Formula, Formula]:
    r"""Water-filling spacing: $\alpha_i = c/\ell_i$ is best, and all columns then have the loss $c^2/12$.

    At a given rate the product of the spacings is given; the loss is the mean of $(\alpha_i\ell_i)^2/12$,
    least when all are equal (arithmetic and geometric mean). The loss then depends on $\Sigma$ through its
    determinant alone.

    References
    ----------
    Lifar et al. (2026), arXiv:2603.04956.
    """
    spacing, diagonal, mu, level = sp.symbols("alpha ell mu c", positive=True)
    cost = (spacing * diagonal) ** 2 / 12 - mu * sp.log(spacing)
    left = sp.solve(cost.diff(spacing), spacing)[0].subs(mu, level**2 / 6)
    proof.positive("Loss less multiplier times log spacing is convex", cost.diff(spacing, 2))
    proof.equal("Its stationary spacing, with $\\mu = c^2/6$", left, level / diagonal, symbol=r"\alpha")
    loss = ((spacing * diagonal) ** 2 / 12).subs(spacing, left)
    proof.equal("Its loss", loss, level**2 / 12, symbol="D")
    u = sp.Symbol("u", positive=True)
    proof.touches_zero(
        "$u - 1 - \\ln u$ at $u = 1$, averaged over $u = (\\alpha_i\\ell_i/c)^2$", u - 1 - sp.log(u), u, 1
    )
    return left, level / diagonal


@derivation
def cancellation_gap(proof: Proof) -> tuple[Formula, Formula]:
    r"""Gap of successive cancellation: 0.2546 bit and half the log of a ratio of means.

    $\frac12\log_2\frac{2\pi e}{12}+\frac12\log_2\frac{AM}{GM}$ bits, means of $(\alpha_i\ell_i)^2$. Gaussian
    weights of variance $s^2$, an ideal code per column, high rate. Shown for three columns; the limit is
    reverse water-filling with all components active.

    References
    ----------
    Lifar et al. (2026), arXiv:2603.04956; Ordentlich and Polyanskiy (2026), arXiv:2601.17187.
    """
    spacings, diagonal = sp.symbols("alpha_1:4", positive=True), sp.symbols("ell_1:4", positive=True)
    scale = sp.Symbol("s", positive=True)
    squares = [(a * length) ** 2 for a, length in zip(spacings, diagonal, strict=True)]
    arithmetic = sum(squares) / 3
    log_geometric = sum(sp.log(square) for square in squares) / 3
    rate = sum(sp.log(2 * sp.pi * sp.E * scale**2) / 2 - sp.log(a) for a in spacings) / 3
    loss = sp.Symbol("D", positive=True)
    log_determinant = sum(2 * sp.log(length) for length in diagonal) / 3  # log |Sigma|^{1/3}
    limit = (sp.log(scale**2) + log_determinant - sp.log(loss)) / 2
    left = (rate - limit.subs(loss, arithmetic / 12)) / sp.log(2)
    right = (sp.log(2 * sp.pi * sp.E / 12) + sp.log(arithmetic) - log_geometric) / (2 * sp.log(2))
    proof.equal(
        "Rate at loss AM/12, less the limit at that loss", left, right, _logs, r"R - R_{\mathrm{limit}}"
    )
    level = sp.Symbol("c", positive=True)
    even = {a: level / length for a, length in zip(spacings, diagonal, strict=True)}
    gap = sp.log(sp.pi * sp.E / 6) / (2 * sp.log(2))
    proof.equal(
        "With $\\alpha_i = c/\\ell_i$ the last term is zero: 0.2546 bit are left", left.subs(even), gap, _logs
    )
    return left, right


def _logs(expression: Formula) -> Formula:
    return sp.simplify(sp.expand(sp.expand_log(sp.factor(expression), force=True)))


@derivation
def equal_spacing_penalty(proof: Proof) -> tuple[Formula, Formula]:
    r"""Penalty of equal spacing: on $\Sigma = \mathrm{diag}(1, \varepsilon)$ it grows without bound.

    It is $\frac12\log_2\frac{1+\varepsilon}{2\sqrt\varepsilon}$ bit.

    The penalty of GPTQ's uniform grid against the water-filling spacing.

    References
    ----------
    Lifar et al. (2026), arXiv:2603.04956.
    """
    eps = sp.Symbol("varepsilon", positive=True)
    factor = sp.diag(1, eps).cholesky()
    squares = [factor[i, i] ** 2 for i in range(2)]
    left = sp.log(sum(squares) / 2 / sp.sqrt(sp.prod(squares))) / (2 * sp.log(2))
    right = sp.log((1 + eps) / (2 * sp.sqrt(eps))) / (2 * sp.log(2))
    proof.equal("Half the logarithm of the ratio of means", left, right, sp.simplify)
    proof.equal(
        "It grows without bound",
        1 / sp.limit(right, eps, 0),
        sp.Integer(0),
        symbol=r"1/\lim_{\varepsilon\to0}",
    )
    return left, right


@derivation
def shrinkage_factor(proof: Proof) -> tuple[Formula, Formula]:
    r"""Shrinkage: the best factor on a column is $\gamma = \langle y, z\rangle / (\alpha\ell\,\|z\|^2)$.

    Least squares; it leaves the share $1-\cos^2(y,z)$ of the column's energy.

    References
    ----------
    Lifar et al. (2026), arXiv:2603.04956.
    """
    step = sp.Symbol("Delta", positive=True)  # alpha times l
    gamma, inner = sp.symbols("gamma i", real=True)  # inner product of y and z
    energy, size = sp.symbols("e n", positive=True)  # squared norms of y and z
    loss = energy - 2 * gamma * step * inner + gamma**2 * step**2 * size
    y, z = (sp.Matrix(sp.symbols(f"{name}_1:3", real=True)) for name in "yz")
    residual = y - gamma * step * z
    norms = {energy: y.dot(y), inner: y.dot(z), size: z.dot(z)}
    proof.equal("The loss in terms of inner products (two rows)", residual.dot(residual), loss.subs(norms))
    left, right = sp.solve(loss.diff(gamma), gamma)[0], inner / (step * size)
    proof.equal("Stationary", left, right, symbol=r"\gamma")
    proof.equal(
        "What is left",
        loss.subs(gamma, left),
        energy * (1 - inner**2 / (energy * size)),
        symbol=r"\|y-\gamma\alpha\ell z\|^2",
    )
    proof.positive("It is the minimum", loss.diff(gamma, 2))
    return left, right


@derivation
def water_filling_start(proof: Proof) -> tuple[Formula, Formula]:
    r"""First guess of the spacing: $c = \exp(\overline{\tfrac12\ln(12 v_i\ell_i^2)} - R\ln2)$.

    The bar is the mean over columns of variance $v_i$. It puts the loss $c^2/12$ at the limit's value for R
    bits, so the entropy comes out 0.2546 bit higher at high rate. Shown for three columns.

    References
    ----------
    Lifar et al. (2026), arXiv:2603.04956.
    """
    variances, diagonal = sp.symbols("v_1:4", positive=True), sp.symbols("ell_1:4", positive=True)
    rate, level = sp.Symbol("R", real=True), sp.Symbol("c", positive=True)
    log_limit = sum(sp.log(v) + 2 * sp.log(length) for v, length in zip(variances, diagonal, strict=True)) / 3
    condition = sp.log(level**2 / 12) - (log_limit - 2 * rate * sp.log(2))
    left = sp.solve(sp.expand_log(condition, force=True), level)[0]
    mean = sum(sp.log(12 * v * length**2) / 2 for v, length in zip(variances, diagonal, strict=True)) / 3
    right = sp.exp(mean - rate * sp.log(2))
    proof.equal("Loss equal to the limit's", sp.log(left), sp.log(right), _logs, r"\ln c")
    entropy = sum(
        sp.log(2 * sp.pi * sp.E * v) / 2 - sp.log(level / ell)
        for v, ell in zip(variances, diagonal, strict=True)
    )
    excess = entropy.subs(level, right) / (3 * sp.log(2)) - rate
    proof.equal("The entropy less R", excess, sp.log(sp.pi * sp.E / 6) / (2 * sp.log(2)), _logs, "H - R")
    return sp.log(left), sp.log(right)
