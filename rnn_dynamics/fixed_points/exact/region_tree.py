"""Which sequences of regions can hold a cycle: a branch and bound that discards most of them many at a time.

Write z = C h + d = r - s with r, s >= 0, so that relu(z) = r where one of r_j, s_j is 0. A region says which: s_j = 0
if unit j is on, r_j = 0 if it is off. Without that, what is left of a p-cycle,

    h_(i+1) = A h_i + V r_i + c,    C h_i + d = r_i - s_i,    r_i, s_i >= 0

is a system of linear inequalities. If it has no solution with some units decided, then none of the sequences of
regions that agree with them holds a cycle. So units are decided one by one, always the one that the present solution
violates most, until all are decided or no solution is left. Of the p rotations of a cycle one is enough: that in which
h_0 lies furthest along some direction, which adds p - 1 linear inequalities.
"""

from typing import NamedTuple

import numpy as np

from .dual_simplex import System, Tables, begun, settled
from .piecewise_linear import Net

# where the equations determine the states worse than this, they are left free
FREE = 0.05
# a cycle may be this much behind its rotations and still be the one that is looked for, since a fixed point is its own
BEHIND = 1e-6
# how many numbers there are in the tables that are treated at once
NUMBERS = 1_000_000


class Tree(NamedTuple):
    """The sequences of regions that may hold a cycle.

    Attributes:
        regions: Which kinks are on, (sequences, p, m).
        nodes: How many sets of sequences were examined.
        complete: Whether all others were excluded.
    """

    regions: np.ndarray
    nodes: int
    complete: bool


def possible_regions(net: Net, period: int, limit: int) -> Tree:
    """Return the sequences of `period` regions that may hold a cycle, having examined at most `limit` sets of them."""
    pairs = period * len(net.d)
    if not pairs:
        return Tree(np.zeros((1, period, 0), bool), 1, complete=True)
    if limit < 1:
        return Tree(np.zeros((0, period, len(net.d)), bool), 0, complete=False)
    system, closed = inequalities(net, period)
    tables, possible = settled(system, begun(system, closed[None]))
    chunk = min(max(NUMBERS // tables.table[0].size, 16), 1024)
    stack, found, nodes = [tables.at(possible)], [np.zeros((0, pairs), bool)], 1
    while stack:
        tables = stack.pop()
        if len(tables.table) > chunk:
            stack.append(tables.at(np.arange(chunk, len(tables.table))))
            tables = tables.at(np.arange(chunk))
        off, on = halves_of(tables.closed, tables, pairs)
        decided = (off | on).all(axis=1)
        found.append(on[decided])
        tables = tables.at(~decided)
        if not len(tables.table):
            continue
        if nodes + 2 * len(tables.table) > limit:
            return Tree(_sequences(found, period), nodes, complete=False)
        nodes += 2 * len(tables.table)
        children, possible = settled(system, branched(tables, pairs))
        stack.append(children.at(possible))
    return Tree(_sequences(found, period), nodes, complete=True)


def _sequences(found: list[np.ndarray], period: int) -> np.ndarray:
    """Return all that were found as (sequences, p, m)."""
    joined = np.concatenate(found)
    return joined.reshape(len(joined), period, joined.shape[1] // period)


def branched(tables: Tables, pairs: int) -> Tables:
    """Decide one more kink of each: off (r = 0) in the first half of what is returned, on (s = 0) in the second."""
    r, s = halves_of(tables.values(), tables, pairs)
    off, on = halves_of(tables.closed, tables, pairs)
    violation = np.minimum(r, s)
    score = np.where(violation > 1e-9, 1e9 * violation, np.abs(r - s))
    kink = np.argmax(np.where(off | on, -1.0, score), axis=1)
    one, halves = np.arange(len(kink)), []
    for label in (kink, kink + tables.columns.shape[1]):
        half = Tables(*(part.copy() for part in tables))
        half.closed[one, label] = True
        halves.append(half)
    return Tables(*(np.concatenate(parts) for parts in zip(*halves, strict=True)))


def halves_of(numbers: np.ndarray, tables: Tables, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what belongs to r and what belongs to s of one number for each variable."""
    first = tables.columns.shape[1]
    return numbers[:, :pairs], numbers[:, first : first + pairs]


def inequalities(net: Net, period: int) -> tuple[System, np.ndarray]:
    """Return the system of all p steps, and which of its variables are 0 from the start.

    Its columns are r and the parts w of the states that the equations leave free (as a difference of two), its rows
    are s, the equations of those parts, and the p - 1 inequalities that choose one rotation.
    """
    (n, m), p = net.V.shape, period
    steps = np.kron(np.roll(np.eye(p), 1, axis=1), np.eye(n)) - np.kron(np.eye(p), net.A)
    left, sizes, right = np.linalg.svd(steps)
    kept = sizes > FREE * max(sizes[0], 1.0)
    drive = left.T @ np.concatenate([np.kron(np.eye(p), net.V), np.tile(net.c, p)[:, None]], axis=1)
    states = np.concatenate(  # H = states · (r, w, 1)
        [right[kept].T @ (drive[kept, :-1] / sizes[kept, None]), right[~kept].T], axis=1
    )
    offset = right[kept].T @ (drive[kept, -1] / sizes[kept])
    free = np.concatenate([drive[~kept, :-1], -np.diag(sizes[~kept])], axis=1)
    direction = np.random.default_rng(0).normal(size=n)
    ahead = np.kron(np.concatenate([np.ones((p - 1, 1)), -np.eye(p - 1)], axis=1), direction)
    kinks = np.kron(np.eye(p), net.C)
    identity = np.eye(p * m, states.shape[1])
    T = np.concatenate([identity - kinks @ states, free, ahead @ states])
    t = np.concatenate([-kinks @ offset - np.tile(net.d, p), drive[~kept, -1], ahead @ offset + BEHIND])
    T = np.concatenate([T, -T[:, p * m :]], axis=1)
    return System(T, t), _closed_from_the_start(p * m, T.shape, len(free))


def _closed_from_the_start(pairs: int, shape: tuple[int, int], equations: int) -> np.ndarray:
    closed = np.zeros(sum(shape), bool)
    first = shape[1] + pairs
    closed[first : first + equations] = True
    return closed
