"""What a user reads who passes nonsense. Run without the type checker of the tests, which would answer first."""

import os
import subprocess
import sys

import pytest

CASES = """
import jax, jax.numpy as jnp, numpy as np
import rnn_dynamics as rd
key = jax.random.key(0)
elman = rd.cells.elman
params = elman.init(key, inputs=2, hidden=3)
h0, xs = jnp.zeros(3), jnp.zeros((5, 2))
counting = lambda p, state, x: {"h": state["h"], "t": state["t"] + 1}
counted = {"h": h0, "t": jnp.int32(0)}
scanned = lambda p, state, x: (elman.step(p, state, x), state)
Tensor = type("Tensor", (), {"__module__": "torch"})
half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), (params, h0, xs))
class Unhashable:
    __hash__ = None
    def __call__(self, params, state, x):
        return state
cases = [
    (lambda: elman.init(0, inputs=1, hidden=2), TypeError, "key: got 0, expected one JAX random key"),
    (lambda: elman.init(jax.random.split(key), inputs=1, hidden=2), TypeError, "key: got Array"),
    (lambda: elman.init(key, inputs=1, hidden=2.0), TypeError, "hidden: got 2.0, expected a whole number"),
    (lambda: elman.init(key, inputs=True, hidden=2), ValueError, "inputs: got True, expected a whole number"),
    (lambda: elman.init(key, inputs=1, hidden=2, gain="2"), TypeError, "gain: got '2', expected a number"),
    (lambda: elman.init(key, inputs=1, hidden=2, recurrent=3), TypeError, "recurrent: got 3, expected a function"),
    (lambda: rd.cells.make_elman(leak="0.5"), TypeError, "leak: got '0.5', expected a number"),
    (lambda: rd.cells.make_elman("swish"), ValueError, "activation: got 'swish', expected one of 'tanh'"),
    (lambda: rd.cells.stack(elman, elman.step), TypeError, "cells: got"),
    (lambda: elman.step(params, [0.0] * 3, xs[0]), TypeError, "state: got [0.0, 0.0, 0.0], expected an array"),
    (lambda: rd.unroll(3, params, h0, xs), TypeError, "step: got 3, expected a function"),
    (lambda: rd.unroll(elman.step, params, h0, xs, length=5.0), TypeError, "length: got 5.0, expected a whole number"),
    (lambda: rd.unroll(elman.step, params, h0, xs, length=[5]), TypeError, "length: got [5], expected a whole number"),
    (lambda: rd.unroll(elman.step, params, h0, xs, checkpoint_every=2.0), TypeError, "checkpoint_every: got 2.0"),
    (lambda: rd.unroll(elman.step, "weights", h0, xs), TypeError, "params: got 'weights' of type str"),
    (lambda: rd.unroll(elman.step, np.array(["a"]), h0, xs), TypeError, "params: got array(['a']"),
    (lambda: rd.gradient_flow(elman.step, params, h0, xs, block=["h", "h"]), TypeError, "expected a pair of names"),
    (lambda: rd.gradient_flow(elman.step, params, h0, xs, path=["h"]), TypeError, "path: got ['h'], expected a name"),
    (lambda: rd.lyapunov_spectrum(elman.step, params, h0, xs, every="often"), TypeError, "every: got 'often'"),
    (lambda: rd.lyapunov_spectrum(elman.step, params, h0, xs, key=3), TypeError, "key: got 3, expected one JAX"),
    (lambda: rd.step_jacobian(elman.step, params, h0 * jnp.nan, xs[0]), ValueError, "h: got 3 non-finite of 3"),
    (lambda: rd.unroll(elman.step, params, h0, xs.at[2, 1].set(jnp.inf)), ValueError, "(the first at [2, 1])"),
    (lambda: rd.gradient_flow(scanned, params, h0, xs), TypeError, "step: returned a pair, as the body of a scan does"),
    (lambda: rd.gradient_flow(counting, params, counted, xs), TypeError, "a counter belongs in xs"),
    (lambda: rd.unroll(elman.step, params, Tensor(), xs), TypeError, "h0: got a torch Tensor, expected an array"),
    (lambda: rd.gradient_flow(Unhashable(), *half), TypeError, "cast params, h0 and xs, each with"),
    (lambda: rd.gradient_flow(elman.step, params, h0, xs, lags=6), ValueError, "lags: got 6, expected 1 <= lags <= T"),
    (lambda: rd.theory.largest_exponent("2"), TypeError, "gain: got '2', expected a real number"),
    (lambda: rd.theory.gaussian_average(2, 1.0), TypeError, "function: got 2, expected an elementwise function"),
]
for call, kind, message in cases:
    try:
        call()
    except kind as error:
        assert message in str(error), (message, str(error))
    else:
        raise AssertionError(f"no error, expected {message!r}")
rd.unroll(elman.step, params, h0, xs, length=np.int64(5), checkpoint_every=np.int64(2))
rd.unroll(Unhashable(), params, h0, xs)
pair = lambda p, state, x: (0.5 * state[0], state[0] + 0.1 * state[1])
numbered = rd.gradient_flow(pair, None, (h0, h0), None, length=4, block=(1, 0))
assert (numbered.log_norm == rd.gradient_flow(pair, None, (h0, h0), None, length=4, block=("1", "0")).log_norm).all()
try:
    rd.unroll(elman.step, params, jnp.zeros(4), xs)
except ValueError as error:
    assert any("its state is h0" in note for note in error.__notes__)
print("all said", len(cases))
"""

