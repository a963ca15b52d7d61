"""An independent judge of `known_systems`: the divergence of two trajectories, by SciPy and the equations in NumPy."""

import numpy as np
from scipy.integrate import solve_ivp

from .known_systems_equations import classes, read

JUDGED = 64  # periods
EARLY = 32  # periods before those, where the judge is to see what a short run sees
APART = 1e-6  # the distance of the two trajectories, relative to the size of the first state: phases grow
LONGEST = 500_000  # evaluations of the equations


@np.errstate(all="ignore")
def two_trajectories(name: str, periods: int, settle: int) -> tuple[float, float]:
    """Return λ₁ and its standard error per unit time; NaN if a trajectory overflows or takes too long."""
    try:
        return grown_apart(name, periods, settle)
    except TimeoutError:
        return np.nan, np.nan


def grown_apart(name: str, periods: int, settle: int, parts: int = 10) -> tuple[float, float]:
    """Return λ₁ and its standard error per unit time, from two trajectories brought together `parts` times a period.

    Both are integrated as one system by LSODA, which chooses its own steps and knows nothing of tangent vectors: it
    sees stiffness, and jumps of the right-hand side. NaN if it leaves the range of numbers.
    """
    of = read()[0][name]
    assert of.period is not None
    written, n = classes("flows", np)[name](of.params), len(of.initial)
    options = {"method": "LSODA", "rtol": 1e-9, "atol": 1e-12}
    asked = 0

    def alone(t: float, X: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += 1
        if asked > LONGEST:
            raise TimeoutError(f"{name}: more than {LONGEST} evaluations")
        return np.asarray(written.rhs(X, t), np.float64)

    def both(t: float, pair: np.ndarray) -> np.ndarray:
        return np.concatenate([alone(t, pair[:n]), alone(t, pair[n:])])

    X = solve_ivp(alone, (0, settle * of.period), of.initial, **options).y[:, -1]
    direction, growth = np.random.default_rng(0).normal(size=n), []
    for _ in range((periods + 1) * parts):
        apart = APART * np.linalg.norm(of.initial) * direction / np.linalg.norm(direction)
        end = solve_ivp(both, (0, of.period / parts), np.concatenate([X, X + apart]), **options).y[:, -1]
        direction = end[n:] - end[:n]
        growth.append(np.log(np.linalg.norm(direction) / np.linalg.norm(apart)) / (of.period / parts))
        X = end[:n]
        if not np.isfinite(end).all():
            return np.nan, np.nan
    blocks = np.asarray(growth[parts:]).reshape(-1, parts * max(1, periods // 16)).mean(axis=1)
    return float(blocks.mean()), float(blocks.std(ddof=1) / np.sqrt(len(blocks)))
