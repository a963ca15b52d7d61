"""Every public measurement and a training lower for GPUs and TPUs. This needs no such device.

Lowering fails where an operation does not exist on a platform. The lowered text also says how precisely products are
computed: in full float32 for everything that is measured.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_dynamics as rd
from rnn_dynamics import measure, theory, train
from rnn_dynamics.fixed_points import landscape, local_maps
from rnn_dynamics.fixed_points.branches import family
from rnn_dynamics.fixed_points.cycles import cycle_newton
from rnn_dynamics.fixed_points.points import iterations
from rnn_dynamics.fixed_points.points.deflation import divided
from rnn_dynamics.machinery import entry
from rnn_dynamics.machinery.captured_arrays import traced
from rnn_dynamics.machinery.compiled_programs import float32_products

PLATFORMS = ("cuda", "tpu")
N, T = 3, 4
KEY = jax.random.key(0)
# functions of shapes or of finished results, which run on the host
ON_THE_HOST = {"measure.blocks", "measure.reasons"}


def step(W, h, x):
    return jnp.tanh(W @ h + x)


def loss(states):
    return jnp.sum(states[-1] ** 2)


def losses(states):
    return jnp.sum(states**2, axis=1)


def of_net(name, *more, **options):
    return lambda W: getattr(measure, name)(
        step, W, jnp.full(N, 0.1, W.dtype), jnp.ones((T, N), W.dtype), *more, **options
    )


def of_matrix(name, *more):
    return lambda W: getattr(rd.eigen, name)(W, *more)


def of_row(function, *more):
    return lambda W: function(W[0], *more)


def of_scalar(name, *more, **options):
    return lambda W: getattr(theory, name)(*more, jnp.abs(W[0, 0]) + 1, **options)


def jacobian(W):
    return measure.step_jacobian(step, W, W[0], W[1])


def maps(W):
    found = measure.linear_maps(step, W, W[0], W[1])
    return found.after, found.push(W), found.pull(W)


def bias(W):
    return measure.truncation_bias(of_net("gradient_contributions", losses)(W))


def training(W):
    del W
    once = train.Evaluation(1, examples=2)
    adam, task = optax.sgd(0.1), train.tasks.adding(T)
    return train.fit(rd.cells.lstm, task, adam, key=KEY, updates=1, hidden=N, batch=2, evaluation=once).net


IN_WINDOWS = "lyapunov_spectrum in windows"
NETS = {
    "covariant_vectors": of_net("covariant_vectors", frame_burn_in=1, tail=1),
    "gradient_contributions": of_net("gradient_contributions", losses),
    "largest_exponent": of_net("largest_exponent", key=KEY),
    "log_state_gradients": of_net("log_state_gradients", loss),
    IN_WINDOWS: of_net("lyapunov_spectrum", windows=T),
    "parameter_gradient": of_net("parameter_gradient", losses),
    "rtrl": of_net("rtrl", lambda h: jnp.sum(h**2)),
    "state_gradients": of_net("state_gradients", loss),
} | {
    name: of_net(name)
    for name in (
        "gradient_flow",
        "jacobian_product",
        "log_singular_values",
        "lyapunov_spectrum",
        "parallel_states",
        "step_jacobians",
        "unroll",
    )
}
OTHERS = {
    "entropy_rate": of_row(measure.entropy_rate),
    "kaplan_yorke_dimension": of_row(measure.kaplan_yorke_dimension),
    "linear_maps": maps,
    "log_mean_square": of_row(measure.log_mean_square),
    "participation_ratio": measure.participation_ratio,
    "step_jacobian": jacobian,
    "truncation_bias": bias,
}
MATRICES = {
    "circular_law": of_matrix("circular_law", 1.0),
    "eigen_power": of_matrix("eigen_power", 3),
    "jacobian_eigenvalues": lambda W: rd.eigen.jacobian_eigenvalues(step, W, W[0], W),
    "log_power_norms": of_matrix("log_power_norms", 3),
    "power": of_matrix("power", 3),
    "power_norms": of_matrix("power_norms", 3),
    "pseudospectrum": lambda W: rd.eigen.pseudospectrum(W, jax.lax.complex(W, W)),
} | {
    name: of_matrix(name)
    for name in (
        "defective", "departure_from_normality", "eigenvalues", "eigenvector_condition", "kreiss_constant",
        "numerical_radius", "spectral_abscissa", "spectral_norm", "spectral_radius", "transient_growth",
    )
}  # fmt: skip
THEORY = {
    "gaussian_average": of_scalar("gaussian_average", jnp.tanh),
    "gaussian_product_exponents": lambda W: theory.gaussian_product_exponents(N, scale=jnp.abs(W[0, 0])),
    "gaussian_product_stderr": lambda W: theory.gaussian_product_stderr(N, 10) * W[0, 0],
    "orthogonal_product_exponents": lambda W: theory.orthogonal_product_exponents(N, scale=jnp.abs(W[0, 0])),
    "share_of_exponents_below": lambda W: theory.share_of_exponents_below(W[0], jnp.abs(W[0, 0])),
} | {
    name: of_scalar(name)
    for name in ("edge_of_order", "largest_exponent", "mean_exponent", "mean_square_growth", "stationary_variance")
}
CALLS = (
    {f"measure.{name}": call for name, call in (NETS | OTHERS).items()}
    | {f"eigen.{name}": call for name, call in MATRICES.items()}
    | {f"theory.{name}": call for name, call in THEORY.items()}
    | {"train.fit": training}
)


def of_points(program, *more, **options):
    """An iteration of the search for fixed points, for two rows."""

    def call(W):
        at = iterations.Rows(W[:2], *(jnp.ones(2, W.dtype) for _ in range(4)))
        return program(traced_for(W), W, W[:2], jnp.zeros(2, jnp.int32), at, *more, **options)

    return call


def traced_for(W):
    return entry.traced_step(step, W, W[0], W[1])


def cycles(W):
    lanes = cycle_newton.Lanes(W[None, :2], W[None, :2], jnp.zeros(1, jnp.int32))
    limits = cycle_newton.Limits(*(jnp.ones((), W.dtype) for _ in range(4)))
    orbit = cycle_newton.trajectories(traced_for(W), W, W[0], W, jnp.ones((), W.dtype), period=2)
    return cycle_newton.iterated(traced_for(W), W, W[0], lanes, orbit, jnp.ones(N, W.dtype), limits, steps=2)


def continued(W):
    moving = traced(lambda gain: gain * jnp.eye(N, dtype=W.dtype), jax.ShapeDtypeStruct((), W.dtype))
    with float32_products():
        return family._linearised(traced_for(W), moving, W[0, 0], W[:2], W[0], W[1])


KNOWN = divided([np.ones((1, N), np.float32)], N, 1.0, np.dtype(np.float32))
# what is compiled of fixed points, cycles and continuation: the rest runs on the host, and none can be traced
FIXED_POINTS = {
    "explored": of_points(iterations.explored, KNOWN, np.float32(1), steps=2),
    "polished": of_points(iterations.polished, steps=2),
    "descended": of_points(iterations.descended, steps=2, exact=True),
    "local maps": lambda W: local_maps._local_maps(traced_for(W), W, W, W),
    "landscape": lambda W: landscape._landscape(traced_for(W), W, W[0], W[1], W[:2], W[0], W[1]),
    "cycles": cycles,
    "continuation": continued,
}
CALLS |= {f"fixed_points.{name}": call for name, call in FIXED_POINTS.items()}


def test_every_public_function_is_listed():
    modules = {"measure": measure, "eigen": rd.eigen, "theory": theory}
    public = {
        f"{folder}.{name}"
        for folder, module in modules.items()
        for name in module.__all__
        if callable(getattr(module, name)) and not inspect.isclass(getattr(module, name))
    }
    compiled_parts = {"train.fit", f"measure.{IN_WINDOWS}", *(f"fixed_points.{name}" for name in FIXED_POINTS)}
    assert public - ON_THE_HOST == CALLS.keys() - compiled_parts


@pytest.mark.parametrize("name", CALLS)
def test_it_lowers_for_every_platform_in_full_float32(name):
    with jax.enable_x64(False):
        traced = jax.jit(CALLS[name]).trace(jax.random.normal(jax.random.key(0), (N, N), jnp.float32))
        for platform in PLATFORMS:
            text = traced.lower(lowering_platforms=(platform,)).as_text()
            products = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
            if name != "train.fit":  # a training computes with the precision that JAX has for the device
                assert [line for line in products if "[HIGHEST, HIGHEST]" not in line] == []
