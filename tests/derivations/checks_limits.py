"""Numeric checks of high-rate theory, bounds, water-filling, divergence and allocation."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import sympy as sp
from scipy import optimize

from .checking import check, value
from .laws import argmin, integral, laplace, normal

LN2 = mp.log(2)


def _uniform_quantiser(sigma, step):
    """Distortion and entropy of a uniform quantiser of a Gaussian, by sums over its cells."""
    cells = int(mp.ceil(9 * sigma / step))
    edges = [(k - mp.mpf(1) / 2) * step for k in range(cells + 2)]
    tails = [mp.erfc(edge / (sigma * mp.sqrt(2))) / 2 for edge in edges]
    heights = [sigma**2 * normal(edge, sigma) for edge in edges]
    distortion = entropy = mp.mpf(0)
    for k in range(cells + 1):
        share, q = (1 if k == 0 else 2), k * step
        mass = tails[k] - tails[k + 1]
        first = heights[k] - heights[k + 1]
        second = sigma**2 * mass + edges[k] * heights[k] - edges[k + 1] * heights[k + 1]
        distortion += share * (second - 2 * q * first + q**2 * mass)
        entropy -= share * mass * mp.log(mass, 2)
    return distortion, entropy


def _gaussian_entropy(sigma):
    """Differential entropy in bits, by quadrature."""
    return -2 * integral(lambda y: normal(y, sigma) * mp.log(normal(y, sigma), 2), 0, 3 * sigma, 15 * sigma)


@check("numerical minimisation of cell error plus slope times code length", 1e-9)
def equal_steps_rule(identity, draw):
    at = draw({"lambda": (0.05, 0.5)})
    best = argmin(lambda width: width**2 / 12 - at["lambda"] * mp.log(width, 2), mp.mpf("0.1"), mp.mpf(5))
    return value(identity.right, at), best**2


@check("fine uniform quantiser of a Gaussian, summed over its cells", 1e-4)
def high_rate_distortion(identity, draw):
    at = draw({"Delta": (0.01, 0.02)}, sigma=(1.3, 2.0))
    distortion, entropy = _uniform_quantiser(at["sigma"], at["Delta"])
    return value(identity.right, {"h": _gaussian_entropy(at["sigma"]), "H": entropy}), distortion


@check("entropy of a fine uniform quantiser of a Gaussian less its rate-distortion function", 1e-4)
def high_rate_gap(identity, draw):
    at = draw({"Delta": (0.01, 0.02)}, sigma=(1.3, 2.0))
    distortion, entropy = _uniform_quantiser(at["sigma"], at["Delta"])
    return value(identity.right, {}), entropy - mp.log(at["sigma"] ** 2 / distortion, 2) / 2


@check("distortion in dB against entropy, at a step and its half", 1e-4)
def high_rate_decibels_per_bit(identity, draw):
    at = draw({"Delta": (0.01, 0.02)}, sigma=(1.3, 2.0))
    coarse, fine = (_uniform_quantiser(at["sigma"], at["Delta"] / k) for k in (1, 2))
    return value(identity.right, {}), 10 * mp.log10(coarse[0] / fine[0]) / (fine[1] - coarse[1])


@check("cross-entropy of a Laplace error of mean square D, by quadrature")
def gaussian_maximises_entropy(identity, draw):
    at = draw(D=(0.2, 2.0))
    size, spread = mp.sqrt(at["D"] / 2), mp.sqrt(at["D"])
    log_normal = lambda y: -(y**2) / (2 * at["D"]) - mp.log(2 * mp.pi * at["D"]) / 2  # noqa: E731
    cross = -2 * integral(lambda y: laplace(y, size) * log_normal(y), 0, 5 * spread, 60 * spread)
    return value(identity.right, at), cross


@check("rate of the bound set equal to R, solved numerically")
def shannon_lower_bound(identity, draw):
    at = draw(R=(0.5, 4.0), s=(0.5, 2.0))
    law = lambda y: laplace(y, at["s"])  # noqa: E731
    h = -2 * integral(lambda y: law(y) * mp.log(law(y), 2), 0, 10, 150)

    def excess(distortion):
        return h - mp.log(2 * mp.pi * mp.e * distortion, 2) / 2 - at["R"]

    root = mp.findroot(excess, (mp.mpf("1e-4"), mp.mpf(20)), solver="anderson", tol=1e-40, verify=False)
    return value(identity.right, at | {"h": h}), root


@check("information of the test channel from entropies by quadrature, solved numerically")
def gaussian_rate_distortion(identity, draw):
    at = draw(R=(0.5, 4.0), sigma=(0.5, 2.0))
    source = _gaussian_entropy(at["sigma"])
    unit = _gaussian_entropy(mp.mpf(1))

    def excess(distortion):
        return source - (unit + mp.log(distortion, 2) / 2) - at["R"]

    root = mp.findroot(excess, (mp.mpf("1e-4"), at["sigma"] ** 2), solver="anderson", tol=1e-40, verify=False)
    return value(identity.right, at), root


@check("information of the test channel from entropies by quadrature")
def laplace_absolute_rate_distortion(identity, draw):
    at = draw(D=(0.1, 0.4), s=(0.5, 2.0))
    entropies = [
        -2 * integral(lambda y, k=k: laplace(y, k) * mp.log(laplace(y, k), 2), 0, 10 * k, 80 * k)
        for k in (at["s"], at["D"])
    ]
    return value(identity.right, at), entropies[0] - entropies[1]


def _fill(variances, mean_rate, weights=(1.0, 1.0, 1.0)):
    """Best rates of three components by a general constrained optimiser."""
    v, c = (np.array([float(entry) for entry in values]) for values in (variances, weights))
    found = optimize.minimize(
        lambda r: np.sum(c * v * 4.0**-r),
        np.full(3, float(mean_rate)),
        jac=lambda r: -2 * np.log(2) * c * v * 4.0**-r,
        bounds=[(0, None)] * 3,
        constraints={
            "type": "eq",
            "fun": lambda r: r.mean() - float(mean_rate),
            "jac": lambda r: np.full(3, 1 / 3),
        },
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return found.x, v * 4.0**-found.x


@check("constrained optimisation of three components (SLSQP)", 1e-5)
def water_filling_level(identity, draw):
    at = draw(v_1=(1.0, 2.0), v_2=(0.5, 1.0), v_3=(2.0, 3.0), R=(1.5, 3.0))
    _, distortions = _fill([at["v_1"], at["v_2"], at["v_3"]], at["R"])
    return [value(identity.right, at)] * 3, distortions


@check("constrained optimisation of three components (SLSQP)", 1e-5)
def water_filling_active(identity, draw):
    at = draw(v_1=(1.0, 2.0), v_2=(0.5, 1.0), v_3=(2.0, 3.0), R=(1.5, 3.0))
    variances = [at["v_1"], at["v_2"], at["v_3"]]
    rates, distortions = _fill(variances, at["R"])
    level = mp.mpf(float(distortions.mean()))
    return [value(identity.right, {"v": v, "w": level}) for v in variances], rates


@check("slope of the least distortion in a rate forced on an idle component (SLSQP)", 1e-5)
def water_filling_idle(identity, draw):
    at = draw(v_1=(1.0, 2.0), v_2=(2.0, 3.0), v_3=(0.01, 0.05), R=(0.3, 0.5))
    rates, distortions = _fill([at["v_1"], at["v_2"], at["v_3"]], at["R"])
    assert rates[2] < 1e-7
    level = (distortions[0] + distortions[1]) / 2
    forced = 1e-5  # taken from the two active components, so each loses half of it
    change = np.sum(distortions[:2] * (4.0 ** (forced / 2) - 1)) + float(at["v_3"]) * (4.0**-forced - 1)
    slope = 2 * LN2 * mp.mpf(float(level))
    return value(identity.right, {"lambda": slope, "v": at["v_3"]}), change / forced


@check("constrained optimisation of three weighted components (SLSQP)", 1e-5)
def water_filling_weighted(identity, draw):
    at = draw(
        v_1=(1.0, 2.0),
        v_2=(0.5, 1.0),
        v_3=(2.0, 3.0),
        c_1=(0.5, 1.0),
        c_2=(1.0, 2.0),
        c_3=(1.0, 2.0),
        R=(1.5, 3.0),
    )
    weights = [at[f"c_{i}"] for i in (1, 2, 3)]
    _, distortions = _fill([at["v_1"], at["v_2"], at["v_3"]], at["R"], weights)
    level = weights[0] * mp.mpf(float(distortions[0]))
    return [value(identity.right, {"w": level, "c": c}) for c in weights[1:]], distortions[1:]


CHANGE = mp.mpf("1e-6")  # of the parameters: third order is then a millionth of second order


@check("divergence of a change of 1e-6, times 1e12", 1e-5)
def kl_softmax(identity, draw):
    at = draw(
        e_1=(0.5, 2.0),
        e_2=(0.5, 2.0),
        e_3=(0.5, 2.0),
        delta_1=(-1.0, 1.0),
        delta_2=(-1.0, 1.0),
        delta_3=(-1.0, 1.0),
    )
    weights = [at[f"e_{i}"] for i in (1, 2, 3)]
    moved = [w * mp.exp(CHANGE * at[f"delta_{i}"]) for i, w in enumerate(weights, 1)]
    p, q = ([w / sum(ws) for w in ws] for ws in (weights, moved))
    divergence = sum(a * mp.log(a / b) for a, b in zip(p, q, strict=True))
    return value(identity.right, at), divergence / CHANGE**2


@check("divergence of a change of 1e-6 of a Poisson law, times 1e12", 1e-5)
def kl_exponential_family(identity, draw):
    at = draw(theta=(-0.5, 1.0), delta=(0.5, 1.0))

    def law(theta):
        mean = mp.exp(theta)
        return [mp.exp(-mean) * mean**k / mp.factorial(k) for k in range(60)]

    p, q = law(at["theta"]), law(at["theta"] + CHANGE * at["delta"])
    divergence = sum(a * mp.log(a / b) for a, b in zip(p, q, strict=True))
    return value(identity.right, at, {"A": sp.exp}), divergence / CHANGE**2


@check("divergence of a change of 1e-6, times 1e12", 1e-5)
def kl_general_family(identity, draw):
    at = draw(theta_1=(0.2, 1.0), theta_2=(0.2, 1.0), delta_1=(-1.0, 1.0), delta_2=(0.5, 1.0))
    shapes = {
        "p_1": lambda a, b: sp.sin(a) ** 2 * sp.cos(b) ** 2,
        "p_2": lambda a, b: sp.sin(a) ** 2 * sp.sin(b) ** 2,
    }

    def law(a, b):
        p = [mp.sin(a) ** 2 * mp.cos(b) ** 2, mp.sin(a) ** 2 * mp.sin(b) ** 2]
        return [*p, 1 - sum(p)]

    p = law(at["theta_1"], at["theta_2"])
    q = law(at["theta_1"] + CHANGE * at["delta_1"], at["theta_2"] + CHANGE * at["delta_2"])
    divergence = sum(a * mp.log(a / b) for a, b in zip(p, q, strict=True))
    return value(identity.right, at, shapes), divergence / CHANGE**2


def _allocate(shares, sensitivity, mean):
    n, s = (np.array([float(entry) for entry in values]) for values in (shares, sensitivity))
    found = optimize.minimize(
        lambda b: np.sum(n * s * 4.0**-b),
        np.full(3, float(mean)),
        jac=lambda b: -2 * np.log(2) * n * s * 4.0**-b,
        constraints={"type": "eq", "fun": lambda b: b @ n - float(mean), "jac": lambda b: n},
        method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 500},
    )
    return found.x, found.fun


@check("constrained optimisation of three tensors (SLSQP): bits less those of the first", 1e-5)
def optimal_bit_allocation(identity, draw):
    at = draw(f_1=(0.5, 2.0), f_2=(0.5, 2.0), f_3=(3.0, 6.0), r_1=(0.5, 2.0), r_2=(0.5, 2.0), r_3=(0.5, 2.0))
    fisher, rms = ([at[f"{name}_{i}"] for i in (1, 2, 3)] for name in "fr")
    bits, _ = _allocate((0.2, 0.5, 0.3), [f * r**2 for f, r in zip(fisher, rms, strict=True)], 2)
    common = {"varepsilon": mp.mpf(1), "mu": mp.mpf(1)}
    derived = [value(identity.right, common | {"f": f, "r": r}) for f, r in zip(fisher, rms, strict=True)]
    return [derived[1] - derived[0], derived[2] - derived[0]], bits[1:] - bits[0]


@check("constrained optimisation of three tensors (SLSQP)", 1e-5)
def allocation_gain(identity, draw):
    at = draw(s_1=(0.1, 0.3), s_2=(0.5, 2.0), s_3=(3.0, 6.0), n_1=(0.1, 0.4), n_2=(0.1, 0.4))
    shares = at["n_1"], at["n_2"], 1 - at["n_1"] - at["n_2"]
    sensitivity = at["s_1"], at["s_2"], at["s_3"]
    _, harm = _allocate(shares, sensitivity, 2)
    uniform = float(sum(n * s for n, s in zip(shares, sensitivity, strict=True))) / 16
    return value(identity.right, at), np.log2(uniform / harm) / 2  # harm falls fourfold a bit
