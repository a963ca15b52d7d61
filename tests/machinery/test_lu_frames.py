"""Frames brought back: Y = F T, whichever factor is used and whatever the rows were swapped with."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_dynamics.machinery import lu_frames


@pytest.mark.parametrize(
    ("factor", "shape"),
    [(f, shape) for f in lu_frames.METHODS.values() for shape in ((1, 1), (5, 5), (7, 3), (40, 17))]
    + [(lu_frames.by_norm, (n, 1)) for n in (1, 7)],
)
def test_the_factors_give_the_frame_back(factor, shape, key):
    Y = jax.random.normal(key, shape)
    found = factor(Y)
    np.testing.assert_allclose(found.frame @ found.triangle, Y, atol=1e-13)
    np.testing.assert_array_equal(found.triangle, jnp.triu(found.triangle))
    np.testing.assert_allclose(found.logs, np.log(np.abs(np.diag(found.triangle))), atol=1e-14)
    assert (found.lost < 10).all()


@pytest.mark.parametrize("shape", [(1, 1), (6, 6), (9, 4), (33, 33)])
def test_both_ways_to_place_the_rows_agree(shape, key):
    """One of them runs on CPUs alone, the other everywhere else."""
    _, pivots, permutation = jax.lax.linalg.lu(jax.random.normal(key, shape))
    by_pivots, by_permutation = (
        place(pivots, permutation) for place in (lu_frames._place_by_pivots, lu_frames._place_by_permutation)
    )
    np.testing.assert_array_equal(by_pivots, by_permutation)
    np.testing.assert_array_equal(permutation[by_pivots], np.arange(shape[0]))


def test_a_pivot_far_below_its_row_is_a_loss(key):
    """Two nearly equal columns: all but e^-20 of the second cancels."""
    column = jax.random.normal(key, (6, 1))
    Y = jnp.concatenate([column, column + np.exp(-20) * jax.random.normal(jax.random.fold_in(key, 1), (6, 1))], axis=1)
    for factor in lu_frames.METHODS.values():
        lost = factor(Y).lost
        assert abs(lost[0]) < 3
        assert 15 < lost[1] < 25
    rows = jnp.logspace(0, -200, 6)[:, None]  # rows of different sizes are none
    assert (lu_frames.by_lu(rows * jax.random.normal(key, (6, 6))).lost < 5).all()
