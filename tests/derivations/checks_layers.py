"""Numeric checks of successive cancellation and of layer targets: linear algebra on drawn matrices."""

from __future__ import annotations

import mpmath as mp
import numpy as np
from scipy import optimize

from .checking import check, value


def _layer(draw, size):
    """Drawn factor, weights, spacings; codes found by the recursion with floating-point numbers."""
    names = [f"l_{i + 1}{j + 1}" for i in range(size) for j in range(i + 1)]
    at = draw({name: (0.3, 1.5) for name in names})
    at |= draw({f"w_{i + 1}": (-3.0, 3.0) for i in range(size)})
    at |= draw({f"alpha_{i + 1}": (0.3, 0.8) for i in range(size)})
    factor = np.array(
        [[float(at[f"l_{i + 1}{j + 1}"]) if j <= i else 0.0 for j in range(size)] for i in range(size)]
    )
    w, alpha = (np.array([float(at[f"{name}_{i + 1}"]) for i in range(size)]) for name in ("w", "alpha"))
    residual, z = w @ factor, np.zeros(size)
    for i in reversed(range(size)):
        z[i] = np.round(residual[i] / (alpha[i] * factor[i, i]))
        residual -= alpha[i] * z[i] * factor[i]
    assert np.all(np.abs(residual) <= alpha * np.diag(factor) / 2 * (1 + 1e-12))
    return at, factor, w - alpha * z, {f"z_{i + 1}": mp.mpf(int(z[i])) for i in range(size)}


def _cancellation(identity, draw, size):
    at, factor, error, codes = _layer(draw, size)
    return value(identity.right, at | codes), error @ factor @ factor.T @ error


@check("the loss of codes found by the recursion in floating point")
def cancellation_loss_two(identity, draw):
    return _cancellation(identity, draw, 2)


@check("the loss of codes found by the recursion in floating point")
def cancellation_loss_three(identity, draw):
    return _cancellation(identity, draw, 3)


@check("constrained optimisation of three spacings with a given product (SLSQP)", 1e-5)
def water_filling_spacing(identity, draw):
    at = draw(ell_1=(0.3, 1.0), ell_2=(0.5, 2.0), ell_3=(1.0, 3.0))
    diagonal = np.array([float(entry) for entry in at.values()])
    found = optimize.minimize(
        lambda y: np.sum((np.exp(y) * diagonal) ** 2) / 36,
        np.zeros(3),
        jac=lambda y: (np.exp(y) * diagonal) ** 2 / 18,
        constraints={"type": "eq", "fun": lambda y: y.sum(), "jac": lambda y: np.ones(3)},
        method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 500},
    )
    level = mp.cbrt(mp.fprod(at.values()))  # the product of the spacings is one
    return [value(identity.right, {"c": level, "ell": ell}) for ell in at.values()], np.exp(found.x)


@check("entropies of Gaussian columns less water-filling over eigenvalues", 1e-10)
def cancellation_gap(identity, draw):
    at = draw(
        {f"alpha_{i}": (0.02, 0.06) for i in (1, 2, 3)} | {f"ell_{i}": (0.5, 1.5) for i in (1, 2, 3)},
        s=(0.5, 2.0),
    )
    spacing, diagonal = (np.array([float(at[f"{name}_{i}"]) for i in (1, 2, 3)]) for name in ("alpha", "ell"))
    factor = np.diag(diagonal) + np.array([[0, 0, 0], [0.2, 0, 0], [-0.1, 0.3, 0]])
    eigenvalues = np.linalg.eigvalsh(factor @ factor.T)
    loss = np.mean((spacing * diagonal) ** 2) / 12
    variance = float(at["s"]) ** 2
    assert loss < variance * eigenvalues.min()  # all components active
    limit = np.mean(np.log2(variance * eigenvalues / loss)) / 2
    rate = np.mean(np.log2(2 * np.pi * np.e * variance) / 2 - np.log2(spacing))
    return value(identity.right, at), rate - limit


@check("Cholesky diagonal in floating point")
def equal_spacing_penalty(identity, draw):
    at = draw(varepsilon=(0.001, 0.5))
    squares = np.diag(np.linalg.cholesky(np.diag([1.0, float(at["varepsilon"])]))) ** 2
    return value(identity.right, at), np.log2(squares.mean() / np.exp(np.log(squares).mean())) / 2


