"""What is random in a training: noise, the keys of probes and penalties, the examples; and the bar that shows it."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from learning import fit

import rnn_dynamics as rd
from rnn_dynamics import train

TASK, SGD = train.tasks.adding(6), optax.sgd(0.1)
TINY = {"updates": 4, "every": 2, "hidden": 3, "batch": 2, "held_out": 3}


def told(length):
    """A task whose loss at step t is answer t, so that ∂L/∂V is a table of the states, over the number of steps."""

    def sample(key):
        return train.Example(jnp.zeros((length, 1)), jnp.arange(length), jnp.ones(length, bool))

    def loss(answer, target):
        return answer[target]

    def correct(answer, target):
        return answer[target] > 0

    return train.Task("told", 1, length, length, sample, loss, correct, chance=0.0, solved=0.0)


def still(params, state, x):
    """Whatever the state was, the next one is 0, but for the noise."""
    return jax.tree.map(jnp.zeros_like, state)


def test_noise_is_drawn_for_each_step_part_of_the_state_and_example(key):
    T, n, batch, noise = 5, 400, 4, 0.3
    cell = rd.cells.Cell(rd.cells.linear.init, lambda p: (p, p), still, jnp.concatenate)
    net = train.Net(jnp.zeros(n), train.Readout(jnp.zeros((T, 2 * n)), jnp.zeros(T)))
    settings = {"updates": 1, "batch": batch, "held_out": 1, "net": net, "noise": noise}
    found = fit(cell, told(T), optax.sgd(float(T)), key=key, **settings)
    states = -found.net.readout.V.reshape(2 * T, n)  # the mean over the batch of each part at each step
    assert abs(np.corrcoef(states) - np.eye(2 * T)).max() < 5 / n**0.5
    np.testing.assert_allclose(states.std(axis=1), noise / batch**0.5, rtol=4 / (2 * n) ** 0.5)
    assert abs(states.mean(axis=1)).max() < 4 * noise / (batch * n) ** 0.5


def examples_of(moment):
    return moment.examples


def bits_of_key(moment):
    return jax.random.key_data(moment.key)


def number_of_key(moment):
    return jax.random.uniform(moment.key)


@pytest.fixture(scope="module")
def unmoved():
    """A training with a learning rate of 0: whatever changes was drawn anew."""
    probes = {"examples": examples_of, "key": bits_of_key}
    settings = {**TINY, "every": 1, "held_out": 5, "probes": probes, "penalties": (number_of_key,)}
    return fit(rd.cells.elman, TASK, optax.sgd(0.0), key=jax.random.key(20), **settings)


def test_every_look_is_at_the_same_held_out_examples(unmoved):
    for leaf in jax.tree.leaves((unmoved.probes["examples"], unmoved.held_out_loss, unmoved.correct)):
        assert len(leaf) == 5
        np.testing.assert_array_equal(leaf, jnp.broadcast_to(leaf[:1], leaf.shape))
    assert len(np.unique(unmoved.probes["examples"].xs[0], axis=0)) == 5


def test_every_update_has_examples_of_its_own(unmoved):
    assert len(np.unique(unmoved.loss)) == 4


def test_every_look_hands_probes_another_key(unmoved):
    assert len(np.unique(unmoved.probes["key"], axis=0)) == 5


def test_every_update_hands_penalties_another_key(unmoved):
    assert len(np.unique(unmoved.penalty)) == 4


def test_a_readout_of_any_width_starts_with_answers_of_size_one(key):
    width, outputs = 16, 200
    readout = train.init_net(rd.cells.elman, TASK._replace(outputs=outputs), key=key, hidden=width).readout
    assert readout.V.shape == (outputs, width)
    np.testing.assert_allclose(readout.V.std(), width**-0.5, rtol=4 / (2 * outputs * width) ** 0.5)
    assert (readout.c == 0).all()


def test_a_bar_shows_updates_and_the_held_out_loss(key, capsys):
    silent = fit(rd.cells.elman, TASK, SGD, key=key, **TINY)
    assert capsys.readouterr() == ("", "")
    shown = fit(rd.cells.elman, TASK, SGD, key=key, progress=True, **TINY)
    np.testing.assert_array_equal(shown.loss, silent.loss)
    printed, bar = capsys.readouterr()
    assert printed == ""
    made = [int(number) for number in re.findall(r"(\d+)/4 ", bar)]
    assert made[0] == 0
    assert made[-1] == 4
    assert made == sorted(made)
    assert f"held-out loss {shown.held_out_loss[-1]:.4g}" in bar.splitlines()[-1].split("\r")[-1]
