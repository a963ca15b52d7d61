"""Find p-cycles of any step by Newton's method on all p states of a cycle at once (multiple shooting)."""

from ... import argument
from ...cells.contract import Input, Params, State, Step
from ..problem import opened
from .cycle_rounds import cycles_as_vectors, searched
from .cycle_stability import described
from .cycles_result import Cycles


def find_cycles(
    step: Step,
    params: Params,
    candidates: State,
    period: int,
    x: Input = None,
    *,
    known: State | None = None,
    tolerance: float | None = None,
    iterations: int = 40,
    rounds: int = 8,
) -> Cycles:
    """Find the cycles of a step whose period divides `period`, from many candidates at once.

        step(h_i) = h_{i+1},   i = 0 .. p - 1,   h_p = h_0

    The unknowns are all p states (multiple shooting), so Newton's method works for chaotic maps too, where a composed
    step would have multipliers of 2^p and hardly a region from which it converges. Each candidate h starts a search
    from its own trajectory h, step(h), …. Rounds of mixed starts follow: p states drawn from those trajectories and
    from the cycles found, in any order, because the order in which a chaotic map visits its regions tells its cycles
    apart. For each divisor q of p, some of these starts repeat q states, so that shorter cycles are found as well. The
    rounds end with one that finds nothing new.

    Each cycle is listed once, with its true period: a fixed point is a cycle of period 1, the p states of a cycle are
    not p cycles. Nothing proves that there are no more; ask again with `known=found.points` and other candidates.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        candidates: States to start from, a pytree like a state with a leading axis: states that the network visits
            (`rd.fixed_points.visited_states`), or a grid.
        period: p, 1 or more. Cycles of every period that divides p are found.
        x: A constant input; None for an undriven step.
        known: Cycles to divide out, a pytree like a state with leading axes (K, p), such as `points` of a result with
            the same p. They are not listed again.
        tolerance: The largest component of step(h_i) - h_(i+1) at which a cycle counts as found. Default: 32 eps times
            the largest component of the cycle. A last iteration goes below it where it can.
        iterations: How many Newton iterations each start may take. Default: 40.
        rounds: The largest number of rounds of mixed starts, each of as many starts as there are candidates, at least
            32. More are needed where there are hundreds of cycles; 0 for none. Default: 8.

    Returns:
        A `Cycles`: points, true periods, Floquet multipliers, stability, and how each candidate ended. Candidates from
        which nothing was found, such as those that escape to infinity, end as `Ending.NOT_CONVERGED`.

    Cost:
        Time O(p n³) for each iteration of each start; a start takes 5 to 20. Memory O(p n²) for each of the searches
        that run side by side, at most 128 MiB. One program is compiled for each shape and period.

    Example:
        >>> logistic = lambda r, h, x: r * h * (1 - h)
        >>> found = rd.find_cycles(logistic, 4.0, jnp.linspace(0.05, 0.95, 40), 3)
        >>> found.period
        Array([1, 1, 3, 3], dtype=int32)
        >>> found.multipliers.real.round(3).ravel().tolist()
        [-2.0, 4.0, 8.0, -8.0]

    References:
        Deuflhard (2011), Newton Methods for Nonlinear Problems, chapter 7, for multiple shooting.
        Biham & Wenzel (1989), Physical Review Letters 63, 819, for cycles of a map by the order of visits.
        Davidchack & Lai (1999), Physical Review E 60, 6172, for starts from cycles already found.
        Farrell, Birkisson & Funke (2015), SIAM J. Sci. Comput. 37, A2026, for dividing out.
    """
    period = argument.size("period", period, 1)
    iterations = argument.size("iterations", iterations, 1)
    rounds = argument.size("rounds", rounds, 0)
    if tolerance is not None:
        tolerance = argument.number("tolerance", tolerance, above=0)
    problem = opened(step, params, candidates, x)
    excluded = None if known is None else cycles_as_vectors(problem, known, period)
    return described(problem, searched(problem, period, excluded, tolerance, iterations, rounds))
