"""A training written as a plain loop over examples and times: the judge of the compiled one."""

import jax
import jax.numpy as jnp
import optax

from rnn_dynamics import train


def loss_of_example(cell, task, net, example, truncate=None):
    """The specification, for one example: a loop over time, the loss at every step that counts."""
    h, total = cell.initial_state(net.cell), jnp.zeros(())
    for t in range(task.length):
        if truncate and t % truncate == 0:
            h = jax.lax.stop_gradient(h)
        h = cell.step(net.cell, h, example.xs[t])
        answer = net.readout.V @ cell.output(h) + net.readout.c
        total = total + jnp.where(example.mask[t], task.loss(answer, example.targets[t]), 0)
    return total / jnp.sum(example.mask).astype(total.dtype)


def plain_loop(cell, task, optimizer, *, key, steps, batch, hidden, truncate=None):
    """Losses and the final net; keys are derived as `fit` derives them."""
    key_net, key = jax.random.split(key)
    net = train.init_net(cell, task, key=key_net, hidden=hidden)
    state = optimizer.init(net)
    key_updates = jax.random.split(key, 3)[2]

    @jax.jit
    def loss(net, keys):
        examples = [task.sample(jax.random.split(k)[0]) for k in keys]
        return sum(loss_of_example(cell, task, net, example, truncate) for example in examples) / batch

    losses = []
    for step in range(steps):
        key_batch, _ = jax.random.split(jax.random.fold_in(key_updates, step))
        value, gradient = jax.value_and_grad(loss)(net, jax.random.split(key_batch, batch))
        updates, state = optimizer.update(gradient, state, net)
        net = optax.apply_updates(net, updates)
        losses.append(value)
    return jnp.stack(losses), net
