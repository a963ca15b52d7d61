"""Mean-field theory of tanh nets against integrals in long arithmetic, limits that are known, and published numbers."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from rnn_dynamics import theory

FUNCTIONS = {
    "one": (jnp.ones_like, lambda x: 1),
    "square": (lambda x: x * x, lambda x: x * x),
    "tanh²": (lambda x: jnp.tanh(x) ** 2, lambda x: mpmath.tanh(x) ** 2),
    "sech⁴": (lambda x: 1 / jnp.cosh(x) ** 4, lambda x: mpmath.sech(x) ** 4),
    "logistic slope": (lambda x: jax.nn.sigmoid(x) * jax.nn.sigmoid(-x), lambda x: mpmath.sech(x / 2) ** 2 / 4),
}


def exact_average(function, deviation):
    """E f(s z) of an even function, cut where it or the Gaussian changes."""
    s = mpmath.mpf(deviation)
    cuts = [0, *(x for x in (0.5, 1, 2, 4, 8, 16, 32, 64) if x < 12 * s), *(s * k for k in (1, 2, 4, 8, 16))]
    cuts = [x for x in cuts if x <= 16 * s]
    return 2 * mpmath.quad(lambda x: function(x) * mpmath.npdf(x / s) / s, sorted(set(cuts)))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("deviation", [1e-3, 0.3, 1.0, 2.5, 30.0, 1e3, 1e6])
def test_averages_at_any_width(name, deviation):
    ours, function = FUNCTIONS[name]
    with mpmath.workdps(25):
        expected = float(exact_average(function, deviation))
    np.testing.assert_allclose(theory.gaussian_average(ours, deviation), expected, rtol=1e-12)


def test_the_average_at_no_width_is_the_value_at_zero():
    assert jnp.allclose(theory.gaussian_average(lambda x: jnp.cos(x) + x, 0.0), 1.0, rtol=1e-15)
    assert abs(jax.grad(lambda s: theory.gaussian_average(jnp.cos, s))(0.0)) < 1e-15
    # an average takes odd functions to 0 and is no different for a kink, but for its digits
    assert abs(theory.gaussian_average(jnp.tanh, 2.0)) < 1e-15
    np.testing.assert_allclose(theory.gaussian_average(jax.nn.relu, 2.0), 2 / math.sqrt(2 * math.pi), rtol=1e-4)


@pytest.mark.parametrize(
    ("gain", "bias_variance"), [(1.5, 0.0), (3.0, 0.0), (1.01, 0.0), (20.0, 0.0), (0.5, 0.3), (1.4, 0.01)]
)
def test_every_quantity_in_long_arithmetic(gain, bias_variance):
    """The fixed point by another root finder and other integrals, then what follows from it."""

    def average(function, q):
        return exact_average(function, mpmath.sqrt(q))

    with mpmath.workdps(20):
        g2 = mpmath.mpf(gain) ** 2
        guess = float(theory.stationary_variance(gain, bias_variance=bias_variance))
        q = mpmath.findroot(
            lambda q: g2 * average(lambda x: mpmath.tanh(x) ** 2, q) + bias_variance - q, (guess * 0.98, guess * 1.03)
        )
        growth = float(g2 * average(lambda x: mpmath.sech(x) ** 4, q))
        mean = float(mpmath.log(g2) / 2 - 0.5 + average(lambda x: 2 * mpmath.log(mpmath.sech(x)), q))
    options = {"bias_variance": bias_variance}
    np.testing.assert_allclose(theory.stationary_variance(gain, **options), float(q), rtol=1e-12)
    np.testing.assert_allclose(theory.mean_square_growth(gain, **options), growth, rtol=1e-12)
    np.testing.assert_allclose(theory.largest_exponent(gain, **options), math.log(growth) / 2, atol=1e-12)
    np.testing.assert_allclose(theory.mean_exponent(gain, **options), mean, rtol=1e-12)


def test_published_exponents():
    np.testing.assert_allclose(theory.largest_exponent(1.5), 0.06522, atol=5e-6)
    np.testing.assert_allclose(theory.largest_exponent(3.0), 0.31025, atol=5e-6)


@pytest.mark.parametrize(
    ("bias_variance", "weight_variance"), [(0.01, 1.42421), (0.05, 1.76095), (0.1, 1.98607), (0.25, 2.40149)]
)
def test_published_edge(bias_variance, weight_variance):
    np.testing.assert_allclose(theory.edge_of_order(bias_variance), weight_variance, atol=6e-6)


def test_a_net_that_dies_out():
    for gain in (0.2, 0.9, 1.0):
        assert theory.stationary_variance(gain) == 0
        np.testing.assert_allclose(theory.mean_square_growth(gain), gain**2, rtol=1e-14)
        np.testing.assert_allclose(theory.largest_exponent(gain), math.log(gain), atol=1e-14)
        np.testing.assert_allclose(theory.mean_exponent(gain), math.log(gain) - 0.5, atol=1e-14)
    assert theory.largest_exponent(0.0) == -jnp.inf
    assert theory.stationary_variance(0.0, bias_variance=0.3) == 0.3


def test_limits_of_the_gain():
    """q = (g² - 1)/(2g²) to first order above the transition; tanh² -> 1 far from it."""
    np.testing.assert_allclose(theory.stationary_variance(1 + 1e-6), 1e-6, rtol=1e-5)
    np.testing.assert_allclose(theory.stationary_variance(1e5), 1e10 - 1e5 * math.sqrt(2 / math.pi), rtol=1e-9)
    # E sech⁴ = 4/3 / √(2πq), as sech⁴ is narrow
    expected = math.log(1e10 * 4 / 3 / math.sqrt(2 * math.pi * 1e10)) / 2
    np.testing.assert_allclose(theory.largest_exponent(1e5), expected, rtol=1e-6)


def test_shares_of_exponents():
    """The mean of the distribution is the mean exponent, its end the largest."""
    gain = 0.7
    share = (np.arange(2000) + 0.5) / 2000
    quantiles = np.log(gain) + np.log(share) / 2
    np.testing.assert_allclose(theory.share_of_exponents_below(quantiles, gain), share, rtol=1e-13)
    np.testing.assert_allclose(quantiles.mean(), theory.mean_exponent(gain), atol=2e-4)
    assert theory.share_of_exponents_below(theory.largest_exponent(gain), gain) == pytest.approx(1)
    assert theory.share_of_exponents_below(0.5, gain) == 1
    assert theory.share_of_exponents_below(-3.0, 0.0) == 1  # all of them are -inf


def test_growth_is_one_on_the_edge_and_turns_there():
    assert theory.edge_of_order(0.0) == 1
    edges = []
    for bias_variance in (1e-9, 1e-4, 0.02, 1.0, 50.0, 1e5):
        edges.append(float(theory.edge_of_order(bias_variance)))
        growth = [theory.mean_square_growth(f * edges[-1] ** 0.5, bias_variance=bias_variance) for f in (0.99, 1, 1.01)]
        np.testing.assert_allclose(growth[1], 1, rtol=1e-13)
        assert growth[0] < 1 < growth[2]
    assert (np.diff(edges) > 0).all()
    # 1 + 2q with σ_b² = 4/3 q³
    np.testing.assert_allclose(edges[0], 1 + 2 * (0.75e-9) ** (1 / 3), atol=1e-5)


def every_quantity(gain, bias_variance):
    options = {"bias_variance": bias_variance}
    return jnp.stack(
        [
            theory.stationary_variance(gain, **options),
            theory.largest_exponent(gain, **options),
            theory.mean_exponent(gain, **options),
            theory.edge_of_order(bias_variance),
        ]
    )


by_reverse, by_forward = (jax.jit(jac(every_quantity, argnums=(0, 1))) for jac in (jax.jacrev, jax.jacfwd))


def test_either_precision_traced_and_in_a_batch(dtype):
    points = jnp.array([[0.5, 0.0], [1.0, 0.0], [1.5, 0.0], [3.0, 0.0], [0.5, 0.01], [2.0, 0.25]], dtype)
    together = jax.jit(jax.vmap(every_quantity))(points[:, 0], points[:, 1])
    assert together.dtype == dtype
    np.testing.assert_allclose(together, [every_quantity(g, b) for g, b in points], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(together[:4, 1], [np.log(0.5), 0, 0.06522, 0.31025], atol=6e-6)
    np.testing.assert_allclose(together[3:, 3], [1, 1.42421, 2.40149], atol=6e-6)
    below = jax.jit(theory.share_of_exponents_below)(jnp.array([-1.0, -2.0], dtype), points[0, 0])
    np.testing.assert_allclose(below, np.exp([-2.0, -4.0]) * 4, rtol=1e-5)
    assert theory.gaussian_average(jnp.tanh, points[0, 0]).dtype == dtype


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.6, 1.3, 3.0])
@pytest.mark.parametrize("bias_variance", [0.0, 0.2])
def test_derivatives_through_the_fixed_point(gain, bias_variance):
    for argument in (0, 1):
        if argument == 1 and not bias_variance:
            continue  # the derivatives on one side of 0 are others, or infinite
        slopes = by_reverse(gain, bias_variance)[argument]
        ahead, behind = (every_quantity(gain + e * (1 - argument), bias_variance + e * argument) for e in (1e-5, -1e-5))
        np.testing.assert_allclose(slopes, (ahead - behind) / 2e-5, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(slopes, by_forward(gain, bias_variance)[argument], rtol=1e-12)


def test_what_has_no_answer_gives_nan_where_it_cannot_be_refused():
    traced = jax.jit(every_quantity)
    for bad in (jnp.nan, -1.0):
        assert jnp.isnan(traced(bad, 0.1)[:3]).all()
        assert jnp.isnan(traced(1.5, bad)).all()
    assert jnp.isnan(jax.jit(theory.share_of_exponents_below)(-1.0, 1.2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.largest_exponent(-1.0), r"gain: got -1.0, expected finite values in \[0.0, inf\]"),
        (lambda: theory.stationary_variance(1.0, bias_variance=-0.1), "bias_variance: got -0.1, expected finite"),
        (lambda: theory.mean_exponent(jnp.nan), "gain: got nan, expected finite"),
        (lambda: theory.mean_square_growth(jnp.ones(3)), r"gain: got shape \(3,\), expected one number; use jax.vmap"),
        (lambda: theory.edge_of_order(-1e-3), "bias_variance: got -0.001"),
        (lambda: theory.share_of_exponents_below(-1.0, 1.5), r"gain: got 1.5, expected finite values in \[0.0, 1.0\]"),
        (lambda: theory.gaussian_average(jnp.tanh, -2.0), "deviation: got -2.0"),
        (lambda: theory.largest_exponent(True), "gain: got True, expected a real number"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
