"""Write sources.json: partial moments, probabilities, quantiles and entropies of the laws, by mpmath.

    python tests/reference/make_sources.py

Everything here is independent of the package: moments of upper tails in closed form (error function,
incomplete gamma and beta functions, dilogarithm) with 100 digits, so that differences of tails and shifts of
the reference point may cancel sixty of them; Student's t with 1,000 degrees of freedom and more by numerical
quadrature with 40 digits.  A part of the closed-form rows is repeated by quadrature, and the script stops if
the two differ.  All arguments are exact doubles, written as hexadecimal floats; results have 20 digits.  It
runs for two minutes on one core.
"""

from __future__ import annotations

import json
from pathlib import Path

import mpmath as mp
from mpmath.calculus.quadrature import GaussLegendre

mp.mp.dps = 100
HALF = mp.mpf(1) / 2
INF = mp.inf


class Law:
    """A symmetric law of zero mean; tail(k, x) is the k-th moment about 0 of (x, infinity), x >= 0."""

    def __init__(self, name, **parameters):
        self.name, self.parameters = name, parameters
        self.std = mp.mpf(parameters.get("std", 1.0))
        self.end = INF

    def moment(self, k, a, b):
        if a < 0 < b:
            return self.moment(k, 0, b) + self.moment(k, a, 0)
        if b <= 0:
            return (-1) ** k * self.moment(k, -b, -a)
        return self.tail(k, min(a, self.end)) - self.tail(k, min(b, self.end))

    def moments_about(self, a, b, c):
        """Moments 0, 1, 2 about c, from those about 0."""
        raw = [self.moment(k, a, b) for k in range(3)]
        return [raw[0], raw[1] - c * raw[0], raw[2] - 2 * c * raw[1] + c * c * raw[0]]

    def sf(self, x):
        return self.tail(0, x) if x >= 0 else 1 - self.tail(0, -x)

    def quantile(self, q):
        """x with sf(x) = q < 1/2: doubling, bisection, and at last Newton's method for log sf."""
        low = high = self.std
        while self.tail(0, high) > q:
            low, high = high, 2 * high
        while self.tail(0, low) < q:
            low, high = low / 2, low
        for _ in range(10):
            middle = (low + high) / 2
            low, high = (middle, high) if self.tail(0, middle) > q else (low, middle)
        x = low
        for _ in range(20):
            mass = self.tail(0, x)
            step = mp.log(mass / q) * mass / self.pdf(x)
            x += step
            if abs(step) < x * mp.mpf(10) ** -18:  # the next step would be its square
                return x
        raise ArithmeticError(f"no quantile of {self.name} at {q}")


class Normal(Law):
    def pdf(self, x):
        return mp.npdf(x, 0, self.std)

    def tail(self, k, x):
        s = self.std
        if x == INF:
            return mp.mpf(0)
        mass, density = mp.erfc(x / s / mp.sqrt(2)) / 2, s * s * self.pdf(x)
        return [mass, density, s * s * mass + x * density][k]

    def entropy(self):
        return mp.log(2 * mp.pi * mp.e * self.std**2, 2) / 2


class Laplace(Law):
    def pdf(self, x):
        s = self.std / mp.sqrt(2)
        return mp.exp(-abs(x) / s) / (2 * s)

    def tail(self, k, x):
        s = self.std / mp.sqrt(2)
        if x == INF:
            return mp.mpf(0)
        return mp.exp(-x / s) / 2 * [1, x + s, x * x + 2 * s * x + 2 * s * s][k]

    def entropy(self):
        return mp.log(mp.sqrt(2) * self.std * mp.e, 2)


class Logistic(Law):
    def pdf(self, x):
        s = self.std * mp.sqrt(3) / mp.pi
        return mp.sech(x / s / 2) ** 2 / (4 * s)

    def tail(self, k, x):
        s = self.std * mp.sqrt(3) / mp.pi
        if x == INF:
            return mp.mpf(0)
        z, decay = x / s, mp.exp(-x / s)
        mass, log = decay / (1 + decay), mp.log1p(decay)
        if k < 2:
            return [mass, s * (z * mass + log)][k]
        return s * s * (z * z * mass + 2 * (z * log - mp.polylog(2, -decay)))

    def entropy(self):
        return (mp.log(self.std * mp.sqrt(3) / mp.pi) + 2) / mp.log(2)


class Uniform(Law):
    def __init__(self, name, **parameters):
        super().__init__(name, **parameters)
        self.end = mp.sqrt(3) * self.std

    def pdf(self, x):
        return 1 / (2 * self.end) if abs(x) <= self.end else mp.mpf(0)

    def tail(self, k, x):
        x = min(x, self.end)
        return (self.end ** (k + 1) - x ** (k + 1)) / ((k + 1) * 2 * self.end)

    def quantile(self, q):
        return self.end * (1 - 2 * q)

    def entropy(self):
        return mp.log(2 * self.end, 2)


