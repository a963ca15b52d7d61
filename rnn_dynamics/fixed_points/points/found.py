"""The distinct fixed points that a search knows so far, and where to look for others."""

import numpy as np

from .index import signs

# so many of the directions at a point along which f changes least are tried
SOFT = 6


class Found:
    """Distinct points: K of them, in float64.

    Two ends are one point here if no number differs by more than `near`: coarse, since a point that is lost by it is
    only a place to start from. `describe.py` merges the ends again, each with its own tolerance.

    Attributes:
        near: How far apart two points are at least.
        vectors: The points, (K, n).
        inputs: The input of each, (K,).
        sign: The index of each, (K,); 0 where it is not known, as on a line of points.
        soft: The directions along which f changes least, (K, SOFT, n), least first; zero rows if there are fewer.
    """

    def __init__(self, n: int, near: float) -> None:
        self.near = near
        self.vectors, self.inputs = np.zeros((0, n)), np.zeros(0, int)
        self.sign, self.soft = np.zeros(0, int), np.zeros((0, SOFT, n))

    def add(self, vectors: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Add those that are new and return their places among `vectors`."""
        new = []
        for i, (vector, of) in enumerate(zip(vectors, inputs, strict=True)):
            same = (self.inputs == of) & (np.max(np.abs(self.vectors - vector), axis=1) <= self.near)
            if not same.any():
                new.append(i)
                self.vectors, self.inputs = np.vstack([self.vectors, vector]), np.append(self.inputs, of)
        count, n = self.vectors.shape
        more = count - len(self.sign)
        self.sign = np.append(self.sign, np.zeros(more, int))
        self.soft = np.concatenate([self.soft, np.zeros((more, SOFT, n))])
        return np.array(new, int)

    def describe(self, places: np.ndarray, A: np.ndarray, eps: float) -> None:
        """Note what A = J - I says of some of the points."""
        finite = np.isfinite(A).all(axis=(1, 2))
        places, A = places[finite], A[finite]
        if len(places):
            _, sizes, right = np.linalg.svd(A)
            self.sign[places] = signs(A, sizes, eps)
            softest = right[:, ::-1][:, :SOFT]
            self.soft[places, : softest.shape[1]] = softest

    def drop_degenerate(self, since: int, largest: float) -> None:
        """Drop points whose index is not known from number `since` on that have a number larger than `largest`."""
        far = (self.sign == 0) & (np.max(np.abs(self.vectors), axis=1, initial=0) > largest)
        keep = ~far | (np.arange(len(far)) < since)
        self.vectors, self.inputs = self.vectors[keep], self.inputs[keep]
        self.sign, self.soft = self.sign[keep], self.soft[keep]

    def index_sums(self, inputs: int) -> np.ndarray:
        """Return the sum of the indices for each input."""
        return np.bincount(self.inputs, self.sign, minlength=inputs)

    def to_divide_out(self, of: int, most: int) -> np.ndarray:
        """Return the points of one input, but of those that may lie on a line at most so many."""
        here = self.inputs == of
        isolated, others = np.flatnonzero(here & (self.sign != 0)), np.flatnonzero(here & (self.sign == 0))
        return self.vectors[np.append(isolated, others[:most])]


def _scattered(first: int, count: int, n: int) -> np.ndarray:
    """Return `count` vectors of n numbers in -1 .. 1 that look random and are the same each time."""
    turns = np.arange(first + 1, first + count + 1)[:, None] * np.sqrt(2.0) * np.arange(1, n + 1) ** 1.5
    return np.asarray(np.cos(2 * np.pi * turns))


def starts(found: Found, candidates: np.ndarray, count: int, generation: int, scale: float) -> np.ndarray:
    """Return `count` states where to look for other points, from found points a, b, c.

        a + ξ,                ξ a fifth of the scale of the states
        a + (b - c) / 2
        u a + v b + w c,      -1 < u, v, w < 1
        a + s d,              d a direction along which f changes least at a
        a in some numbers, b or -b in the others

    in turn. The second looks among the points found, the third between them and the origin, the last outside the space
    that they span. Points are born in pairs along the direction of the fourth. Where fewer than three points are found,
    candidates take their place. Which are combined follows a sequence of low discrepancy (Roberts 2018), so that a
    search draws nothing and gives the same each time.
    """
    few = len(found.vectors) < 3
    pool = np.concatenate([found.vectors, candidates]) if few else found.vectors
    base = found.vectors if len(found.vectors) else candidates
    n = base.shape[1]
    # the root of x^7 = x + 1, which generates the sequence in six dimensions
    steps = 1.1127756842787055 ** -np.arange(1.0, 7.0)
    place = ((np.arange(count) + generation * count + 1)[:, None] * steps + 0.5) % 1.0
    i, j, k = np.floor(place[:, :3] * [len(base), len(pool), len(pool)]).astype(int).T
    a, b, c = base[i], pool[j], pool[k]
    u, v, w = (2 * place[:, 3:].T - 1)[..., None]
    noise = _scattered(generation * count, count, n)
    soft = found.soft[i, np.floor(place[:, 1] * SOFT).astype(int)] if len(found.vectors) else noise / np.sqrt(n / 2)
    kinds = (
        a + 0.2 * scale * np.sqrt(2.0) * noise,
        a + (b - c) / 2,
        u * a + v * b + w * c,
        a + np.where(u > 0, 1 + 5 * u, -1 + 5 * u) * scale * soft,
        np.where(noise > 0, a, np.sign(u) * b),
    )
    turn = (np.arange(count) + generation) % len(kinds)
    return np.asarray(np.select([(turn == kind)[:, None] for kind in range(len(kinds))], kinds))
