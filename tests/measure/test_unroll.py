"""The scan against the five-line loop that specifies it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd


def unroll_reference(step, params, h0, xs, length):
    states, h = [], h0
    for t in range(length):
        h = step(params, h, None if xs is None else jax.tree.map(lambda leaf, t=t: leaf[t], xs))
        states.append(h)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def same(left, right, rtol=1e-13):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14), left, right)


@pytest.mark.parametrize("name", ["linear", "lstm", "lru"])
@pytest.mark.parametrize("inputs", [0, 3])
@pytest.mark.parametrize("T", [1, 7])
@pytest.mark.parametrize("keep_every", [None, 3, 100])
def test_scan_equals_loop(name, inputs, T, keep_every, key):
    cell = rd.cells.CELLS[name]
    params = cell.init(key, inputs=inputs, hidden=4)
    h0 = jax.tree.map(lambda leaf: leaf + 0.5, cell.initial_state(params))
    xs = jax.random.normal(key, (T, inputs)) if inputs else None
    states = rd.unroll(cell.step, params, h0, xs, length=T, keep_every=keep_every)
    same(states, unroll_reference(cell.step, params, h0, xs, T))


def test_any_pytrees_and_a_users_own_step():
    def step(params, state, x):
        a, b = state["a"] + params[0] * x["u"], state["b"] * params[1]
        return {"a": a, "b": b + x["v"].sum()}

    params, h0 = (2.0, jnp.array(0.5)), {"a": 0.0, "b": jnp.ones(())}
    xs = {"u": jnp.arange(4.0), "v": jnp.ones((4, 2))}
    states = rd.unroll(step, params, h0, xs)
    np.testing.assert_allclose(states["a"], [0, 2, 6, 12])
    np.testing.assert_allclose(states["b"], [2.5, 3.25, 3.625, 3.8125])


def test_gradient_through_stretches_is_the_same(key):
    cell = rd.cells.gru
    params = cell.init(key, inputs=2, hidden=4)
    h0, xs = cell.initial_state(params), jax.random.normal(key, (11, 2))

    def gradient(every):
        return jax.grad(lambda p: (rd.unroll(cell.step, p, h0, xs, keep_every=every) ** 2).sum())(params)

    same(gradient(4), gradient(None), rtol=1e-12)


def test_memory_of_a_backward_pass_falls_to_the_root_of_T(key):
    cell = rd.cells.gru
    T, n = 4096, 32
    params = cell.init(key, inputs=1, hidden=n)
    h0, xs = cell.initial_state(params), jnp.zeros((T, 1))

    def temporary_bytes(every):
        def loss(p):
            return rd.unroll(cell.step, p, h0, xs, keep_every=every)[-1].sum()

        return jax.jit(jax.grad(loss)).lower(params).compile().memory_analysis().temp_size_in_bytes

    states = T * n * 8
    kept, recomputed = temporary_bytes(None) - states, temporary_bytes(64) - states
    assert kept > 8 * states  # a GRU keeps several vectors a step for its derivative
    assert recomputed < kept / 20


def test_composes_with_jit_vmap_and_grad_and_compiles_once(key, compilations):
    cell = rd.cells.elman
    keys = jax.random.split(key, 3)
    many = jax.vmap(lambda k: cell.init(k, inputs=2, hidden=4))(keys)
    alone = [jax.tree.map(lambda leaf, i=i: leaf[i], many) for i in range(3)]
    h0, xs = jnp.zeros(4), jax.random.normal(key, (5, 2))
    rd.unroll(cell.step, alone[0], h0, xs)
    before = compilations.count
    states = [rd.unroll(cell.step, params, h0, xs) for params in alone]
    assert compilations.count == before
    batched = jax.jit(jax.vmap(lambda p: rd.unroll(cell.step, p, h0, xs)))(many)
    same(batched, jnp.stack(states))


def test_float32_stays_float32(dtype, key):
    cell = rd.cells.lru
    params = cell.init(key, inputs=1, hidden=3)
    states = rd.unroll(cell.step, params, cell.initial_state(params), jnp.ones((5, 1), dtype))
    assert jnp.finfo(states.dtype).dtype == dtype


STEP = rd.cells.elman.step
PARAMS = rd.cells.elman.init(jax.random.key(0), inputs=2, hidden=3)
H0, XS = jnp.zeros(3), jnp.zeros((5, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"xs": jnp.zeros((0, 2))}, "xs: got 0 time steps, expected at least 1"),
        ({"xs": None}, "xs: got no array and length=None, expected inputs over time or length=T"),
        ({"xs": None, "length": 0}, "length: got 0 time steps, expected at least 1"),
        ({"length": 4}, "length: got 4 time steps, which disagrees with xs, which has 5"),
        ({"xs": jnp.zeros(())}, "xs: got a scalar, expected an array with a leading axis of time steps"),
        ({"xs": XS.at[2, 1].set(jnp.nan)}, "xs: got 1 non-finite of 10 values"),
        ({"h0": H0 + jnp.inf}, "h0: got 3 non-finite of 3 values"),
        ({"params": PARAMS._replace(b=PARAMS.b * jnp.nan)}, r"params.b: got 3 non-finite of 3 values"),
        ({"h0": jnp.zeros(4)}, r"state: got shape \(4,\), expected \(hidden,\) with hidden = 3"),
        ({"xs": jnp.zeros((5, 3))}, r"x: got shape \(3,\), expected \(inputs,\) with inputs = 2"),
        ({"step": lambda p, h, x: jnp.tile(h, 2)}, r"h0: got shape \(3,\), but step returns \(6,\)"),
        ({"keep_every": 0}, "keep_every: got 0, expected a whole number of steps of at least 1"),
    ],
)
def test_bad_values_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        call(arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": 3}, "step"),
        ({"params": "weights"}, "params: got 'weights' of type str, expected an array"),
        ({"step": lambda p, h, x: (h, h)}, "step: returned a pair, as the body of a scan does"),
        ({"step": lambda p, h, x: {"h": h}}, "h0: got a tree .*, but step returns"),
        ({"step": lambda p, h, x: h.astype("float32")}, "h0: got dtype float64, but step returns float32"),
        ({"h0": jnp.zeros(3, "float32")}, "state: got dtype float32, expected the precision of params.W, float64"),
        ({"length": 5.0}, "length"),
    ],
)
def test_bad_types_are_named(arguments, message):
    with pytest.raises(TypeError, match=message):
        call(arguments)


def call(arguments):
    plain = {"step": STEP, "params": PARAMS, "h0": H0, "xs": XS} | arguments
    return rd.unroll(plain.pop("step"), plain.pop("params"), plain.pop("h0"), plain.pop("xs"), **plain)
