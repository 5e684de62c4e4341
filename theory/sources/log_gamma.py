"""The logarithm of the gamma function to some 35 digits.

Densities raise a law's scale to a high power (beta up to 50 and more) or subtract logarithms of gamma
functions of nearly equal arguments (Student's t with 1e8 degrees of freedom loses nine digits).  A constant
that is computed once may as well be right to the last bit, so it is computed in decimal arithmetic.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

__all__ = ["DIGITS", "log_gamma"]

DIGITS = 40
# Stirling's series is used from here on: its 15th term is then below 1e-37.  Tenfold larger only costs time.
_LARGE = 40
_LOG_TWO_PI = Decimal("1.837877066409345483560659472811235279722794947275566825634")
# B_2k, k = 1 ... 14 (Abramowitz and Stegun 23.1.1).
_BERNOULLI = (
    (1, 6),
    (-1, 30),
    (1, 42),
    (-1, 30),
    (5, 66),
    (-691, 2730),
    (7, 6),
    (-3617, 510),
    (43867, 798),
    (-174611, 330),
    (854513, 138),
    (-236364091, 2730),
    (8553103, 6),
    (-23749461029, 870),
)


def log_gamma(x: Decimal) -> Decimal:
    """Return ln Gamma(x) for x > 0, by recurrence to large x and Stirling's series there."""
    with localcontext() as context:
        context.prec = DIGITS + 5
        product = Decimal(1)
        while x < _LARGE:
            product *= x
            x += 1
        series = (x - Decimal("0.5")) * x.ln() - x + _LOG_TWO_PI / 2
        power, inverse_square = 1 / x, 1 / (x * x)
        for k, (numerator, denominator) in enumerate(_BERNOULLI, start=1):
            series += power * numerator / (denominator * 2 * k * (2 * k - 1))
            power *= inverse_square
        return series - product.ln()
