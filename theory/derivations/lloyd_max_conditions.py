r"""Lloyd-Max conditions: where the squared error of a scalar quantiser is stationary.

A quantiser has codepoints $q_1 < \dots < q_N$ and thresholds $t_1 < \dots < t_{N-1}$; its distortion is
the sum over cells of $\int_{t_{i-1}}^{t_i} (x - q_i)^2 f(x)\,dx$. Derivatives with respect to a codepoint
and to a threshold give the two conditions; the second derivatives, with the thresholds held at the
midpoints, give the tridiagonal matrix that Newton's method needs.
"""

from __future__ import annotations

import sympy as sp

from .identity import Formula, Proof, derivation
from .integrals import cell_error, f, moment, split

__all__ = ["centroid_condition", "lloyd_max_hessian", "midpoint_condition", "stationary_distortion"]


@derivation
def centroid_condition(proof: Proof) -> tuple[Formula, Formula]:
    r"""Centroid condition: the best codepoint of a cell is its centroid, $q = M_1/M_0$.

    The error of the cell $(a, b]$ is a parabola in q with curvature $2M_0$, so the stationary point is the
    minimum.

    References
    ----------
    Lloyd (1957, printed 1982), "Least squares quantization in PCM"; Max (1960), "Quantizing for minimum
    distortion".
    """
    a, b, q = sp.symbols("a b q", real=True)
    m0, m1 = moment(0, a, b), moment(1, a, b)
    slope = cell_error(q, a, b).diff(q)
    proof.equal("The slope of the cell's error", slope, 2 * (q * m0 - m1), split, r"\partial D/\partial q")
    proof.equal(
        "Its curvature is twice the mass, which is positive",
        slope.diff(q),
        2 * m0,
        split,
        r"\partial^2 D/\partial q^2",
    )
    centroid = sp.solve(split(slope), q)[0]
    proof.equal("The slope vanishes at the centroid", centroid, m1 / m0, split, "q")
    return centroid, m1 / m0


@derivation
def midpoint_condition(proof: Proof) -> tuple[Formula, Formula]:
    r"""Nearest-neighbour condition: the best threshold between two codepoints is their midpoint.

    Moving the threshold t trades the errors of the two neighbouring cells against each other.

    References
    ----------
    Lloyd (1957, printed 1982); Max (1960).
    """
    a, b, t, q1 = sp.symbols("a b t q_1", real=True)
    gap = sp.Symbol("d", positive=True)
    q2 = q1 + gap
    slope = (cell_error(q1, a, t) + cell_error(q2, t, b)).diff(t)
    proof.equal(
        "The slope of the error of both cells",
        slope,
        f(t) * ((t - q1) ** 2 - (t - q2) ** 2),
        symbol=r"\partial D/\partial t",
    )
    bracket = sp.expand(slope / f(t))
    best = sp.solve(bracket, t)[0]
    proof.positive(
        "Divided by f it rises, so the error is least at its zero; with $d = q_2 - q_1$", bracket.diff(t)
    )
    proof.equal("The zero is the midpoint", best, (q1 + q2) / 2, symbol="t")
    return best, (q1 + q2) / 2


@derivation
def lloyd_max_hessian(proof: Proof) -> tuple[Formula, Formula]:
    r"""Hessian: with thresholds at the midpoints, that of half the distortion is tridiagonal.

    Its diagonal is $M_0 - (d_i f(t_i) + d_{i-1} f(t_{i-1}))/4$ with the mass $M_0$ of cell i, its
    off-diagonal $-d_i f(t_i)/4$, where $d_i = q_{i+1} - q_i$. Shown for three codepoints: the middle one has
    both neighbours, the outer ones are a cell apart. The Hessian of the distortion itself is twice this.

    References
    ----------
    Fleischer (1964), "Sufficient conditions for achieving minimum distortion in a quantizer".
    """
    q = sp.symbols("q_1:4", real=True)
    t1, t2 = (q[0] + q[1]) / 2, (q[1] + q[2]) / 2
    d1, d2 = q[1] - q[0], q[2] - q[1]
    ends = (-sp.oo, t1, t2, sp.oo)
    half = sum(cell_error(q[i], ends[i], ends[i + 1]) for i in range(3)) / 2
    gradient = sp.Matrix([half.diff(point) for point in q])
    residuals = sp.Matrix(
        [q[i] * moment(0, *ends[i : i + 2]) - moment(1, *ends[i : i + 2]) for i in range(3)]
    )
    proof.equal(
        "The gradient holds the centroid conditions: moving thresholds contribute nothing",
        gradient,
        residuals,
        split,
        r"\nabla (D/2)",
    )
    m0 = [moment(0, *ends[i : i + 2]) for i in range(3)]
    u1, u2 = d1 * f(t1) / 4, d2 * f(t2) / 4
    right = sp.Matrix([[m0[0] - u1, -u1, 0], [-u1, m0[1] - u1 - u2, -u2], [0, -u2, m0[2] - u2]])
    left = gradient.jacobian(q)
    proof.equal("The Hessian of half the distortion", left, right, split, r"\nabla^2 (D/2)")
    return left, right


@derivation
def stationary_distortion(proof: Proof) -> tuple[Formula, Formula]:
    r"""Distortion at the centroids: a cell has the error $M_2 - M_1^2/M_0$.

    Summed over cells: the distortion is the variance of X less the variance of Q(X). Any other codepoint
    adds $M_0$ times the squared distance from the centroid.

    References
    ----------
    Max (1960); Gersho and Gray (1992), "Vector Quantization and Signal Compression".
    """
    a, b, q = sp.symbols("a b q", real=True)
    m0, m1, m2 = (moment(k, a, b) for k in range(3))
    centroid = m1 / m0
    proof.equal(
        "An offset from the centroid costs its square times the mass",
        cell_error(q, a, b) - cell_error(centroid, a, b),
        m0 * (q - centroid) ** 2,
        split,
        r"D(q) - D(M_1/M_0)",
    )
    left, right = cell_error(centroid, a, b), m2 - m1**2 / m0
    proof.equal("The error that is left", left, right, split, "D(M_1/M_0)")
    return left, right
