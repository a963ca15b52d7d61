"""One gradient by four ways: backpropagation, real-time recurrent learning, the double sum, finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import assert_trees_close, every_kind, explicit_products, problem

import rnn_dynamics as rd
from rnn_dynamics.train.norm import log_norm


def per_time_losses(cell, T=5):
    weights = jnp.linspace(0.5, 2, T)

    def losses(states):
        return weights * jnp.sum(jax.vmap(cell.output)(states) ** 2, axis=1)

    def loss_t(state, weight):
        return weight * jnp.sum(cell.output(state) ** 2)

    return losses, partial(rd.rtrl, loss_t=loss_t, targets=weights)


@every_kind
def test_backpropagation_rtrl_and_double_sum_agree(cell, key):
    params, h0, xs = problem(cell, key)
    losses, rtrl = per_time_losses(cell)
    truth = jax.jit(jax.grad(lambda p: losses(rd.unroll(cell.step, p, h0, xs)).sum()))(params)
    assert_trees_close(rtrl(cell.step, params, h0, xs), truth)
    table = rd.gradient_contributions(cell.step, params, h0, xs, losses)
    assert_trees_close(table.gradient, truth)
    assert table.norms.shape == (5, 5)
    np.testing.assert_array_equal(np.triu(table.norms, 1), 0)


@every_kind
def test_that_gradient_against_finite_differences(cell, key):
    """Along one random direction through all parameters, central differences of fourth order."""
    params, h0, xs = problem(cell, key)
    losses, rtrl = per_time_losses(cell)
    gradient = rtrl(cell.step, params, h0, xs)
    paths, tree = jax.tree_util.tree_flatten_with_path(params)
    leaves = [leaf for _, leaf in paths]
    # a gain among the parameters is data, held in every derivative
    free = [float(jax.tree_util.keystr(path) != ".gain") for path, _ in paths]
    direction = [by * jax.random.normal(key, leaf.shape, leaf.dtype) for leaf, by in zip(leaves, free, strict=True)]

    @jax.jit
    def loss(distance):
        moved = [leaf + distance.astype(leaf.dtype) * by for leaf, by in zip(leaves, direction, strict=True)]
        return losses(rd.unroll(cell.step, jax.tree.unflatten(tree, moved), h0, xs)).sum()

    slope = sum(jnp.sum(g * by).real for g, by in zip(jax.tree.leaves(gradient), direction, strict=True))
    h = 1e-3
    near, far = (loss(jnp.asarray(k * h)) - loss(jnp.asarray(-k * h)) for k in (1, 2))
    np.testing.assert_allclose(slope, (8 * near - far) / (12 * h), rtol=1e-7, atol=1e-9)


def test_one_named_parameter_alone(key):
    cell = rd.cells.gru
    params, h0, xs = problem(cell, key)
    _, rtrl = per_time_losses(cell)
    all_of_it = rtrl(cell.step, params, h0, xs)
    gradient = rtrl(cell.step, params, h0, xs, wrt=("candidate.W",))
    assert gradient.reset.W is None
    np.testing.assert_allclose(gradient.candidate.W, all_of_it.candidate.W, rtol=1e-12)


@pytest.mark.parametrize("name", ["elman", "lstm", "lru"])
def test_state_gradients_are_the_adjoints(name, key):
    """a_t = Σ_s d_s J_s ··· J_{t+1}, and per loss each term alone."""
    cell = rd.cells.CELLS[name]
    params, h0, xs = problem(cell, key)
    losses, _ = per_time_losses(cell)
    total = rd.state_gradients(cell.step, params, h0, xs, lambda states: losses(states).sum())
    parts = rd.state_gradients(cell.step, params, h0, xs, losses, per_loss=True)
    assert_trees_close(jax.tree.map(lambda leaf: leaf.sum(axis=0), parts), total)
    _, Js = explicit_products(cell, params, h0, xs, 5)
    flat = np.asarray(jax.vmap(jax.vmap(lambda s: rd.machinery.state_vector.flatten(s)[0]))(parts))
    for s in range(5):
        assert not flat[s, s + 1 :].any()  # a loss does not see later states
        for t in range(s):
            np.testing.assert_allclose(flat[s, t], flat[s, t + 1] @ Js[t + 1], rtol=1e-11, atol=1e-14)


def test_scalar_linear_case_is_exact():
    """∂L/∂h_t = (h_T - y) a^{T-t}."""
    a, T = -0.8, 6
    xs = jnp.linspace(-1, 1, T)

    def step(a, h, x):
        return a * h + x

    h_T = rd.unroll(step, a, 0.3, xs)[-1]
    gradients = rd.state_gradients(step, a, 0.3, xs, lambda h: (h[-1] - 1) ** 2 / 2)
    np.testing.assert_allclose(gradients, (h_T - 1) * a ** (T - np.arange(1, T + 1)), rtol=1e-14)


def test_contributions_entry_by_entry_and_truncation(key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key)
    losses, _ = per_time_losses(cell)
    table = rd.gradient_contributions(cell.step, params, h0, xs, losses, wrt=("W",))
    assert table.gradient.U is None
    states = rd.unroll(cell.step, params, h0, xs)
    direct = jax.grad(lambda s: losses(s).sum())(states)
    _, Js = explicit_products(cell, params, h0, xs, 5)
    before = jnp.concatenate([h0[None], states[:-1]])
    by_lag = np.zeros((5, 3, 3))
    for t in range(5):
        for k in range(t + 1):
            carried = direct[t]
            for s in range(t, k, -1):
                carried = carried @ Js[s]
            immediate = jax.jacfwd(lambda W, k=k: cell.step(params._replace(W=W), before[k], xs[k]))(params.W)
            term = jnp.einsum("i,ijk->jk", carried, immediate)
            np.testing.assert_allclose(table.norms[t, k], np.linalg.norm(term), rtol=1e-11)
            by_lag[t - k] += term
    np.testing.assert_allclose(table.by_lag.W, by_lag, rtol=1e-10, atol=1e-13)


def test_truncation_to_a_window_and_its_bias(key):
    cell = rd.cells.gru
    params, h0, xs = problem(cell, key)
    losses, _ = per_time_losses(cell)
    table = rd.gradient_contributions(cell.step, params, h0, xs, losses)
    bias = rd.truncation_bias(table)
    whole = rd.parameter_gradient(cell.step, params, h0, xs, losses)
    assert_trees_close(whole, table.gradient)

    def norm(tree):
        return np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(tree)))

    for window in (1, 2, 5, 9):
        truncated = rd.parameter_gradient(cell.step, params, h0, xs, losses, window=window)
        kept = jax.tree.map(lambda leaf, K=window: leaf[:K].sum(axis=0), table.by_lag)
        assert_trees_close(truncated, kept)
        missing = norm(jax.tree.map(jnp.subtract, truncated, whole)) / norm(whole)
        np.testing.assert_allclose(bias[min(window, 5) - 1], missing, rtol=1e-9, atol=1e-14)
    assert bias[0] > bias[3] > 0
    assert bias[4] < 1e-14


def test_both_directions_agree_and_wrong_ones_are_refused(key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key)
    losses, _ = per_time_losses(cell)
    gradient = {
        direction: rd.parameter_gradient(cell.step, params, h0, xs, losses, wrt=("b",), direction=direction)
        for direction in ("forward", "reverse", "auto")
    }
    assert_trees_close(gradient["forward"], gradient["reverse"])
    assert_trees_close(gradient["auto"], gradient["reverse"])
    with pytest.raises(ValueError, match="direction: got 'sideways'"):
        rd.parameter_gradient(cell.step, params, h0, xs, losses, direction="sideways")
    for options in ({"window": 0}, {"window": 2, "direction": "forward"}):
        with pytest.raises(ValueError, match="window: got"):
            rd.parameter_gradient(cell.step, params, h0, xs, losses, **options)


def test_names_that_do_not_exist_are_refused(key):
    cell = rd.cells.lstm
    params, h0, xs = problem(cell, key)
    losses, rtrl = per_time_losses(cell)
    with pytest.raises(ValueError, match=r"wrt: got 'forgot', expected one of input.W"):
        rd.gradient_contributions(cell.step, params, h0, xs, losses, wrt=("forgot",))
    gate = rtrl(cell.step, params, h0, xs, wrt=("forget",)).forget
    assert gate.W.shape == gate.W.shape == (3, 3)


def test_a_loss_of_the_wrong_shape_is_refused(key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key)
    with pytest.raises(ValueError, match=r"loss: returned shape \(5, 3\), expected a scalar or one number"):
        rd.state_gradients(cell.step, params, h0, xs, lambda states: states)
    with pytest.raises(ValueError, match=r"loss: returned shape \(\), expected one number for each of 5 times"):
        rd.state_gradients(cell.step, params, h0, xs, jnp.sum, per_loss=True)
    with pytest.raises(ValueError, match=r"loss_t: returned shape \(3,\), expected a scalar"):
        rd.rtrl(cell.step, params, h0, xs, lambda h: h)
    for measure in (rd.log_state_gradients, rd.gradient_contributions, rd.parameter_gradient):
        with pytest.raises(ValueError, match=r"loss: returned shape \(5, 3\), expected a scalar or one number"):
            measure(cell.step, params, h0, xs, lambda states: states)


def test_a_loss_with_other_arguments_is_told_of_targets(key):
    cell = rd.cells.elman
    params, h0, xs = problem(cell, key)
    with pytest.raises(TypeError, match=r"loss_t: missing a required argument: 't' .* targets= such as jnp.arange"):
        rd.rtrl(cell.step, params, h0, xs, lambda h, t: h.sum())
    with pytest.raises(TypeError, match=r"loss_t: too many positional arguments .* expected loss_t\(state, target"):
        rd.rtrl(cell.step, params, h0, xs, lambda h: h.sum(), targets=jnp.arange(5))
    with pytest.raises(ValueError, match="targets: got 4 time steps, expected T = 5"):
        rd.rtrl(cell.step, params, h0, xs, lambda h, t: h.sum(), targets=jnp.arange(4))


def test_a_loss_may_return_its_terms_or_their_sum(key):
    cell = rd.cells.lstm
    params, h0, xs = problem(cell, key)
    losses, _ = per_time_losses(cell)
    for measure in (rd.state_gradients, rd.log_state_gradients, rd.parameter_gradient):
        terms = measure(cell.step, params, h0, xs, losses)
        assert_trees_close(terms, measure(cell.step, params, h0, xs, lambda states: losses(states).sum()))


def test_works_in_float32_and_under_vmap(dtype, key):
    cell = rd.cells.gru
    params, h0, xs = problem(cell, key)
    losses, rtrl = per_time_losses(cell)
    many = jnp.stack([xs, -xs])
    batched = jax.vmap(lambda xs: rtrl(cell.step, params, h0, xs))(many)
    alone = rd.gradient_contributions(cell.step, params, h0, -xs, losses).gradient
    assert_trees_close(jax.tree.map(lambda leaf: leaf[1], batched), alone, rtol=1e-4, atol=1e-5)
    assert alone.update.W.dtype == dtype


@pytest.mark.parametrize("name", ["lstm", "lru"])
def test_log_norms_are_those_of_the_state_gradients(name, key):
    cell = rd.cells.CELLS[name]
    params = cell.init(key, inputs=2, hidden=3)
    h0, xs = cell.initial_state(params), jax.random.normal(key, (7, 2))

    scored = jnp.asarray([0.0, 1, 0, 0, 1, 1, 0])

    def losses(states):
        return scored * sum(jnp.sum(jnp.abs(leaf) ** 2, axis=1) for leaf in jax.tree.leaves(states))

    plain = rd.state_gradients(cell.step, params, h0, xs, lambda states: losses(states).sum())
    expected = [log_norm(jax.tree.map(lambda leaf, t=t: leaf[t], plain)) for t in range(7)]
    found = rd.log_state_gradients(cell.step, params, h0, xs, losses)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert found[-1] == -np.inf
