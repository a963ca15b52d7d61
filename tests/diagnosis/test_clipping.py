"""What clipping would do, on gradients that are known: of h' = θ · x, loss h, they are the inputs."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from rnn_dynamics.diagnosis.clipping import clipping, judged


def of(*gradients, **options):
    """The clipping of a net whose gradients ∂L/∂θ are these vectors."""
    xs = jnp.array(gradients, float)[:, None]
    return clipping(lambda p, h, x: p * x, jnp.zeros(xs.shape[2]), jnp.zeros(xs.shape[2]), xs, jnp.sum, **options)


def test_norms_and_their_percentiles():
    found = of([3.0, 4.0], [0.0, 1.0], [6.0, 8.0])
    np.testing.assert_allclose(found.norms, [5, 1, 10])
    assert found.percentiles[50] == pytest.approx(5)
    assert found.percentiles[90] == pytest.approx(9)  # linear between 5 and 10
    assert found.not_finite == 0


@pytest.mark.parametrize(("share", "limit", "clipped"), [(0.2, 8.2, 0.2), (0.5, 5.5, 0.5), (1.0, 1.0, 0.9)])
def test_the_limit_clips_the_stated_share(share, limit, clipped):
    found = of(*([float(i)] for i in range(1, 11)), share=share)
    assert found.limit == pytest.approx(limit)
    assert found.clipped == pytest.approx(clipped)


def test_clipping_by_norm_turns_the_mean_but_no_gradient():
    found = of([1.0, 0.0], [0.0, 10.0], share=0.5)
    assert found.limit == pytest.approx(5.5)
    # the mean goes from (1, 10)/2 to (1, 5.5)/2
    assert found.cosine == pytest.approx((1 + 55) / math.sqrt(101 * (1 + 5.5**2)))
    assert found.shrinks == pytest.approx(math.sqrt((1 + 5.5**2) / 101))


def test_clipping_by_value_turns_gradients():
    found = of([3.0, 4.0], [0.0, 1.0], share=0.5)
    assert found.value_limit == pytest.approx(2.5)
    # (3, 4) becomes (2.5, 2.5)
    np.testing.assert_allclose(found.value_cosines, [7 / (5 * math.sqrt(2)), 1])
    assert found.value_cosine == pytest.approx(
        (1.25 * 1.5 + 1.75 * 2.5) / math.hypot(1.25, 1.75) / math.hypot(1.5, 2.5)
    )


def test_batches_are_means_of_sequences():
    found = of([1.0], [3.0], [10.0], [20.0], batches=2)
    np.testing.assert_allclose(found.norms, [2, 15])
    with pytest.raises(ValueError, match="batches: got 3, expected a divisor of the 4 sequences"):
        of([1.0], [3.0], [10.0], [20.0], batches=3)


def test_targets_are_given_to_the_loss():
    xs, targets = jnp.ones((2, 1, 1)), jnp.array([2.0, -3.0])
    found = clipping(
        lambda p, h, x: p * x, jnp.zeros(1), jnp.zeros(1), xs, lambda h, target: target * h.sum(), targets=targets
    )
    np.testing.assert_allclose(found.norms, [2, 3])


def test_a_loss_may_be_a_plain_number():
    found = clipping(lambda p, h, x: p * x, jnp.ones(1), jnp.zeros(1), jnp.ones((2, 1, 1)), lambda states: 3.0)
    np.testing.assert_array_equal(found.norms, 0)


def test_a_gradient_that_is_not_finite_is_counted_and_left_out():
    found = of([1.0], [2.0])
    assert "not finite" not in found.sentence()
    found = judged(np.array([[1.0, 0.0], [np.nan, 0.0], [3.0, 0.0]]), 0.5)
    assert found.not_finite == 1
    assert np.isnan(found.norms).tolist() == [False, True, False]
    assert found.limit == pytest.approx(2)
    assert "Not finite, and left out: 1 of them." in found.sentence()
    assert "not finite in any of 2 batches" in judged(np.full((2, 3), np.inf), 0.1).sentence()


def test_squares_that_overflow_float32():
    found = judged(np.array([[3e30, 4e30], [1.0, 0.0]], np.float32), 0.1)
    assert found.norms[0] == pytest.approx(5e30, rel=1e-6)


def test_zero_gradients():
    found = of([0.0, 0.0], [0.0, 0.0])
    assert (found.limit, found.clipped, found.cosine, found.shrinks) == (0, 0, 1, 1)
    assert "would change none" in found.sentence()


def test_the_sentence_has_the_numbers():
    text = of(*([float(i), 0.0] for i in range(1, 10)), [0.0, 900.0]).sentence()
    assert text.startswith("Gradient norms of 10 batches: median 5.5, 90 % below 98, largest 900.")
    assert "Clipping by norm at 98 shortens 10 % of them; the mean gradient turns by 22° and keeps" in text


def test_a_share_must_be_a_share():
    with pytest.raises(ValueError, match=r"share: got 1\.5"):
        of([1.0], share=1.5)


def test_parameters_without_a_gradient():
    def step(p, h, x):
        return p["scale"] * p["order"].astype(float) * x

    params = {"scale": jnp.array(1.0), "order": jnp.array(2)}
    found = clipping(step, params, jnp.zeros(1), jnp.ones((3, 1, 1)), jnp.sum)
    np.testing.assert_allclose(found.norms, 2)
    W = jnp.array(2.0)
    np.testing.assert_array_equal(
        clipping(lambda p, h, x: W * x, (), jnp.zeros(1), jnp.ones((3, 1, 1)), jnp.sum).norms, 0
    )
