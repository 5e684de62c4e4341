"""Numeric checks of moments and entropies, all by quadrature of the density."""

from __future__ import annotations

import mpmath as mp

from .checking import check, value
from .laws import even, generalised, integral, laplace, logistic, normal, student


def _moments(density, a, b, *breaks):
    return [integral(lambda y, k=k: y**k * density(y), a, *breaks, b) for k in range(3)]


@check("quadrature")
def gaussian_partial_moments(identity, draw):
    at = draw(a=(-2.0, 0.0), b=(0.5, 3.0), sigma=(0.5, 2.0))
    return value(identity.right, at), _moments(lambda y: normal(y, at["sigma"]), at["a"], at["b"])


@check("quadrature")
def laplace_variance(identity, draw):
    at = draw(s=(0.5, 2.0))
    return value(identity.right, at), even(lambda y: y**2 * laplace(y, at["s"]), 2, 10)


@check("quadrature")
def laplace_partial_moments(identity, draw):
    at = draw(a=(0.1, 1.0), b=(1.5, 4.0), s=(0.5, 2.0))
    return value(identity.right, at), _moments(lambda y: laplace(y, at["s"]), at["a"], at["b"])


@check("quadrature")
def laplace_crossing_moments(identity, draw):
    at = draw(a=(0.1, 1.0), b=(1.5, 4.0), s=(0.5, 2.0))
    return value(identity.right, at), _moments(lambda y: laplace(y, at["s"]), -at["a"], at["b"], 0)


@check("finite difference of the incomplete beta function of mpmath", 1e-10)
def student_t_tail(identity, draw):
    at = draw(nu=(2.5, 12.0), x=(0.3, 4.0))

    def tail(y):
        return mp.betainc(at["nu"] / 2, 0.5, 0, at["nu"] / (at["nu"] + y**2), regularized=True) / 2

    step = mp.mpf("1e-6")
    return value(identity.right, at), (tail(at["x"] + step) - tail(at["x"] - step)) / (2 * step)


@check("quadrature of the variance", 1e-10)
def student_t_unit_variance_scale(identity, draw):
    at = draw(m=(2.0, 10.0))
    second = even(lambda y: y**2 * student(y, at["m"] + 2), 2, 20, 1000)
    return value(identity.right, at), 1 / mp.sqrt(second)


@check("quadrature", 1e-8)
def student_t_absolute_moment(identity, draw):
    at = draw(k=(0.5, 3.0), e=(2.0, 6.0))
    return value(identity.right, at), even(
        lambda y: y ** at["k"] * student(y, at["k"] + at["e"]), 1, 20, 1000
    )


@check("quadrature")
def student_t_first_moment(identity, draw):
    at = draw(nu=(1.5, 10.0), a=(-1.0, 0.5), b=(1.0, 5.0))
    return value(identity.right, at), _moments(lambda y: student(y, at["nu"]), at["a"], at["b"])[1]


@check("the density itself, times the square")
def student_t_truncation(identity, draw):
    at = draw(m=(0.1, 10.0), x=(0.2, 6.0))
    return value(identity.right, at), at["x"] ** 2 * student(at["x"], at["m"] + 2)


@check("quadrature", 1e-8)
def generalised_gaussian_absolute_moment(identity, draw):
    at = draw(k=(0.5, 3.0), beta=(0.8, 3.0), s=(0.5, 2.0))
    return value(identity.right, at), even(
        lambda y: y ** at["k"] * generalised(y, at["beta"], at["s"]), 2, 10
    )


@check("finite difference of the incomplete gamma function of mpmath", 1e-10)
def generalised_gaussian_partial_moment(identity, draw):
    at = draw(k=(0, 2), beta=(0.8, 3.0), s=(0.5, 2.0), x=(0.3, 2.0))

    def antiderivative(y):
        lower = mp.gammainc((at["k"] + 1) / at["beta"], 0, (y / at["s"]) ** at["beta"])
        return at["s"] ** at["k"] * lower / (2 * mp.gamma(1 / at["beta"]))

    step = mp.mpf("1e-6")
    difference = (antiderivative(at["x"] + step) - antiderivative(at["x"] - step)) / (2 * step)
    return value(identity.right, at), difference


@check("quadrature of the variance", 1e-8)
def generalised_gaussian_unit_variance_scale(identity, draw):
    at = draw(beta=(0.8, 3.0))
    return value(identity.right, at), 1 / mp.sqrt(even(lambda y: y**2 * generalised(y, at["beta"], 1), 2, 10))


def _entropy(density, *breaks):
    return even(lambda y: -density(y) * mp.log(density(y)), *breaks)


@check("quadrature")
def entropy_gaussian(identity, draw):
    at = draw(sigma=(0.5, 2.0))
    # beyond 30 the integrand is below 1e-90, and its logarithm would overflow at infinity
    integrand = lambda y: -normal(y, at["sigma"]) * mp.log(normal(y, at["sigma"]))  # noqa: E731
    return value(identity.right, at), 2 * integral(integrand, 0, 3, 30)


@check("quadrature")
def entropy_laplace(identity, draw):
    at = draw(s=(0.5, 2.0))
    integrand = lambda y: -laplace(y, at["s"]) * mp.log(laplace(y, at["s"]))  # noqa: E731
    return value(identity.right, at), 2 * integral(integrand, 0, 10, 200)


@check("quadrature", 1e-8)
def entropy_generalised_gaussian(identity, draw):
    at = draw(beta=(0.8, 3.0), s=(0.5, 2.0))
    law = lambda y: generalised(y, at["beta"], at["s"])  # noqa: E731
    end = at["s"] * 60 ** (1 / at["beta"])  # the density there is e^-60 of its height
    return value(identity.right, at), 2 * integral(lambda y: -law(y) * mp.log(law(y)), 0, end / 8, end)


@check("quadrature", 1e-8)
def entropy_student_t(identity, draw):
    at = draw(nu=(4.0, 12.0))
    return value(identity.right, at), _entropy(lambda y: student(y, at["nu"]), 2, 20, 1000)


@check("quadrature")
def entropy_logistic(identity, draw):
    at = draw(s=(0.5, 2.0))
    integrand = lambda y: -logistic(y, at["s"]) * mp.log(logistic(y, at["s"]))  # noqa: E731
    return value(identity.right, at), 2 * integral(integrand, 0, 10, 150)
