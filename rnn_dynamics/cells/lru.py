"""The linear recurrent unit, a diagonal complex linear map whose parametrisation keeps it stable.

    λ = g exp(-exp(ν) + i exp(θ))
    h' = λ ⊙ h + exp(γ) ⊙ (B x),    B = B_re + i B_im

Orvieto et al. (2023), "Resurrecting recurrent neural networks for long sequences". The state is complex. `output` is
[Re h, Im h], so that the paper's Re(C h) + D x is a real readout of it and the layer above can learn C.

Parameters (`LRUParams`): ν, θ and γ (hidden,), B_re and B_im (hidden, inputs), g a scalar; state: complex h (hidden,).
Initial weights: |λ| uniform over the ring [r_min, r_max] by area, phases U(0, max_phase), exp(γ) = √(1 - |λ|²) at
g = 1 (so that the state keeps the variance of the input), B_re and B_im ~ N(0, 1/(2 inputs)). g is `gain`, a fixed
scale that gets no gradient. A sweep can use it to move |λ| out of the unit disc.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, PRNGKeyArray

from .. import argument
from . import check
from .affine import constant
from .contract import Cell


class LRUParams(NamedTuple):
    """Parameters of a linear recurrent unit.

        λ = g exp(-exp(ν) + i exp(θ)),    h' = λ ⊙ h + exp(γ) ⊙ (B x),    B = B_re + i B_im

    Attributes:
        nu: ν, the logarithm of -ln|λ| at g = 1, shape (hidden,).
        theta: θ, the logarithm of the phase of λ in radians, shape (hidden,).
        gamma: γ, the logarithm of the scale of the input, shape (hidden,).
        B_re: Real part of the input matrix, shape (hidden, inputs).
        B_im: Imaginary part of the input matrix, shape (hidden, inputs).
        gain: g, a scalar. A fixed scale of λ that gets no gradient.

    Example:
        >>> params = rd.cells.lru.init(key, inputs=2, hidden=3)
        >>> state = rd.cells.lru.initial_state(params)
        >>> rd.cells.lru.output(state).shape
        (6,)

    References:
        Orvieto et al. (2023), "Resurrecting recurrent neural networks for long sequences".
    """

    nu: Float[Array, " hidden"]
    theta: Float[Array, " hidden"]
    gamma: Float[Array, " hidden"]
    B_re: Float[Array, "hidden inputs"]
    B_im: Float[Array, "hidden inputs"]
    gain: Float[Array, ""]


def init(
    key: PRNGKeyArray,
    *,
    inputs: int,
    hidden: int,
    gain: Any = 1.0,
    r_min: float = 0.0,
    r_max: float = 1.0,
    max_phase: float = 2 * math.pi,
    dtype: Any = None,
) -> LRUParams:
    """Draw eigenvalues on the ring r_min <= |λ| < r_max with phases below max_phase, and B ~ N(0, 1/(2 inputs)).

    Args:
        key: A JAX random key.
        inputs: The size of the input, 0 or more.
        hidden: The number of complex units, 1 or more.
        gain: g, which scales the eigenvalues after the draw. Default: 1. It may be traced.
        r_min: The inner radius, 0 <= r_min <= r_max. Default: 0.
        r_max: The outer radius, 0 < r_max <= 1. Default: 1.
        max_phase: The largest phase in radians, above 0. Default: 2π.
        dtype: float32 or float64, the precision of the real and imaginary parts. Default: JAX's default.

    Returns:
        An `LRUParams`.
    """
    hidden, inputs = argument.size("hidden", hidden, 1), argument.size("inputs", inputs, 0)
    dtype = argument.floating(dtype, narrow=False)
    r_max = argument.number("r_max", r_max, above=0.0, up_to=1.0)
    r_min = argument.number("r_min", r_min, up_to=r_max)
    if r_min < 0:
        raise ValueError(f"r_min: got {r_min}, expected a radius of at least 0")
    max_phase = argument.number("max_phase", max_phase, above=0.0)
    key_radius, key_phase, key_re, key_im = jax.random.split(argument.key(key), 4)
    tiny = jnp.finfo(dtype).tiny
    area = jax.random.uniform(key_radius, (hidden,), dtype, r_min**2, r_max**2)
    # area = |λ|², kept away from 0 and 1, where its double logarithm is not finite
    area = jnp.clip(area, tiny, 1 - jnp.finfo(dtype).eps)
    phase = jax.random.uniform(key_phase, (hidden,), dtype, tiny, max_phase)
    B_scale = 1 / math.sqrt(2 * max(inputs, 1))
    return LRUParams(
        nu=jnp.log(-jnp.log(area) / 2),
        theta=jnp.log(phase),
        gamma=jnp.log1p(-area) / 2,
        B_re=B_scale * jax.random.normal(key_re, (hidden, inputs), dtype),
        B_im=B_scale * jax.random.normal(key_im, (hidden, inputs), dtype),
        gain=constant("gain", gain, (), dtype),
    )


def lru_eigenvalues(p: LRUParams) -> Complex[Array, " hidden"]:
    """Compute the eigenvalues of a linear recurrent unit, the diagonal of its Jacobian.

        λ = g exp(-exp(ν) + i exp(θ))

    Args:
        p: The parameters of an `lru` cell.

    Returns:
        λ, complex, shape (hidden,). No gradient reaches g.

    Example:
        >>> params = rd.cells.lru.init(key, inputs=1, hidden=4, r_min=0.5, r_max=0.5)
        >>> jnp.abs(rd.cells.lru_eigenvalues(params)).round(3)
        Array([0.5, 0.5, 0.5, 0.5], dtype=float32)

    References:
        Orvieto et al. (2023), "Resurrecting recurrent neural networks for long sequences".
    """
    radius = jax.lax.stop_gradient(p.gain) * jnp.exp(-jnp.exp(p.nu))
    phase = jnp.exp(p.theta)
    return jax.lax.complex(radius * jnp.cos(phase), radius * jnp.sin(phase))


@check.checked
def initial_state(p: LRUParams) -> Complex[Array, " hidden"]:
    """Return complex zeros in the precision of the parameters."""
    return jax.lax.complex(jnp.zeros_like(p.nu), jnp.zeros_like(p.nu))


@check.checked
def step(p: LRUParams, h: Complex[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Complex[Array, " hidden"]:
    """Compute h' = λ ⊙ h + exp(γ) ⊙ (B x)."""
    decayed = lru_eigenvalues(p) * h
    if x is None:
        return decayed
    scale = jnp.exp(p.gamma)
    return decayed + jax.lax.complex(scale * (p.B_re @ x), scale * (p.B_im @ x))


def output(h: Complex[Array, " hidden"]) -> Float[Array, " two_hidden"]:
    """Return [Re h, Im h]."""
    return jnp.concatenate([h.real, h.imag])


lru = Cell(init, initial_state, step, output)
