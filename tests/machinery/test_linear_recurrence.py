"""Linear recurrences for all times at once against one time after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_dynamics.machinery.linear_recurrence import solve_recurrence


@pytest.mark.parametrize("shape", [(3, 3), (3,)])
@pytest.mark.parametrize("T", [1, 2, 3, 16, 17, 40])
def test_each_time_follows_from_the_one_before(T, shape):
    A = jax.random.normal(jax.random.key(0), (T, *shape))
    b = jax.random.normal(jax.random.key(1), (T, 3))
    v, expected = np.zeros(3), []
    for a, c in zip(np.asarray(A), np.asarray(b), strict=True):
        v = (a @ v if len(shape) == 2 else a * v) + c
        expected.append(v)
    np.testing.assert_allclose(solve_recurrence(A, b), expected, rtol=1e-9, atol=1e-12)


def test_it_is_compiled_once_however_long():
    def operations(T):
        lowered = jax.jit(solve_recurrence).lower(jnp.ones((T, 2, 2)), jnp.ones((T, 2)))
        return lowered.as_text().count("\n")

    assert operations(4000) <= operations(40) + 8
