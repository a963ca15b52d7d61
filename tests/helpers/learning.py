"""A training written as a plain loop over examples and times: the judge of the compiled one."""

import jax
import jax.numpy as jnp
import optax

from rnn_dynamics import train


def loss_of_example(cell, task, net, example, truncate=None):
    """The specification, for one example: a loop over time, the loss at every step that counts."""
    h, total = cell.initial_state(net.params), jnp.zeros(())
    for t in range(task.length):
        if truncate and t % truncate == 0:
            h = jax.lax.stop_gradient(h)
        h = cell.step(net.params, h, example.xs[t])
        answer = net.readout.V @ cell.output(h) + net.readout.c
        total = total + jnp.where(example.mask[t], task.loss(answer, example.targets[t]), 0)
    return total / jnp.sum(example.mask).astype(total.dtype)


def plain_loop(cell, task, optimizer, *, key, updates, batch, hidden, truncate=None):
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
    for update in range(updates):
        key_batch, _ = jax.random.split(jax.random.fold_in(key_updates, update))
        value, gradient = jax.value_and_grad(loss)(net, jax.random.split(key_batch, batch))
        change, state = optimizer.update(gradient, state, net)
        net = optax.apply_updates(net, change)
        losses.append(value)
    return jnp.stack(losses), net


def fit(
    cell,
    task,
    optimizer,
    *,
    truncate=None,
    keep_every=None,
    clip_each_step=None,
    noise=None,
    every=None,
    held_out=256,
    held_out_task=None,
    probes=None,
    stop_when_solved=False,
    directory=None,
    devices=None,
    progress=False,
    **others,
):
    """`train.fit` with the options of its three groups in one row, which tests combine."""
    return train.fit(
        cell,
        task,
        optimizer,
        unrolling=train.Unrolling(truncate, keep_every, clip_each_step, noise),
        evaluation=train.Evaluation(every, held_out, held_out_task, probes, stop_when_solved),
        execution=train.Execution(directory, devices, progress),
        **others,
    )
