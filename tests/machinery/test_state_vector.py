"""State trees as vectors, their blocks by name, and a step's Jacobian as a linear map in both directions."""

import jax.numpy as jnp
import numpy as np
from problems import every_kind, problem

import rnn_dynamics as rd


def test_blocks_by_path():
    assert rd.blocks(jnp.zeros(3)) == {"state": slice(0, 3)}
    assert rd.blocks(rd.cells.LSTMState(h=jnp.zeros(2), c=jnp.zeros(2))) == {"h": slice(0, 2), "c": slice(2, 4)}
    assert rd.blocks((jnp.zeros(2, complex), {"a": jnp.zeros(())})) == {"0": slice(0, 4), "1.a": slice(4, 5)}


@every_kind
def test_push_and_pull_are_the_jacobian_from_either_side(cell, key):
    params, h0, xs = problem(cell, key)
    J = np.asarray(rd.step_jacobian(cell.step, params, h0, xs[0]))
    maps = rd.linear_maps(cell.step, params, h0, xs[0])
    columns, rows = jnp.linspace(-1, 1, 2 * len(J)).reshape(-1, 2), jnp.linspace(1, 3, 3 * len(J)).reshape(3, -1)
    np.testing.assert_allclose(maps.push(columns), J @ columns, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(maps.pull(rows), rows @ J, rtol=1e-11, atol=1e-14)