class StudentT(Law):
    def __init__(self, name, **parameters):
        super().__init__(name, **parameters)
        self.df = mp.mpf(parameters["df"])
        self.s = self.std * mp.sqrt((self.df - 2) / self.df)
        self.peak = mp.gamma((self.df + 1) / 2) / mp.gamma(self.df / 2) / mp.sqrt(self.df * mp.pi) / self.s

    def pdf(self, x):
        return self.peak * (1 + (x / self.s) ** 2 / self.df) ** (-(self.df + 1) / 2)

    def tail(self, k, x):
        # x^2 / df = s^2 (1 - t) / t turns the moment into an incomplete beta function of t.
        if x == INF:
            return mp.mpf(0)
        t = 1 / (1 + (x / self.s) ** 2 / self.df)
        size = self.peak * self.s * (self.s * mp.sqrt(self.df)) ** k * mp.sqrt(self.df) / 2
        return size * mp.betainc((self.df - k) / 2, mp.mpf(k + 1) / 2, 0, t)

    def entropy(self):
        half = (self.df + 1) / 2
        return (half * (mp.digamma(half) - mp.digamma(self.df / 2)) - mp.log(self.peak)) / mp.log(2)


class NearlyNormalT(StudentT):
    """Many degrees of freedom: 48-point Gauss-Legendre panels, directly about the asked point."""

    def moments_about(self, a, b, c):
        if a < 0 < b:
            low, high = self.moments_about(0, -a, -c), self.moments_about(0, b, c)
            return [high[k] + (-1) ** k * low[k] for k in range(3)]
        if b <= 0:
            return [(-1) ** k * m for k, m in enumerate(self.moments_about(-b, -a, -c))]
        with mp.workdps(40):
            total, edge = [mp.mpf(0)] * 3, mp.mpf(a)
            floor = self.pdf(edge) * mp.mpf(10) ** -45
            while edge < b and self.pdf(edge) > floor:
                end = min(mp.mpf(b), edge + 2 * self.s / (1 + edge / self.s / 4))
                for x, weight in self.rule.get_nodes(edge, end, 5, mp.mp.prec):
                    mass = weight * self.pdf(x)
                    total = [total[k] + mass * (x - c) ** k for k in range(3)]
                edge = end
            return total

    rule = GaussLegendre(mp.mp)

    def tail(self, k, x):
        return self.moments_about(x, INF, 0)[k]

    def quantile(self, q):
        with mp.workdps(40):
            return super().quantile(q)


class GeneralisedNormal(Law):
    def __init__(self, name, **parameters):
        super().__init__(name, **parameters)
        self.beta = mp.mpf(parameters["beta"])
        self.alpha = self.std * mp.sqrt(mp.gamma(1 / self.beta) / mp.gamma(3 / self.beta))

    def pdf(self, x):
        return (
            self.beta
            / (2 * self.alpha * mp.gamma(1 / self.beta))
            * mp.exp(-((abs(x) / self.alpha) ** self.beta))
        )

    def tail(self, k, x):
        if x == INF:
            return mp.mpf(0)
        y = (x / self.alpha) ** self.beta
        return self.alpha**k * mp.gammainc((k + 1) / self.beta, y) / (2 * mp.gamma(1 / self.beta))

    def entropy(self):
        return (1 / self.beta - mp.log(self.pdf(0))) / mp.log(2)


LAWS = [
    Normal("Normal", std=1.0),
    Normal("Normal", std=0.37),
    Laplace("Laplace", std=1.0),
    Laplace("Laplace", std=250.0),
    Logistic("Logistic", std=1.0),
    Uniform("Uniform", std=1.0),
    Uniform("Uniform", std=0.7),
    StudentT("StudentT", df=2.000001, std=1.0),
    StudentT("StudentT", df=2.1, std=1.0),
    StudentT("StudentT", df=3.0, std=1.0),
    StudentT("StudentT", df=7.0, std=1.9),
    StudentT("StudentT", df=18.5, std=1.0),
    StudentT("StudentT", df=90.0, std=1.0),
    NearlyNormalT("StudentT", df=1e4, std=1.0),
    NearlyNormalT("StudentT", df=1e8, std=1.0),
    GeneralisedNormal("GeneralisedNormal", beta=0.2, std=1.0),
    GeneralisedNormal("GeneralisedNormal", beta=0.5, std=1.0),
    GeneralisedNormal("GeneralisedNormal", beta=1.0, std=1.0),
    GeneralisedNormal("GeneralisedNormal", beta=1.5, std=0.2),
    GeneralisedNormal("GeneralisedNormal", beta=2.0, std=1.0),
    GeneralisedNormal("GeneralisedNormal", beta=4.3, std=1.0),
    GeneralisedNormal("GeneralisedNormal", beta=12.0, std=1.0),
    GeneralisedNormal("GeneralisedNormal", beta=50.0, std=1.0),
]

