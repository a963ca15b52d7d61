"""First derivatives keep their digits wherever the true value is a normal number; higher orders are right too."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from rnn_dynamics.cells import activations

TRUE_SLOPES = {
    "tanh": lambda x: mpmath.sech(x) ** 2,
    "logistic": lambda x: mpmath.exp(-abs(x)) / (1 + mpmath.exp(-abs(x))) ** 2,
    "relu": lambda x: mpmath.mpf(x > 0),
    "softplus": lambda x: 1 / (1 + mpmath.exp(-x)),
    "erf": lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x),
    "identity": lambda x: mpmath.mpf(1),
}
TRUE_VALUES = {
    "tanh": mpmath.tanh,
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "erf": mpmath.erf,
    "identity": lambda x: x,
}
BOUND = {"float32": 1e-6, "float64": 1e-14}


def points(dtype: jnp.dtype) -> np.ndarray:
    """A grid and random points over |x| <= 80, and small and large magnitudes of both signs."""
    rng = np.random.default_rng(3)
    magnitudes = np.geomspace(1e-6, 80, 100)
    # where e^{-x²} itself is no normal number any more, but 2/√π e^{-x²} still is
    edges = np.concatenate([np.linspace(9.2, 9.36, 80), np.linspace(26.4, 26.62, 80)])
    spread = np.concatenate([np.linspace(-80, 80, 321), rng.uniform(-80, 80, 200)])
    return np.concatenate([spread, magnitudes, -magnitudes, edges, -edges]).astype(dtype)


def worst_relative_error(measured: jax.Array, xs: np.ndarray, truth) -> float:
    """Over the points where the true value is a normal number of the type, and stays one if it is rounded down."""
    tiny = float(np.finfo(xs.dtype).tiny) * (1 + 4 * BOUND[xs.dtype.name])
    worst = 0.0
    with mpmath.workdps(50):
        for value, x in zip(np.asarray(measured), xs, strict=True):
            true = truth(mpmath.mpf(float(x)))
            if abs(true) >= tiny:
                worst = max(worst, float(abs((mpmath.mpf(float(value)) - true) / true)))
    return worst


def eagerly(function):
    return lambda x: jax.jvp(function, (jnp.asarray(x),), (jnp.ones_like(x),))[1]


def by_jvp(function):
    return jax.jit(lambda x: jax.jvp(function, (x,), (jnp.ones_like(x),))[1])


def by_grad(function):
    return jax.jit(jax.vmap(jax.grad(function)))


@pytest.mark.parametrize("name", TRUE_SLOPES)
@pytest.mark.parametrize("differentiate", [by_jvp, by_grad, eagerly])
def test_slope_keeps_its_digits_under_saturation(name, differentiate, dtype):
    xs = points(dtype)
    slopes = differentiate(activations.ACTIVATIONS[name])(xs)
    assert slopes.dtype == dtype
    assert worst_relative_error(slopes, xs, TRUE_SLOPES[name]) < BOUND[dtype.name]


def test_textbook_slope_would_fail_this():
    xs = points(jnp.dtype("float64"))
    textbook = 1 - jnp.tanh(xs) ** 2
    assert worst_relative_error(textbook, xs, TRUE_SLOPES["tanh"]) >= 1.0


@pytest.mark.parametrize("name", TRUE_VALUES)
def test_value(name, dtype):
    xs = points(dtype)
    values = jax.jit(activations.ACTIVATIONS[name])(xs)
    assert values.dtype == dtype
    # σ and softplus keep relative accuracy in the far negative tail; tanh and erf are odd and bounded
    assert worst_relative_error(values, xs, TRUE_VALUES[name]) < BOUND[dtype.name]


@pytest.mark.parametrize("name", ["tanh", "logistic", "softplus", "erf"])
@pytest.mark.parametrize("x", [-3.0, -0.5, 0.0, 1.25])
def test_higher_derivatives_also_at_zero(name, x):
    function = activations.ACTIVATIONS[name]
    with mpmath.workdps(40):
        for order in range(2, 6):
            function = jax.grad(function if order > 2 else jax.grad(function))
            true = float(mpmath.diff(TRUE_VALUES[name], mpmath.mpf(x), order))
            assert abs(float(function(jnp.asarray(x))) - true) < 1e-12


@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_infinities_have_their_limits_and_nan_stays(name):
    function = activations.ACTIVATIONS[name]
    limits = {"tanh": (-1, 1, 0, 0), "logistic": (0, 1, 0, 0), "softplus": (0, np.inf, 0, 1), "erf": (-1, 1, 0, 0)}
    limits |= {"relu": (0, np.inf, 0, 1), "identity": (-np.inf, np.inf, 1, 1)}
    x = jnp.array([-jnp.inf, jnp.inf])
    np.testing.assert_array_equal([*function(x), *by_grad(function)(x)], limits[name])
    assert jnp.isnan(function(jnp.array(jnp.nan)))
    assert jnp.isnan(activations.heaviside(jnp.array(jnp.nan)))


def test_complex_numbers_are_refused(dtype):
    for function in (*activations.ACTIVATIONS.values(), activations.heaviside):
        if function is not activations.identity:
            with pytest.raises(TypeError):
                function(jnp.ones(2, complex))


def test_heaviside_is_one_only_above_zero_and_flat():
    z = jnp.array([-1.0, 0.0, 1e-300, 2.0])
    np.testing.assert_array_equal(activations.heaviside(z), [0, 0, 1, 1])
    np.testing.assert_array_equal(jax.vmap(jax.grad(activations.heaviside))(z), [0, 0, 0, 0])
