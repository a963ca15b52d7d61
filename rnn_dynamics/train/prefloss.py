"""Gradient flossing before training: a net is drawn, and its Lyapunov exponents are brought to 0 before it learns.

Engelken (2023), as in `flossing.py`.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from .. import argument
from ..cells.contract import Cell, Params
from .flossing import Along, along, exponents_of
from .net import Net
from .task import Task


class Preflossed(NamedTuple):
    """What was given, with new parameters of the cell; and λ_1 .. λ_k before each update, averaged over examples."""

    net: Any
    exponents: Float[Array, "steps k"]


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
    of the task and a new frame. The exponents are those of the first `length` steps, averaged over `examples`.
    """
    if not isinstance(cell, Cell):
        raise TypeError(f"cell: got {cell!r}, expected a Cell")
    if not isinstance(task, Task):
        raise TypeError(f"task: got {task!r}, expected a Task")
    params, where = net.cell if isinstance(net, Net) else net, along(k, examples, length)
    steps, key = argument.size("steps", steps, 1), argument.key(key)
    params, exponents = _descend(cell, task, optimizer, where, steps, params, key)
    return Preflossed(net._replace(cell=params) if isinstance(net, Net) else params, exponents)


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _descend(
    cell: Cell,
    task: Task,
    optimizer: optax.GradientTransformation,
    where: Along,
    steps: int,
    params: Params,
    key: Array,
) -> tuple[Params, Float[Array, "steps k"]]:
    def loss(params: Params, key: Array) -> tuple[Array, Array]:
        key_examples, key_frame = jax.random.split(key)
        xs = jax.vmap(task.sample)(jax.random.split(key_examples, where.examples)).xs
        exponents = exponents_of(cell, cell.prepare(params), xs, key_frame, where)
        return jnp.mean(exponents**2), jnp.mean(exponents, axis=0)

    def update(carry: tuple[Params, Any], key: Array) -> tuple[tuple[Params, Any], Array]:
        params, state = carry
        gradient, exponents = jax.grad(loss, has_aux=True)(params, key)
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), exponents

    (params, _), exponents = jax.lax.scan(update, (params, optimizer.init(params)), jax.random.split(key, steps))
    return params, exponents
