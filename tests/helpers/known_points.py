"""Fixed points and branches that are known exactly, as the results that the searches would return."""

import numpy as np

from rnn_dynamics.fixed_points import Bifurcation, Branch, FixedPoints

GROWTH = 0.25


def cubic(growth, h, x):
    """One step of h' = h + growth · h (1 - h²): at rest where every number is -1, 0 or 1."""
    return h + growth * h * (1 - h**2)


def described(points, jacobians, *, fixed=True, undecided=False, outlier=False):
    """Points with these Jacobians, as a result; points may be a tree of arrays with a leading axis."""
    jacobians = np.asarray(jacobians, float)
    count, n = jacobians.shape[:2]
    values, right = np.linalg.eig(jacobians) if count else (np.zeros((0, n)), np.zeros((0, n, n)))
    order = np.argsort(-np.abs(values), axis=1, kind="stable")
    values = np.take_along_axis(values, order, axis=1).astype(complex)
    right = np.take_along_axis(right, order[:, None, :], axis=2).astype(complex)
    sizes = np.abs(values)
    flags = {
        name: np.broadcast_to(value, count).copy()
        for name, value in {"fixed": fixed, "undecided": undecided, "outlier": outlier}.items()
    }
    with np.errstate(divide="ignore"):
        time_constants = -1 / np.log(sizes)
    return FixedPoints(
        points=points,
        speed=np.where(flags["fixed"], 0.0, 1e-3),
        residual=np.where(flags["fixed"], 0.0, 1e-3),
        **flags,
        eigenvalues=values,
        right=right,
        left=np.conj(np.linalg.inv(right).transpose(0, 2, 1)) if count else right,
        stable=(sizes < 1).all(axis=1),
        unstable=(sizes > 1).sum(axis=1),
        margin=1 - sizes[:, 0] if count else np.zeros(0),
        margin_error=np.full(count, 1e-14),
        time_constants=time_constants,
        frequencies=np.abs(np.angle(values)) / (2 * np.pi),
        share=np.full(count, 1 / max(count, 1)),
        distance=np.zeros(count),
        dimension=np.zeros(count, int),
        manifold=np.full(count, -1),
        input=np.zeros(count, int),
        jacobians=jacobians,
        ending=np.full(100, 2),
        ended_at=np.arange(100) % max(count, 1),
    )


def of_cubic(n=2, **flags):
    """The 3^n fixed points of `cubic` with n numbers: one number at 0 is one unstable direction."""
    points = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * n, indexing="ij"), axis=-1).reshape(-1, n)
    jacobians = np.eye(n) * (1 + GROWTH * (1 - 3 * points**2))[:, None, :]
    return described(points, jacobians, **flags)


def branch(values, points, multipliers, bifurcations=(), *, period=1, parent=-1):
    """A branch with these multipliers, (S, n)."""
    sizes = np.abs(np.asarray(multipliers))
    undecided = (np.abs(sizes - 1) < 1e-9).any(axis=1)
    return Branch(
        values=np.asarray(values, float),
        points=np.asarray(points, float),
        multipliers=np.asarray(multipliers, complex),
        stable=(sizes < 1).all(axis=1) & ~undecided,
        undecided=undecided,
        unstable=(sizes > 1).sum(axis=1),
        residual=np.zeros(len(values)),
        bifurcations=tuple(bifurcations),
        period=period,
        ended="the last value was reached",
        parent=parent,
    )


def pitchfork():
    """Of h' = tanh(g h): 0, which is stable up to g = 1, and two stable branches from there."""
    g = np.linspace(0.55, 2, 30)
    zero = branch(g, np.zeros((30, 1)), g[:, None], [Bifurcation("branch", 1.0, np.zeros(1), 1)])
    h = np.linspace(0.01, 0.957, 40)
    gains = np.arctanh(h) / h
    upper = branch(gains, h[:, None], (gains * (1 - h**2))[:, None], parent=0)
    return [zero, upper, upper._replace(points=-upper.points)]


def fold():
    """Of h' = h + a - h²: a stable point and an unstable one, which meet at a = 0."""
    h = np.linspace(0.95, -0.9, 38)
    return branch(h**2, h[:, None], (1 - 2 * h)[:, None], [Bifurcation("fold", 0.0, np.zeros(1), 1)])


def period_doubling():
    """Of the logistic map: the fixed point, which doubles at r = 3, and the 2-cycle, which doubles at 1 + √6."""
    r = np.linspace(2.5, 3.5, 41)
    one = branch(r, (1 - 1 / r)[:, None], (2 - r)[:, None], [Bifurcation("flip", 3.0, np.array([2 / 3]), -1)])
    r = np.linspace(3.001, 3.5, 41)
    states = np.stack([_of_2_cycle(r, 1), _of_2_cycle(r, -1)], axis=1)[..., None]
    end = 1 + np.sqrt(6)
    flip = Bifurcation("flip", end, np.array([_of_2_cycle(end, 1)]), -1)
    return [one, branch(r, states, (4 + 2 * r - r**2)[:, None], [flip], period=2, parent=0)]


def _of_2_cycle(r, sign):
    return (r + 1 + sign * np.sqrt((r - 3) * (r + 1))) / (2 * r)
