"""The end of a measurement, by NumPy outside of a user's own program and by JAX inside: one and the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import problem

import rnn_dynamics as rd
from rnn_dynamics.measure.flow_result import _all_so_far

T = 80
MEASURED = {
    "flow": lambda key, *net: rd.gradient_flow(*net),
    "flow over anchors": lambda key, *net: rd.gradient_flow(*net, anchors=(30, T), average=True),
    "flow of random directions": lambda key, *net: rd.gradient_flow(*net, directions=3, key=key),
    "spectrum": lambda key, *net: rd.lyapunov_spectrum(*net),
    "spectrum until it is precise": lambda key, *net: rd.lyapunov_spectrum(*net, until=1.0, frame_burn_in=7),
    "largest": lambda key, *net: rd.largest_exponent(*net, key=key),
}


@pytest.mark.parametrize("name", MEASURED)
def test_inside_and_outside_agree(name, key, dtype):
    params, h0, xs = jax.tree.map(lambda leaf: leaf.astype(dtype), problem(rd.cells.elman, key, T=T))

    def measured(params, h0, xs):
        return MEASURED[name](key, rd.cells.elman.step, params, h0, xs)

    outside, inside = measured(params, h0, xs), jax.jit(measured)(params, h0, xs)
    assert jax.tree.structure(outside) == jax.tree.structure(inside)
    for field, here, there in zip(outside._fields, outside, inside, strict=True):
        if here is not None:
            assert isinstance(here, jax.Array)
            assert (here.dtype, here.shape) == (there.dtype, there.shape), field
            tolerance = 1e-9 if here.dtype == jnp.float64 else 2e-3
            np.testing.assert_allclose(here, there, rtol=tolerance, atol=tolerance, err_msg=field)


@pytest.mark.parametrize("name", ["flow", "spectrum", "largest"])
def test_the_end_compiles_nothing(name, key, compilations):
    params, h0, xs = problem(rd.cells.elman, key, T=T - 10)
    shorter = xs[1:]
    MEASURED[name](key, rd.cells.elman.step, params, h0, shorter)
    before = compilations.count
    MEASURED[name](key, rd.cells.elman.step, params, h0, xs)
    assert compilations.count - before == 1


@pytest.mark.parametrize("device", [jax.devices()[0], None])
def test_results_stay_where_the_arrays_are(device, key):
    given = problem(rd.cells.elman, key, T=T)
    params, h0, xs = given if device is None else jax.device_put(given, device)
    for found in jax.tree.leaves(rd.lyapunov_spectrum(rd.cells.elman.step, params, h0, xs)):
        assert found.committed == (device is not None)


@pytest.mark.parametrize("xp", [np, jnp])
def test_a_flag_once_down_stays_down(xp):
    flags = xp.asarray([[True, False, True], [True, True, True], [False, True, True]])
    np.testing.assert_array_equal(_all_so_far(xp, flags), np.logical_and.accumulate(np.asarray(flags), axis=1))
