"""Gradient flossing before training: a net is drawn, and its Lyapunov exponents are brought to 0 before it learns.

Engelken (2023), as in `flossing.py`.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from .. import argument
from ..cells.contract import Cell, Params
from .flossing import Along, along, exponents_of
from .net import Net
from .objective import draw
from .program import compiled, still_finite
from .task import Task


class Preflossed(NamedTuple):
    """What was given, with new parameters of the cell.

    exponents  λ_1 .. λ_k before each update, averaged over examples; NaN for updates that were not made
    updates    the number of updates made: fewer than all where the next one would have left a number not finite
    """

    net: Any
    exponents: Float[Array, "steps k"]
    updates: Int[Array, ""]


def prefloss(
    cell: Cell,
    net: Any,
    task: Task,
    *,
    key: Array,
    k: int,
    steps: int,
    optimizer: optax.GradientTransformation,
    examples: int = 1,
    length: int | None = None,
) -> Preflossed:
    """Gradient descent on 1/k Σ λ_i² alone, before any training; one scan over `steps` updates, compiled once.

    `net` is a Net, whose readout is left as it is, or the bare parameters of the cell. Every update draws new examples
    of the task and a new frame. The exponents are those of the first `length` steps, averaged over `examples`. How
    many exponents matters: few of them carry few directions back (`experiments/preflossing.py`).
    """
    argument.instance("cell", cell, Cell)
    argument.instance("task", task, Task)
    argument.instance("optimizer", optimizer, optax.GradientTransformation, "a gradient transformation of optax")
    params, where = net.cell if isinstance(net, Net) else net, along(k, examples, length)
    steps, key = argument.size("steps", steps, 1), argument.key(key)
    descend = compiled(partial(_descend, cell, task, optimizer, where, steps), params, key)
    params, exponents, updates = descend(params, key)
    return Preflossed(net._replace(cell=params) if isinstance(net, Net) else params, exponents, updates)


def _descend(
    cell: Cell,
    task: Task,
    optimizer: optax.GradientTransformation,
    where: Along,
    steps: int,
    params: Params,
    key: Array,
) -> tuple[Params, Float[Array, "steps k"], Int[Array, ""]]:
    dtype = jnp.finfo(jnp.result_type(*jax.tree.leaves(params))).dtype  # the real one of complex parameters

    def loss(params: Params, key: Array) -> tuple[Array, Array]:
        key_examples, key_frame = jax.random.split(key)
        xs = draw(task, jax.random.split(key_examples, where.examples), dtype).xs
        exponents = exponents_of(cell, cell.prepare(params), xs, key_frame, where)
        return jnp.mean(exponents**2), jnp.mean(exponents, axis=0)

    def update(carry: tuple[Params, Any, Array], key: Array) -> tuple[tuple[Params, Any, Array], tuple[Array, Array]]:
        params, state, runs = carry
        gradient, exponents = jax.grad(loss, has_aux=True)(params, key)
        updates, after = optimizer.update(gradient, state, params)
        moved = optax.apply_updates(params, updates), after
        runs = runs & still_finite((params, state), moved)
        params, state = jax.tree.map(partial(jnp.where, runs), moved, (params, state))
        return (params, state, runs), (jnp.where(runs, exponents, jnp.nan), runs)

    first = params, optimizer.init(params), jnp.asarray(True)
    (params, _, _), (exponents, made) = jax.lax.scan(update, first, jax.random.split(key, steps))
    return params, exponents, jnp.sum(made, dtype=jnp.int32)
