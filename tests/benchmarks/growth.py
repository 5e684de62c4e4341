"""How the cost of designs, encoding and exact k-means grows, with the fitted exponent."""

import numpy as np

from bitlaw.theory import Empirical, Laplace, entropy_constrained, evaluate, globally_optimal, lloyd_max
from tests.benchmarks.timing import seconds

TITLE = "Growth: seconds by size, and the exponent fitted over the upper half"


def exponent(sizes, times):
    """Slope of log time against log size over the larger half of the sizes."""
    half = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[half:]), np.log(times[half:]), 1)[0])


def sweep(name, sizes, call):
    """Time `call(size)()` for each size; one row."""
    times = [seconds(call(size), repeats=3) for size in sizes]
    row = {"what": name, "sizes": f"{sizes[0]} .. {sizes[-1]}", "exponent": exponent(sizes, times)}
    return row | {"first s": times[0], "last s": times[-1]}


def run():
    """Rows of the table."""
    data = np.random.default_rng(0).laplace(size=1 << 22)
    source = Laplace()
    quantiser = lloyd_max(source, 16)
    levels = [1 << k for k in range(4, 17, 2)]
    counts = [1 << k for k in range(12, 23, 2)]

    def best(n):
        law = Empirical(data[:n])
        return lambda: globally_optimal(law, 16)

    def evaluation(n):
        design = lloyd_max(source, n)
        return lambda: evaluate(design, source)

    def by_levels(k):
        law = Empirical(data[: 1 << 18])
        return lambda: globally_optimal(law, k)

    return [
        sweep("Lloyd-Max design, by levels", levels, lambda n: lambda: lloyd_max(source, n)),
        sweep("evaluate, by levels", levels, evaluation),
        sweep(
            "entropy-constrained design, by 2^rate",
            [1 << k for k in range(1, 11)],
            lambda n: lambda: entropy_constrained(source, rate=float(np.log2(n))),
        ),
        sweep("Empirical (sort and sums), by data", counts, lambda n: lambda: Empirical(data[:n])),
        sweep("exact 16-level k-means, by data", counts[:5], best),
        sweep("exact k-means of 2^18 values, by levels", [4, 16, 64, 256], by_levels),
        sweep("encode, 16 codepoints, by data", counts, lambda n: lambda: quantiser.encode(data[:n])),
    ]