# Cells in units of the standard deviation: bulk, narrow, straddling, wide, remote, infinite.
CELLS = [
    (0.0, 0.5),
    (0.0, 1e-12),
    (1e-8, 0.2),
    (0.3, 0.3 + 1e-9),
    (2.0, 2.0 + 1e-12),
    (-1.7 - 1e-9, -1.7),
    (-0.2, 0.1),
    (-1e-10, 3e-10),
    (0.9, 2.1),
    (1.1, 1.3),
    (-5.0, 30.0),
    (-31.0, -30.0),
    (10.0, 10.01),
    (3.0, 9.0),
    (0.0, INF),
    (1.2, INF),
    (-INF, -2.5),
    (8.0, INF),
    (30.0, INF),
    (-0.5, INF),
    (-INF, INF),
    (40.0, 4e6),
    (1e5, INF),
]
# Cells that are also asked about a point far below, just above, and far above them.
OUTSIDE = [(0.3, 0.3 + 1e-9), (1.2, INF), (-0.2, 0.1)]
POINTS = [1e-10, 0.1, 0.7, 1.0, 1.3, 2.5, 6.0, 12.0, 30.0, 1e6]
QUANTILES = [1e-300, 1e-100, 1e-20, 1e-6, 0.01, 0.2, 0.3, 0.45, 0.5 - 1e-9]
LEAST = mp.mpf(10) ** -290  # results below are not asked for: doubles lose digits there


def double(x):
    return mp.mpf(float(x))


def text(x):
    return mp.nstr(x, 20, min_fixed=1, max_fixed=0)


def hexadecimal(x):
    return float(x).hex()


def absolute_moment(law, a, b, c):
    """Integral of |x - c| f over (a, b): what the first moment's error is measured against."""
    if not a < c < b:
        return abs(law.moments_about(a, b, c)[1])
    return law.moments_about(c, b, c)[1] - law.moments_about(a, c, c)[1]


def confirm(law, a, b, c, moments):
    """Stop unless quadrature gives the same second moment about c; only for cells one std wide at most."""
    if isinstance(law, NearlyNormalT) or b - a > law.std or (a < 0 < b):
        return
    with mp.workdps(30):
        unit = moments[2] / (b - a)  # mp.quad stops at an absolute error: ask for a number near 1
        again = mp.quad(lambda u: law.pdf(a + (b - a) * u) * (a + (b - a) * u - c) ** 2 / unit, [0, HALF, 1])
    if abs(again - 1) > mp.mpf(10) ** -12:
        raise ArithmeticError(f"{law.name} {law.parameters}: closed form and quadrature differ on ({a}, {b})")


def moment_rows(law):
    """Rows of lower, upper, about, the three moments, and the integral of |x - about| f."""
    for number, (low, high) in enumerate(CELLS):
        a = low if abs(low) == INF else double(low * law.std)
        b = high if abs(high) == INF else double(high * law.std)
        if law.pdf(max(a, -b, 0)) < LEAST:
            continue
        raw = law.moments_about(a, b, 0)
        if raw[0] < LEAST or raw[2] < LEAST:
            continue
        outside = [double(a - 3 * law.std), double(b + law.std / 8), double(50 * law.std)]
        points = [mp.mpf(0), double(raw[1] / raw[0])]
        points += [c for c in outside if (low, high) in OUTSIDE and abs(c) != INF]
        for c in points:
            moments = raw if c == 0 else law.moments_about(a, b, c)
            if number % 3 == 0 and a >= law.std / 100:
                confirm(law, a, b, c, moments)
            results = [*moments, absolute_moment(law, a, b, c)]
            yield [hexadecimal(a), hexadecimal(b), hexadecimal(c), *map(text, results)]


def point_rows(law):
    """Rows of x, density, its logarithm, P(X > x) and P(X <= x)."""
    for point in POINTS:
        x = double(point * law.std)
        density = law.pdf(x)
        tail = law.sf(x) if density > LEAST else mp.mpf(0)
        if tail > LEAST:
            yield [hexadecimal(x), *map(text, (density, mp.log(density), tail, 1 - tail))]


def quantile_rows(law):
    """Rows of q and x with P(X > x) = q."""
    for q in QUANTILES:
        yield [hexadecimal(q), text(law.quantile(mp.mpf(q)))]


def table(law):
    return {
        "law": law.name,
        "parameters": {key: hexadecimal(value) for key, value in law.parameters.items()},
        "entropy": text(law.entropy()),
        "moments": list(moment_rows(law)),
        "points": list(point_rows(law)),
        "quantiles": list(quantile_rows(law)),
    }


def main():
    tables = [table(law) for law in LAWS]
    path = Path(__file__).with_name("sources.json")
    path.write_text("[\n" + ",\n".join(map(as_text, tables)) + "\n]\n")
    print({key: sum(len(t[key]) for t in tables) for key in ("moments", "points", "quantiles")})


def as_text(entry):
    """JSON with one row of numbers on a line."""
    parts = []
    for key, value in entry.items():
        rows = isinstance(value, list)
        body = "[\n" + ",\n".join(json.dumps(row) for row in value) + "\n]" if rows else json.dumps(value)
        parts.append(f"{json.dumps(key)}: {body}")
    return "{\n" + ",\n".join(parts) + "\n}"


if __name__ == "__main__":
    main()
