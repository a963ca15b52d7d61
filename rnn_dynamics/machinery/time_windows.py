"""Measure the growth of all n columns of a frame over many windows of time at once.

    shares_of    the states, one after the other; all of them are kept, row c of a `Schedule` is window c
    advanced     P_c S = F_c D_c U_c: all windows do their first step, then all their second step, ...
                 (`window_frames.py`); every window starts with the same frame S
    run_of       from the frame at the end of each window to that in the next (`window_joints.py`)
    product_of   D U of the product of all windows, P S = Q D U

The growth is that of a sequential QR decomposition, up to rounding. The windows use the states that were kept, and do
not run the steps again: in a chaotic system the least difference in rounding would lead to another trajectory, and the
windows would not fit together.

Every s steps the triangular factor is taken out of the frames. The first 16 steps of all windows are the pilot that
chooses s.

`frame_loop.py` does the same one step after the other. It keeps more digits where a step is nearly singular, so it is
used if a window has lost digits. `measure/windows_of_time.py` runs the three parts.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..cells.contract import Input, Params, State, Step
from . import entry, window_frames
from .frame_loop import Run, chosen_interval, compensated
from .frame_schedule import PILOT, SKIP, WindowPlan
from .graded_triangles import Graded
from .linear_maps import linear_maps
from .lu_frames import starting_frame
from .window_frames import Grown, factored, log_det
from .window_joints import joined, whole

# up to this size J is formed and multiplied by the frame; larger frames are pushed through the step's linear map,
# where products with the same weights in all windows are one large product
FORMED = 8
# Nats that a joint may lose more than a factorisation. A pivot that has lost all digits is off by any amount, so this
# keeps the pivots that are believed a factor of ten away from noise.
LESS = math.log(10)


class Windows(NamedTuple):
    """What the windows end with: P S = F D U, Σ ln |det J_t|, and the number of steps between factorisations."""

    frames: Float[Array, "n n windows"]
    grown: Grown
    log_dets: Float[Array, " windows"]
    interval: Int[Array, ""]


class Share(NamedTuple):
    """A share of the windows. The first axis is the place in a window, the last one the window.

    h        the states before the steps
    x        the inputs
    skipped  which places are skipped; None if there are none
    """

    h: State
    x: Input
    skipped: Bool[Array, "places windows"] | None


def shares_of(step: Step, params: Params, h0: State, xs: Input, plan: WindowPlan, T: int) -> list[Share]:
    """Run the T steps and cut them into windows, in equal shares."""
    before = jax.lax.scan(lambda h, x: (step(params, h, x), h), h0, xs, length=T)[1]
    due = plan.rows.due
    skipped = None if due.all() else jnp.asarray(due == SKIP)
    size = len(due) // plan.shares

    def share(leaf: Array, number: int) -> Array:
        return jnp.moveaxis(leaf[number * size : (number + 1) * size], 0, -1)

    whole = Share(plan.rows.rows_of(before), plan.rows.rows_of(xs), skipped)
    return [jax.tree.map(partial(share, number=number), whole) for number in range(plan.shares)]


def advanced(step: Step, params: Params, share: Share, interval: int | str, *, determinant: bool = True) -> Windows:
    """Advance the frames of some windows from the first to the last place, side by side.

    Without `determinant`, Σ ln |det J_t| is left at 0.
    """
    leaf = jax.tree.leaves(share.h)[0]
    length, windows = len(leaf), leaf.shape[-1]
    start = starting_frame(jax.tree.map(lambda leaf: leaf[0, ..., 0], share.h), None, None)
    chooses = interval == "auto" and length > PILOT
    # a share may consist of windows that begin with skipped steps, of which the pilot sees nothing
    piloted = True if share.skipped is None else ~jnp.all(share.skipped[0])

    def advance(carry: tuple, at: tuple) -> tuple[tuple, None]:
        place, now = at
        F, grown, log_dets, rest, age, s = carry
        J, pushed = _pushed(step, params, now.h, now.x, F)
        more = log_det(J) if determinant else jnp.zeros_like(log_dets)
        if now.skipped is not None:
            pushed, more = jnp.where(now.skipped[None, None], F, pushed), jnp.where(now.skipped, 0, more)
        due = (age + 1 >= s) | (place == length - 1)
        F, grown = jax.lax.cond(due, lambda frames: factored(*frames), lambda frames: frames, (pushed, grown))
        if chooses:
            s = jax.lax.cond((place == PILOT - 1) & piloted, lambda: chosen_interval(grown.logs / PILOT), lambda: s)
        return (F, grown, *compensated(log_dets, more + rest), jnp.where(due, 0, age + 1), s), None

    n, dtype = len(start), start.dtype
    frames = jnp.broadcast_to(start[..., None], (n, n, windows))
    grown, first_interval = window_frames.nothing(n, windows, dtype), 1 if interval == "auto" else interval
    zeros = jnp.zeros(windows, dtype)
    carry = frames, grown, zeros, zeros, jnp.int32(0), jnp.int32(first_interval)
    places = jnp.arange(length, dtype=jnp.int32), share
    (F, grown, log_dets, _, _, s), _ = jax.lax.scan(advance, entry.varying_like(carry, share.h), places)
    return Windows(F, grown, log_dets, s)


def run_of(columns: Float[Array, "n n"], shares: list[Windows], plan: WindowPlan, k: int | None) -> Run:
    """Join the windows of a trajectory whose frame starts with these columns, and merge them into segments.

    The first k columns are returned, all for None. In the `Run` each row has the growth in its segment, and no volumes
    are left over.
    """
    found = _together(shares)
    start = starting_frame(columns[0], None, None)
    growth, lost = joined(start, columns, jnp.moveaxis(found.frames, -1, 0), found.grown)
    # a joint comes once in a window, a factorisation every s steps: a small error weighs so much less
    factorisations = plan.rows.size / found.interval.astype(lost.dtype)
    weight = jnp.minimum(jnp.log(factorisations), LESS)
    lost = jnp.maximum(jnp.log(found.grown.ratio).T, lost - weight)
    first, segment = plan.rows.first, plan.rows.segment
    upto = jnp.cumsum(growth[first:], axis=0)[segment - first :]
    logs = growth[segment:].reshape(-1, plan.together, len(start)).sum(axis=1)[:, :k]
    return Run(
        upto=upto[plan.together - 1 :: plan.together, :k],
        logs=logs,
        corners=jnp.zeros_like(logs),
        volumes=jnp.zeros_like(logs),
        lost=jnp.maximum(jnp.max(lost[first:], axis=0), _overtaken(growth))[:k],
        log_det=jnp.sum(found.log_dets[first:]),
        segments_run=jnp.int32(len(logs)),
        interval=found.interval,
    )


def product_of(start: Float[Array, "n n"], shares: list[Windows]) -> tuple[Graded, Float[Array, " n"]]:
    """Multiply all windows; return D U with P S = Q D U for `start` S, and the most nats that each row lost.

    Q and S are orthogonal, so D U has the singular values of P.
    """
    found = _together(shares)
    window, lost = whole(start, jnp.moveaxis(found.frames, -1, 0), found.grown)
    return Graded(window.logs, window.unit), jnp.maximum(jnp.max(jnp.log(found.grown.ratio), axis=1), lost)


def _overtaken(growth: Float[Array, "windows n"]) -> Float[Array, " n"]:
    """Return by how many nats later columns have outgrown each column since they were furthest behind.

    Each joint adds to a column a rounding error along the later ones, which grows by so much more than the column.
    """
    n = growth.shape[1]
    upto = jnp.cumsum(jax.lax.stop_gradient(growth), axis=0)
    upto = jnp.concatenate([jnp.zeros_like(upto[:1]), upto])
    ahead = upto[:, None, :] - upto[:, :, None]
    gained = jnp.max(ahead - jax.lax.cummin(ahead, axis=0), axis=0)
    return jnp.max(jnp.where(np.tri(n, k=0, dtype=bool), 0, gained), axis=1)


def _together(shares: list[Windows]) -> Windows:
    """Put all shares into one."""
    if len(shares) == 1:
        return shares[0]
    parts = [share._replace(interval=share.interval[None]) for share in shares]
    whole = jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=-1), *parts)
    return whole._replace(interval=jnp.min(whole.interval))


def _pushed(
    step: Step, params: Params, h: State, x: Input, F: Float[Array, "n n windows"]
) -> tuple[Float[Array, "n n windows"], Float[Array, "n n windows"]]:
    """Return the Jacobian J of each window's step, and J F."""
    n = len(F)
    eye = jnp.eye(n, dtype=F.dtype)

    def both(h: State, x: Input, F: Array) -> tuple[Array, Array]:
        maps = linear_maps(step, params, h, x)
        return maps.push(eye), maps.push(F)

    J, pushed = jax.vmap(both, in_axes=-1, out_axes=-1)(h, x, F)
    if n > FORMED:
        return J, pushed
    return J, sum((J[:, j, None] * F[None, j] for j in range(1, n)), J[:, 0, None] * F[None, 0])
