"""Every point gets the numbers of a call of `measure`, whatever is computed along with it."""

import concurrent.futures
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray
from programs import output
from sweep_measures import applied, matrix, ragged, thrice, twice

import rnn_dynamics as rd
from rnn_dynamics.machinery.batch_decision import smallest
from rnn_dynamics.sweeps import Variable, described, plan
from rnn_dynamics.sweeps import run as module

GAINS = [0.5, 1.0, 1.5, 2.0, 3.0]


def run(measure, grid, key, **options):
    return rd.sweep(measure, grid, key=key, progress=False, **options)


def test_each_point_is_a_call_of_measure_with_the_key_of_its_place(key):
    gains = [0.1, 0.7, 1.3, 1.9, 3.1]  # none of them a short binary fraction
    ds = run(matrix, {"n": [2, 4], "gain": gains}, key, repeats=2, chunk=4)
    assert ds.sizes == {"n": 2, "gain": 5, "repeat": 2, "time": 5}
    for number, (i, j, k) in enumerate(np.ndindex(2, 5, 2)):
        alone = matrix(jax.random.fold_in(key, number), gain=jnp.asarray(gains[j]), n=(2, 4)[i])
        here = ds.isel(n=i, gain=j, repeat=k)
        np.testing.assert_allclose(here.norm, alone["norm"], rtol=1e-12)
        np.testing.assert_allclose(here.path, alone["path"], rtol=1e-12)
    assert (ds.status == 1).all()
    assert (ds.error == "").all()
    assert ds.norm.attrs == {"units": "1", "long_name": "Frobenius norm of a random matrix"}
    assert ds.gain.attrs["units"] == "1"
    assert ds.path.dims == ("n", "gain", "repeat", "time")


def test_chunks_do_not_change_a_bit(key, monkeypatch):
    monkeypatch.setattr(plan, "MOST_ON_CPU", 8)
    first, *others = (run(matrix, {"gain": GAINS}, key, repeats=8, chunk=chunk) for chunk in (8, 16))
    assert first.attrs["window_shape"] == [1, 8]
    for other in others:
        assert other.attrs["window_shape"] == [1, 8]
        xarray.testing.assert_identical(first.drop_attrs(), other.drop_attrs())
    small = run(matrix, {"gain": GAINS}, key, repeats=8, chunk=3)  # other windows: to rounding
    xarray.testing.assert_allclose(first.drop_vars("error"), small.drop_vars("error"), rtol=1e-10)


def test_what_a_batch_branches_on_together_depends_on_the_window_only(key, monkeypatch):
    """A measurement that looks at its neighbours, as ours do to branch once for a batch."""
    monkeypatch.setattr(plan, "MOST_ON_CPU", 4)

    def measure(key, gain):
        return {"least": smallest(gain)}

    first, second = (run(measure, {"gain": GAINS}, key, repeats=2, chunk=chunk) for chunk in (4, 10))
    assert first.attrs["window_shape"] == second.attrs["window_shape"] == [2, 2]
    np.testing.assert_array_equal(first.least, second.least)
    np.testing.assert_array_equal(first.least[:, 0], [0.5, 0.5, 1.5, 1.5, 3.0])


def test_outputs_of_several_lengths_are_padded_and_their_length_told(key):
    ds = run(ragged, {"n": [2, 4], "gain": [1.0, 2.0]}, key)
    assert ds["values"].shape == (2, 2, 1, 4)
    np.testing.assert_array_equal(ds["values"].sel(n=2, gain=2.0)[0], [2, 4, np.nan, np.nan])
    np.testing.assert_array_equal(ds.positive.sel(n=2)[0, 0], [True, True, False, False])
    np.testing.assert_array_equal(ds["rank"].sel(n=2)[0, 0], [0, 1, 0, 0])
    np.testing.assert_array_equal(ds.values_dim0_length, [2, 4])
    assert (ds.status == 1).all()  # padding is no NaN


