"""Measure inside shard_map over two devices, and compare with the same under vmap."""

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

import rnn_dynamics as rd

mesh = jax.make_mesh((2,), ("b",), axis_types=(AxisType.Auto,))
cell, xs = rd.cells.gru, jax.random.normal(jax.random.key(1), (7, 2))
many = jax.vmap(lambda k: cell.init(k, inputs=2, hidden=3))(jax.random.split(jax.random.key(0), 4))
h0 = jnp.zeros(3)


def sharded(measure):
    over = PartitionSpec("b")
    return jax.jit(jax.shard_map(measure, mesh=mesh, in_specs=over, out_specs=over))


def loss(states):
    return (states**2).sum()


def agree(here, there, name, **tolerance):
    for a, b in zip(jax.tree.leaves(here), jax.tree.leaves(there), strict=True):
        assert jnp.allclose(a, b, **tolerance), name


for every in (None, 3):
    run = jax.vmap(lambda p, every=every: rd.unroll(cell.step, p, h0, xs, keep_every=every))
    agree(run(many), sharded(run)(many), f"unroll, {every}", rtol=1e-6)

OF_A_CELL = {
    "parallel_states": lambda p: rd.parallel_states(cell.step, p, h0, xs),
    "step_jacobians": lambda p: rd.step_jacobians(cell.step, p, h0, xs),
    "jacobian_product": lambda p: rd.jacobian_product(cell.step, p, h0, xs),
    "gradient_flow": lambda p: rd.gradient_flow(cell.step, p, h0, xs),
    "product in windows": lambda p: rd.jacobian_product(cell.step, p, h0, xs, windows=3),
    "flow in windows": lambda p: rd.gradient_flow(cell.step, p, h0, xs, windows=3),
    "state_gradients": lambda p: rd.state_gradients(cell.step, p, h0, xs, loss),
    "log_state_gradients": lambda p: rd.log_state_gradients(cell.step, p, h0, xs, loss),
    "gradient_contributions": lambda p: rd.gradient_contributions(cell.step, p, h0, xs, loss).norms,
    "parameter_gradient": lambda p: rd.parameter_gradient(cell.step, p, h0, xs, loss, window=3),
    "rtrl": lambda p: rd.rtrl(cell.step, p, h0, xs, loss),
}
for name, measure in OF_A_CELL.items():
    run = jax.vmap(measure)
    agree(run(many), sharded(run)(many), name, rtol=1e-4, atol=1e-5)


def step(W, h, x):
    return jnp.tanh(W @ h)


def of_a_net(n):
    """Measurements of nets W · s of n units, as functions of s; at these sizes norms are searched, frames halved."""
    W, h = jax.random.normal(jax.random.key(2), (n, n)) / n**0.5, jnp.full(n, 0.1)
    vectors = {"length": 40, "k": 2, "frame_burn_in": 11, "tail": 11, "samples": 4}
    return {
        "flow": lambda s: rd.gradient_flow(step, W * s, h, None, length=40, anchors=(38, 40)),
        "spectrum": lambda s: rd.lyapunov_spectrum(step, W * s, h, None, length=40, k=3),
        "spectrum in windows": lambda s: rd.lyapunov_spectrum(step, W * s, h, None, length=40, k=3, windows=5),
        "until": lambda s: rd.lyapunov_spectrum(step, W * s, h, None, length=90, until=0.1, segments=20),
        "vectors": lambda s: rd.covariant_vectors(step, W * s, h, None, **vectors).rates,
        "singular values": lambda s: rd.log_singular_values(step, W * s, h, None, length=4),
        "directions": lambda s: rd.gradient_flow(
            step, W, h, None, length=40, directions=2, key=jax.random.key(s.astype(int))
        ),
    }


for n in (9, 66):
    for name, measure in of_a_net(n).items():
        ones = jnp.ones(2)
        alone = sharded(lambda s, measure=measure: jax.tree.map(lambda leaf: leaf[None], measure(s[0])))
        agree(jax.vmap(measure)(ones), alone(ones), f"{name}, n = {n}", rtol=1e-3, atol=1e-4, equal_nan=True)
print("sharded over", len(jax.devices()))
