"""Follow fixed points and cycles while a parameter moves: pseudo-arclength continuation, and the diagram of it.

    moving.py          the arguments are checked, and the start is solved for
    family.py          the equations and their derivatives: the one compiled program
    arclength.py       one step along a curve: tangent, predictor, Newton corrector, step length
    stretch.py         the curve between two neighbours
    special_points.py  what is special there: folds, branch points, flips, Neimark-Sacker points
    curve.py           a whole curve: steps until it leaves the range, closes or shrinks to a shorter cycle
    switching.py       the curves that leave a branch point, and the cycles of twice the period that leave a flip
    diagram.py         all curves, none of them twice

The loop runs on the host: one program evaluates the step and its derivatives at the states of one point and is compiled
once, and NumPy solves a system of n + 1 equations (period · n + 1) and finds n eigenvalues. For n = 64 that is about
1.5 ms a point, a third of it the eigenvalues.

JaxCont (PyPI, tried in version 0.4.0) continues equilibria and periodic orbits of flows u' = f(u). Given F(h) - h as f,
it follows the fixed points of a step and finds their folds (to 6e-7 with its defaults), but no flips or
Neimark-Sacker points, where multipliers leave the unit circle and not the left half-plane. It has no cycles of maps
and does not switch. So this is our own.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ... import argument
from ...cells.contract import Input, Params, State, Step
from ...machinery.compiled_programs import with_float32_products
from .branch import Branch, Diagram
from .curve import follow
from .diagram import Limits, all_curves, branch_of
from .moving import opened_family, polished

SWITCHES = ("branch", "flip")


@with_float32_products
def continuation(
    step: Step,
    params_of: Callable[[Float[Array, ""]], Params],
    start: State,
    values: Float[Array, " S"],
    x: Input = None,
    *,
    period: int = 1,
    most_points: int = 5000,
) -> Branch:
    """Follow the fixed point (or the cycle) at `start` while the parameter moves over `values`.

    The points (h, μ) with step(params_of(μ), h, x) = h are curves. The one through `start` is followed from values[0]
    on in steps along its tangent, each corrected by Newton's method, so that it may turn back in μ at folds. It ends
    where it leaves the range of `values` (behind the last, or past the first after a fold), where it closes, where a
    cycle shrinks to one of a shorter period, where it runs off to 10⁴ times the size of the start, or where no step
    converges: `ended` says which.

    The branch lists a point, solved exactly at that value, each time that the curve passes one of `values`, and further
    points between them where the curve is steep or bends. So a value may be listed twice, on both sides of a fold, or
    never. Steps are short enough for the corrector, but a pair of bifurcations that undo each other between two points
    is not seen: more `values` see more.

    Lengths along the curve are measured in units of the range of `values` and of the largest state at the start, at
    least 1. So write the step for states of order 1: on a scale of 1e-6, branches may be missed.

    Where multipliers, the eigenvalues of the Jacobian over one period, cross the unit circle, the point is located:

        fold             +1, where the curve turns back in μ
        branch           +1, where another curve crosses: pitchfork, transcritical
        flip             -1: a cycle of twice the period begins
        neimark_sacker   e^{iθ}: a closed curve begins, around which states turn by θ per period
        border_collision a corner of the step (relu): the multipliers jump across the unit circle

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params_of: The parameters as a function of the scalar μ, traceable by JAX, such as `lambda g: {"W": g * W}` or
            `lambda g: params._replace(W=g * params.W)`. It gets μ in the float type of the state.
        start: A state near the fixed point at values[0], or near any state of the cycle; Newton's method starts there.
        values: Values of μ that increase or decrease: the range, and the resolution.
        x: The constant input of every step; None for an undriven step.
        period: The period of the cycle; 1 for a fixed point.
        most_points: The branch ends after so many points.

    Returns:
        A `Branch`: the points, their multipliers and stability, the bifurcations, and why it ended. Bifurcations are
        located to 1e-8 of the range in float64, usually to 1e-12; in float32 to about 1e-5, and where many
        multipliers are near the unit circle a value can only be as good as they are. Use float64 for this.

    Cost:
        About three evaluations of n directional derivatives of a step, three linear systems of n + 1 equations and n
        eigenvalues for each point; ten points for each bifurcation. A cycle's systems have period · n + 1 equations.

    Example:
        >>> logistic = lambda r, h, x: r * h * (1 - h)
        >>> branch = rd.continuation(logistic, lambda r: r, jnp.array(0.5), jnp.linspace(2.0, 3.5, 16))
        >>> branch.bifurcations[0].kind, round(branch.bifurcations[0].value, 4)
        ('flip', 3.0)
        >>> bool(branch.stable[0]), bool(branch.stable[-1]), branch.ended
        (True, False, 'reached the last of the values')
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.bifurcation_diagram(ax, branch, name="$r$")

    References:
        Keller (1977), in Applications of Bifurcation Theory, Academic Press, 359-384.
        Allgower & Georg (2003), Introduction to Numerical Continuation Methods, SIAM.
        Kuznetsov (2004), Elements of Applied Bifurcation Theory, Springer, chapters 4, 9 and 10.
    """
    most, period = argument.size("most_points", most_points, 2), argument.size("period", period, 1)
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], start)
    family, vectors, upwards = opened_family(step, params_of, one, values, x, period, "start")
    return branch_of(follow(family, polished(family, vectors[0], upwards, "start"), most, upwards))


@with_float32_products
def bifurcation_diagram(
    step: Step,
    params_of: Callable[[Float[Array, ""]], Params],
    starts: State,
    values: Float[Array, " S"],
    x: Input = None,
    *,
    period: int = 1,
    switch: Sequence[str] = SWITCHES,
    depth: int = 3,
    most_branches: int = 64,
    most_points: int = 5000,
) -> Diagram:
    """Follow several fixed points and switch to the branches that leave them: a bifurcation diagram in one call.

    Each start is followed as `rd.continuation` does, unless it lies on a branch that is known already. At each branch
    point the two halves of the crossing curve are followed, at each flip the cycles of twice the period, and so on at
    theirs. A branch that was switched to begins with the bifurcation itself, so that a plot has no gap.

    Neimark-Sacker points are located and not switched at: a closed curve of states leaves them, which is no cycle.
    Where several multipliers cross at once (`multiplicity`), as a symmetry of the net makes them, many curves may
    cross, and only those found along the null vectors of the linearised equations are followed. Fixed points and cycles
    that are connected to no start, such as cycles born in folds, are not found: give them as starts.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params_of: The parameters as a function of the scalar μ, traceable by JAX.
        starts: States near the fixed points (or cycles) at values[0], a pytree like a state with a leading axis, such
            as the `points` that `rd.find_fixed_points` found there.
        values: Values of μ that increase or decrease: the range, and the resolution.
        x: The constant input of every step; None for an undriven step.
        period: The period of the starts; 1 for fixed points.
        switch: At which bifurcations to switch: "branch", "flip", both or none.
        depth: How many switches a branch may be away from a start: 3 period doublings, for instance.
        most_branches: At most so many branches are followed.
        most_points: Each branch ends after so many points.

    Returns:
        A `Diagram`: a tuple of `Branch`, in the order in which they were followed; `parent` says from which branch each
        one left, `left_out` how many were seen and not followed because of `depth` and `most_branches`.

    Cost:
        That of `rd.continuation` for each branch, and one more program to compile for each period.

    Example:
        >>> logistic = lambda r, h, x: r * h * (1 - h)
        >>> diagram = rd.bifurcation_diagram(logistic, lambda r: r, jnp.array([0.5]), jnp.linspace(2.0, 3.5, 16))
        >>> [branch.period for branch in diagram]
        [1, 2, 4]
        >>> _, ax = plt.subplots()
        >>> ax = rd.plot.label_ends(rd.plot.bifurcation_diagram(ax, diagram, name="$r$"))

    References:
        Keller (1977), in Applications of Bifurcation Theory, Academic Press, 359-384.
    """
    kinds = tuple(switch) if not isinstance(switch, str) else (switch,)
    for kind in kinds:
        argument.choice("switch", kind, SWITCHES)
    most, period = argument.size("most_points", most_points, 2), argument.size("period", period, 1)
    limits = Limits(argument.size("depth", depth, 0), argument.size("most_branches", most_branches, 1), most)
    family, vectors, upwards = opened_family(step, params_of, starts, values, x, period, "starts")
    firsts = [polished(family, vector, upwards, f"starts[{i}]") for i, vector in enumerate(vectors)]
    curves, left_out = all_curves(family, firsts, upwards, kinds, limits)
    return Diagram(map(branch_of, curves), left_out)
