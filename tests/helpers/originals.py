"""Compare imported nets with the real packages, and draw weights for those."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_dynamics.interop.layer_blocks import defaults_of_jax

T = 20
# absolute, and relative where outputs or derivatives are larger than 1
CLOSE = 1e-6


def variants(names, slow):
    """Parametrize over names, those of variants of a layer type only in the slow tests."""
    return [pytest.param(name, marks=[pytest.mark.slow] if name in slow else []) for name in names]


def random_weights(tree, seed=3):
    """Random numbers, biases included, of a size at which gates neither saturate nor stay half open."""
    leaves, structure = jax.tree.flatten(tree)
    draw = np.random.default_rng(seed)
    return jax.tree.unflatten(
        structure, [jnp.asarray(0.4 * draw.normal(size=leaf.shape), leaf.dtype) for leaf in leaves]
    )


def stacked(*steps):
    """One step of several layers from the steps of each, `step(state, x) -> (state, output)`."""

    def step(states, x):
        new = []
        for one, state in zip(steps, states if len(steps) > 1 else (states,), strict=True):
            state, x = one(state, x)
            new.append(state)
        return tuple(new) if len(steps) > 1 else new[0]

    return step


def with_jacobians(step, h0, xs):
    """All states, and the derivative of each in the initial one; compiled as one program."""

    def states(h0):
        found = jax.lax.scan(lambda h, x: (step(h, x),) * 2, h0, xs)[1]
        return found, found

    with defaults_of_jax():
        return jax.jit(jax.jacfwd(states, has_aux=True))(h0)


def assert_equal_to(net, step):
    """Both nets, from the same random state, for T steps: states and Jacobians."""
    inputs = jax.tree.leaves(net.params, is_leaf=lambda part: hasattr(part, "U"))[0].U.shape[1]
    draw = np.random.default_rng(5)
    xs = jnp.asarray(draw.normal(size=(T, inputs)), jnp.float32)
    h0 = jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape) / 2, jnp.float32), net.h0)
    ours = with_jacobians(lambda h, x: net.step(net.params, h, x), h0, xs)
    theirs = with_jacobians(step, h0, xs)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for our, their in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert our.dtype == their.dtype == jnp.float32
        np.testing.assert_allclose(our, their, rtol=CLOSE, atol=CLOSE * max(1, np.abs(np.asarray(their)).max()))
