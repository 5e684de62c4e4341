"""Write designs.json: optimal quantisers in 40-digit arithmetic, independent of the package.

Lloyd-Max by mpmath's multidimensional root finder on the centroid equations, entropy-constrained Gaussian
designs by alternation followed by the root finder on the threshold equations and the rate, and the Laplace ones
from the equations of Sullivan (1996), where equal steps outside the dead zone make the sums geometric.

Run from this folder: `python make_designs.py` (about a minute).
"""

import itertools
import json
from pathlib import Path

import mpmath as mp

mp.mp.dps = 40
SQRT2 = mp.sqrt(2)


def normal_moments(a, b):
    """Mass, first and second moment of the standard normal law over (a, b), 0 <= a < b."""

    def density(x):
        return mp.mpf(0) if mp.isinf(x) else mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)

    def tail(x):
        return mp.mpf(0) if mp.isinf(x) else mp.erfc(x / SQRT2) / 2

    def edge(x):
        return mp.mpf(0) if mp.isinf(x) else x * density(x)

    mass = tail(a) - tail(b)
    return mass, density(a) - density(b), mass + edge(a) - edge(b)


def laplace_moments(a, b):
    """The same for the Laplace law of unit variance."""
    s = 1 / SQRT2

    def e(x):
        return mp.mpf(0) if mp.isinf(x) else mp.exp(-x / s) / 2

    def first(x):
        return mp.mpf(0) if mp.isinf(x) else (x + s) * e(x)

    def second(x):
        return mp.mpf(0) if mp.isinf(x) else (x * x + 2 * s * x + 2 * s * s) * e(x)

    return e(a) - e(b), first(a) - first(b), second(a) - second(b)


def student_moments(a, b):
    """The same for Student-t with 5 degrees of freedom and unit variance, by quadrature."""
    nu, scale = mp.mpf(5), mp.sqrt(mp.mpf(3) / 5)
    constant = mp.gamma((nu + 1) / 2) / (mp.sqrt(nu * mp.pi) * mp.gamma(nu / 2)) / scale

    def density(x):
        return constant * (1 + (x / scale) ** 2 / nu) ** (-(nu + 1) / 2)

    return tuple(mp.quad(lambda x, k=k: x**k * density(x), [a, b]) for k in range(3))


def half_edges(q, odd):
    """Borders of the cells of the positive codepoints q of a symmetric quantiser."""
    first = q[0] / 2 if odd else mp.mpf(0)
    return [first, *[(x + y) / 2 for x, y in itertools.pairwise(q)], mp.inf]


def lloyd_max(moments, levels):
    """Positive codepoints and the distortion."""
    half, odd = levels // 2, levels % 2 == 1
    q = [mp.mpf(3) * (i + mp.mpf(1) / 2 + (mp.mpf(1) / 2 if odd else 0)) / (half + 1) for i in range(half)]

    def centroids(points):
        edges = half_edges(points, odd)
        cells = [moments(a, b) for a, b in itertools.pairwise(edges)]
        return [m[1] / m[0] for m in cells]

    for _ in range(60):
        q = centroids(q)

    def equations(*points):
        return [c - p for c, p in zip(centroids(list(points)), points, strict=True)]

    q = list(mp.findroot(equations, q, tol=mp.mpf(10) ** -60))
    edges = half_edges(q, odd)
    cells = [moments(a, b) for a, b in itertools.pairwise(edges)]
    distortion = sum(m[2] - 2 * p * m[1] + p * p * m[0] for m, p in zip(cells, q, strict=True))
    if odd:
        distortion += moments(mp.mpf(0), edges[0])[2]
    return q, 2 * distortion


