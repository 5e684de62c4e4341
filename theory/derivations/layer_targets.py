r"""What a layer's quantiser should aim at when its input is itself quantised, and the best rescaling after.

A row of weights w sees inputs x in the reference and $\hat x$ in the quantised model. Second moments:
$\Sigma_{x\hat x} = E[x\hat x^T]$, $\Sigma_{\hat x} = E[\hat x\hat x^T]$. Shown for two inputs, all
entries free.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation

__all__ = ["drift_target", "rescaler_columns", "rescaler_rows"]


def _matrix(name: str, rows: int, columns: int) -> Formula:
    return sp.Matrix(rows, columns, lambda i, j: sp.Symbol(f"{name}_{i + 1}{j + 1}", real=True))


@derivation
def drift_target(proof: Proof) -> tuple[Formula, Formula]:
    r"""Target under drift: round $y=[w(\Sigma_{x\hat x}+\delta I)+\Sigma_{\Delta r\hat x}]L^{-T}$.

    This minimises $E(\Delta r+wx-\hat w\hat x)^2+\delta\|w-\hat w\|^2$. Here $LL^T=\Sigma_{\hat x}+\delta
    I$, and $\Delta r$ is what the residual stream already lacks. The loss and $\|y-\hat wL\|^2$ have one
    gradient in $\hat w$, so they differ by a constant.

    References
    ----------
    Lifar et al. (2026), arXiv:2603.04956.
    """
    damping = sp.Symbol("delta", positive=True)
    w, quantised = _matrix("w", 1, 2), _matrix("u", 1, 2)
    cross, residual = _matrix("s", 2, 2), _matrix("r", 1, 2)
    lower = sp.Matrix(
        [
            [sp.Symbol("l_11", positive=True), 0],
            [sp.Symbol("l_21", real=True), sp.Symbol("l_22", positive=True)],
        ]
    )
    own = lower * lower.T - damping * sp.eye(2)  # second moment of the quantised input
    difference = w - quantised
    # terms of the expectation that hold the quantised weights
    loss = (
        -2 * (w * cross * quantised.T)[0]
        - 2 * (residual * quantised.T)[0]
        + (quantised * own * quantised.T)[0]
    )
    loss += damping * (difference * difference.T)[0]
    target = (w * (cross + damping * sp.eye(2)) + residual) * lower.T.inv()
    square = ((target - quantised * lower) * (target - quantised * lower).T)[0]
    left = sp.Matrix([loss.diff(entry) for entry in quantised])
    right = sp.Matrix([square.diff(entry) for entry in quantised])
    proof.equal(
        "Gradients of the loss and of $\\|y - \\hat wL\\|^2$",
        left,
        right,
        symbol=r"\partial_{\hat w}\,\mathrm{loss}",
    )
    return left, right


def _rescaled_loss() -> tuple[Formula, ...]:
    """Loss of diag(t) Z diag(g) up to a constant, with its parts: second moment, cross term, scales."""
    codes, cross = _matrix("z", 2, 2), _matrix("m", 2, 2)
    second = sp.Matrix(2, 2, lambda i, j: sp.Symbol(f"s_{min(i, j) + 1}{max(i, j) + 1}", real=True))
    t, g = sp.Matrix(sp.symbols("t_1:3", real=True)), sp.Matrix(sp.symbols("g_1:3", real=True))
    restored = sp.diag(*t) * codes * sp.diag(*g)
    loss = (restored * second * restored.T - 2 * cross * restored.T).trace()
    return loss, codes, cross, second, t, g


@derivation
def rescaler_columns(proof: Proof) -> tuple[Formula, Formula]:
    r"""Column scales: $[(Z^T\mathrm{diag}(t^2)Z)\circ S]\,g = \mathrm{diag}(Z^T\mathrm{diag}(t)M)$.

    Restored weights $\mathrm{diag}(t)\,Z\,\mathrm{diag}(g)$, second moment S, cross moment M.

    References
    ----------
    Lifar et al. (2026), arXiv:2603.04956.
    """
    loss, codes, cross, second, t, g = _rescaled_loss()
    left = sp.Matrix([loss.diff(scale) for scale in g]) / 2
    weights = (codes.T * sp.diag(*t) ** 2 * codes).multiply_elementwise(second)
    aim = codes.T * sp.diag(*t) * cross
    right = weights * g - sp.Matrix([aim[0, 0], aim[1, 1]])
    proof.equal(
        "Half the gradient along the column scales", left, right, symbol=r"\frac12\partial_g\,\mathrm{loss}"
    )
    return left, right


@derivation
def rescaler_rows(proof: Proof) -> tuple[Formula, Formula]:
    r"""Row scales: $t_i = \langle z_i\circ g, M_i\rangle / ((z_i\circ g)S(z_i\circ g)^T)$.

    Rows do not interact.

    References
    ----------
    Lifar et al. (2026), arXiv:2603.04956.
    """
    loss, codes, cross, second, t, g = _rescaled_loss()
    left, right = [], []
    for i in range(2):
        row = sp.Matrix(1, 2, [codes[i, j] * g[j] for j in range(2)])
        left.append(sp.solve(loss.diff(t[i]), t[i])[0])
        right.append((row * cross[i, :].T)[0] / (row * second * row.T)[0])
    proof.equal("Stationary row scales", sp.Matrix(left), sp.Matrix(right), symbol="t")
    return sp.Matrix(left), sp.Matrix(right)
