"""A frame that sheds lost rank has the norms of the whole product, or says that it may not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import explicit_products, log, problem

import rnn_dynamics as rd
from rnn_dynamics.machinery.rank_compression import FEWEST_ROWS, halved, widths


def given_matrix(params, h, x):
    return x @ h


def test_sizes_are_halved_only_where_it_pays():
    assert widths(FEWEST_ROWS - 1) == (FEWEST_ROWS - 1,)
    assert widths(128) == (128, 64, 32, 16)
    assert widths(3000)[0] == 3000


def lost_rank(key, n=96):
    """A matrix whose singular values span 30 decades."""
    left, right = (rd.cells.initializers.orthogonal(k, n) for k in jax.random.split(key))
    return left * jnp.logspace(0, -30, n)[None] @ right


def test_half_of_the_rows_has_the_same_norms_after_any_later_factor(key):
    P = lost_rank(key)
    frame, vector, faithful = halved(P, jnp.ones(96))
    assert faithful
    assert frame.shape == (48, 96)
    for later in (jnp.eye(96), jax.random.normal(key, (96, 96))):
        for order in (2, "fro"):
            np.testing.assert_allclose(
                jnp.linalg.norm(frame @ later, order), jnp.linalg.norm(P @ later, order), rtol=1e-14
            )
    # the vector is carried along: in the row space of P nothing of it is lost
    np.testing.assert_allclose(vector @ frame, jnp.ones(96) @ P, atol=1e-7)


def test_full_rank_is_not_halved(key):
    assert not halved(rd.cells.initializers.orthogonal(key, 96), jnp.ones(96)).faithful


@pytest.mark.slow
@pytest.mark.parametrize("name", ["elman", "linear"])
def test_flow_with_fewer_rows_equals_the_explicit_curves(name, key):
    cell, T, n = rd.cells.CELLS[name], 100, FEWEST_ROWS
    params, h0, xs = problem(cell, key, hidden=n, T=T)
    flow = jax.jit(lambda p: rd.gradient_flow(cell.step, p, h0, xs, curves=("norm", "frobenius")))(params)
    products, _ = explicit_products(cell, params, h0, xs, T)
    assert np.sum(np.linalg.svd(products[-1])[1] > 1e-8 * np.linalg.norm(products[-1])) < n // 2
    assert flow.converged.all()
    np.testing.assert_allclose(flow.log_norm, log([np.linalg.norm(P, 2) for P in products]), atol=1e-10)
    np.testing.assert_allclose(flow.log_frobenius, log([np.linalg.norm(P) for P in products]), atol=1e-10)


def turns(T=150, n=FEWEST_ROWS):
    """Decoupled units: the first grows while the others shrink out of sight, until it is put out at once."""
    factors = np.full((T, n), 0.5)
    factors[-100:, 0] = 2.0
    factors[:-100, 0] = 1e-30
    factors[:-100, 1:] = 3.0
    return factors


@pytest.mark.slow
def test_what_comes_back_from_below_the_rounding_is_flagged():
    """The norm then belongs to directions that were dropped 200 binary digits down; a float product has lost them."""
    factors = turns()
    flow = jax.jit(lambda xs: rd.gradient_flow(lambda p, h, x: x * h, None, jnp.ones(FEWEST_ROWS), xs))(factors)
    truth = np.array([np.log(factors[150 - lag :]).sum(axis=0).max() for lag in range(151)])
    sure = np.asarray(flow.converged)
    assert sure[:100].all()
    assert not sure[-40:].any()
    np.testing.assert_allclose(flow.log_norm[:101][sure[:101]], truth[:101][sure[:101]], atol=1e-10)
    # not -inf, and not far off: the witnesses carry its size
    np.testing.assert_allclose(flow.log_norm[-10:], truth[-10:], atol=5)


@pytest.mark.slow
def test_witnesses_do_not_cancel_on_a_pair_of_opposite_rows():
    """Directions (e_i - e_j)/√2 are dropped and come back: signs that agree at i and j would not see them."""
    n = FEWEST_ROWS
    d = np.full(n, 1e-40)
    d[0], d[1:30] = 1, 0.5
    measured = jax.jit(lambda Js: rd.gradient_flow(given_matrix, None, jnp.zeros(n), Js, curves=("norm",)))
    for j in range(41, 48):
        R = np.eye(n)
        R[np.ix_([40, j], [40, j])] = np.array([[1, 1], [1, -1]]) / 2**0.5
        scale = d.copy()
        scale[j] = 1e-10
        late = np.ones(n)
        late[j] = 3e10 ** (1 / 31)
        Js = np.stack([np.diag(late)] * 31 + [np.eye(n)] * 32 + [R @ np.diag(scale)])
        flow = measured(Js)
        assert abs(flow.log_norm[-1] - np.log(3)) < 1e-6 or not flow.converged[-1]


@pytest.mark.slow
def test_a_batch_halves_together_and_agrees_with_its_members(key):
    cell, n = rd.cells.elman, FEWEST_ROWS
    gains = jnp.array([0.5, 2.0])

    def at(gain):
        params, h0, xs = problem(cell, key, hidden=n, T=60, gain=gain)
        return rd.gradient_flow(cell.step, params, h0, xs, curves=("norm",))

    together = jax.vmap(at)(gains)
    for i, gain in enumerate(gains):
        np.testing.assert_allclose(together.log_norm[i], at(gain).log_norm, atol=1e-11)
    assert together.converged.all()


@pytest.mark.slow
def test_gradients_through_a_halved_frame(key):
    cell, n = rd.cells.elman, FEWEST_ROWS
    params, h0, xs = problem(cell, key, hidden=n, T=64)

    def measured(scale):
        flow = rd.gradient_flow(cell.step, params._replace(W=scale * params.W), h0, xs)
        return flow.log_norm[-1] + flow.log_frobenius[-1]

    numeric = (measured(1 + 1e-6) - measured(1 - 1e-6)) / 2e-6
    np.testing.assert_allclose(jax.grad(measured)(1.0), numeric, rtol=1e-5)
    np.testing.assert_allclose(jax.jvp(measured, (1.0,), (1.0,))[1], numeric, rtol=1e-5)
    both = jax.vmap(jax.grad(measured))(jnp.array([1.0, 1.1]))
    np.testing.assert_allclose(both[0], numeric, rtol=1e-5)
