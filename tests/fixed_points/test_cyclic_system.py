"""The linear equations of a cycle against the whole matrix, and multipliers against products in long arithmetic."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from rnn_dynamics.fixed_points.cycles.cyclic_system import solve_cyclic
from rnn_dynamics.fixed_points.cycles.floquet import multipliers
from rnn_dynamics.fixed_points.cycles.same_cycles import from_first, merged, true_period


def whole(J):
    """The matrix of J_i d_i - d_{i+1}."""
    p, n, _ = J.shape
    A = np.zeros((p, n, p, n))
    for i in range(p):
        A[i, :, i] += J[i]
        A[i, :, (i + 1) % p] -= np.eye(n)
    return A.reshape(p * n, p * n)


@pytest.mark.parametrize(("p", "n", "size"), [(1, 3, 1.0), (2, 1, 2.0), (5, 4, 0.5), (6, 3, 3.0), (40, 2, 4.0)])
def test_it_equals_the_whole_matrix(p, n, size):
    rng = np.random.default_rng(p)
    J, b = size * rng.normal(size=(p, n, n)), rng.normal(size=(p, n, 2))
    found = np.asarray(jax.jit(solve_cyclic)(jnp.asarray(J), jnp.asarray(b))).reshape(p * n, 2)
    A = whole(J)
    exact = np.linalg.solve(A, b.reshape(p * n, 2))
    np.testing.assert_allclose(found, exact, atol=1e-13 * np.linalg.cond(A) * np.abs(exact).max())


def test_a_product_that_stretches_by_1e40_loses_no_digit():
    # directions that grow a hundredfold each step next to some that shrink: the product itself is useless in float64
    rng = np.random.default_rng(0)
    T = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    J = np.broadcast_to(T @ np.diag([100.0, 0.01, -20.0]) @ np.linalg.inv(T), (20, 3, 3))
    b = rng.normal(size=(20, 3, 1))
    found = np.asarray(solve_cyclic(jnp.asarray(J), jnp.asarray(b)))
    residual = np.einsum("pij,pjk->pik", J, found) - np.roll(found, -1, axis=0) - b
    assert np.abs(residual).max() <= 1e-12
    exact = np.linalg.solve(whole(J), b.ravel())
    np.testing.assert_allclose(found.ravel(), exact, rtol=1e-9, atol=1e-12)


def test_a_singular_system_has_a_bounded_solution():
    J = jnp.broadcast_to(jnp.eye(2), (3, 2, 2))
    found = solve_cyclic(J, jnp.full((3, 2, 1), 1e-16))
    assert np.all(np.isfinite(found))
    assert np.abs(found).max() < 1


def test_small_multipliers_are_right_to_all_digits():
    rng = np.random.default_rng(1)
    J = rng.normal(size=(12, 4, 4)) @ np.diag([30.0, 1.0, 0.1, 0.001])
    with mpmath.workdps(120):
        P = mpmath.eye(4)
        for one in J:
            P = mpmath.matrix(one.tolist()) * P
        exact = np.array([complex(value) for value in mpmath.eig(P, left=False, right=False)])
    exact = exact[np.argsort(-np.abs(exact))]
    found = multipliers(J)
    assert abs(exact[-1]) < 1e-30 * abs(exact[0])
    np.testing.assert_allclose(np.abs(found), np.abs(exact), rtol=1e-10)
    np.testing.assert_allclose(np.sort(found.real), np.sort(exact.real), rtol=1e-10)


def test_multipliers_of_few_and_of_singular_matrices():
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])
    np.testing.assert_allclose(multipliers(turn[None]), [2j, -2j], atol=1e-15)
    np.testing.assert_allclose(multipliers(np.zeros((3, 2, 2))), 0)
    np.testing.assert_allclose(multipliers(np.array([np.diag([1.0, 0.0]), np.diag([3.0, 5.0])])), [3, 0])
    np.testing.assert_allclose(multipliers(np.array([[[2.0]], [[-3.0]]])), [-6])


def test_true_periods_and_first_states():
    cycle = np.array([[3.0], [1.0], [3.0], [1.0]])
    assert true_period(cycle, 1e-12) == 2
    assert true_period(cycle + 1e-15 * np.arange(4)[:, None], 1e-12) == 2
    assert true_period(np.array([[3.0], [1.0], [3.0], [1.1]]), 1e-12) == 4
    assert true_period(np.array([[3.0], [1.0], [1.0]]), 1e-12) == 3
    # the lexicographic order ignores rounding: (1, 0) before (1 - 1e-15, 5)
    assert from_first(np.array([[1 - 1e-15, 5.0], [2.0, 0.0], [1.0, 0.0]]), 1e-13) == 2


def test_shifts_of_a_cycle_are_one_and_neighbours_are_two():
    cycle = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]])
    backwards = cycle[::-1]
    near = cycle + np.array([[1e-8, 0], [0, 0], [0, 0]])
    states = np.stack([cycle, np.roll(cycle, 1, axis=0) + 1e-14, np.roll(cycle, 2, axis=0), backwards, near])
    chosen, label = merged(states, np.full(5, 1e-13))
    assert label.tolist() == [0, 0, 0, 1, 2]
    assert chosen.tolist() == [0, 3, 4]
    # an end that is known badly joins, and makes no cycle of its own
    assert merged(states, np.array([1e-13, 1e-13, 1e-13, 1e-13, 1e-7]))[1].tolist() == [0, 0, 0, 1, 0]