@check("least squares")
def shrinkage_factor(identity, draw):
    at = draw({"Delta": (0.3, 1.0)} | {f"y_{i}": (-3.0, 3.0) for i in range(1, 6)})
    step = float(at["Delta"])
    y = np.array([float(at[f"y_{i}"]) for i in range(1, 6)])
    z = np.round(y / step)
    best = np.linalg.lstsq(step * z[:, None], y, rcond=None)[0]
    numbers = {"Delta": at["Delta"], "i": mp.mpf(float(y @ z)), "n": mp.mpf(float(z @ z))}
    return value(identity.right, numbers), best


@check("loss set equal to the limit, solved numerically")
def water_filling_start(identity, draw):
    at = draw(
        {f"v_{i}": (0.3, 2.0) for i in (1, 2, 3)} | {f"ell_{i}": (0.5, 1.5) for i in (1, 2, 3)}, R=(2.0, 4.0)
    )
    products = [at[f"v_{i}"] * at[f"ell_{i}"] ** 2 for i in (1, 2, 3)]

    def excess(log_c):  # rate of the limit at loss c^2/12, less R
        loss = mp.exp(2 * log_c) / 12
        return sum(mp.log(p / loss, 2) / 2 for p in products) / 3 - at["R"]

    root = mp.findroot(excess, (mp.mpf(-8), mp.mpf(4)), solver="anderson", tol=1e-40, verify=False)
    return value(identity.right, at), root


def _rng(draw):
    return np.random.default_rng(int(draw(seed=(1, 10_000))["seed"]))


@check("gradient of the mean squared error over drawn inputs, by finite differences", 1e-6)
def drift_target(identity, draw):
    rng = _rng(draw)
    seen = rng.normal(size=(50, 2)) @ np.array([[1.0, 0.4], [0.0, 0.8]])
    clean = seen + 0.2 * rng.normal(size=(50, 2))
    stream = 0.3 * rng.normal(size=50)
    w, u, damping = rng.normal(size=2), rng.normal(size=2), 0.05

    def loss(row):
        error = stream + clean @ w - seen @ row
        return np.mean(error**2) + damping * np.sum((w - row) ** 2)

    step = 1e-4 * np.eye(2)
    gradient = np.array([(loss(u + h) - loss(u - h)) / 2e-4 for h in step])
    cross, residual = clean.T @ seen / 50, stream @ seen / 50
    lower = np.linalg.cholesky(seen.T @ seen / 50 + damping * np.eye(2))
    at = {"delta": damping, "l_11": lower[0, 0], "l_21": lower[1, 0], "l_22": lower[1, 1]}
    at |= {f"w_1{i + 1}": w[i] for i in range(2)} | {f"u_1{i + 1}": u[i] for i in range(2)}
    at |= {f"r_1{i + 1}": residual[i] for i in range(2)}
    at |= {f"s_{i + 1}{j + 1}": cross[i, j] for i in range(2) for j in range(2)}
    return value(identity.right, {name: mp.mpf(float(entry)) for name, entry in at.items()}), gradient


def _rescaling(draw):
    """Codes, moments and scales, with the loss as a function of the scales."""
    rng = _rng(draw)
    codes = rng.integers(1, 5, size=(2, 2)).astype(float)
    root = rng.normal(size=(2, 2))
    second, cross = root @ root.T + np.eye(2), rng.normal(size=(2, 2))
    t, g = rng.uniform(0.5, 1.5, 2), rng.uniform(0.5, 1.5, 2)

    def loss(rows, columns):
        restored = np.diag(rows) @ codes @ np.diag(columns)
        return np.trace(restored @ second @ restored.T - 2 * cross @ restored.T)

    at = {f"t_{i + 1}": t[i] for i in range(2)} | {f"g_{i + 1}": g[i] for i in range(2)}
    for name, matrix in (("z", codes), ("m", cross), ("s", second)):
        at |= {f"{name}_{i + 1}{j + 1}": matrix[i, j] for i in range(2) for j in range(2)}
    return {name: mp.mpf(float(entry)) for name, entry in at.items()}, t, g, loss


@check("gradient of the loss by finite differences", 1e-6)
def rescaler_columns(identity, draw):
    at, t, g, loss = _rescaling(draw)
    step = 1e-4 * np.eye(2)
    return value(identity.right, at), [(loss(t, g + h) - loss(t, g - h)) / 4e-4 for h in step]


@check("numerical minimisation of the loss over the row scales", 1e-6)
def rescaler_rows(identity, draw):
    at, _, g, loss = _rescaling(draw)
    best = optimize.minimize(lambda rows: loss(rows, g), np.ones(2), tol=1e-14, method="BFGS").x
    return value(identity.right, at), best