def entropy_constrained_normal(rate):
    """Distortion and slope at an entropy, symmetric with a cell centred on zero, tails cut beyond 12 sigma."""
    step = mp.mpf(2) ** (mp.mpf("2.0471") - rate)
    t = [step * (i + mp.mpf(1) / 2) for i in range(int(mp.ceil(12 / step)))]

    def cells(t):
        edges = [mp.mpf(0), *t, mp.inf]
        m = [normal_moments(a, b) for a, b in itertools.pairwise(edges)]
        q = [mp.mpf(0)] + [x[1] / x[0] for x in m[1:]]
        p = [2 * m[0][0]] + [x[0] for x in m[1:]]
        return m, q, p

    def entropy(t):
        _, _, p = cells(t)
        return -p[0] * mp.log(p[0], 2) - 2 * sum(x * mp.log(x, 2) for x in p[1:])

    def equations(*unknown):
        t, slope = list(unknown[:-1]), unknown[-1]
        _, q, p = cells(t)
        lengths = [-mp.log(x, 2) for x in p]
        rows = [
            (x - q[i]) ** 2 - (x - q[i + 1]) ** 2 + slope * (lengths[i] - lengths[i + 1])
            for i, x in enumerate(t)
        ]
        return [*rows, entropy(t) - rate]

    slope = step**2 * mp.log(2) / 6
    for _ in range(200):  # alternate thresholds and centroids, the slope nudged towards the rate
        _, q, p = cells(t)
        lengths = [-mp.log(x, 2) for x in p]
        t = [
            (q[i] + q[i + 1]) / 2 + slope * (lengths[i + 1] - lengths[i]) / (2 * (q[i + 1] - q[i]))
            for i in range(len(t))
        ]
        slope *= mp.e ** (mp.mpf("0.3") * (entropy(t) - rate))
    solved = list(mp.findroot(equations, [*t, slope], tol=mp.mpf(10) ** -50, maxsteps=60))
    m, q, _ = cells(solved[:-1])
    distortion = 2 * sum(x[2] - 2 * c * x[1] + c * c * x[0] for x, c in zip(m, q, strict=True))
    return distortion, solved[-1]


def entropy_constrained_laplace(rate):
    """Distortion and slope from the closed equations of the memoryless tail."""
    s = 1 / SQRT2

    def parts(dead, step):
        ratio = mp.exp(-step / s)
        offset = s - step * ratio / (1 - ratio)
        centre, tail = 1 - mp.exp(-dead / s), mp.exp(-dead / s)
        slope = ((step - offset) ** 2 - offset**2) / (step / (s * mp.log(2)))
        lengths = -mp.log(centre, 2), -mp.log(tail * (1 - ratio) / 2, 2)
        entropy = centre * lengths[0] + tail * (lengths[1] - mp.log(ratio, 2) * ratio / (1 - ratio))
        return offset, centre, tail, slope, lengths, entropy

    def equations(dead, step):
        offset, _, _, slope, lengths, entropy = parts(dead, step)
        return [dead**2 - offset**2 + slope * (lengths[0] - lengths[1]), entropy - rate]

    guess = 2 ** (mp.log(2 * mp.e * s, 2) - rate)
    dead, step = mp.findroot(equations, [mp.mpf("0.7") * guess, guess], tol=mp.mpf(10) ** -60)
    offset, _, tail, slope, _, _ = parts(dead, step)
    ratio = mp.exp(-step / s)
    cell = 2 * s * s - (step * step + 2 * s * step + 2 * s * s) * ratio  # second moment about the near edge
    cell_mean = s - (step + s) * ratio
    one = (cell - 2 * offset * cell_mean + offset**2 * (1 - ratio)) / (1 - ratio)
    centre_error = 2 * laplace_moments(mp.mpf(0), dead)[2]
    return centre_error + tail * one, slope


def main():
    """Write every row."""

    def text(x):
        return mp.nstr(x, 25)

    laws = {"Normal()": normal_moments, "Laplace()": laplace_moments, "StudentT(5)": student_moments}
    rows = []
    for name, moments in laws.items():
        for levels in (2, 3, 4, 5, 8) if name == "StudentT(5)" else (2, 3, 4, 5, 7, 8, 16, 24):
            q, distortion = lloyd_max(moments, levels)
            rows.append(
                {"law": name, "levels": levels, "positive": [text(x) for x in q], "D": text(distortion)}
            )
    constrained = []
    for name, solve in (("Normal()", entropy_constrained_normal), ("Laplace()", entropy_constrained_laplace)):
        for rate in ("0.25", "0.5", "1", "1.5", "2", "3", "5") if name == "Laplace()" else ("0.5", "1", "2"):
            distortion, slope = solve(mp.mpf(rate))
            constrained.append({"law": name, "rate": rate, "D": text(distortion), "slope": text(slope)})
    target = Path(__file__).with_name("designs.json")
    target.write_text(json.dumps({"lloyd_max": rows, "entropy_constrained": constrained}, indent=1) + "\n")


if __name__ == "__main__":
    main()
