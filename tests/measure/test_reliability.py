"""Every result says of each number whether it can be trusted, and why not, in the same three fields."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics.measure import reliability
from rnn_dynamics.measure.reliability import Doubt


def linear(W, h, x):
    return W @ h


def vectors_of(W, T=90):
    return rd.covariant_vectors(linear, W, jnp.ones(len(W)), None, length=T, frame_burn_in=40, tail=40)


def test_a_vector_that_a_singular_step_removed_is_said_to_be_so():
    found = vectors_of(jnp.array([[2.0, 1.0], [0.0, 0.0]]))
    assert found.reasons.tolist() == ["", "singular Jacobian"]
    assert repr(found).endswith("; 1 of 2 reliable")
    assert "nan" in found.summary()
    np.testing.assert_array_equal(found.reliable, [True, False])


@pytest.mark.parametrize(("small", "reason"), [(1e-11, ""), (1e-15, "below the floor")])
def test_a_vector_lost_in_rounding_is_below_the_floor(small, reason):
    found = vectors_of(jnp.array([[1.0, 1.0], [1.0, 1.0 + small]]))
    assert found.reasons.tolist() == ["", reason]
    np.testing.assert_array_equal(found.reliable, found.doubts == 0)


@pytest.fixture
def flow():
    return rd.gradient_flow(linear, 0.5 * jnp.eye(3), jnp.ones(3), None, length=4)


def test_a_flow_doubts_the_lags_at_which_a_search_did_not_converge(flow):
    assert flow.reliable.all()
    assert set(flow.reasons) == {""}
    low = flow._replace(
        converged=flow.converged.at[2].set(False), bound_converged=flow.bound_converged.at[3].set(False)
    )
    assert low.reasons.tolist() == ["", "", "not converged", "not converged", ""]


def test_a_flow_doubts_what_is_no_number(flow):
    broken = flow._replace(log_norm=flow.log_norm.at[1].set(-jnp.inf), log_bound=flow.log_bound.at[3].set(jnp.nan))
    assert broken.reasons.tolist() == ["", "", "", "not finite", ""]  # -inf is the logarithm of an exact zero
    only = flow._replace(log_norm=None, converged=None, log_bound=None, bound_converged=None)
    assert only.reliable.all()


def test_a_flow_of_random_directions_is_a_bound_from_below(key):
    found = rd.gradient_flow(linear, 0.5 * jnp.eye(3), jnp.ones(3), None, length=4, directions=2, key=key)
    np.testing.assert_array_equal(found.reliable, [True] + 4 * [False])


def test_doubts_of_a_flow_inside_jit_and_vmap(flow):
    def measured(gain):
        return rd.gradient_flow(linear, gain * jnp.eye(3), jnp.ones(3), None, length=4).doubts

    assert jax.jit(jax.vmap(measured))(jnp.array([0.5, 2.0])).tolist() == 2 * [5 * [0]]


def test_the_doubts_of_some_example_are_those_of_all():
    each = jnp.array([[0, int(Doubt.SINGULAR), 1], [3, 0, 1]])
    assert reliability.doubts_of_all(each, but=Doubt.TOO_SHORT).tolist() == [int(Doubt.BELOW_FLOOR), 4, 0]
