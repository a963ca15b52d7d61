"""Which part of the state carries the gradient: random directions of each part pulled back through time.

    rows u P_ℓ,  u in part A of the state:   their squared norm on the columns of part B estimates ‖∂A_T/∂B_{T-ℓ}‖_F²

A second set of rows is confined to its part: what leaves the part at any step is dropped. Of parts with at most 8
numbers all directions are pulled, so that nothing is estimated.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.compiled_programs import PLAIN
from ..machinery.linear_maps import linear_maps
from ..machinery.state_vector import flatten
from .parts import part_names
from .problem import Problem
from .trajectory import Trajectory, as_jax

DIRECTIONS, SEQUENCES, MOST_PARTS = 8, 4, 4


class Paths(NamedTuple):
    """What random gradients become.

    Attributes:
        curves: ln of what remains of a random gradient of one part, by path, each (sequences, lags), in nats.
        shares: The share of each number of the state in a random gradient at one lag, (n,).
    """

    curves: dict[str, NDArray]
    shares: NDArray


def paths(problem: Problem, path: Trajectory, lags: int, at: int) -> Paths:
    """Measure the paths over all lags, and how the gradient is spread over the state at lag `at`."""
    parts = _parts(problem.h0)
    rows, owner = _directions(parts)
    place = np.zeros((len(parts), rows.shape[1]))
    for number, where in enumerate(parts.values()):
        place[number, where] = 1
    some = min(problem.sequences, SEQUENCES)
    cut = jax.tree.map(lambda leaf: leaf[:some, problem.steps - lags :], (path.before, problem.xs))
    befores, xs = as_jax(cut)
    step = entry.traced_step(problem.step, problem.params, problem.h0, jax.tree.map(lambda leaf: leaf[0, 0], xs))
    dtype = flatten(problem.h0)[0].dtype
    given = jnp.asarray(rows, dtype), jnp.asarray(place[owner], dtype), jnp.asarray(place, dtype), jnp.int32(at)
    logs, kept = _pulled(step, problem.params, befores, xs, given)
    curves = _curves(list(parts), owner, np.asarray(logs, np.float64))
    weights = np.array([place.stop - place.start for place in parts.values()])[owner] / np.bincount(owner)[owner]
    return Paths(curves if len(parts) > 1 else {}, _shares(weights, np.asarray(kept, np.float64)))


def _parts(h0: State) -> dict[str, slice]:
    """Return the leaves of the state, or its layers where there are many leaves."""
    parts = part_names(h0)
    if len(parts) <= MOST_PARTS:
        return parts
    whole: dict[str, slice] = {}
    for name, place in parts.items():
        layer = " ".join(name.split(" ")[:2]) if name.startswith("layer ") else name.split(".")[0]
        start = whole[layer].start if layer in whole else place.start
        whole[layer] = slice(start, place.stop)
    return whole


def _directions(parts: dict[str, slice]) -> tuple[NDArray, NDArray]:
    """Return orthonormal random rows of each part, and the number of the part that each belongs to."""
    # fixed directions, so that a diagnosis ends the same way each time
    random = np.random.default_rng(0)
    n = max(place.stop for place in parts.values())
    rows, owner = [], []
    for number, place in enumerate(parts.values()):
        size = place.stop - place.start
        many = min(size, DIRECTIONS)
        block = np.zeros((many, n))
        block[:, place] = np.linalg.qr(random.normal(size=(size, many)))[0].T
        rows.append(block)
        owner += [number] * many
    return np.concatenate(rows), np.array(owner)


@entry.compiled(compiler=PLAIN)
def _pulled(
    step: Step, params: Params, befores: State, xs: Input, given: tuple[Any, ...]
) -> tuple[Float[Array, "sequences lags rows parts_and_alone"], Float[Array, "sequences rows n"]]:
    """Pull the rows back through each sequence.

    Returns ln of their squared norms on each part, the last column for the confined rows; and the rows at lag `at`.
    """
    rows, own, place, at = given

    def backward(carry: Any, now: tuple[State, Input, Int[Array, ""]]) -> tuple[Any, Any]:
        (free, alone, scale, kept), (h, x, lag) = carry, now
        pulled = linear_maps(step, params, h, x).pull(jnp.concatenate([free, alone]))
        free, alone = pulled[: len(rows)], pulled[len(rows) :] * own
        both = jnp.stack([free, alone])
        norms = jnp.linalg.norm(both, axis=2)
        both = both / jnp.where(norms == 0, 1, norms)[:, :, None]
        scale = scale + jnp.log(norms)
        squares = jnp.concatenate([both[0] ** 2 @ place.T, jnp.sum(both[1] ** 2, axis=1, keepdims=True)], axis=1)
        logs = jnp.log(squares) + 2 * jnp.concatenate(
            [jnp.broadcast_to(scale[0][:, None], (len(rows), len(place))), scale[1][:, None]], axis=1
        )
        # relative sizes of the rows only: their common factor may be far from 1
        relative = both[0] * jnp.exp(scale[0] - jnp.max(jnp.where(jnp.isfinite(scale[0]), scale[0], -jnp.inf)))[:, None]
        kept = jnp.where(lag == at, jnp.where(jnp.isfinite(relative), relative, 0), kept)
        return (both[0], both[1], scale, kept), logs

    def of_sequence(befores: State, xs: Input) -> tuple[Array, Array]:
        T = len(jax.tree.leaves(befores)[0])
        start = rows, rows, jnp.zeros((2, len(rows)), rows.dtype), rows
        end, logs = jax.lax.scan(backward, start, (befores, xs, jnp.arange(T, 0, -1, dtype=at.dtype)), reverse=True)
        return logs[::-1], end[3]

    return jax.vmap(of_sequence)(befores, xs)


def _curves(names: list[str], owner: NDArray, logs: NDArray) -> dict[str, NDArray]:
    """Return ln of the root mean square over the directions of each part, for each path."""
    curves = {}
    for number, later in enumerate(names):
        own = logs[:, :, owner == number]
        curves[f"{later} alone"] = _rms(own[..., -1])
        for place, earlier in enumerate(names):
            curves[f"{earlier} → {later}"] = _rms(own[..., place], unit=earlier == later)
    return curves


def _rms(logs: NDArray, unit: bool = True) -> NDArray:
    """Return half of ln mean exp over the last axis, with the value at lag 0 put before it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        highest = np.max(logs, axis=-1, keepdims=True)
        highest = np.where(np.isfinite(highest), highest, 0)
        mean = (np.log(np.mean(np.exp(logs - highest), axis=-1)) + highest[..., 0]) / 2
    return np.concatenate([np.full((len(mean), 1), 0.0 if unit else -np.inf), mean], axis=1)


def _shares(weights: NDArray, kept: NDArray) -> NDArray:
    """Return the share of each number of the state, the mean over the sequences.

    A row counts for as many directions of its part as it stands for.
    """
    squares = np.sum(weights[:, None] * kept**2, axis=1)
    total = squares.sum(axis=1, keepdims=True)
    return np.mean(squares / np.where(total == 0, 1, total), axis=0)
