"""What clipping would do to the gradients of a set of batches, each of one sequence or more.

    g_b = ∂L_b/∂θ for batch b

Clipping by norm shortens some g_b and turns none, but the shortened ones then count for less: the mean over the batches
turns. Clipping by value turns each g_b that it changes. The angles follow from the products g_b · g_b' alone.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from .. import argument
from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.captured_arrays import Traced
from ..machinery.compiled_programs import PLAIN
from ..machinery.state_vector import filled
from ..measure.gradients import Loss, total
from .batch import floating_ones, leading_axes, traced_loss, traced_step
from .words import count, sized
from .words import share as in_percent

PERCENTILES = (10, 50, 90, 99)


class Clipping(NamedTuple):
    """What clipping the gradients ∂L/∂θ of some batches would do.

    A batch whose gradient is not finite counts in `not_finite` and nowhere else.

    Attributes:
        norms: ‖g_b‖ of each batch, (batches,); NaN where it is not finite.
        percentiles: The 10th, 50th, 90th and 99th percentile of the norms, by percent.
        share: The share of the batches that was to be clipped.
        limit: The norm that clips this share: clip by norm here.
        clipped: The share of the batches that this limit does clip.
        cosine: The cosine between the mean gradient with and without clipping by norm at `limit`.
        shrinks: The size of the clipped mean gradient over that of the plain one.
        value_limit: The size of an entry that clips the largest entry of as many batches: clip by value here.
        value_cosines: The cosine between each g_b and itself clipped by value, (batches,).
        value_cosine: The cosine between the mean gradient with and without clipping by value.
        not_finite: The number of batches whose gradient is not finite.
    """

    norms: NDArray
    percentiles: dict[int, float]
    share: float
    limit: float
    clipped: float
    cosine: float
    shrinks: float
    value_limit: float
    value_cosines: NDArray
    value_cosine: float
    not_finite: int

    def sentence(self) -> str:
        """Say what the norms are and what clipping would do to the direction."""
        batches = len(self.norms)
        if self.not_finite == batches:
            return f"The gradient is not finite in any of {count(batches, 'batch')}: clipping cannot mend it."
        middle, ninth = self.percentiles[50], self.percentiles[90]
        largest = float(np.nanmax(self.norms))
        text = [
            f"Gradient norms of {count(batches, 'batch')}: median {sized(middle)}, 90 % below {sized(ninth)}, largest "
            f"{sized(largest)}."
        ]
        if self.not_finite:
            text.append(f"Not finite, and left out: {self.not_finite} of them.")
        if self.clipped == 0:
            return " ".join([*text, f"Clipping by norm at {sized(self.limit)} would change none of them."])
        text.append(
            f"Clipping by norm at {sized(self.limit)} shortens {in_percent(self.clipped)} of them; the mean "
            f"gradient turns by {degrees(self.cosine)} and keeps {in_percent(self.shrinks)} of its size."
        )
        worst = float(np.nanmin(self.value_cosines))
        text.append(
            f"Clipping entries at {sized(self.value_limit)} turns single gradients by up to {degrees(worst)} and their "
            f"mean by {degrees(self.value_cosine)}."
        )
        return " ".join(text)


def degrees(cosine: float) -> str:
    """Return the angle with this cosine, such as "12°"."""
    return f"{math.degrees(math.acos(min(1.0, max(-1.0, cosine)))):.2g}°"


def clipping(
    step: Step,
    params: Params,
    h0: State,
    xs: Input,
    loss: Loss,
    *,
    targets: Any = None,
    batches: int | None = None,
    share: float = 0.1,
) -> Clipping:
    """Measure the gradients of several batches, and what clipping a stated share of them would do.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters θ, any pytree; its whole numbers have no gradient.
        h0: The initial state of every sequence, unbatched.
        xs: The inputs, a pytree with leading axes (sequences, T).
        loss: The loss of one sequence: `loss(states)`, or `loss(states, target)` where there are targets.
        targets: A pytree with leading axis (sequences,). Default: none.
        batches: How many batches of equal size to cut the sequences into. Default: each sequence is a batch of its own.
        share: The share of the batches that is to be clipped, in (0, 1). Default: a tenth.

    Returns:
        A `Clipping`.

    Cost:
        One forward and one backward pass of all sequences; memory O(T) steps of all sequences and one gradient for each
        batch.

    Example:
        >>> from rnn_dynamics.diagnosis.clipping import clipping
        >>> xs = jnp.arange(1.0, 11.0)[:, None]  # ten sequences of one step, with gradients 1 .. 10
        >>> found = clipping(lambda a, h, x: a * x, jnp.array(0.5), jnp.zeros(()), xs, jnp.sum, share=0.2)
        >>> round(found.limit, 3), found.clipped
        (8.2, 0.2)
    """
    share = argument.number("share", share, above=0.0, up_to=1.0)
    sequences, T = leading_axes(xs)
    batches = sequences if batches is None else argument.size("batches", batches, 1)
    if sequences % batches:
        raise ValueError(f"batches: got {batches}, expected a divisor of the {sequences} sequences")
    traced = traced_step(step, params, h0, xs)
    flat = _flat_gradients(traced, params, h0, xs, traced_loss(loss, traced, T, targets), targets, batches=batches)
    return judged(np.asarray(flat), share)


def judged(gradients: NDArray, share: float) -> Clipping:
    """Return what clipping does to gradients, (batches, numbers), whose entries may be far from 1."""
    batches, nan = len(gradients), math.nan
    finite = np.array([bool(np.isfinite(g).all()) for g in gradients])
    rows = [g.astype(np.float64) for g in gradients[finite]]
    norms, cosines = np.full(batches, nan), np.full(batches, nan)
    if not rows:
        nothing = dict.fromkeys(PERCENTILES, nan)
        return Clipping(norms, nothing, share, nan, nan, nan, nan, nan, cosines, nan, batches)
    sizes = norms[finite] = np.array([np.linalg.norm(g) for g in rows])
    limit = float(np.quantile(sizes, 1 - share))
    value_limit = float(np.quantile([np.abs(g).max(initial=0) for g in rows], 1 - share))
    cut = [np.clip(g, -value_limit, value_limit) for g in rows]
    cosines[finite] = [_cosine(*pair) for pair in zip(cut, rows, strict=True)]
    mean = sum(rows) / len(rows)
    shortened = sum(g * min(1.0, limit / size) if size else g for g, size in zip(rows, sizes, strict=True)) / len(rows)
    size = np.linalg.norm(mean)
    return Clipping(
        norms=norms,
        percentiles={p: float(np.percentile(sizes, p)) for p in PERCENTILES},
        share=share,
        limit=limit,
        clipped=float(np.mean(sizes > limit * (1 + 1e-9))),
        cosine=_cosine(shortened, mean),
        shrinks=float(np.linalg.norm(shortened) / size) if size else 1.0,
        value_limit=value_limit,
        value_cosines=cosines,
        value_cosine=_cosine(sum(cut) / len(cut), mean),
        not_finite=int(np.sum(~finite)),
    )


def _cosine(a: NDArray, b: NDArray) -> float:
    """Return the cosine of the angle between two vectors; 1 if one of them is 0."""
    sizes = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / sizes) if sizes else 1.0


@entry.compiled(compiler=PLAIN)
def _flat_gradients(
    step: Step, params: Params, h0: State, xs: Input, loss: Traced, targets: Any, *, batches: int
) -> Float[Array, "batches numbers"]:
    """Return the gradient of the mean loss of each batch, as one vector of real numbers."""
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0, 0], xs))
    together = jax.tree.map(lambda leaf: leaf.reshape(batches, len(leaf) // batches, *leaf.shape[1:]), (xs, targets))

    def of_batch(some: Params, xs: Input, targets: Any) -> Array:
        theta = filled(some, params)

        def of_sequence(xs: Input, target: Any) -> Array:
            T = len(jax.tree.leaves(xs)[0])
            states = jax.lax.scan(lambda h, x: (step(theta, h, x),) * 2, h0, xs)[1]
            return total(lambda states: loss(states, target), states, T)

        return jnp.mean(jax.vmap(of_sequence)(xs, targets))

    def of_one(xs: Input, targets: Any) -> Array:
        leaves = jax.tree.leaves(jax.grad(of_batch)(floating_ones(params), xs, targets))
        reals = [part for leaf in leaves for part in ((leaf.real, leaf.imag) if jnp.iscomplexobj(leaf) else (leaf,))]
        return jnp.concatenate([part.ravel() for part in reals] or [jnp.zeros(0)])

    return jax.vmap(of_one)(*together)
