"""Pass nonsense to measurements and cells, and compare the messages."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd

key = jax.random.key(0)
elman = rd.cells.elman
params = elman.init(key, inputs=2, hidden=3)
h0, xs = jnp.zeros(3), jnp.zeros((5, 2))


def counting(p, state, x):
    return {"h": state["h"], "t": state["t"] + 1}


counted = {"h": h0, "t": jnp.int32(0)}


def scanned(p, state, x):
    return elman.step(p, state, x), state


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
    (lambda: rd.unroll(elman.step, params, h0, xs, keep_every=2.0), TypeError, "keep_every: got 2.0"),
    (lambda: rd.unroll(elman.step, "weights", h0, xs), TypeError, "params: got 'weights' of type str"),
    (lambda: rd.unroll(elman.step, np.array(["a"]), h0, xs), TypeError, "params: got array(['a']"),
    (lambda: rd.gradient_flow(elman.step, params, h0, xs, block=["h", "h"]), TypeError, "expected a pair of names"),
    (lambda: rd.gradient_flow(elman.step, params, h0, xs, path=["h"]), TypeError, "path: got ['h'], expected a name"),
    (lambda: rd.lyapunov_spectrum(elman.step, params, h0, xs, interval="often"), TypeError, "interval: got 'often'"),
    (lambda: rd.lyapunov_spectrum(elman.step, params, h0, xs, key=3), TypeError, "key: got 3, expected one JAX"),
    (lambda: rd.step_jacobian(elman.step, params, h0 * jnp.nan, xs[0]), ValueError, "h: got 3 non-finite of 3"),
    (lambda: rd.unroll(elman.step, params, h0, xs.at[2, 1].set(jnp.inf)), ValueError, "(the first at [2, 1])"),
    (lambda: rd.gradient_flow(scanned, params, h0, xs), TypeError, "step: returned a pair, as the body of a scan does"),
    (lambda: rd.gradient_flow(counting, params, counted, xs), TypeError, "a counter belongs in xs"),
    (lambda: rd.unroll(elman.step, params, Tensor(), xs), TypeError, "h0: got a torch Tensor, expected an array"),
    (lambda: rd.gradient_flow(Unhashable(), *half), TypeError, "cast params, h0 and xs, each with"),
    (lambda: rd.gradient_flow(elman.step, params, h0, xs, lags=6), ValueError, "lags: got 6, expected 1 <= lags <= T"),
    (lambda: rd.train.make_task(3, rd.train.squared_error), TypeError, "sample: got 3, expected a function"),
    (lambda: rd.train.make_task(len, None), TypeError, "loss: got None, expected a function"),
    (lambda: rd.rtrl(elman.step, params, h0, xs, 3), TypeError, "loss_t: got 3, expected a function of one state"),
    (lambda: rd.theory.largest_exponent("2"), TypeError, "gain: got '2', expected a real number"),
    (lambda: rd.theory.gaussian_average(2, 1.0), TypeError, "function: got 2, expected an elementwise function"),
]
for call, kind, message in cases:
    with pytest.raises(kind, match=re.escape(message)):
        call()
rd.unroll(elman.step, params, h0, xs, length=np.int64(5), keep_every=np.int64(2))
rd.unroll(Unhashable(), params, h0, xs)


def pair(p, state, x):
    return 0.5 * state[0], state[0] + 0.1 * state[1]


numbered = rd.gradient_flow(pair, None, (h0, h0), None, length=4, block=(1, 0))
assert (numbered.log_norm == rd.gradient_flow(pair, None, (h0, h0), None, length=4, block=("1", "0")).log_norm).all()
with pytest.raises(ValueError, match="state") as caught:
    rd.unroll(elman.step, params, jnp.zeros(4), xs)
assert any("its state is h0" in note for note in caught.value.__notes__)
print("all said", len(cases))
