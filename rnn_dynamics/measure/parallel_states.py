"""All states of a trajectory at once, instead of one after the other, where the net forgets: by Newton's method.

The states are the solution of the T equations h_t = F(h_{t-1}, x_t). Newton's method linearises all of them at a guess
and solves the linear recurrence by an associative scan; `machinery/parallel_iteration.py` is the loop. Errors of the
guess spread along the trajectory as gradients do. If they fade at all states that the iterations pass, few iterations
suffice. If the largest Lyapunov exponent is positive they grow, and the iterations needed grow in proportion to T.

The specification, for `method="newton"`:

    def parallel_states(step, params, h0, xs, iterations):
        h = [h0] * len(xs)
        for _ in range(iterations):
            old, new = [h0, *h], [h0]
            for t, x in enumerate(xs):  # a linear recurrence
                J = rd.step_jacobian(step, params, old[t], x)
                new.append(step(params, old[t], x) + J @ (new[t] - old[t]))
            h = new[1:]
        return np.stack(h)
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import PLAIN, is_traced
from ..machinery.linear_maps import linear_maps
from ..machinery.linear_recurrence import solve_recurrence, states_before
from ..machinery.parallel_iteration import METHODS, Iterate, front, iterate, relative, units
from ..machinery.printed import Table, fields_of, number, printable, span
from ..machinery.state_vector import flatten
from .reliability import doubts_of_states, reasons

# the steps of each check, and how many times the tolerance its differences may be: errors may grow in transients
CHECKED, ALLOWED = 32, 10


@printable
class ParallelStates(NamedTuple):
    """The states h_1 .. h_T as an iteration over all times found them, from `parallel_states`.

    Sizes are relative: a difference between two states counts in units of the largest magnitude that the number has
    over time, and the largest over the numbers of the state is taken.

    Attributes:
        states: The states, a pytree like h0 with a leading axis T; NaN from the first time on whose state is not known.
        converged: Whether all states are known: the iteration ended with an estimated error of at most `tolerance`,
            and the checks confirmed it. A scalar.
        known: How many of the first states are known, a scalar.
        iterations: How many iterations were run, a scalar; the last one only confirms. With `stretch` their sum.
        corrections: The largest change of a state in each iteration, relative, (most,); NaN for those not run. With
            `stretch` the largest of any stretch.
        residuals: The largest |F(h_{t-1}, x_t) - h_t| before each iteration, relative, (most,). A small residual is
            not a small error where errors grow.
        fronts: How many of the first states were known after each iteration, (most,). A shorter run would have ended
            when its T was reached. With `stretch` the fewest of any stretch.
        difference: The largest relative difference between these states and those that the step itself returns over
            up to 32 steps from some of them, at known times; a scalar.
        doubts: What is doubtful, a scalar, as a sum of `rd.Doubt`; `reasons` says it in words.
    """

    states: State
    converged: Bool[Array, ""]
    known: Int[Array, ""]
    iterations: Int[Array, ""]
    corrections: Float[Array, " most"]
    residuals: Float[Array, " most"]
    fronts: Float[Array, " most"]
    difference: Float[Array, ""]
    doubts: Int[Array, ""]

    @property
    def reliable(self) -> Bool[Array, ""]:
        """Whether there is no doubt about the states."""
        return self.doubts == 0

    @property
    def reasons(self) -> np.ndarray:
        """The doubts in words, as an array without axes; "" where there is none."""
        return reasons(self.doubts)

    def _headline(self) -> str:
        T = np.shape(jax.tree.leaves(self.states)[0])[np.ndim(self.converged)]
        last = _last(self.corrections)
        done = "converged" if np.all(self.converged) else f"{span(self.known)} of {T} states known"
        return f"(T={T}): {span(self.iterations)} iterations, last correction {span(last)}; {done}"

    def _table(self) -> Table:
        if np.ndim(self.converged):
            return fields_of(self._replace(states=jax.tree.leaves(self.states)))
        run = ~np.isnan(np.asarray(self.corrections))
        found = zip(*(np.asarray(each)[run] for each in (self.residuals, self.corrections, self.fronts)), strict=True)
        rows = [[str(i), number(residual), number(c), str(int(f))] for i, (residual, c, f) in enumerate(found, 1)]
        return Table(["iteration", "residual before it", "correction", "states known"], rows)


def _last(corrections: Any) -> np.ndarray:
    """The correction of the last iteration that was run."""
    corrections = np.asarray(corrections)
    place = np.maximum(np.sum(~np.isnan(corrections), axis=-1, keepdims=True) - 1, 0)
    return np.take_along_axis(corrections, place, axis=-1)[..., 0]


def parallel_states(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    *,
    length: int | None = None,
    method: str = "newton",
    tolerance: float | None = None,
    iterations: int = 100,
    stretch: int | None = None,
    guess: State | None = None,
    checks: int = 8,
    key: Array | None = None,
) -> ParallelStates:
    """Find the states h_1 .. h_T by iterations that treat all times at once, O(log T) deep each.

        h_t = F(h_{t-1}, x_t) for all t:   δ_t = A_t δ_{t-1} + F(y_{t-1}, x_t) - y_t,   y ← y + δ

    Errors of the guess spread along the trajectory as gradients do. If the net contracts at all states that the
    iterations pass, the iterations needed grow no faster than log T. If the largest Lyapunov exponent is positive, they
    grow in proportion to T, and nothing is gained: the result then says that it has not converged, and its states are
    NaN from the first unknown one on. A negative exponent is necessary for few iterations, but not sufficient. An
    iteration always makes at least one more state exact. Near an exponent of 0, rounding alone may keep the
    corrections above the tolerance.

    Derivatives are those of the states themselves, by the implicit function theorem; the iterations are not
    differentiated. For second derivatives use forward over reverse, as `jax.hessian` does. Where the states are NaN, so
    are the derivatives.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        length: T, needed where xs is None.
        method: "newton", with the whole Jacobians; "diagonal", with their diagonals only, which needs less memory and
            more iterations; or "damped", Newton whose corrections are limited to 0.3 times the size of each number, for
            nets that contract along their trajectory but not at the guess, where plain Newton loses its way.
        tolerance: The largest estimated error, relative to the largest magnitude over time of each number of the
            state. Default: eps^(2/3), 2e-5 in float32 and 4e-11 in float64.
        iterations: How many to run at most, for each stretch. Default: 100. T + 1 always suffice.
        stretch: Solve stretches of so many steps one after the other, which bounds the memory. Default: all T at once.
        guess: States to start from, a pytree like h0 with a leading axis T, such as those for the parameters before an
            update. Default: h0 at all times.
        checks: From how many of the states the step itself is run, for up to 32 steps. Default: 8.
        key: A JAX random key for the times at which checks begin. Default: evenly spread.

    Returns:
        A `ParallelStates`.

    Cost:
        An iteration takes T Jacobians and O(T n³) operations, O(log T) deep, and memory O(T n²); "diagonal" takes
        O(T n) operations besides n directional derivatives of T steps, and memory O(T n). With `stretch` its length
        takes the place of T in depth and memory. A derivative takes one such linear solve with memory O(T n²). On a
        CPU the sequential `rd.unroll` is faster.

    Example:
        >>> found = rd.parallel_states(lambda a, h, x: jnp.tanh(a * h + x), 0.5, jnp.zeros(1), jnp.ones((1000, 1)))
        >>> bool(found.converged), int(found.iterations) < 10
        (True, True)

    References:
        Lim, Zhu, Selfridge & Kasim (2024), Parallelizing non-linear sequential models, arXiv:2309.12252.
        Gonzalez, Warrington, Smith & Linderman (2024), Scalable and stable parallelization of RNNs, arXiv:2407.19115.
        Gonzalez, Kozachkov, Zoltowski, Clarkson & Linderman (2025), Predictability enables parallelization,
        arXiv:2508.16817.
    """
    length, T = entry.checked(step, params, h0, xs, length)
    entry.enter(step, guess=guess)
    argument.choice("method", method, METHODS)
    if key is not None:
        argument.key(key)
    stretch = T if stretch is None else min(argument.size("stretch", stretch, 1), T)
    return _parallel_states(
        step,
        params,
        h0,
        xs,
        guess,
        key,
        length=length,
        method=method,
        tolerance=None if tolerance is None else argument.number("tolerance", tolerance, above=0, up_to=0.1),
        most=min(argument.size("iterations", iterations, 1), stretch + 1),
        stretch=stretch,
        checks=min(argument.size("checks", checks, 1), T),
    )


def converged_states(found: ParallelStates, method: str) -> State:
    """Return the states; if they have not converged, raise an error that says what was measured.

    While a program is being traced nothing is known: the states are then NaN from the first unknown one on.
    """
    if not is_traced(found) and not found.converged:
        T, last = len(jax.tree.leaves(found.states)[0]), float(_last(found.corrections))
        worst = f", and a check differs by {float(found.difference):.2g}" if found.known == 0 else ""
        raise RuntimeError(
            f"method: {method!r} did not converge in {int(found.iterations)} iterations: {int(found.known)} of {T} "
            f"states are known, the last correction is {last:.2g} of the largest state{worst}. The largest Lyapunov "
            'exponent is probably not negative (rd.largest_exponent measures it), and then method="scan" is the way; '
            "rd.parallel_states takes a tolerance, more iterations, and stretches of time"
        )
    return found.states


class _Done(NamedTuple):
    """What is carried from stretch to stretch: the last state, whether all are known so far, how many, the history."""

    h: Array
    known: Array
    total: Array
    iterations: Array
    corrections: Array
    residuals: Array
    fronts: Array


@entry.compiled(compiler=PLAIN)
def _parallel_states(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    guess: State | None,
    key: Array | None,
    *,
    length: int | None,
    method: str,
    tolerance: float | None,
    most: int,
    stretch: int,
    checks: int,
) -> ParallelStates:
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)
    start, unflatten = flatten(h0)
    guesses = _guessed(h0, start, guess, T)
    if tolerance is None:
        tolerance = float(jnp.finfo(start.dtype).eps) ** (2 / 3)
    solve = partial(_solved, step, params, unflatten, method=method, tolerance=tolerance, most=most)

    zero, history = jnp.int32(0), jnp.full(most, jnp.nan, start.dtype)
    done = entry.varying_like(_Done(start, jnp.bool_(True), zero, zero, history, history, history), h0)
    done, states = _in_stretches(solve, done, guesses, xs, T, stretch)
    difference = _difference(step, params, unflatten, start, states, xs, key, done.total, tolerance, checks)
    known = jnp.where(difference <= ALLOWED * tolerance, done.total, 0)
    told = (jnp.arange(T, dtype=jnp.int32) < known)[:, None]
    finite = jnp.all(jnp.isfinite(jnp.where(told, states, 0)))
    states = states * jnp.where(told, 1, jnp.nan).astype(states.dtype)
    return ParallelStates(
        jax.vmap(unflatten)(states),
        known == T,
        known,
        done.iterations,
        done.corrections,
        done.residuals,
        done.fronts,
        difference,
        doubts_of_states(known == T, finite),
    )


def _in_stretches(
    solve: Callable[[_Done, Array, Input], tuple[_Done, Array]],
    done: _Done,
    guesses: Float[Array, "T n"],
    xs: Input,
    T: int,
    stretch: int,
) -> tuple[_Done, Float[Array, "T n"]]:
    """Solve whole stretches one after the other, then the rest."""
    if stretch == T:
        return solve(done, guesses, xs)
    whole = T - T % stretch
    head = jax.tree.map(lambda leaf: leaf[:whole].reshape(-1, stretch, *leaf.shape[1:]), (guesses, xs))
    done, states = jax.lax.scan(lambda done, given: solve(done, *given), done, head, length=T // stretch)
    states = states.reshape(whole, -1)
    if whole < T:
        done, rest = solve(done, *jax.tree.map(lambda leaf: leaf[whole:], (guesses, xs)))
        states = jnp.concatenate([states, rest])
    return done, states


def _guessed(h0: State, start: Float[Array, " n"], guess: State | None, T: int) -> Float[Array, "T n"]:
    """Return the guess as vectors, after checking that it has the tree and the shapes of T states."""
    if guess is None:
        return jnp.broadcast_to(start, (T, start.size))
    wanted = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((T, *leaf.shape), leaf.dtype), h0)
    trees: list[Any] = [jax.tree.structure(guess), jax.tree.structure(wanted)]
    if trees[0] != trees[1]:
        raise TypeError(f"guess: got a tree {trees[0]}, expected {trees[1]}")
    for (path, leaf), other in zip(jax.tree_util.tree_leaves_with_path(guess), jax.tree.leaves(wanted), strict=True):
        if (jnp.shape(leaf), jnp.result_type(leaf)) != (other.shape, other.dtype):
            name = "guess" + jax.tree_util.keystr(path)
            raise ValueError(
                f"{name}: got {jnp.result_type(leaf)} of shape {jnp.shape(leaf)}, expected {other.dtype} of shape "
                f"{other.shape}"
            )
    return entry.varying_like(jax.lax.stop_gradient(jax.vmap(lambda state: flatten(state)[0])(guess)), h0)


def _solved(
    step: Step,
    params: Params,
    unflatten: Any,
    done: _Done,
    guess: Float[Array, "T n"],
    xs: Input,
    *,
    method: str,
    tolerance: float,
    most: int,
) -> tuple[_Done, Float[Array, "T n"]]:
    """Solve one stretch, as the root of y - F(y before): so it has exact derivatives of any order."""
    start = done.h

    def residual(states: Float[Array, "T n"]) -> Float[Array, "T n"]:
        return states - jax.vmap(lambda h, x: flatten(step(params, unflatten(h), x))[0])(
            states_before(start, states), xs
        )

    def solve(_: Any, guess: Float[Array, "T n"]) -> tuple[Float[Array, "T n"], Iterate]:
        linearise = partial(_linearised, step, params, unflatten, xs, method=method)
        found = iterate(linearise, start, guess, done.known, method=method, tolerance=tolerance, most=most)
        return found.states, found._replace(iterations=found.iterations.astype(guess.dtype))  # a root has no integers

    states, found = jax.lax.custom_root(residual, guess, solve, _tangents, has_aux=True)
    found = jax.lax.stop_gradient(found)
    count = jnp.where(done.known, front(found.errors, tolerance), 0)
    return _Done(
        states[-1],
        count == len(states),
        done.total + count,
        done.iterations + found.iterations.astype(jnp.int32),
        jnp.fmax(done.corrections, found.corrections),
        jnp.fmax(done.residuals, found.residuals),
        jnp.fmin(done.fronts, found.fronts),
    ), states


def _linearised(
    step: Step, params: Params, unflatten: Any, xs: Input, before: Float[Array, "T n"], *, method: str
) -> tuple[Float[Array, "T n"], Float[Array, "T n *n"]]:
    """Return the states one step after those in `before`, and the Jacobians there or their diagonals."""
    basis = jnp.eye(before.shape[1], dtype=before.dtype)

    def at(h: Float[Array, " n"], x: Input, columns: Float[Array, "n k"]) -> tuple[Array, Array]:
        maps = linear_maps(step, params, unflatten(h), x)
        return flatten(maps.after)[0], maps.push(columns)

    if method != "diagonal":
        return jax.vmap(lambda h, x: at(h, x, basis))(before, xs)

    def entries(i: Int[Array, ""]) -> Float[Array, " T"]:
        return jax.vmap(lambda h, x: at(h, x, basis[:, i][:, None])[1][i, 0])(before, xs)

    after = jax.vmap(lambda h, x: flatten(step(params, unflatten(h), x))[0])(before, xs)
    return after, jax.lax.map(entries, jnp.arange(before.shape[1])).T  # one by one, which keeps memory at O(T n)


def _tangents(map_: Any, values: Float[Array, "T n"]) -> Float[Array, "T n"]:
    """Solve v_t - J_t v_{t-1} = values_t for v; `map_` is the left side as a function of v."""
    T, n = values.shape

    def column(unit: Float[Array, " n"]) -> Float[Array, "T n"]:
        units = entry.varying_like(jnp.broadcast_to(unit, (T, n)), values)
        return units - map_(units)

    J = jax.vmap(column, out_axes=2)(jnp.eye(n, dtype=values.dtype))
    return solve_recurrence(J, values)


def _difference(
    step: Step,
    params: Params,
    unflatten: Any,
    start: Float[Array, " n"],
    states: Float[Array, "T n"],
    xs: Input,
    key: Array | None,
    count: Int[Array, ""],
    tolerance: float,
    checks: int,
) -> Float[Array, ""]:
    """Return the largest difference from states that the step itself computes, from some states on."""
    T, steps = len(states), min(CHECKED, len(states))
    if key is None:
        begins = jnp.linspace(0, T - steps, checks).round().astype(jnp.int32)
    else:
        begins = jax.random.randint(key, (checks,), 0, T - steps + 1, jnp.int32)
    states = jax.lax.stop_gradient(states)
    before, unit = states_before(start, states), units(start, states, tolerance)

    def check(begin: Int[Array, ""]) -> Float[Array, ""]:
        def cut(leaf: Array) -> Array:
            return jax.lax.dynamic_slice_in_dim(leaf, begin, steps)

        def advance(h: State, x: Input) -> tuple[State, Array]:
            h = step(params, h, x)
            return h, flatten(h)[0]

        found = jax.lax.scan(advance, unflatten(before[begin]), jax.tree.map(cut, xs), length=steps)[1]
        differences = relative(cut(states) - found, unit)
        return jnp.max(jnp.where(begin + jnp.arange(steps, dtype=jnp.int32) < count, differences, 0))

    return jax.lax.stop_gradient(jnp.max(jax.vmap(check)(begins)))
