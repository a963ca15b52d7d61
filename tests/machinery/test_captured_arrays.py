"""A function is measured with the arrays that it would see if it were called now, and compiled once."""

import gc
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from learning import fit

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.machinery import compiled_programs
from rnn_dynamics.machinery.captured_arrays import Opaque, traced

N, T = 4, 6
GAINS = np.linspace(0.2, 2.0, 20)
W0 = jax.random.normal(jax.random.key(0), (N, N))
H0, XS = jnp.full(N, 0.1), jax.random.normal(jax.random.key(1), (T, N))
W = W0  # a global that the tests change


def by_global(p, h, x):
    return jnp.tanh(W @ h + x)


class Net:
    """An object whose method is the step."""

    def __init__(self):
        self.W = W0

    def step(self, p, h, x):
        return jnp.tanh(self.W @ h + x)


def steps_of_a_global(gain):
    global W
    W = gain * W0
    return by_global


def steps_of_a_closure(gain):
    mine = gain * W0
    return lambda p, h, x: jnp.tanh(mine @ h + x)


def steps_of_an_inner_jit(gain):
    mine = gain * W0
    inner = jax.jit(lambda h, x: jnp.tanh(mine @ h + x))  # it captures no tracer, so that its program holds the array
    return lambda p, h, x: inner(h, x)


def steps_of_a_method(gain, net=Net()):  # noqa: B008 - the very same object, as in a notebook
    net.W = gain * W0
    return net.step


def steps_of_a_dict(gain, weights={}):  # noqa: B006
    weights["W"] = gain * W0
    return lambda p, h, x: jnp.tanh(weights["W"] @ h + x)


def steps_of_nnx(gain, cell=[]):  # noqa: B006
    if not cell:
        cell.append(nnx.Linear(N, N, use_bias=False, param_dtype=jnp.float64, rngs=nnx.Rngs(0)))
    cell[0].kernel[...] = gain * W0.T
    return lambda p, h, x: jnp.tanh(cell[0](h) + x)


def steps_of_equinox(gain):
    linear = eqx.nn.Linear(N, N, use_bias=False, key=jax.random.key(0))
    linear = eqx.tree_at(lambda module: module.weight, linear, gain * W0)
    return lambda p, h, x: jnp.tanh(linear(h) + x)


MAKERS = [
    steps_of_a_global,
    steps_of_a_closure,
    steps_of_an_inner_jit,
    steps_of_a_method,
    steps_of_a_dict,
    steps_of_nnx,
    steps_of_equinox,
]


def by_params(p, h, x):
    return jnp.tanh(p @ h + x)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_captured_arrays_are_seen_as_they_are_and_compiled_once(make, compilations):
    for i, gain in enumerate(GAINS):
        step = make(gain)
        found = rd.unroll(step, None, H0, XS)
        np.testing.assert_allclose(found, rd.unroll(by_params, gain * W0, H0, XS), rtol=1e-12)
        if i == 0:
            before = compilations.count
    assert compilations.count == before


def last(states):
    return (W @ states[-1]).sum()


MEASUREMENTS = {
    "step_jacobian": lambda step, p: rd.step_jacobian(step, p, H0, XS[0]),
    "step_jacobians": lambda step, p: rd.step_jacobians(step, p, H0, XS),
    "jacobian_product": lambda step, p: rd.jacobian_product(step, p, H0, XS).log_scale,
    "gradient_flow": lambda step, p: rd.gradient_flow(step, p, H0, XS).log_norm,
    "lyapunov_spectrum": lambda step, p: rd.lyapunov_spectrum(step, p, H0, XS).exponents,
    "covariant_vectors": lambda step, p: rd.covariant_vectors(step, p, H0, XS, frame_burn_in=1, tail=1).rates,
    "parallel_states": lambda step, p: rd.parallel_states(step, p, H0, XS).states,
    "log_singular_values": lambda step, p: rd.log_singular_values(step, p, H0, XS),
    "jacobian_eigenvalues": lambda step, p: rd.eigen.jacobian_eigenvalues(step, p, H0, XS),
}


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_measurement_sees_them(name):
    measure = MEASUREMENTS[name]
    for gain in (0.5, 1.5):
        step = steps_of_a_closure(gain)
        np.testing.assert_allclose(measure(step, None), measure(by_params, gain * W0), rtol=1e-9, atol=1e-12)


