"""What a training says of itself, against plain loops: answers, gradients, losses, and what probes make of a net."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from learning import fit, loss_of_example, plain_loop

import rnn_dynamics as rd
from rnn_dynamics import train

TASK, SGD = train.tasks.adding(6), optax.sgd(0.1)
COPY = train.tasks.copy_memory(2, symbols=2, alphabet=2)
TINY = {"updates": 4, "every": 2, "hidden": 3, "batch": 2, "held_out": 5}


def at(index, tree):
    return jax.tree.map(lambda leaf: leaf[index], tree)


PROBES = {
    "net": lambda moment: moment.net,
    "examples": lambda moment: moment.examples,
    "length": lambda moment: jnp.asarray(moment.task.length),
}


@pytest.fixture(scope="module")
def copied():
    """A training on a task of which two steps count."""
    return fit(rd.cells.elman, COPY, SGD, key=jax.random.key(20), probes=PROBES, **TINY)


def held_out_losses(cell, task, found):
    """The mean loss at each look, by loops over time."""

    @jax.jit
    def look(net, examples):
        return jnp.mean(jax.vmap(partial(loss_of_example, cell, task, net))(examples))

    return [look(*at(record, (found.probes["net"], found.probes["examples"]))) for record in range(len(found.recorded))]


def test_losses_of_several_steps_are_those_of_the_plain_loop(copied, key):
    losses, net = plain_loop(rd.cells.elman, COPY, SGD, key=key, updates=4, batch=2, hidden=3)
    np.testing.assert_allclose(copied.loss, losses, rtol=1e-9)
    np.testing.assert_allclose(copied.net.params.W, net.params.W, rtol=1e-8)


def test_correct_answers_are_counted_over_the_steps_that_count(copied):
    seen = copied.probes["net"], copied.probes["examples"]
    for record in range(3):
        ((W, U, b), (V, c)), examples = jax.tree.map(np.asarray, at(record, seen))
        answers = []
        for example in zip(*examples, strict=True):
            h = np.zeros(3)
            for x, target, counts in zip(*example, strict=True):
                h = np.tanh(W @ h + U @ x + b)
                answers += [np.argmax(V @ h + c) == target] if counts else []
        assert len(answers) == 2 * TINY["held_out"]
        assert 0 < sum(answers) < len(answers)
        np.testing.assert_allclose(copied.correct[record], np.mean(answers), rtol=1e-12)
    np.testing.assert_allclose(copied.held_out_loss, held_out_losses(rd.cells.elman, COPY, copied), rtol=1e-9)


LONGER = train.tasks.adding(8)._replace(correct=lambda answer, target: jnp.all(answer < jnp.inf))


@pytest.fixture(scope="module")
def watched():
    """A training with a penalty, looked at after each update on a longer task, of which every answer is correct."""

    def penalty(moment):
        return jnp.sum(moment.net.params.W**2)

    settings = TINY | {"every": 1, "held_out_task": LONGER, "probes": PROBES, "penalties": (penalty,)}
    return fit(rd.cells.elman, TASK, SGD, key=jax.random.key(20), **settings)


def test_a_net_is_looked_at_on_the_held_out_task(watched):
    assert watched.probes["examples"].xs.shape == (5, 5, 8, 2)
    np.testing.assert_array_equal(watched.probes["length"], 8)
    np.testing.assert_array_equal(watched.correct, 1)
    np.testing.assert_allclose(watched.held_out_loss, held_out_losses(rd.cells.elman, LONGER, watched), rtol=1e-9)


def test_the_norm_is_of_the_gradient_of_loss_and_penalty(watched):
    """Descent at a rate r moves a net by r times the gradient."""
    moves = [np.diff(leaf, axis=0).reshape(4, -1) for leaf in jax.tree.leaves(watched.probes["net"])]
    norms = np.linalg.norm(np.concatenate(moves, axis=1), axis=1) / 0.1
    np.testing.assert_allclose(watched.log_gradient_norm, np.log(norms), rtol=1e-9)


def test_an_optimizer_is_told_the_loss_of_the_batch(key):
    """With its penalties. This one subtracts it, so that c goes down by each loss in turn."""

    def update(gradient, state, params=None, *, value, **_):
        return jax.tree.map(lambda leaf: jnp.full_like(leaf, -value), gradient), state

    optimizer = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    settings = TINY | {"every": 1, "probes": {"net": PROBES["net"]}, "penalties": (lambda moment: jnp.ones(()),)}
    found = fit(rd.cells.elman, TASK, optimizer, key=key, **settings)
    c = found.probes["net"].readout.c[:, 0]
    np.testing.assert_array_equal(found.penalty, 1)
    np.testing.assert_allclose(-np.diff(c), found.loss + 1, rtol=1e-9)


def moment_of(cell, task, key):
    net = train.init_net(cell, task, key=key, hidden=3)
    examples = jax.vmap(task.sample)(jax.random.split(key, 4))
    return train.Moment(cell, task, net, examples, key, jnp.asarray(0, jnp.int32))


def measured(probe, moment):
    """As `fit` does it: in a compiled program."""
    return jax.jit(lambda net: probe.function(moment._replace(net=net)))(moment.net)


def test_gates_are_taken_at_the_state_before_the_step(key):
    moment = moment_of(rd.cells.lstm, TASK, key)

    @jax.jit
    @jax.vmap
    def along(xs):
        params = moment.net.params
        state, found = rd.cells.lstm.initial_state(params), []
        for x in xs:
            found.append(rd.cells.gates(params, state.h, x))
            state = rd.cells.lstm.step(params, state, x)
        return jax.tree.map(lambda *each: jnp.stack(each), *found)

    found = measured(train.probes.gates(2, shut=0.45), moment)
    for name, values in jax.tree.map(np.asarray, along(moment.examples.xs[:2])).items():
        np.testing.assert_allclose(found[f"{name}_mean"], values.mean(), rtol=1e-12)
        np.testing.assert_allclose(found[f"{name}_shut"], (values < 0.45).mean(), rtol=1e-12)
        np.testing.assert_allclose(found[f"{name}_open"], (values > 0.55).mean(), rtol=1e-12)


def test_exponents_leave_the_burn_in_out(key):
    """h_t = p x_t h_{t-1} of one unit grows by ln|p x_t| in step t."""
    cell = rd.cells.Cell(lambda key, **_: jnp.ones(1) / 2, jnp.zeros_like, lambda p, h, x: p * x[:1] * h)
    moment = moment_of(cell, TASK, key)
    found = measured(train.probes.lyapunov(burn_in=4, examples=3), moment)
    each = np.log(np.asarray(moment.examples.xs)[:3, 4:, 0] / 2).mean(axis=1)
    np.testing.assert_allclose(found["exponents"], [each.mean()], rtol=1e-12)
    np.testing.assert_allclose(found["stderr"], [each.std(ddof=1) / 3**0.5], rtol=1e-12)


def test_contributions_are_derivatives_in_the_parameters_of_one_step(key):
    """C_tk is the derivative of the loss at step t if every step k has parameters of its own."""
    task = train.tasks.parity(4)  # every step counts
    moment = moment_of(rd.cells.elman, task, key)
    example, readout = at(0, moment.examples), moment.net.readout

    def losses(params):
        h, found = jnp.zeros(3), []
        for t in range(4):
            h = rd.cells.elman.step(at(t, params), h, example.xs[t])
            found.append(task.loss(readout.V @ h + readout.c, example.targets[t]) / 4)
        return jnp.stack(found)

    each = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (4, *leaf.shape)), moment.net.params)
    derivatives = jax.jit(jax.jacrev(losses))(each)
    squares = sum(np.sum(leaf.reshape(4, 4, -1) ** 2, axis=2) for leaf in jax.tree.leaves(derivatives))
    np.testing.assert_allclose(measured(train.probes.contributions(), moment), np.sqrt(squares), rtol=1e-9, atol=1e-15)
