"""Slow plain oracles of the kernels beyond one dimension."""

import heapq
from itertools import product

import numpy as np

from bitlaw.theory.quantisers.lattices.golay import golay_words
from bitlaw.theory.quantisers.trellises.codes import _POLYNOMIALS


def parity_check_holds(states, codebooks, branches):
    """Whether h0(D) z0(D) + h1(D) z1(D) = 0 (mod 2) where all terms are inside the sequence."""
    h0, h1 = _POLYNOMIALS[states]
    memory = states.bit_length() - 1
    for n in range(memory, len(codebooks)):
        total = 0
        for i in range(memory + 1):
            total += ((h0 >> i) & 1) * codebooks[n - i] + ((h1 >> i) & 1) * branches[n - i]
        if total % 2:
            return False
    return True


def squared_free_distance(trellis):
    """Least squared distance between two paths that part and meet again, in steps of the union of codebooks.

    The code is linear, so one of the paths may be the one of zeros: Dijkstra's search for the other.
    """
    weight = {(0, 0): 0, (0, 1): 1, (1, 0): 4, (1, 1): 1}  # branch, codebook -> distance of D0 to its subset
    queue, done = [(4, int(trellis.next_state[0, 1]))], set()
    while True:
        distance, state = heapq.heappop(queue)
        if state == 0:
            return distance
        if state not in done:
            done.add(state)
            for branch in (0, 1):
                step = weight[branch, state & 1]
                heapq.heappush(queue, (distance + step, int(trellis.next_state[state, branch])))


def trellis_walk(quantiser, indices):
    """Codebooks visited, by stepping through the states one index at a time."""
    state, codebooks = 0, []
    for index in indices:
        codebook = state % 2
        codebooks.append(codebook)
        state = quantiser.trellis.next_state[state, quantiser.branches[codebook, index]]
    return codebooks


def trellis_cost(quantiser, x, indices):
    """Squared error + slope * bits of one sequence of indices."""
    cost = 0.0
    for value, codebook, index in zip(x, trellis_walk(quantiser, indices), indices, strict=True):
        cost += (value - quantiser.codepoints[codebook, index]) ** 2
        cost += quantiser.slope * quantiser.lengths[codebook, index]
    return cost


def best_trellis_cost(quantiser, x):
    """Least cost over all sequences of indices."""
    return min(trellis_cost(quantiser, x, i) for i in product(range(quantiser.levels), repeat=len(x)))


def shift_values(quantiser, symbols):
    """Codepoints of the windows, from a list of bits."""
    bits, values = [0] * quantiser.window, []
    for symbol in symbols:
        bits += [(symbol >> i) & 1 for i in reversed(range(quantiser.bits))]
        values.append(quantiser.codepoints[int("".join(map(str, bits[-quantiser.window :])), 2)])
    return np.array(values)


def best_shift_error(quantiser, x):
    """Least squared error over all sequences of symbols."""
    every = product(range(2**quantiser.bits), repeat=len(x))
    return min(float(np.sum((x - shift_values(quantiser, s)) ** 2)) for s in every)


def nearest_squared_distance(lattice, x):
    """Least squared distance over all lattice points in a box that holds the covering ball of x."""
    low = np.floor((x - lattice.covering_radius) / lattice.unit).astype(int)
    high = np.ceil((x + lattice.covering_radius) / lattice.unit).astype(int)
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    if lattice.name in ("A2", "E8"):
        parts = [_grid([axis[axis % 2 == parity] for axis in axes]) for parity in (0, 1)]
        points = np.concatenate(parts)
    else:
        points = _grid(axes)
    points = points[_in_lattice(lattice.name, points)]
    return float(((points * lattice.unit - x) ** 2).sum(axis=1).min())


def _grid(axes):
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def _in_lattice(name, points):
    if name == "Z":
        return np.ones(len(points), bool)
    if name == "A2":
        return (points[:, 0] - points[:, 1]) % 2 == 0
    if name == "D4":
        return points.sum(axis=1) % 2 == 0
    return _in_e8(points)


def _in_e8(points):
    same_parity = ((points - points[:, :1]) % 2 == 0).all(axis=1)
    return same_parity & (points.sum(axis=1) % 4 == 0)


def leech_squared_distance(x):
    """Least squared distance to the Leech lattice: every one of its 8192 translated checkerboards in turn."""
    t, best = x * 8**0.5, np.inf
    words = golay_words()
    for m in (0, 1):
        z = (t - m - 2 * words) / 4
        nearest = np.rint(z)
        error = np.abs(z - nearest)
        cost = (error**2).sum(axis=1)
        wrong = nearest.sum(axis=1) % 2 != m
        cost = np.where(wrong, cost + 1 - 2 * error.max(axis=1), cost)
        best = min(best, 16 * cost.min())
    return best / 8


def is_leech(k):
    """Membership by Conway and Sloane's definition, in units of 1/sqrt(8)."""
    m = int(k[0]) % 2
    if (k % 2 != m).any() or k.sum() % 8 != 4 * m:
        return False
    return (golay_words() == ((k - m) // 2) % 2).all(axis=1).any()


def rounding_index(codepoints, lengths, slope, x):
    """Costs of all codepoints for all values, and the least."""
    cost = (np.asarray(x)[:, None] - codepoints) ** 2 + slope * lengths
    return cost.min(axis=1)
