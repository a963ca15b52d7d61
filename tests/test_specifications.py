"""The plain Python that opens a file is what the fast version in it computes."""

import importlib
import re
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from learning import fit, loss_of_example

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.machinery.lu_frames import starting_frame
from rnn_dynamics.machinery.spectral_norm import spectral_norm

CELL = rd.cells.elman
T, N = 40, 4


def specified(module, name):
    """Return the function that the docstring of a module defines under "The specification"."""
    text = importlib.import_module(module).__doc__
    (code,) = re.findall(r"The specification.*?:\n\n((?:(?:    .*)?\n)+)", text)
    names = {"np": np, "rd": rd, "jax": jax, "optax": optax, "first_frame": first_frame}
    exec(textwrap.dedent(code), names)
    return names[name]


def first_frame(n):
    return np.asarray(starting_frame(jnp.zeros(n), None, None))


@pytest.fixture
def given(key):
    params = CELL.init(key, inputs=2, hidden=N, gain=1.5)
    return CELL.step, params, jnp.full(N, 0.1), jax.random.normal(key, (T, 2))


def test_lyapunov_spectrum(given):
    plain = specified("rnn_dynamics.measure.lyapunov", "lyapunov_spectrum")
    np.testing.assert_allclose(rd.lyapunov_spectrum(*given).exponents, plain(*given), rtol=1e-9)


def test_gradient_flow(given):
    plain = specified("rnn_dynamics.measure.flow", "gradient_flow")
    np.testing.assert_allclose(rd.gradient_flow(*given).log_norm, plain(*given), rtol=1e-9, atol=1e-9)


def test_covariant_vectors(given):
    plain = specified("rnn_dynamics.measure.covariant", "covariant_vectors")
    found = rd.covariant_vectors(*given, frame_burn_in=0, tail=25)
    expected = plain(*given, tail=T - int(found.times[-1]))
    cosines = np.sum(found.vectors[-1] * expected, axis=0)
    np.testing.assert_allclose(abs(cosines), 1, atol=1e-6)


def test_parallel_states(given):
    plain = specified("rnn_dynamics.measure.parallel_states", "parallel_states")
    # two iterations are enough for a loose tolerance, and the states are not yet those of the net
    quiet = (given[0], jax.tree.map(lambda leaf: 0.5 * leaf, given[1]), *given[2:])
    found = rd.parallel_states(*quiet, iterations=2, tolerance=0.1)
    assert found.converged
    np.testing.assert_allclose(found.states, plain(*quiet, iterations=2), rtol=1e-9)
    assert np.abs(found.states - rd.unroll(*quiet)).max() > 1e-6


def test_log_singular_values(given):
    plain = specified("rnn_dynamics.measure.singular_values", "log_singular_values")
    short = (*given[:3], given[3][:5])
    np.testing.assert_allclose(rd.log_singular_values(*short), plain(*short), rtol=1e-9)


def test_spectral_norm(key):
    plain = specified("rnn_dynamics.machinery.spectral_norm", "spectral_norm")
    A = np.asarray(jax.random.normal(key, (70, 60)))
    found = spectral_norm(lambda v: A @ v, lambda u: u @ A, jnp.ones(70))
    assert found.converged
    assert found.value == pytest.approx(plain(A, np.ones(70)), rel=1e-9)


def test_fit(key):
    plain = specified("rnn_dynamics.train.fit", "fit")
    task, optimizer = train.tasks.adding(6), optax.sgd(3e-2, momentum=0.9)
    net = train.init_net(CELL, task, key=key, hidden=3)
    # the keys of the examples, derived as `fit` derives them
    key_updates = jax.random.split(jax.random.split(key)[1], 3)[2]
    keys = [jax.random.split(jax.random.fold_in(key_updates, step))[0] for step in range(3)]

    def loss(net, key_batch):
        examples = [task.sample(jax.random.split(k)[0]) for k in jax.random.split(key_batch, 2)]
        return sum(loss_of_example(CELL, task, net, example) for example in examples) / 2

    found = fit(CELL, task, optimizer, key=key, updates=3, net=net, batch=2, held_out=3).net
    for one, other in zip(*map(jax.tree.leaves, (found, plain(net, optimizer, loss, keys))), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)
