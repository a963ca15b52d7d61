"""The memory of a backward pass: counted by hand for a linear net, and as XLA reserves it for others."""

import jax
import jax.numpy as jnp
import pytest

import rnn_dynamics as rd
from rnn_dynamics.diagnosis.memory import backward_memory, best_stretch

B, M, N = 4, 3, 16
BYTES = 8


def reserved(cell, T, loss, keep_every=None):
    """The bytes that XLA reserves for the gradient of a mean over sequences, beside its arguments and results."""
    params = cell.init(jax.random.key(0), inputs=M, hidden=N)

    def mean(params, xs):
        def of_one(xs):
            return loss(rd.unroll(cell.step, params, cell.initial_state(params), xs, keep_every=keep_every))

        return jnp.mean(jax.vmap(of_one)(xs))

    return jax.jit(jax.grad(mean)).lower(params, jnp.zeros((B, T, M))).compile().memory_analysis().temp_size_in_bytes


def predicted(cell, T, loss=None):
    params = cell.init(jax.random.key(0), inputs=M, hidden=N)
    return backward_memory(cell.step, params, cell.initial_state(params), jnp.zeros((B, T, M)), loss)


def of_output(cell):
    return lambda states: jnp.sum(jax.vmap(cell.output)(states) ** 2)


def test_a_linear_net_by_hand():
    found = predicted(rd.cells.linear, 100)
    # each step keeps h before it; the loss sees h after it and returns ∂L/∂h; x is copied
    assert found.residuals == N * BYTES
    assert found.per_step == (3 * N + M) * BYTES
    assert found.bytes == 100 * B * found.per_step


def test_tanh_keeps_its_derivative_too():
    assert predicted(rd.cells.elman, 100).residuals == 2 * N * BYTES


def test_what_the_loss_does_not_read_is_not_kept():
    cell = rd.cells.lstm
    whole, hidden = predicted(cell, 10), predicted(cell, 10, of_output(cell))
    assert whole.per_step - hidden.per_step == 2 * N * BYTES  # c and ∂L/∂c


def test_what_only_the_parameters_decide_is_kept_once():
    # W = g exp(A - Aᵀ) is the same at each step
    assert predicted(rd.cells.orthogonal, 10).residuals == predicted(rd.cells.elman, 10).residuals
    jitted = jax.jit(lambda p, h, x: rd.cells.activations.tanh(jnp.exp(p) @ h + x))
    found = backward_memory(jitted, jnp.eye(M), jnp.zeros(M), jnp.zeros((B, 10, M)))
    assert found.residuals == 2 * M * BYTES


@pytest.mark.parametrize("name", ["elman", "lstm"])
def test_the_bytes_of_a_step_are_those_that_xla_reserves(name):
    cell = rd.cells.CELLS[name]
    loss = of_output(cell)
    slope = (reserved(cell, 240, loss) - reserved(cell, 120, loss)) / 120 / B
    assert predicted(cell, 120, loss).per_step == pytest.approx(slope, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", rd.cells.CELLS)
def test_the_bytes_of_a_step_for_every_cell(name):
    cell = rd.cells.CELLS[name]

    def loss(states):
        return sum(jnp.sum(jnp.abs(leaf) ** 2) for leaf in jax.tree.leaves(states))

    slope = (reserved(cell, 240, loss) - reserved(cell, 120, loss)) / 120 / B
    assert predicted(cell, 120, loss).per_step == pytest.approx(slope, rel=0.2)


@pytest.mark.parametrize("name", ["elman", "lstm"])
def test_recomputed_stretches_take_what_was_predicted(name):
    cell = rd.cells.CELLS[name]
    loss = of_output(cell)
    found = predicted(cell, 240, loss)
    assert 240 % found.keep_every == 0
    assert found.rematerialised == pytest.approx(reserved(cell, 240, loss, found.keep_every), rel=0.2)
    assert found.rematerialised < 0.6 * found.bytes


def test_a_step_that_captures_its_parameters():
    W, tanh = jnp.eye(N), rd.cells.activations.tanh
    found = backward_memory(lambda _, h, x: tanh(W @ h), (), jnp.zeros(N), jnp.zeros((1, 10, 1)))
    assert found.residuals == N * BYTES  # h itself is needed only for ∂L/∂W


@pytest.mark.parametrize(("T", "ideal", "K"), [(500, 9.1, 10), (503, 9.1, 9), (1, 1.0, 1), (7, 30.0, 7)])
def test_the_stretch_divides_the_steps_if_it_can(T, ideal, K):
    assert best_stretch(T, ideal) == K


def test_the_sentence():
    text = predicted(rd.cells.lstm, 500).sentence()
    assert text.startswith("A backward pass through 500 steps of 4 sequences takes about")
    assert "for one more forward pass" in text
    text = backward_memory(lambda a, h, x: a * h, jnp.ones(1), jnp.zeros(1), jnp.zeros((1, 2, 1))).sentence()
    assert "would save little" in text