def test_a_list_of_points_with_mixed_shapes(key):
    points = [{"n": 2 + (i % 3 == 1), "gain": float(i)} for i in range(7)]
    ds = run(ragged, points, key, repeats=2, chunk=4)
    for i, point in enumerate(points):
        for repeat in range(2):
            alone = ragged(jax.random.fold_in(key, 2 * i + repeat), **point)
            here = ds.isel(point=i, repeat=repeat)
            np.testing.assert_allclose(here["values"][: point["n"]], alone["values"])
            np.testing.assert_allclose(here.draw, alone["draw"])
    np.testing.assert_array_equal(ds.n, [point["n"] for point in points])
    np.testing.assert_array_equal(ds.values_dim0_length, ds.n)


def test_arrays_functions_and_no_axis_at_all(key):
    W = np.arange(12.0).reshape(3, 2, 2)
    ds = run(lambda key, W: {"trace": jnp.trace(W)}, {"W": W}, key)
    np.testing.assert_array_equal(ds.trace[:, 0], W.trace(axis1=1, axis2=2))
    np.testing.assert_array_equal(ds.W_value, W)
    ds = run(applied, {"function": [twice, thrice], "gain": [1.0, 2.0]}, key)
    np.testing.assert_array_equal(ds.value[:, :, 0], [[2, 4], [3, 6]])
    assert list(ds.function.values) == ["sweep_measures:twice", "sweep_measures:thrice"]
    ds = run(lambda key: {"draw": jax.random.normal(key)}, {}, key, repeats=4)
    assert len(np.unique(ds.draw)) == 4


def test_precision_and_keys_are_the_callers(dtype):
    for key in (jax.random.PRNGKey(3), jax.random.key(3, impl="rbg")):
        ds = run(lambda key, gain: {"x": gain * jax.random.normal(key)}, {"gain": [1.5]}, key)
        assert ds.x.dtype == dtype
        np.testing.assert_allclose(ds.x[0, 0], 1.5 * jax.random.normal(jax.random.fold_in(key, 0)), rtol=1e-6)


def test_a_gradient_inside_is_that_of_the_point_alone(key):
    """The constant 1 is the same on all devices; its gradient must not be summed over them."""

    def measure(key, gain):
        return {"slope": jax.grad(lambda x: gain * x**2)(1.0)}

    np.testing.assert_allclose(run(measure, {"gain": GAINS}, key).slope[:, 0], 2 * np.array(GAINS))


def test_one_program_serves_a_group_and_resuming_compiles_nothing(key, tmp_path, compilations):
    run(matrix, {"gain": GAINS}, key, repeats=2, chunk=2, store=tmp_path / "s")
    before = compilations.count
    run(matrix, {"gain": GAINS}, key, repeats=2, chunk=2, store=tmp_path / "s")
    assert compilations.count == before


@pytest.mark.slow
def test_the_number_of_devices_does_not_change_a_bit():
    helpers = Path(__file__).parent.parent / "helpers"
    kept = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")}
    found = [output("bits_of_a_sweep.py", helpers, devices, environment=kept).splitlines() for devices in (1, 2)]
    assert [lines[-1][-1] for lines in found] == ["1", "2"]
    assert found[0][:-1] == found[1][:-1]


@pytest.mark.parametrize(
    ("measure", "kind", "message"),
    [
        (lambda key, gain: gain, TypeError, "expected a dict or NamedTuple of arrays"),
        (lambda key, gain: {"a": "text"}, TypeError, "returned a of type str, expected an array"),
        (lambda key, gain: {"a": np.array(["text"])}, TypeError, "returned a of dtype <U4, expected numbers or bools"),
        (lambda key, gain: {"status": gain}, ValueError, "returned 'status', expected names other than"),
        (lambda key, gain: {"progress": gain}, ValueError, "returned 'progress', expected names other than"),
        (lambda key, gain: {"gain": gain}, ValueError, "returned gain, which is an axis"),
        (lambda key, gain: {"a": key}, TypeError, "returned a of dtype key"),
        (lambda key, gain: {"a": gain.astype(jnp.bfloat16)}, TypeError, "expected one that can be stored"),
        (described(b=Variable("1"))(lambda key, gain: {"a": gain}), ValueError, "described: got b, which"),
        (described(a=Variable("1", "", ("x",)))(lambda key, gain: {"a": gain}), ValueError, "expected 0 names"),
        (lambda key, gain: undefined, NameError, "undefined"),  # noqa: F821
    ],
)
def test_what_no_measure_is(measure, kind, message, key):
    with pytest.raises(kind, match=message):
        run(measure, {"gain": GAINS}, key)


