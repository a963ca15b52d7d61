"""Watch the gradients of a Flax (nnx) LSTM while it learns to add two marked numbers.

python examples/watch_flax.py
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import rnn_dynamics as rd

STEPS, BATCH, UNITS, THRESHOLD = 30, 32, 32, 1.0


class Adder(nnx.Module):
    """An LSTM and a readout of its last output."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.rnn = nnx.RNN(nnx.OptimizedLSTMCell(2, UNITS, rngs=rngs))
        self.readout = nnx.Linear(UNITS, 1, rngs=rngs)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        return self.readout(self.rnn(inputs)[:, -1])[:, 0]


def examples(key: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Draw sequences of values and marks, and the sum of the two marked values."""
    keys = jax.random.split(key, 3)
    values, row = jax.random.uniform(keys[0], (count, STEPS)), jnp.arange(count)
    first = jax.random.randint(keys[1], (count,), 0, STEPS // 2)
    second = jax.random.randint(keys[2], (count,), STEPS // 2, STEPS)
    marks = jnp.zeros((count, STEPS)).at[row, first].set(1.0).at[row, second].set(1.0)
    return jnp.stack([values, marks], axis=2), (values * marks).sum(axis=1)


@nnx.jit
def update(model: Adder, optimizer: nnx.Optimizer, key: jax.Array) -> jax.Array:
    """Make one update and return the norm of the gradient before clipping."""
    inputs, targets = examples(key, BATCH)
    grads = nnx.grad(lambda model: jnp.mean((model(inputs) - targets) ** 2))(model)
    optimizer.update(model, grads)
    return optax.tree.norm(grads)


def main(updates: int = 600, every: int = 100, to: Any = ()) -> Any:
    model = Adder(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.chain(optax.clip_by_global_norm(THRESHOLD), optax.adam(1e-2)), wrt=nnx.Param)
    held_out, _ = examples(jax.random.key(1), 4)
    watch = rd.watch(held_out, every=every, horizon=STEPS, to=to)
    for i in range(updates):
        norm = update(model, optimizer, jax.random.fold_in(jax.random.key(2), i))
        watch(step=i, model=model.rnn, norm=norm, clipped=jnp.minimum(norm, THRESHOLD))
    return watch


if __name__ == "__main__":
    dataset = main().dataset
    print(dataset[["log_norm", "gate_mean", "norm_median", "clipped_share", "finding"]])
    print(dataset.log_norm.isel(lag=-1).median("sequence").values)
