"""Watch the gradients of an Equinox GRU while it learns to add two marked numbers.

python examples/watch_equinox.py
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import rnn_dynamics as rd

STEPS, BATCH, UNITS, THRESHOLD = 30, 32, 32, 1.0
OPTIMIZER = optax.chain(optax.clip_by_global_norm(THRESHOLD), optax.adam(1e-2))


class Adder(eqx.Module):
    """A GRU and a readout of its last state."""

    cell: eqx.nn.GRUCell
    readout: eqx.nn.Linear

    def __call__(self, inputs: jax.Array) -> jax.Array:
        start = jnp.zeros(self.cell.hidden_size)
        state, _ = jax.lax.scan(lambda state, x: (self.cell(x, state), None), start, inputs)
        return self.readout(state)[0]


def examples(key: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Draw sequences of values and marks, and the sum of the two marked values."""
    keys = jax.random.split(key, 3)
    values, row = jax.random.uniform(keys[0], (count, STEPS)), jnp.arange(count)
    first = jax.random.randint(keys[1], (count,), 0, STEPS // 2)
    second = jax.random.randint(keys[2], (count,), STEPS // 2, STEPS)
    marks = jnp.zeros((count, STEPS)).at[row, first].set(1.0).at[row, second].set(1.0)
    return jnp.stack([values, marks], axis=2), (values * marks).sum(axis=1)


@eqx.filter_jit
def update(model: Adder, moments: Any, key: jax.Array) -> tuple[Adder, Any, jax.Array]:
    """Make one update; also return the norm of the gradient before clipping."""
    inputs, targets = examples(key, BATCH)
    grads = eqx.filter_grad(lambda model: jnp.mean((jax.vmap(model)(inputs) - targets) ** 2))(model)
    changes, moments = OPTIMIZER.update(grads, moments)
    return eqx.apply_updates(model, changes), moments, optax.tree.norm(grads)


def main(updates: int = 600, every: int = 100, to: Any = ()) -> Any:
    keys = jax.random.split(jax.random.key(0))
    model = Adder(eqx.nn.GRUCell(2, UNITS, key=keys[0]), eqx.nn.Linear(UNITS, 1, key=keys[1]))
    moments = OPTIMIZER.init(eqx.filter(model, eqx.is_array))
    held_out, _ = examples(jax.random.key(1), 4)
    watch = rd.watch(held_out, every=every, horizon=STEPS, to=to)
    for i in range(updates):
        model, moments, norm = update(model, moments, jax.random.fold_in(jax.random.key(2), i))
        watch(step=i, model=model.cell, norm=norm, clipped=jnp.minimum(norm, THRESHOLD))
    return watch


if __name__ == "__main__":
    dataset = main().dataset
    print(dataset[["log_norm", "gate_mean", "norm_median", "clipped_share", "finding"]])
    print(dataset.log_norm.isel(lag=-1).median("sequence").values)