LOSSES = {
    "state_gradients": lambda loss: rd.state_gradients(by_params, W0, H0, XS, lambda s: loss(s[-1])),
    "rtrl": lambda loss: rd.rtrl(by_params, W0, H0, XS, loss),
    "gradient_contributions": lambda loss: (
        rd.gradient_contributions(by_params, W0, H0, XS, lambda s: jax.vmap(loss)(s)).norms
    ),
    "parameter_gradient": lambda loss: rd.parameter_gradient(by_params, W0, H0, XS, lambda s: jax.vmap(loss)(s)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_seen_as_they_are_and_compiled_once(name, compilations):
    one = LOSSES[name](lambda h: h.sum() * jnp.asarray(1.0))
    scale = {}
    for i, value in enumerate(GAINS):
        scale["now"] = jnp.asarray(value)
        found = LOSSES[name](lambda h: h.sum() * scale["now"])
        np.testing.assert_allclose(found, value * one, rtol=1e-9)
        if i == 0:
            before = compilations.count
    assert compilations.count == before


def test_probes_penalties_and_optimizers_of_a_training_are_seen_as_they_are(key, compilations):
    task, scale = train.tasks.adding(4), {}

    def penalty(moment):
        return scale["now"] * jnp.sum(moment.net.params.W**2)

    def probe(moment):
        return scale["now"] * jnp.ones(())

    for i in range(3):
        scale["now"] = jnp.asarray(float(i))
        found = fit(
            rd.cells.elman,
            task,
            optax.sgd(jnp.asarray(0.01)),
            key=key,
            updates=1,
            hidden=2,
            batch=2,
            held_out=2,
            probes={"p": probe},
            penalties=[penalty],
        )
        np.testing.assert_array_equal(found.probes["p"], i)
        assert (found.penalty[0] == 0) == (i == 0)
        if i == 1:
            before = compilations.count
    assert compilations.count == before


def test_captured_tracers_under_every_transformation():
    def measure(W):
        return rd.unroll(lambda p, h, x: jnp.tanh(W @ h + x), None, H0, XS).sum()

    def plain(W):
        return rd.unroll(by_params, W, H0, XS).sum()

    batch = jnp.stack([W0, 2 * W0])
    np.testing.assert_allclose(jax.jit(measure)(W0), plain(W0))
    np.testing.assert_allclose(jax.grad(measure)(W0), jax.grad(plain)(W0), rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(measure)(batch), jax.vmap(plain)(batch))
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(measure)))(batch), jax.vmap(jax.grad(plain))(batch))
    mesh = jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    over = jax.sharding.PartitionSpec("d")
    for check in (True, False):
        shard = jax.shard_map(lambda W: measure(W[0])[None], mesh=mesh, in_specs=over, out_specs=over, check_vma=check)
        np.testing.assert_allclose(jax.jit(shard)(W0[None])[0], plain(W0))


def test_a_custom_rule_that_captures_an_array():
    for slope in (0.5, 2.0):
        captured = jnp.asarray(slope)

        @jax.custom_jvp
        def act(x):
            return jnp.tanh(x)

        act.defjvps(lambda dx, _, x, captured=captured: captured * dx)
        J = rd.step_jacobian(lambda p, h, x: act(p @ h), W0, H0, None)
        np.testing.assert_allclose(J, slope * W0)

        def of_traced(slope):
            @jax.custom_jvp
            def act(x):
                return jnp.tanh(x)

            act.defjvps(lambda dx, _, x: slope * dx)
            return rd.step_jacobian(lambda p, h, x: act(p @ h), W0, H0, None).sum()

        np.testing.assert_allclose(jax.grad(of_traced)(slope), W0.sum())


def test_what_differs_in_more_than_arrays_is_another_computation():
    def computation(step, p=W0):
        return traced(step, p, H0, None).computation

    def power(k):
        return lambda p, h, x: (p @ h) ** k

    assert computation(power(2)) == computation(power(2))
    assert computation(power(2)) != computation(power(3))
    assert computation(lambda p, h, x: p @ h) != computation(lambda p, h, x: p.T @ h)
    assert computation(lambda p, h, x: 0.0 * h) != computation(lambda p, h, x: -0.0 * h)
    assert computation(lambda p, h, x: jnp.where(h > 0, h, 1.0)) != computation(
        lambda p, h, x: jnp.where(h > 0, h, 2.0)
    )
    assert computation(lambda p, h, x: {"a": p, "b": h}["b"]) != computation(lambda p, h, x: p[0])
    assert not isinstance(computation(lambda p, h, x: p @ h), Opaque)


def test_a_pure_cell_is_traced_once(monkeypatch):
    calls = []
    cell = rd.cells.make_elman("softplus")
    step = rd.cells.pure(lambda p, h, x: calls.append(0) or cell.step(p, h, x))
    params = cell.init(jax.random.key(0), inputs=N, hidden=N)
    for _ in range(3):
        rd.unroll(step, params, H0, XS)
    assert len(calls) == 1


def test_the_oldest_programs_are_forgotten(monkeypatch):
    monkeypatch.setattr(compiled_programs, "MOST_PROGRAMS", 3)
    for length in range(1, 9):
        rd.unroll(by_params, W0, H0, XS[:1].repeat(length, axis=0))
    assert len(compiled_programs._programs) <= 3
    gc.collect()


def test_a_batch_given_by_mistake_is_warned_of():
    many, inputs = jnp.stack([H0, 2 * H0]), jnp.stack([XS, XS], axis=1)

    def step(p, h, x):
        return jnp.tanh(h @ p.T + x)

    with pytest.warns(UserWarning, match=r"h0: got shape \(2, 4\).*one system of 8 numbers.*jax\.vmap\(lambda h0, xs"):
        rd.jacobian_product(step, W0, many, inputs)
    with pytest.warns(UserWarning, match=r"jax\.vmap\(lambda h0: measure\(step, params, h0, None"):
        rd.jacobian_product(lambda p, h, x: jnp.tanh(h @ p.T), W0, many, None, length=3)
    # a state that is a matrix, of which no row alone is a state
    rd.jacobian_product(lambda p, h, x: p @ h @ p, W0, jnp.eye(4).at[0, 0].set(2), None, length=3)


def memory_maps():
    return len(Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="counts what Linux says of a process")
def test_forgotten_programs_give_their_memory_maps_back(monkeypatch):
    monkeypatch.setattr(compiled_programs, "MOST_PROGRAMS", 4)
    rd.jacobian_product(by_params, W0, H0, XS)  # what is compiled once for all of them
    gc.collect()
    before, held = memory_maps(), []
    for length in range(7, 16):
        rd.jacobian_product(by_params, W0, H0, jnp.zeros((length, N)))
        gc.collect()
        held.append(memory_maps() - before)
    assert max(held[4:]) < 1.5 * held[3] + 20