SHARDED = """
import jax, jax.numpy as jnp
import rnn_dynamics as rd
from jax.sharding import AxisType, PartitionSpec as P
mesh = jax.make_mesh((2,), ("b",), axis_types=(AxisType.Auto,))
cell = rd.cells.gru
many = jax.vmap(lambda k: cell.init(k, inputs=2, hidden=3))(jax.random.split(jax.random.key(0), 4))
xs = jax.random.normal(jax.random.key(1), (7, 2))
for every in (None, 3):
    run = jax.vmap(lambda p: rd.unroll(cell.step, p, jnp.zeros(3), xs, checkpoint_every=every))
    sharded = jax.jit(jax.shard_map(run, mesh=mesh, in_specs=P("b"), out_specs=P("b")))(many)
    assert jnp.allclose(sharded, run(many), rtol=1e-6), every
h0, loss = jnp.zeros(3), lambda states: (states ** 2).sum()
for measure in (
    lambda p: rd.step_jacobians(cell.step, p, h0, xs),
    lambda p: rd.jacobian_product(cell.step, p, h0, xs),
    lambda p: rd.gradient_flow(cell.step, p, h0, xs),
    lambda p: rd.state_gradients(cell.step, p, h0, xs, loss),
    lambda p: rd.gradient_contributions(cell.step, p, h0, xs, loss).norms,
    lambda p: rd.rtrl(cell.step, p, h0, xs, lambda h: (h ** 2).sum()),
):
    here = jax.vmap(measure)(many)
    there = jax.jit(jax.shard_map(jax.vmap(measure), mesh=mesh, in_specs=P("b"), out_specs=P("b")))(many)
    for a, b in zip(jax.tree.leaves(here), jax.tree.leaves(there)):
        assert jnp.allclose(a, b, rtol=1e-4, atol=1e-5), measure
# sizes at which norms are searched for and frames are halved
for n in (9, 66):
    W = jax.random.normal(jax.random.key(2), (n, n)) / n**0.5
    step = lambda W, h, x: jnp.tanh(W @ h)
    flow = lambda s: rd.gradient_flow(step, W * s, jnp.full(n, 0.1), None, length=40, anchors=(38, 40))
    probe = lambda s: rd.gradient_flow(step, W, jnp.full(n, 0.1), None, length=40, probes=2, key=jax.random.key(s))
    spectrum = lambda s: rd.lyapunov_spectrum(step, W * s, jnp.full(n, 0.1), None, length=40, k=3)
    stopped = lambda s: rd.lyapunov_spectrum(step, W * s, jnp.full(n, 0.1), None, length=90, until=0.1, blocks=20)
    along = lambda s: rd.covariant_vectors(
        step, W * s, jnp.full(n, 0.1), None, length=40, k=2, burn_in=11, tail=11, samples=4
    ).rates
    values = lambda s: rd.log_singular_values(step, W * s, jnp.full(n, 0.1), None, length=4)
    for measure in (flow, probe, spectrum, stopped, along, values):
        inputs = jnp.arange(2) if measure is probe else jnp.ones(2)
        shard = lambda s: jax.tree.map(lambda leaf: leaf[None], measure(s[0]))
        there = jax.jit(jax.shard_map(shard, mesh=mesh, in_specs=P("b"), out_specs=P("b")))(inputs)
        here = jax.vmap(measure)(inputs)
        for a, b in zip(jax.tree.leaves(here), jax.tree.leaves(there)):
            assert jnp.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True), (measure, n)
print("sharded over", len(jax.devices()))
"""


def run(code: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=os.environ | environment
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_messages_name_argument_value_and_remedy():
    assert run(CASES).startswith("all said")


@pytest.mark.slow
def test_measurements_work_inside_shard_map():
    flags = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"
    assert run(SHARDED, XLA_FLAGS=flags) == "sharded over 2\n"
