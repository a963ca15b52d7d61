"""Any cell, size, length and draw: every measurement equals the explicit product of its step Jacobians."""

import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from problems import assert_trees_close, explicit_products, log, problem

import rnn_dynamics as rd


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@example(name="lru", hidden=1, inputs=0, T=6, gain=3.0, seed=1)
@given(
    name=st.sampled_from(sorted(rd.cells.CELLS)),
    hidden=st.integers(1, 9),
    inputs=st.integers(0, 3),
    T=st.integers(1, 12),
    gain=st.floats(0.1, 3),
    seed=st.integers(0, 2**31),
)
def test_everything_equals_the_explicit_product(name, hidden, inputs, T, gain, seed):
    cell = rd.cells.CELLS[name]
    hidden += name == "orthogonal" and hidden < 2
    params, h0, xs = problem(cell, jax.random.key(seed), hidden=hidden, inputs=inputs, T=T, gain=gain)
    length = None if inputs else T
    products, Js = explicit_products(cell, params, h0, xs, T)
    flow = rd.gradient_flow(cell.step, params, h0, xs, length=length)
    np.testing.assert_allclose(flow.log_norm, log([np.linalg.norm(P, 2) for P in products]), atol=1e-10)
    np.testing.assert_allclose(flow.log_frobenius, log([np.linalg.norm(P) for P in products]), atol=1e-10)
    bound = np.concatenate([[0.0], np.cumsum(log([np.linalg.norm(J, 2) for J in Js[::-1]]))])
    np.testing.assert_allclose(flow.log_bound, bound, atol=1e-10)
    P = rd.jacobian_product(cell.step, params, h0, xs, length=length)
    np.testing.assert_allclose(P.to_array(), products[-1], rtol=1e-10, atol=1e-10 * np.exp(bound[-1]))

    def losses(states):
        return jax.vmap(lambda state: (cell.output(state) ** 2).sum())(states)

    def loss_t(state):
        return (cell.output(state) ** 2).sum()

    back = rd.parameter_gradient(cell.step, params, h0, xs, losses, length=length, direction="reverse")
    # a gradient of 0 is what the others cancel to
    rounding = 1e-11 * max(1.0, *(np.abs(leaf).max(initial=0) for leaf in jax.tree.leaves(back)))
    assert_trees_close(rd.rtrl(cell.step, params, h0, xs, loss_t, length=length), back, rtol=1e-9, atol=rounding)
    table = rd.gradient_contributions(cell.step, params, h0, xs, losses, length=length)
    assert_trees_close(table.gradient, back, rtol=1e-9, atol=rounding)
