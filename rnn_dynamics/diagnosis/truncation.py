"""Which window of truncated backpropagation loses less than a stated part of the gradient.

    g_K = mean over the sequences of Σ_t Σ_{t-K<k<=t} d_t (J_t ··· J_{k+1}) ∂⁺h_k/∂θ,   bias(K) = ‖g_K - g_T‖ / ‖g_T‖

as in `rd.truncation_bias`, which knows it for every K at T² gradients of a step. Here it is found for a ladder of
windows, each about √2 times the one before:

    a_k^K = Σ_{k<=t<k+K} d_t J_t ··· J_{k+1}         the rows d_t J_t ··· J_{k+1} of all t, pulled back together
    g_K   = Σ_k a_k^K ∂⁺h_k/∂θ                        one product over all times for each K of the ladder

A loss that counts at few steps has as few rows. More than `MOST_ROWS` are not kept: the oldest makes room, and windows
longer than that are left out.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.captured_arrays import Traced
from ..machinery.compiled_programs import PLAIN
from ..machinery.linear_maps import linear_maps
from ..machinery.state_vector import filled, flatten
from ..measure.gradients import Loss, direct_gradients
from .batch import floating_ones, leading_axes, traced_loss, traced_step

MOST_ROWS = 512
# pulls through a step in all sequences together: about a second for a state of some hundred numbers. The gradient of
# one window costs about as much as so many rows. One long sequence may take longer, and then keeps fewer rows
MOST_PULLS, ROWS_PER_WINDOW, FEWEST_ROWS = 650_000, 8, 64


class Truncation(NamedTuple):
    """How much of the gradient truncated backpropagation loses, for windows of several lengths.

    Attributes:
        lengths: The windows K that were tried, in steps.
        bias: ‖g_K - g_T‖ / ‖g_T‖ for each of them.
        tolerance: The bias that was asked for.
        shortest: The shortest of them from which on the bias stays within the tolerance; None if there is none.
        steps: T.
        sequences: How many sequences the gradients were averaged over.
    """

    lengths: NDArray
    bias: NDArray
    tolerance: float
    shortest: int | None
    steps: int
    sequences: int

    def sentence(self) -> str:
        """Say which window is long enough."""
        if not np.isfinite(self.bias).all():
            return (
                "The gradient of the parameters is 0 or not finite: no window of truncated backpropagation is judged."
            )
        least = f"{self.tolerance:.2g}"
        if self.shortest is None:
            return (
                f"Windows of up to {self.lengths[-1]} steps all change the gradient by more than {least} of its size: "
                f"truncated backpropagation must go further back than that."
            )
        if self.shortest >= self.steps:
            return (
                f"No window shorter than all {self.steps} steps keeps the gradient within {least} of its size: do not "
                "truncate backpropagation."
            )
        at = float(self.bias[list(self.lengths).index(self.shortest)])
        return (
            f"Backpropagation truncated to windows of {self.shortest} of {self.steps} steps changes the gradient by "
            f"{at:.2g} of its size, within the {least} asked for."
        )


def truncation(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    loss: Loss,
    *,
    targets: Any = None,
    tolerance: float = 0.05,
) -> Truncation:
    """Find the shortest window of truncated backpropagation whose relative bias is within a tolerance.

        bias(K) = ‖g_K - g_T‖ / ‖g_T‖

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters θ, any pytree; its whole numbers have no gradient.
        h0: The initial state of every sequence, unbatched.
        xs: The inputs, a pytree with leading axes (sequences, T).
        loss: The loss of one sequence: `loss(states)`, or `loss(states, target)` where there are targets.
        targets: A pytree with leading axis (sequences,). Default: none.
        tolerance: The largest bias, relative to the size of the gradient. Default: 0.05.

    Returns:
        A `Truncation`. It averages over as many of the first sequences as fit into about a second.

    Cost:
        For each sequence T pulls of as many rows as there are steps with a loss (at most 512), and one gradient of a
        step at all T times for each window of the ladder. Memory O(T n) for each window.

    Example:
        >>> from rnn_dynamics.diagnosis.truncation import truncation
        >>> net = (lambda a, h, x: a * h + x, jnp.array(0.5), jnp.zeros(()), jnp.ones((1, 20)))
        >>> found = truncation(*net, lambda states: states[-1])
        >>> found.shortest, round(float(found.bias[0]), 3)
        (6, 0.5)
    """
    tolerance = argument.number("tolerance", tolerance, above=0.0)
    sequences, T = leading_axes(xs)
    if not jax.tree.leaves(floating_ones(params)):
        return Truncation(ladder(T), np.full(len(ladder(T)), np.nan), tolerance, None, T, sequences)
    step = traced_step(step, params, h0, xs)
    loss = traced_loss(loss, step, T, targets)
    counts = np.any(np.asarray(_loss_steps(step, params, h0, (xs, targets), loss)), axis=0, keepdims=True)[0]
    most = min(MOST_ROWS, max(FEWEST_ROWS, 2 * MOST_PULLS // T))
    rows = min(max(int(counts.sum()), 1), most)
    lengths = ladder(T if counts.sum() <= most else most)
    used = max(1, min(sequences, MOST_PULLS // (T * (rows + ROWS_PER_WINDOW * len(lengths)))))
    # every step where the loss counts, the latest first, takes the row of the oldest
    row_at = np.where(counts, np.cumsum(counts[::-1])[::-1] - 1, -1) % rows
    given = jnp.asarray(counts), jnp.asarray(row_at), jnp.asarray(lengths)
    biases = np.asarray(_biases(step, params, h0, _first((xs, targets), used), loss, given, rows=rows), np.float64)
    within = biases <= tolerance
    after = np.logical_and.accumulate(within[::-1])[::-1]
    shortest = int(lengths[np.argmax(after)]) if after.any() else None
    return Truncation(lengths, biases, tolerance, shortest, T, used)


def ladder(longest: int) -> NDArray:
    """Return windows from 1 to the longest, each about √2 times the one before."""
    powers = 2 ** (np.arange(2 * math.log2(longest) + 1) / 2)
    return np.unique([*np.round(powers).astype(int).clip(1, longest), longest])


def _first(trees: Any, count: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[:count], trees)


@entry.compiled(compiler=PLAIN)
def _loss_steps(step: Step, params: Params, h0: State, given: Any, loss: Traced) -> Any:
    """Return where ∂⁺L/∂h_t is not 0, (sequences, T)."""
    xs, targets = given
    T = jax.tree.leaves(xs)[0].shape[1]

    def of_sequence(xs: Input, target: Any) -> Array:
        return direct_gradients(step, lambda states: loss(states, target), params, h0, xs, T)[1]

    return jnp.any(jax.vmap(of_sequence)(xs, targets) != 0, axis=2)


@entry.compiled(compiler=PLAIN)
def _biases(
    step: Step, params: Params, h0: State, given: Any, loss: Traced, plan: tuple[Array, Array, Array], *, rows: int
) -> Float[Array, " windows"]:
    xs, targets = given
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0, 0], xs))

    def of_sequence(xs: Input, target: Any) -> Params:
        return _gradients(step, params, h0, xs, lambda states: loss(states, target), plan, rows)

    means = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), jax.vmap(of_sequence)(xs, targets))
    whole = _norm(jax.tree.map(lambda leaf: leaf[-1:], means))[0]
    return _norm(jax.tree.map(lambda leaf: leaf[:-1] - leaf[-1:], means)) / whole


def _norm(tree: Params) -> Float[Array, " windows"]:
    """Return the norm over all leaves but their first axis."""
    leaves = jax.tree.leaves(tree)
    squares = [jnp.sum(jnp.abs(leaf.reshape(len(leaf), -1)) ** 2, axis=1) for leaf in leaves]
    return jnp.sqrt(jnp.sum(jnp.stack(squares), axis=0))


def _gradients(
    step: Step, params: Params, h0: State, xs: Input, loss: Any, plan: tuple[Array, Array, Array], rows: int
) -> Params:
    """Return g_K for each window and last g_T, stacked on the first axis."""
    counts, row_at, lengths = plan
    T = len(counts)
    before, direct = direct_gradients(step, loss, params, h0, xs, T)

    def backward(carry: tuple[Array, Array, Array], now: Any) -> tuple[tuple[Array, Array, Array], Array]:
        """Go back over step k. Row i of `adjoints` is d_t J_t ··· J_{k+1} for the time t = times[i]."""
        adjoints, times, whole = carry
        k, count, row, d, h, x = now
        adjoints = jnp.where(count, adjoints.at[row].set(d), adjoints)
        times = jnp.where(count, times.at[row].set(k), times)
        whole = whole + d
        weights = (times[None] - k < lengths[:, None]).astype(adjoints.dtype)
        sums = jnp.concatenate([weights @ adjoints, whole[None]])
        pulled = linear_maps(step, params, h, x).pull(jnp.concatenate([adjoints, whole[None]]))
        return (pulled[:-1], times, pulled[-1]), sums

    n, dtype = direct.shape[1], direct.dtype
    never: Int[Array, " rows"] = jnp.full(rows, 2 * T)
    start = jnp.zeros((rows, n), dtype), never, jnp.zeros(n, dtype)
    now = jnp.arange(T), counts, row_at, direct, before, xs
    _, sums = jax.lax.scan(backward, start, now, reverse=True)

    def all_steps(some: Params) -> Float[Array, "T n"]:
        theta = filled(some, params)
        return jax.vmap(lambda h, x: flatten(step(theta, h, x))[0])(before, xs)

    pull_params = jax.vjp(all_steps, floating_ones(params))[1]
    return jax.vmap(lambda a: pull_params(a)[0], in_axes=1)(sums)
