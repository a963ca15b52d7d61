"""The numbers before and after a change, on nets whose Jacobians are known."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics.diagnosis.vital_signs import COLUMNS, vital_signs


def linear(W, h, x):
    return W @ h + x


def test_a_diagonal_net():
    W = jnp.diag(jnp.array([0.5, 2.0, 1.5, 1.01]))
    found = vital_signs(linear, W, jnp.zeros(4), jnp.zeros((2, 30, 4)), horizon=20)
    assert found["log_gradient"] == pytest.approx(20 * math.log(2))
    assert found["exploding"] == 2  # 20 ln 1.01 = 0.2 is less than e-fold
    assert found["log_input"] == -math.inf


def test_more_columns_than_a_frame_holds():
    values = np.linspace(0.5, 1.2, 3 * COLUMNS)
    found = vital_signs(
        linear, jnp.diag(jnp.array(values)), jnp.zeros(values.size), jnp.zeros((1, 40, values.size)), horizon=40
    )
    assert found["log_gradient"] == pytest.approx(40 * math.log(1.2), abs=1e-3)
    assert found["exploding"] == np.sum(40 * np.log(values) > 1)


def test_it_agrees_with_the_gradient_flow():
    cell = rd.cells.elman
    params = cell.init(jax.random.key(0), inputs=2, hidden=40, gain=1.1)
    h0, xs = jnp.zeros(40), jax.random.normal(jax.random.key(1), (4, 30, 2))
    flow = [rd.gradient_flow(cell.step, params, h0, x, lags=20, curves=("norm",)).log_norm[-1] for x in xs]
    found = vital_signs(cell.step, params, h0, xs, horizon=20)
    assert found["log_gradient"] == pytest.approx(float(np.median(np.array(flow))), abs=0.05)


def test_the_window_is_the_last_one_of_a_sequence():
    # h' = x h: the product of the last inputs, the median of the four sequences
    xs = jnp.exp(jnp.arange(4 * 10.0).reshape(4, 10, 1))
    found = vital_signs(lambda p, h, x: x * h, jnp.zeros(1), jnp.ones(1), xs, horizon=3)
    assert found["log_gradient"] == pytest.approx(np.median([sum(range(10 * i + 7, 10 * i + 10)) for i in range(4)]))


def test_one_sequence_gives_several_windows():
    xs = jnp.exp(jnp.arange(1.0, 11.0)).reshape(1, 10, 1)
    found = vital_signs(lambda p, h, x: x * h, jnp.zeros(1), jnp.ones(1), xs, horizon=1)
    # the lags end at times 5 to 10: first steps 4.5, 6, 7.5 and 9, rounded to even
    assert found["log_gradient"] == pytest.approx(np.median([5, 7, 9, 10]))


def test_gradients_that_float32_cannot_hold():
    found = vital_signs(
        linear, jnp.float32(1e-3) * jnp.eye(2, dtype=jnp.float32), *zeros_like_float32((2,), (1, 100, 2)), horizon=100
    )
    assert found["log_gradient"] == pytest.approx(100 * math.log(1e-3), rel=1e-5)


def zeros_like_float32(*shapes):
    return [jnp.zeros(shape, jnp.float32) for shape in shapes]


def test_saturated_and_the_effect_of_an_input():
    def follow(p, h, x):
        return x + 0 * h

    xs = jnp.array([0.99, -0.96, 0.5, 0.0])[None, :, None] * jnp.ones((1, 4, 2))
    # the states before the four steps are 0, 0.99, -0.96, 0.5
    found = vital_signs(follow, jnp.zeros(2), jnp.zeros(2), xs, horizon=4)
    assert found["saturated"] == pytest.approx(0.5)
    assert found["log_input"] == pytest.approx(0.5 * math.log(2 * (0.99**2 + 0.96**2 + 0.5**2) / 4))
    # a state beyond 1 has no range
    assert vital_signs(follow, jnp.zeros(2), jnp.zeros(2), 2 * xs, horizon=4)["saturated"] == 0


def test_of_an_lstm_the_memory_saturates():
    params = rd.cells.lstm.init(jax.random.key(0), inputs=1, hidden=3, gain=0.0, forget_bias=50.0)
    h0 = rd.cells.LSTMState(h=jnp.zeros(3), c=jnp.array([0.0, 1.9, -5.0]))
    found = vital_signs(rd.cells.lstm.step, params, h0, jnp.zeros((1, 5, 1)), horizon=5)
    assert found["saturated"] == pytest.approx(2 / 3)
    assert found["log_gradient"] == pytest.approx(0.5 * math.log(1.25), abs=1e-6)  # (∂h, ∂c) = (½, 1) at c = 0


def test_a_net_that_diverges():
    found = vital_signs(lambda p, h, x: p * h * h, jnp.float64(2), jnp.full(2, 3.0), jnp.zeros((1, 50, 1)), horizon=5)
    assert not math.isfinite(found["log_gradient"]) or found["log_gradient"] > 100


@pytest.mark.parametrize(
    ("xs", "horizon", "words"),
    [
        (jnp.zeros((2, 5, 1)), 6, "horizon: got 6, expected 1 <= horizon <= T = 5"),
        (jnp.zeros((2, 5, 1)), 0, "horizon: got 0"),
        ({"a": jnp.zeros((2, 5)), "b": jnp.zeros((3, 5))}, 2, "xs: got leading axes"),
    ],
)
def test_what_does_not_fit_is_refused(xs, horizon, words):
    with pytest.raises(ValueError, match=words):
        vital_signs(lambda p, h, x: h, jnp.zeros(1), jnp.zeros(1), xs, horizon=horizon)
