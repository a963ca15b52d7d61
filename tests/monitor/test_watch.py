"""`rd.watch` on nets whose answers are exact, and what a training may rely on."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from watched import XS, T, exploding, healthy, linear, vanishing, watching

import rnn_dynamics as rd
from rnn_dynamics.cells.affine import Affine

HEALTHY, VANISHING, EXPLODING = healthy(), vanishing(), exploding()


@pytest.fixture
def no_warnings_of_ours():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rd.GradientWarning)
        yield


def test_the_gradient_of_a_linear_net_falls_with_its_known_slope(no_warnings_of_ours):
    record = watching()(step=0, params=VANISHING)
    lags = np.arange(T + 1)
    np.testing.assert_allclose(record.log_norm, lags * math.log(0.6), rtol=1e-12, atol=1e-12)
    frobenius = np.log(np.sum(np.diag(VANISHING.W)[:, None] ** (2.0 * lags), axis=0)) / 2
    np.testing.assert_allclose(record.evidence.log_rms, [frobenius - math.log(2)] * 3, rtol=1e-10, atol=1e-10)
    # four rows are all there are, so that nothing is left to chance
    np.testing.assert_allclose(record.log_rms_stderr, 0, atol=1e-6)
    assert record.evidence.exponent == pytest.approx(math.log(0.6), abs=0.03)
    assert [finding.rule for finding in record.findings] == ["gradient vanishes"]


def test_of_many_units_a_few_rows_show_the_norms(key):
    params = rd.cells.lstm.init(key, inputs=1, hidden=24, forget_bias=2.0)
    record = rd.watch(XS, cell=rd.cells.lstm, directions=6)(step=0, params=params)
    for i, xs in enumerate(XS):
        exact = rd.gradient_flow(
            rd.cells.lstm.step, params, rd.cells.lstm.initial_state(params), xs, curves=("norm", "frobenius")
        )
        short = np.asarray(exact.log_norm) - record.evidence.log_norm[i]
        assert short.min() > -1e-9
        assert short.max() < 0.5
        assert short[-1] < 0.3
        error = np.asarray(exact.log_frobenius) - record.evidence.log_rms[i] - math.log(48) / 2
        np.testing.assert_array_less(np.abs(error), 8 * record.log_rms_stderr[i] + 1e-9)
    assert record.log_rms_stderr.max() < 0.2


def test_the_last_lags_are_measured(key, no_warnings_of_ours):
    """A unit whose slope is 1 at first and falls with the input: only the last steps count."""
    xs = np.concatenate([np.zeros((1, 15, 1)), np.full((1, 5, 1), 3.0)], axis=1)
    params = Affine(jnp.eye(1), jnp.ones((1, 1)), jnp.zeros(1))
    record = rd.watch(xs, horizon=5, cell=rd.cells.elman)(step=0, params=params)
    flow = rd.gradient_flow(rd.cells.elman.step, params, jnp.zeros(1), xs[0], lags=5, curves=("norm",))
    np.testing.assert_allclose(record.log_norm, flow.log_norm, rtol=1e-9, atol=1e-12)
    assert record.log_norm[-1] < -10


@pytest.mark.parametrize("slope", [0.0, 1e-30, 1e30])
def test_norms_beyond_the_float_range(slope, no_warnings_of_ours):
    with jax.enable_x64(False):
        params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), linear(*[slope] * 4))
        params = params._replace(U=0 * params.U)
        record = watching()(step=0, params=params)
    with np.errstate(divide="ignore"):
        slope = np.log(slope)
    np.testing.assert_allclose(record.log_norm[1:], np.arange(1, T + 1) * slope, rtol=1e-5)
    np.testing.assert_allclose(record.evidence.log_rms[0], record.log_norm, rtol=1e-5)
    assert record.evidence.exponent == pytest.approx(slope, rel=1e-5)


def test_the_dataset_has_dimensions_and_units():
    watch = watching(every=10)
    for step in range(21):
        watch(step=step, params=HEALTHY, norm=2.0, clipped=min(2.0, 1.0 + step))
    found = watch.dataset
    assert dict(found.sizes) == {"step": 3, "sequence": 3, "lag": T + 1, "gate": 0, "rule": 0}
    assert list(found.step) == [0, 10, 20]
    assert found.log_norm.dims == ("step", "sequence", "lag")
    assert found.log_norm.attrs["units"] == "nats"
    assert found.exponent.attrs["units"] == "nats per step"
    assert found.lag.attrs["units"] == "steps"
    assert found.attrs["horizon"] == T
    np.testing.assert_allclose(found.log_norm[:, :, -1], T * math.log(0.99), rtol=1e-6)
    # of the updates 0, 1 .. 10 and 11 .. 20
    np.testing.assert_allclose(found.clipped_share, [1, 0, 0])
    np.testing.assert_allclose(found.norm_median, 2)


def test_norms_are_summarised_over_all_updates_since_the_last_record():
    watch = watching(every=4)
    watch(step=0, params=HEALTHY)
    norms = [1.0, 9.0, 3.0, jnp.array(2.0)]
    for step, norm in enumerate(norms, 1):
        record = watch(step=step, params=HEALTHY, norm=norm, clipped=jnp.minimum(norm, 2.5))
    assert record.norms == (2.0, 2.0, 2.5, 9.0, 0.5, 4, None)
    for step, norm in ((5, 1.0), (6, math.inf), (7, 1.0)):
        watch(step=step, params=HEALTHY, norm=norm)
    with pytest.warns(rd.GradientWarning, match="the gradient norm of step 6"):
        record = watch(step=8, params=HEALTHY, norm=1.0)
    assert record.norms.updates == 4
    assert record.findings[0].rule == "not finite"


def test_gates_are_recorded(key, no_warnings_of_ours):
    params = rd.cells.lstm.init(key, inputs=1, hidden=3, gain=0.0)
    watch = rd.watch(0 * XS, every=1, horizon=T, cell=rd.cells.lstm)
    watch(step=0, params=params)
    watch(step=1, params=params._replace(forget=params.forget._replace(b=jnp.full(3, 9.0))))
    found = watch.dataset
    assert set(found.gate.values) == {"input", "forget", "output"}
    np.testing.assert_allclose(found.gate_mean.sel(gate="forget"), [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-9))])
    assert found.gate_open.sel(gate="forget").values.tolist() == [0, 1]
    # without an input c stays 0: each step multiplies c by f, and half of it is seen in h
    slope = T * math.log(1 / (1 + math.exp(-1)))
    np.testing.assert_allclose(found.log_norm[0, :, -1], slope + math.log(1.25) / 2, rtol=1e-6)


@pytest.mark.slow
def test_gates_of_each_layer_have_names(key, no_warnings_of_ours):
    cell = rd.cells.stack(rd.cells.lstm, rd.cells.gru)
    record = rd.watch(XS, cell=cell)(step=0, params=cell.init(key, inputs=1, hidden=3))
    lstm, gru = ("input", "forget", "output"), ("update", "reset")
    assert set(record.evidence.gates) == {f"layer 1 {name}" for name in lstm} | {f"layer 2 {name}" for name in gru}


def test_a_rule_warns_once_until_it_clears():
    watch = watching()
    for step, (params, warns) in enumerate(
        [(HEALTHY, False), (VANISHING, True), (VANISHING, False), (HEALTHY, False), (VANISHING, True)]
    ):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            watch(step=step, params=params)
        assert [warning.category for warning in seen] == [rd.GradientWarning] * warns
    assert watch.dataset.finding.sel(rule="gradient vanishes").values.tolist() == [False, True, True, False, True]


def test_later_calls_compile_nothing(compilations, no_warnings_of_ours, key):
    trained = [rd.cells.lstm.init(key, inputs=1, hidden=5, gain=gain) for gain in (0.5, 1.0, 2.0)]
    watch = rd.watch(XS, every=1, horizon=T, cell=rd.cells.lstm)
    watch(step=0, params=trained[0])
    compiled = compilations.count
    for step, params in enumerate(trained[1:], 1):
        watch(step=step, params=params, norm=1.0)
    assert compilations.count == compiled > 0


def test_between_two_measurements_nothing_is_read():
    watch = watching(every=7)
    assert watch(step=3, params="anything", model=object()) is None
    assert watch.last is None


def test_steps_that_are_made_again_are_replaced():
    watch = watching(every=5)
    for step in (0, 5, 10, 15):
        watch(step=step, params=HEALTHY)
    # back to the checkpoint of step 5
    watch(step=10, params=linear(0.98, 0.97, 0.97, 0.97))
    assert list(watch.dataset.step) == [0, 5, 10]
    np.testing.assert_allclose(watch.dataset.log_norm[-1, 0, -1], T * math.log(0.98), rtol=1e-6)


def test_a_later_process_continues_the_dataset(tmp_path, no_warnings_of_ours):
    import xarray

    watch = watching(every=5)
    for step, params in ((0, VANISHING), (5, HEALTHY), (10, HEALTHY)):
        watch(step=step, params=params)
    watch.save(tmp_path / "watch.nc")
    with xarray.open_dataset(tmp_path / "watch.nc") as history:
        later = watching(every=5, history=history.load())
    later(step=10, params=EXPLODING)
    found = later.dataset
    assert list(found.step) == [0, 5, 10]
    np.testing.assert_allclose(found.log_norm[:, 0, -1], T * np.log([0.6, 0.99, 1.5]), rtol=1e-6)
    assert found.finding.sel(rule="gradient vanishes").values.tolist() == [True, False, False]
    assert found.finding.sel(rule="gradient explodes").values.tolist() == [False, False, True]
    assert found.log_norm.attrs["units"] == "nats"
    later.save(tmp_path / "watch.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["watch.nc"]
    with xarray.open_dataset(tmp_path / "watch.nc") as again:
        for name in ("step", "log_norm", "finding", "failure", "norm"):
            np.testing.assert_array_equal(again[name], found[name])


def test_weights_that_are_not_finite_are_a_finding_and_end_nothing():
    watch = watching()
    watch(step=0, params=HEALTHY)
    with pytest.warns(rd.GradientWarning, match=r"NaN or infinite in parameter b"):
        record = watch(step=1, params=linear(0.9, 0.9, 0.9, 0.9, fault=math.nan))
    assert [finding.rule for finding in record.findings] == ["not finite"]
    assert record.failure == ""
    assert np.isnan(watch.dataset.log_norm[1]).all()
    assert "not finite" in repr(record)
    watch(step=2, params=HEALTHY)
    assert watch.dataset.finding.sel(rule="not finite").values.tolist() == [False, True, False]


def test_an_error_in_a_later_call_is_a_failure_that_is_warned_of_once():
    def importer(model):
        if model == "broken":
            raise OSError("the weights have gone")
        return rd.interop.imported.unverified(rd.cells.linear, HEALTHY, "a net")

    watch = watching(cell=None, importer=importer)
    with pytest.raises(OSError, match="gone"):
        watch(step=0, model="broken")
    watch(step=0, model="good")
    with pytest.warns(rd.GradientWarning, match="OSError: the weights have gone"):
        record = watch(step=1, model="broken")
    assert "the weights have gone" in record.failure
    assert watch(step=2, model="broken").findings == ()
    assert watch(step=3, model="good").failure == ""
    assert [bool(text) for text in watch.dataset.failure.values] == [False, True, True, False]


def test_a_norm_that_is_no_number_ends_nothing_later():
    watch = watching()
    watch(step=0, params=HEALTHY)
    with pytest.warns(rd.GradientWarning, match="norm, clipped: ValueError"):
        record = watch(step=1, params=HEALTHY, norm="large")
    assert math.isnan(record.norms.norm)
    with pytest.raises(ValueError, match="large"):
        watching()(step=0, params=HEALTHY, norm="large")


def test_weights_of_16_bits_are_measured_in_32(no_warnings_of_ours):
    narrow = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), linear(0.5, 0.25, 0.25, 0.25))
    record = watching()(step=0, params=narrow)
    np.testing.assert_allclose(record.log_norm, np.arange(T + 1) * math.log(0.5), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"xs": np.zeros((T, 1))}, r"xs: got shape \(20, 1\)"),
        ({"xs": np.full((1, T, 1), np.nan)}, "xs: got values that are not finite"),
        ({"every": 0}, "every: got 0"),
        ({"horizon": T + 1}, "horizon: got 21, expected at most 20"),
        ({"to": object()}, "to: got .* expected objects with a method"),
        ({"cell": rd.cells.linear.step}, "cell: got"),
        ({"importer": "torch"}, "importer: got 'torch'"),
        ({"directions": 1}, "directions: got 1"),
    ],
)
def test_wrong_options_are_refused(options, message):
    options = {"xs": XS} | options
    with pytest.raises((TypeError, ValueError), match=message):
        rd.watch(options.pop("xs"), **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "model, params: got neither"),
        ({"model": object()}, "model: got object, expected a recurrent layer of torch"),
        ({"params": rd.cells.linear.init(jax.random.key(0), inputs=2, hidden=3)}, "x: got"),
        ({"params": HEALTHY, "step": -1}, "step: got -1"),
    ],
)
def test_wrong_arguments_are_refused_at_the_first_call(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        watching()(**({"step": 0} | arguments))


def test_params_need_their_cell():
    with pytest.raises(TypeError, match="cell="):
        rd.watch(XS)(step=0, params=HEALTHY)
