"""The distinct fixed points that a search knows so far, and how likely it is that there are others."""

import numpy as np


class Found:
    """Distinct points (K, n), the input of each, and how often starts that combine others have ended there.

    Two ends are one point here if no number differs by more than `near`: coarse, since a point that is lost by it is
    only a place to start from. `describe.py` merges the ends again, each with its own tolerance.
    """

    def __init__(self, n: int, near: float) -> None:
        self.near = near
        self.vectors, self.inputs = np.zeros((0, n)), np.zeros(0, int)
        self.met = np.zeros(0, int)

    def add(self, vectors: np.ndarray, inputs: np.ndarray, *, counted: bool = True) -> np.ndarray:
        """Add those that are new and return their places among `vectors`."""
        new = []
        for i, (vector, of) in enumerate(zip(vectors, inputs, strict=True)):
            same = (self.inputs == of) & (np.max(np.abs(self.vectors - vector), axis=1) <= self.near)
            if not same.any():
                new.append(i)
                self.vectors, self.inputs = np.vstack([self.vectors, vector]), np.append(self.inputs, of)
                self.met, same = np.append(self.met, 0), np.append(same, True)
            self.met[np.argmax(same)] += counted
        return np.array(new, int)

    def unseen(self) -> float:
        """Return the share of starts that ended at points met once, the estimate of Good (1953) of a new one's."""
        return float(np.sum(self.met == 1) / max(np.sum(self.met), 1))

    def displaced(self, of: int, count: int, otherwise: np.ndarray, by: float) -> np.ndarray:
        """Return `count` states near the points of one input; near other states if there are none."""
        near = self.vectors[self.inputs == of]
        near = near if len(near) else otherwise
        return near[np.arange(count) % len(near)] + by * np.sqrt(2.0) * _scattered(0, count, near.shape[1])


def _scattered(first: int, count: int, n: int) -> np.ndarray:
    """Return `count` vectors of n numbers in -1 .. 1 that look random and are the same each time."""
    turns = np.arange(first + 1, first + count + 1)[:, None] * np.sqrt(2.0) * np.arange(1, n + 1) ** 1.5
    return np.asarray(np.cos(2 * np.pi * turns))


def starts(found: Found, candidates: np.ndarray, count: int, generation: int) -> np.ndarray:
    """Return `count` combinations of found points, where to look for others.

        a + (b - c) / 2
        u a + v b + w c,   -1 < u, v, w < 1
        a in some numbers, b or -b in the others

    in turn. The first look among the points found, the second between them and the origin, the third outside the space
    that they span. Below three points, candidates take
    their place. Which are combined follows a sequence of low discrepancy (Roberts 2018), so that a search draws nothing
    and gives the same each time.
    """
    few = len(found.vectors) < 3
    pool = np.concatenate([found.vectors, candidates]) if few else found.vectors
    base = found.vectors if len(found.vectors) else candidates
    # the root of x^7 = x + 1, which generates the sequence in six dimensions
    steps = 1.1127756842787055 ** -np.arange(1.0, 7.0)
    place = ((np.arange(count) + generation * count + 1)[:, None] * steps + 0.5) % 1.0
    a, b, c = np.floor(place[:, :3] * [len(base), len(pool), len(pool)]).astype(int).T
    if generation % 3 == 0:
        return base[a] + (pool[b] - pool[c]) / 2
    u, v, w = (2 * place[:, 3:].T - 1)[..., None]
    if generation % 3 == 2:
        return np.where(_scattered(generation * count, count, base.shape[1]) > 0, base[a], np.sign(u) * pool[b])
    return u * base[a] + v * pool[b] + w * pool[c]
