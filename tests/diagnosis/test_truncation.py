"""Which window of truncated backpropagation is long enough: h' = a h + x, where the answer is a geometric series."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics.diagnosis import truncation as module
from rnn_dynamics.diagnosis.truncation import ladder, truncation

A, T = 0.8, 40


def line(a, h, x):
    return a * h + x


def last(states):
    return states[-1]


def at_rest(loss, sequences=1, **options):
    """The state stays 1, so that the step ℓ before a loss contributes a^ℓ to its gradient."""
    return truncation(line, jnp.array(A), jnp.ones(()), jnp.full((sequences, T), 1 - A), loss, **options)


def test_a_loss_at_the_end():
    found = at_rest(last)
    np.testing.assert_allclose(found.bias, (A**found.lengths - A**T) / (1 - A**T), atol=1e-14)
    assert found.bias[-1] == 0
    assert found.lengths[-1] == T
    # a^K <= 0.05 from K = 13.4 on
    assert found.shortest == 16
    assert at_rest(last, tolerance=0.2).shortest == 8
    assert "windows of 16 of 40 steps changes the gradient by 0.028 of its size" in found.sentence()


def test_a_loss_at_every_step():
    found = at_rest(lambda states: states)
    gradients = [sum(A**lag for t in range(1, T + 1) for lag in range(min(K, t))) for K in found.lengths]
    np.testing.assert_allclose(found.bias, 1 - np.array(gradients) / gradients[-1], atol=1e-13)


def random_net(cell, sequences=1, T=16):
    params = cell.init(jax.random.key(1), inputs=2, hidden=4)
    return cell.step, params, cell.initial_state(params), jax.random.normal(jax.random.key(2), (sequences, T, 2))


@pytest.mark.parametrize("loss", [lambda s: jnp.sum(s.h**2, axis=1), lambda s: jnp.sum(s.c[-1])], ids=["all", "last"])
@pytest.mark.slow
def test_it_agrees_with_the_sum_over_all_pairs_of_steps(loss):
    step, params, h0, xs = random_net(rd.cells.lstm)
    found = truncation(step, params, h0, xs, loss)
    expected = rd.truncation_bias(rd.gradient_contributions(step, params, h0, xs[0], loss))
    np.testing.assert_allclose(found.bias, np.asarray(expected)[found.lengths - 1], atol=1e-12)


def test_losses_at_different_steps_of_each_sequence():
    step, params, h0, xs = random_net(rd.cells.gru, sequences=3)
    times = jnp.array([5, 15, 11])

    def loss(states, time):
        return jnp.sum(states[time] ** 2)

    found = truncation(step, params, h0, xs, loss, targets=times)

    by_lag = sum(contributions_by_lag(step, params, h0, xs[i], lambda s, i=i: loss(s, times[i])) for i in range(3))
    sizes = [np.linalg.norm(by_lag[K:].sum(axis=0)) for K in (0, *found.lengths)]
    np.testing.assert_allclose(found.bias, np.array(sizes[1:]) / sizes[0], atol=1e-12)


def contributions_by_lag(*net):
    leaves = jax.tree.leaves(rd.gradient_contributions(*net).by_lag)
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


def test_gradients_of_sequences_that_cancel():
    # the second loss is that of an earlier time: at lag ℓ the sequences contribute a^ℓ and -a^ℓ, the second T/2 times
    targets = jnp.array([T - 1, T // 2 - 1]), jnp.array([1.0, -1.0])
    found = at_rest(lambda states, target: target[1] * states[target[0]], sequences=2, targets=targets)
    later = found.lengths >= T // 2
    np.testing.assert_allclose(found.bias[~later], 1, atol=1e-14)
    remains = A ** np.minimum(found.lengths[later], T) - A**T
    np.testing.assert_allclose(found.bias[later], remains / (A ** (T // 2) - A**T), atol=1e-10)


def test_windows_beyond_the_rows_that_are_kept_are_left_out(monkeypatch):
    full = at_rest(lambda states: states)
    monkeypatch.setattr(module, "MOST_ROWS", 6)
    found = at_rest(lambda states: states)
    assert found.lengths.tolist() == [1, 2, 3, 4, 6]
    np.testing.assert_allclose(found.bias, full.bias[:5], atol=1e-13)
    assert found.shortest is None
    assert "Windows of up to 6 steps all change the gradient by more than 0.05" in found.sentence()


def test_a_bias_that_returns():
    # the steps contribute 1, 1 and -1, the last one first: a window of one step is right by chance alone
    writes = jnp.array([0.0, 0.0, -1.0, 1.0, 1.0])
    found = truncation(lambda p, h, x: h + p * x, jnp.array(1.0), jnp.zeros(()), writes[None], last)
    np.testing.assert_allclose(found.bias, [0, 1, 0, 0, 0], atol=1e-14)
    assert found.shortest == 3


def test_few_sequences_are_used_where_time_is_short(monkeypatch):
    monkeypatch.setattr(module, "MOST_PULLS", 2 * T * (1 + 8 * len(ladder(T))))
    assert at_rest(last, sequences=5).sequences == 2


def test_a_gradient_that_needs_all_steps():
    found = truncation(line, jnp.array(1.0), jnp.ones(()), jnp.zeros((1, T)), last)
    np.testing.assert_allclose(found.bias, 1 - found.lengths / T, atol=1e-14)
    assert found.shortest == T
    assert "do not truncate" in found.sentence()


def test_a_gradient_of_zero():
    found = truncation(line, jnp.array(A), jnp.zeros(()), jnp.zeros((1, T)), last)
    assert found.shortest is None
    assert "no window of truncated backpropagation is judged" in found.sentence()


def test_parameters_without_a_gradient():
    def step(p, h, x):
        return p["a"] * h + x * p["order"].astype(float)

    params = {"a": jnp.array(A), "order": jnp.array(1)}
    found = truncation(step, params, jnp.ones(()), jnp.full((1, T), 1 - A), last)
    np.testing.assert_allclose(found.bias, at_rest(last).bias, atol=1e-14)
    a = jnp.array(A)
    found = truncation(lambda p, h, x: a * h + x, (), jnp.ones(()), jnp.ones((1, T)), last)
    assert found.shortest is None
    assert np.isnan(found.bias).all()


@pytest.mark.parametrize("longest", [1, 2, 7, 500])
def test_the_ladder(longest):
    steps = ladder(longest)
    assert steps[0] == 1
    assert steps[-1] == longest
    assert (np.diff(steps) > 0).all()
    assert all(b <= max(a + 1, 1.55 * a) for a, b in itertools.pairwise(steps))
