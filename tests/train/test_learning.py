"""Who learns what: nets that must solve a task within a budget, one that cannot, and the gradient that says why."""

import jax
import numpy as np
import optax
import pytest
from learning import fit

import rnn_dynamics as rd
from rnn_dynamics import train

pytestmark = pytest.mark.slow
BUDGET = {"updates": 900, "every": 50, "batch": 32, "stop_when_solved": True, "key": jax.random.key(0)}


@pytest.fixture(autouse=True)
def as_users_compute():
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        yield


def optimizer():
    return optax.chain(train.clip_by_norm(1.0), optax.adam(0.01))


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_gates_solve_adding_over_200_steps(name):
    found = fit(rd.cells.CELLS[name], train.tasks.adding(200), optimizer(), hidden=32, **BUDGET)
    assert found.outcome == 1
    assert found.held_out_loss[int(found.updates) // 50] <= 0.01


def test_a_gaussian_tanh_net_does_not_and_its_gradient_says_why():
    """At g = .5 and T = 50 the gradient of the first state is 13 orders of magnitude below that of the last."""
    task, cell = train.tasks.adding(50), rd.cells.elman
    net = train.init_net(cell, task, key=jax.random.key(0), hidden=32, gain=0.5)
    probes = {"gradient": train.probes.log_state_gradients(16)}
    found = fit(cell, task, optimizer(), net=net, probes=probes, **BUDGET)
    assert found.outcome == 0
    assert (found.held_out_loss[1:] > 0.8 * task.chance).all()
    gradients = np.asarray(found.probes["gradient"])
    assert gradients[0, 0] - gradients[0, -1] < -30
    # training did not bring it back either
    assert (gradients[:, 0] - gradients[:, -1] < np.log(1e-3)).all()


def test_an_orthogonal_start_lets_a_tanh_net_solve_50_steps():
    task, cell = train.tasks.adding(50), rd.cells.elman
    net = train.init_net(cell, task, key=jax.random.key(0), hidden=64, recurrent=rd.cells.initializers.orthogonal)
    slower = optax.chain(train.clip_by_norm(1.0), optax.adam(1e-3))
    found = fit(cell, task, slower, net=net, **{**BUDGET, "updates": 3000, "every": 100, "batch": 64})
    assert found.outcome == 1


def test_flossing_nearly_all_exponents_lets_a_tanh_net_learn_a_longer_delay():
    """Engelken (2023), at reduced size: 30 steps of temporal XOR, which the same net does not learn as it is drawn."""
    task, cell, floss = train.tasks.temporal_xor(62, 30), rd.cells.elman, optax.adam(5e-3)
    net = train.init_net(cell, task, key=jax.random.key(0), hidden=48)
    flossed = train.prefloss(cell, net, task, key=jax.random.key(1), k=44, updates=200, optimizer=floss)
    assert flossed.exponents[0].max() < -0.15
    assert np.abs(flossed.exponents[-1, :12]).max() < 0.05
    slower = optax.chain(train.clip_by_norm(0.03), optax.adam(1e-3))
    budget = {"updates": 1000, "every": 100, "batch": 16, "key": jax.random.key(2)}
    assert fit(cell, task, slower, net=net, **budget).correct.max() < 0.55
    assert fit(cell, task, slower, net=flossed.net, **budget).correct[-1] > 0.95
