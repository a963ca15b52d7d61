"""Frames of many windows, factored side by side: Y = F D U, whatever the size, the precision and the order of rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_dynamics.machinery.window_frames import factored, first, log_det, nothing
from rnn_dynamics.measure.reliability import seen

WINDOWS = 5
# sizes on both sides of a loop that is written out (4), and of a panel (8)
SHAPES = [(2, 2), (5, 5), (9, 9), (6, 3)]
MORE_SHAPES = [(1, 1), (3, 3), (4, 4), (8, 8), (17, 17), (11, 9)]


def and_slow(fast, slow):
    return [*fast, *(pytest.param(each, marks=pytest.mark.slow) for each in slow)]


def drawn(*shape, dtype=float):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), dtype)


def each(values):
    """The windows along the first axis, in NumPy and in double precision."""
    return np.moveaxis(np.asarray(values, float), -1, 0)


def triangles(grown):
    return np.exp(each(grown.logs))[..., None] * each(grown.unit)


@pytest.mark.parametrize("shape", and_slow(SHAPES, MORE_SHAPES), ids=str)
def test_frames_times_triangles_are_what_was_factored(shape, dtype):
    Y, k = drawn(*shape, WINDOWS, dtype=dtype), shape[1]
    F, grown = jax.jit(factored)(Y, nothing(k, WINDOWS, dtype))
    np.testing.assert_allclose(each(F) @ triangles(grown), each(Y), atol=30 * k * jnp.finfo(dtype).eps)
    U = each(grown.unit)
    np.testing.assert_array_equal(U, np.triu(U, 1) + np.eye(k))
    # the largest entry of each column of F is a pivot, ±1, and 0 stands in its row in all later columns
    pivots = np.abs(each(F)).argmax(axis=1)
    for frame, rows in zip(each(F), pivots, strict=True):
        assert len(set(rows)) == k
        at_pivots = frame[rows]
        np.testing.assert_array_equal(np.abs(np.diag(at_pivots)), 1)
        np.testing.assert_array_equal(np.triu(at_pivots, 1), 0)
    assert grown.ratio.min() > 0
    assert seen(jnp.log(grown.ratio).max(axis=1)).all()


@pytest.mark.parametrize("n", and_slow([3], [1, 2, 5, 9]))
def test_triangles_of_several_factorisations_multiply(n, dtype):
    """Steps whose directions grow by e^±2: the columns of the product lose digits, its factors none."""
    Js, F = drawn(4, n, n, WINDOWS, dtype=dtype), drawn(n, n, WINDOWS, dtype=dtype)
    Js = Js * jnp.exp(jnp.linspace(2, -2, n, dtype=dtype))[None, :, None, None]
    grown, P, growth = nothing(n, WINDOWS, dtype), each(F), 0
    both = jax.jit(lambda J, F, grown: factored(jnp.einsum("ijw,jkw->ikw", J, F, precision="highest"), grown))
    for J in Js:
        F, grown = both(J, F, grown)
        P = each(J) @ P
        growth = growth + np.linalg.slogdet(each(J))[1]
    error = np.abs(each(F) @ triangles(grown) - P).max(axis=(1, 2)) / np.abs(P).max(axis=(1, 2))
    assert error.max() < 100 * n * jnp.finfo(dtype).eps
    volume = each(grown.logs).sum(axis=1) + np.linalg.slogdet(each(F))[1] - np.linalg.slogdet(each(drawn(n, n, 5)))[1]
    np.testing.assert_allclose(volume, growth, atol=2e3 * n * float(jnp.finfo(dtype).eps))


def test_of_equal_entries_one_alone_is_the_pivot(dtype):
    rows = jnp.asarray([[True, True], [False, True], [True, True]])
    np.testing.assert_array_equal(first(rows), [[True, True], [False, False], [False, False]])
    for Y in ([[1, 1], [-1, 1]], [[0, 2], [2, 0]], [[-1, 0], [-1, 1]]):
        F, grown = jax.jit(factored)(jnp.asarray(Y, dtype)[..., None], nothing(2, 1, dtype))
        np.testing.assert_allclose(each(F)[0] @ triangles(grown)[0], Y, atol=1e-6)
        assert len(set(np.abs(each(F)[0]).argmax(axis=0))) == 2


def test_sums_of_logarithms_keep_what_each_addition_rounds_off():
    """A hundred thousand additions of 1/3 in single precision."""
    with jax.enable_x64(False):
        Y = jnp.full((1, 1, 1), np.exp(1 / 3), jnp.float32)
        start = nothing(1, 1, Y.dtype)
        grown = jax.jit(lambda: jax.lax.fori_loop(0, 100_000, lambda i, grown: factored(Y, grown)[1], start))()
        np.testing.assert_allclose(grown.logs, 100_000 * np.log(np.float64(Y[0])), rtol=2e-7)


@pytest.mark.parametrize("n", and_slow([1, 2, 3, 9], [4, 5, 6, 7, 8, 10]))
def test_determinants_are_those_of_numpy(n, dtype):
    J = drawn(n, n, WINDOWS, dtype=dtype)
    found = jax.jit(log_det)(J)
    np.testing.assert_allclose(found, np.linalg.slogdet(each(J))[1], atol=300 * float(jnp.finfo(dtype).eps))
    assert jax.jit(log_det)(0 * J)[0] == -jnp.inf


@pytest.mark.parametrize("n", and_slow([2, 3], [4, 9]))
@pytest.mark.parametrize("axis", [0, 1])
def test_determinants_of_tiny_rows_or_columns_are_seen(n, axis, dtype):
    """All but one are smaller by a factor whose square single precision does not hold."""
    sizes = np.where(np.arange(n) == n - 1, 1, 1e-25)
    J = np.asarray(drawn(n, n, WINDOWS)) * np.expand_dims(sizes, (1 - axis, 2))
    J = jnp.asarray(J, dtype)
    expected = np.linalg.slogdet(each(J))[1]
    np.testing.assert_allclose(jax.jit(log_det)(J), expected, atol=1e-4)


@pytest.mark.parametrize("n", and_slow([2], [5]))
def test_columns_that_depend_on_each_other_are_refused(n, key):
    Y = drawn(n, n, 3)
    Y = Y.at[:, 1, 0].set(0)  # in the first window one is 0, in the second two are equal
    Y = Y.at[:, 1, 1].set(Y[:, 0, 1])
    _, grown = jax.jit(factored)(Y, nothing(n, 3, Y.dtype))
    assert [bool(seen(lost).all()) for lost in jnp.log(grown.ratio).T] == [False, False, True]


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 5])
def test_derivatives_are_those_of_differences(n):
    Y, tangent = drawn(n, n, 2), drawn(n, n, 2)[::-1]
    J = drawn(n, n, 2)

    @jax.jit
    def measured(Y):
        F, grown = factored(Y, nothing(n, 2, Y.dtype))
        F, grown = factored(jnp.einsum("ijw,jkw->ikw", J, F), grown)
        return jnp.cos(F).sum() + grown.logs.sum() + jnp.sin(grown.unit).sum() + log_det(Y).sum()

    _, found = jax.jvp(measured, (Y,), (tangent,))
    numeric = (measured(Y + 1e-6 * tangent) - measured(Y - 1e-6 * tangent)) / 2e-6
    np.testing.assert_allclose(found, numeric, rtol=1e-6)
    np.testing.assert_allclose(jnp.vdot(jax.grad(measured)(Y), tangent), found, rtol=1e-10)
