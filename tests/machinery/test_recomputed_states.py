"""A backward loop whose states are recomputed stretch by stretch leaves what one over stored states would."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_dynamics.machinery.recomputed_states import backward_in_stretches


@pytest.mark.parametrize("every", [None, 12, 200])
@pytest.mark.parametrize("T", [1, 16, 17, 32, 101])
def test_every_length_however_it_falls_into_stretches(T, every):
    xs = np.cos(np.arange(1.0, T + 1))
    states = [0.3]
    for x in xs[:-1]:
        states.append(0.9 * states[-1] + x)

    def add(total, at):
        h, x = at
        return total + h * x, total + h * x

    def stretch(total, before, xs, length):
        return jax.lax.scan(add, total, (before, xs), length=length, reverse=True)

    def step(p, h, x):
        return p * h + x

    h0, nothing = jnp.float64(0.3), jnp.float64(0)
    found = backward_in_stretches(step, 0.9, h0, jnp.asarray(xs), T, stretch, nothing, every)
    np.testing.assert_allclose(found, np.cumsum((np.array(states) * xs)[::-1])[::-1], atol=1e-12)
