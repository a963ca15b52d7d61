"""Windows of time joined: the growth of a sequential QR decomposition, in the five lines of `sequential`."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from rnn_dynamics.machinery.lu_frames import starting_frame
from rnn_dynamics.machinery.window_frames import Grown
from rnn_dynamics.machinery.window_joints import joined
from rnn_dynamics.measure.reliability import seen

K = 3
START = np.asarray(starting_frame(jnp.zeros(K), None, None))
OTHER = np.linalg.qr(np.random.default_rng(5).normal(size=(K, K)))[0]


def sequential(Ps, Q):
    growths = []
    for P in Ps:
        Q, R = np.linalg.qr(P @ Q)
        growths.append(np.log(np.abs(np.diag(R))))
    return np.array(growths)


def in_windows(Ps, frame, dtype=float):
    """What `joined` returns for windows with P S = F D U, where F is not orthonormal."""
    frames, logs, units = [], [], []
    for P in Ps:
        Q, R = np.linalg.qr(P @ START)
        L = np.eye(len(P)) + np.triu(np.random.default_rng(1).normal(size=P.shape), 1)  # F = Q L⁻¹, R = L⁻¹ L R
        R = L @ R
        frames.append(Q @ np.linalg.inv(L) * np.sign(np.diag(R))[None])
        logs.append(np.log(np.abs(np.diag(R))))
        units.append(R / np.diag(R)[:, None])
    logs, unit = (jnp.asarray(np.moveaxis(np.array(values), 0, -1), dtype) for values in (logs, units))
    grown = Grown(logs, unit, jnp.ones_like(logs), jnp.zeros_like(logs))
    return jax.jit(joined)(jnp.asarray(START, dtype), jnp.asarray(frame, dtype), jnp.asarray(np.array(frames)), grown)


def drawn(windows, k=K, seed=0):
    return np.random.default_rng(seed).normal(size=(windows, k, k))


@pytest.mark.parametrize("windows", [1, 2, pytest.param(5, marks=pytest.mark.slow), 16, 17])
@pytest.mark.parametrize("frame", [START, OTHER], ids=["S", "another frame"])
def test_joined_windows_grow_as_a_sequential_decomposition(windows, frame):
    Ps = drawn(windows)
    growth, lost = in_windows(Ps, frame)
    np.testing.assert_allclose(growth, sequential(Ps, frame), atol=1e-11)
    assert all(seen(each).all() for each in lost)


def test_equal_exponents_need_no_gap():
    """Rotations, whose columns never turn to a fastest direction."""
    Ps = np.linalg.qr(drawn(17))[0] * np.exp(np.arange(17))[:, None, None]
    growth, _ = in_windows(Ps, OTHER)
    np.testing.assert_allclose(growth, np.repeat(np.arange(17.0), K).reshape(17, K), atol=1e-12)


def test_growth_over_thousands_of_nats_is_exact():
    """P = Q diag(e^±2000) R with products known to 3000 digits, in windows that no double holds."""
    windows, shifts = 6, np.array([2000.0, 30.0, -1970.0])
    draw = np.random.default_rng(2)
    with mpmath.workdps(6000):
        G, truth, frames, logs, units = mpmath.matrix(OTHER.tolist()), [], [], [], []
        for _ in range(windows):
            left, right = (np.linalg.qr(draw.normal(size=(K, K)))[0] for _ in range(2))
            P = mpmath.matrix(left.tolist()) * mpmath.diag([mpmath.exp(s) for s in shifts])
            P = P * mpmath.matrix(right.tolist())
            Q, R = mpmath.qr(P * mpmath.matrix(START.tolist()))
            frames.append([[float(Q[i, j] * mpmath.sign(R[j, j])) for j in range(K)] for i in range(K)])
            logs.append([float(mpmath.log(abs(R[i, i]))) for i in range(K)])
            units.append([[float(R[i, j] / R[i, i]) for j in range(K)] for i in range(K)])
            G, R = mpmath.qr(P * G)
            truth.append([float(mpmath.log(abs(R[i, i]))) for i in range(K)])
    logs, unit = (jnp.asarray(np.moveaxis(np.array(values), 0, -1)) for values in (logs, units))
    grown = Grown(logs, unit, jnp.ones_like(logs), jnp.zeros_like(logs))
    growth, lost = jax.jit(joined)(jnp.asarray(START), jnp.asarray(OTHER), jnp.asarray(frames), grown)
    np.testing.assert_allclose(growth, truth, atol=1e-9)
    assert lost.max() < 10


def test_a_joint_that_loses_digits_says_how_many():
    """A window doubles the first of two directions and halves the second; the frame before it lies along the second."""
    halves = np.diag([0.5, 2.0])
    start = np.asarray(starting_frame(jnp.zeros(2), None, None))
    Q, R = np.linalg.qr(np.linalg.matrix_power(halves, 20) @ start)
    sign = np.sign(np.diag(R))
    in_one_program = jax.jit(joined)
    for angle in (0.5, 1e-6, 1e-12):
        frame = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        logs = jnp.log(jnp.abs(jnp.diag(jnp.asarray(R))))[:, None]
        unit = jnp.asarray(R / np.diag(R)[:, None])[..., None]
        grown = Grown(logs, unit, jnp.ones_like(logs), jnp.zeros_like(logs))
        _, lost = in_one_program(jnp.asarray(start), jnp.asarray(frame), jnp.asarray(Q * sign[None])[None], grown)
        assert abs(lost[0, 0] + np.log(np.sin(angle))) < 1.5


@pytest.mark.slow
def test_derivatives_are_those_of_the_sequential_decomposition(key):
    """Through the groups and the pivots."""
    Ps = jnp.asarray(drawn(5))
    change = jax.random.normal(key, Ps.shape)
    weights = jax.random.normal(jax.random.fold_in(key, 1), (5, K))

    @jax.jit
    def windowed(Ps):
        Q, R = jnp.linalg.qr(Ps @ jnp.asarray(START)[None])
        diagonal = jnp.diagonal(R, axis1=1, axis2=2)
        logs = jnp.log(jnp.abs(diagonal)).T
        unit = jnp.moveaxis(R / diagonal[..., None], 0, -1)
        grown = Grown(logs, unit, jnp.ones_like(logs), jnp.zeros_like(logs))
        growth, _ = joined(jnp.asarray(START), jnp.asarray(OTHER), Q * jnp.sign(diagonal)[:, None], grown)
        return jnp.sum(weights * growth)

    value, found = jax.jvp(windowed, (Ps,), (change,))
    plus, minus = (np.sum(weights * sequential(np.asarray(Ps + e * change), OTHER)) for e in (1e-6, -1e-6))
    np.testing.assert_allclose(value, np.sum(weights * sequential(np.asarray(Ps), OTHER)), rtol=1e-12)
    np.testing.assert_allclose(found, (plus - minus) / 2e-6, rtol=1e-6)
    np.testing.assert_allclose(jnp.vdot(jax.grad(windowed)(Ps), change), found, rtol=1e-9)