@described(a=Variable("1", "", ("b",)))
def like_a_dimension(key, gain):
    return {"a": gain * jnp.ones(2), "b": gain}


@described(a=Variable("1", "", ("W_dim0",)))
def of_another_length(key, W):
    return {"a": W[:2]}


@pytest.mark.parametrize(
    ("measure", "grid", "message"),
    [
        (lambda key, W: {"W_value": W.sum()}, {"W": np.ones((2, 3))}, "W_value: .* a coordinate of that name"),
        (
            lambda key, n: {"x": jnp.ones(n), "x_dim0_length": jnp.ones(())},
            {"n": [2, 3]},
            "x_dim0_length: .* a coordinate of that name",
        ),
        (like_a_dimension, {"gain": GAINS}, "b: .* a dimension of that name"),
        (of_another_length, {"W": np.ones((2, 3))}, "a: has length 2 along W_dim0, which is 3 long"),
    ],
)
def test_names_that_a_dataset_cannot_hold_are_refused(measure, grid, message, key, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(measure, grid, key, store=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_an_output_may_be_called_as_the_values_of_an_axis_are_elsewhere(key, tmp_path):
    for _ in range(2):
        found = run(lambda key, gain: {"gain_value": gain}, {"gain": GAINS}, key, store=tmp_path / "s")
    np.testing.assert_array_equal(found.gain_value[:, 0], GAINS)


def test_an_error_that_is_no_text_for_a_file(key, tmp_path):
    def measure(key, n):
        if n:
            raise ValueError("\ud800")
        return {"a": jnp.ones(())}

    assert run(measure, {"n": [0, 1]}, key, store=tmp_path / "s").error[1, 0] == r"ValueError: \ud800"


def test_outputs_that_groups_disagree_on_are_refused(key):
    with pytest.raises(ValueError, match="returned a as float64"):
        run(lambda key, n: {"a": jnp.ones((3,) * n)}, {"n": [1, 2]}, key)
    with pytest.raises(ValueError, match=r"returned \['b'\] at"):
        run(lambda key, n: {"ab"[n]: jnp.ones(3)}, {"n": [0, 1]}, key)
    with pytest.raises(ValueError, match="units 'seconds', which xarray turns into spans of time"):
        described(a=Variable("seconds"))
    with pytest.raises(ValueError, match="units 'steps since start', which xarray takes for a date"):
        described(a=Variable("steps since start"))


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"repeats": 0}, ValueError, "repeats: got 0"),
        ({"chunk": 0}, ValueError, "chunk: got 0"),
        ({"on_error": "ignore"}, ValueError, "on_error: got 'ignore', expected one of 'record', 'raise'"),
        ({"on_version": "ask"}, ValueError, "on_version: got 'ask', expected one of 'refuse', 'accept'"),
        ({"devices": 7}, ValueError, "devices: got 7, expected from 1 to 1 of this process; .*one_device_per_core"),
        ({"devices": jax.devices()[0]}, TypeError, "devices: got .*expected a number of devices or a list"),
        ({"devices": np.int64(7)}, ValueError, "devices: got 7, expected from 1 to 1"),
        (
            {"executor": concurrent.futures.ProcessPoolExecutor(1), "store": "memory://s"},
            TypeError,
            "store: got 'memory://s' with an executor",
        ),
        ({"store": 3}, TypeError, "store: got 3, expected a folder"),
        ({"executor": 3}, TypeError, "executor: got 3, expected an object with submit"),
        ({"key": 3}, TypeError, "key: got 3"),
        ({"measure_point": 3}, TypeError, "measure_point: got 3, expected a function"),
    ],
)
def test_bad_arguments_are_named(options, kind, message, key):
    options = {"measure_point": matrix, "key": key, "repeats": 1, "store": None} | options
    work = {name: options.pop(name) for name in ("measure_point", "key", "repeats", "store")}
    with pytest.raises(kind, match=message):
        module.sweep(grid={"gain": GAINS}, **work, options=module.Options(**options))
