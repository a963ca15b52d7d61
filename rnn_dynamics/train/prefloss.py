"""Gradient flossing before training: bring the Lyapunov exponents of a net to 0 before it learns a task.

Engelken (2023), as in `flossing.py`.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from .. import argument
from ..cells.contract import Cell, Params
from ..machinery.printed import Table, fields_of, printable, span
from .flossing import Along, along, exponents_of
from .net import Net
from .objective import draw
from .program import compiled, still_finite
from .task import Task


@printable
class Preflossed(NamedTuple):
    """The result of `prefloss`.

    Attributes:
        net: What was given, a Net or the parameters of a cell, with new parameters of the cell.
        exponents: (updates, k) λ_1 .. λ_k before each update, averaged over examples; NaN for updates that were not
            made.
        updates: The number of updates made: fewer than asked for if the next would have made a number not finite.
    """

    net: Any
    exponents: Float[Array, "updates k"]
    updates: Int[Array, ""]

    def _headline(self) -> str:
        first = span(np.asarray(self.exponents)[..., 0, :])
        return f"(updates={span(self.updates)}): exponents before {first}, at any update {span(self.exponents)}"

    def _table(self) -> Table:
        return fields_of(self)


def prefloss(
    cell: Cell,
    net: Any,
    task: Task,
    *,
    key: Array,
    k: int,
    updates: int,
    optimizer: optax.GradientTransformation,
    examples: int = 1,
    length: int | None = None,
) -> Preflossed:
    """Bring the k largest Lyapunov exponents of a net to 0 by gradient descent, before any training on the task.

        minimise 1/k Σ_{i<=k} λ_i²

    Each update draws new examples of the task and a new frame. The readout is left as it is. The choice of k matters:
    with few exponents, errors are carried back along few directions (`experiments/preflossing.py`).

    Args:
        cell: The recurrent map.
        net: A Net, or the parameters of the cell alone.
        task: The task whose inputs drive the net.
        key: A JAX random key.
        k: The number of exponents, from 1 to n.
        updates: The number of updates.
        optimizer: An optax gradient transformation.
        examples: The number of examples to average over in each update. Default: 1.
        length: Measure over this many first steps of an example. Default: all.

    Returns:
        A `Preflossed`: the new net, the exponents before each update, and the number of updates made.

    Cost:
        `updates` times that of `flossing`, as one scan that is compiled once.

    Example:
        >>> task, cell = rd.train.tasks.adding(10), rd.cells.elman
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3)
        >>> found = rd.train.prefloss(cell, net, task, key=key, k=2, updates=4, optimizer=optax.adam(0.01))
        >>> found.exponents.shape, int(found.updates)
        ((4, 2), 4)

    References:
        Engelken (2023), "Gradient flossing: improving gradient descent through dynamic control of Jacobians", NeurIPS.
    """
    argument.instance("cell", cell, Cell)
    argument.instance("task", task, Task)
    argument.instance("optimizer", optimizer, optax.GradientTransformation, "a gradient transformation of optax")
    params, where = net.params if isinstance(net, Net) else net, along(k, examples, length)
    updates, key = argument.size("updates", updates, 1), argument.key(key)
    descend = compiled(partial(_descend, cell, task, optimizer, where, updates), params, key)
    params, exponents, made = descend(params, key)
    return Preflossed(net._replace(params=params) if isinstance(net, Net) else params, exponents, made)


def _descend(
    cell: Cell,
    task: Task,
    optimizer: optax.GradientTransformation,
    where: Along,
    updates: int,
    params: Params,
    key: Array,
) -> tuple[Params, Float[Array, "updates k"], Int[Array, ""]]:
    dtype = jnp.finfo(jnp.result_type(*jax.tree.leaves(params))).dtype  # for complex parameters, the real dtype

    def loss(params: Params, key: Array) -> tuple[Array, Array]:
        key_examples, key_frame = jax.random.split(key)
        xs = draw(task, jax.random.split(key_examples, where.examples), dtype).xs
        exponents = exponents_of(cell, cell.prepare(params), xs, key_frame, where)
        return jnp.mean(exponents**2), jnp.mean(exponents, axis=0)

    def update(carry: tuple[Params, Any, Array], key: Array) -> tuple[tuple[Params, Any, Array], tuple[Array, Array]]:
        params, state, runs = carry
        gradient, exponents = jax.grad(loss, has_aux=True)(params, key)
        change, after = optimizer.update(gradient, state, params)
        moved = optax.apply_updates(params, change), after
        runs = runs & still_finite((params, state), moved)
        params, state = jax.tree.map(partial(jnp.where, runs), moved, (params, state))
        return (params, state, runs), (jnp.where(runs, exponents, jnp.nan), runs)

    first = params, optimizer.init(params), jnp.asarray(True)
    (params, _, _), (exponents, made) = jax.lax.scan(update, first, jax.random.split(key, updates))
    return params, exponents, jnp.sum(made, dtype=jnp.int32)
