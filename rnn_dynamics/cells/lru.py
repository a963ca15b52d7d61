"""The linear recurrent unit: a diagonal complex linear map that is stable by its parametrisation.

    λ = g exp(-exp(ν) + i exp(θ))
    h' = λ ⊙ h + exp(γ) ⊙ (B x),    B = B_re + i B_im

Orvieto et al. (2023), "Resurrecting recurrent neural networks for long sequences". The state is complex; `output` is
[Re h, Im h], so that the paper's Re(C h) + D x is a real readout of it and the layer above can learn C.
Initial weights: |λ| uniform over the ring [r_min, r_max] by area, phases U(0, max_phase), exp(γ) = √(1 - |λ|²) at
g = 1 (the state keeps the variance of the input), B_re and B_im ~ N(0, 1/(2 inputs)). g is `gain`: it takes |λ| out of
the unit disc when a sweep asks for that, is a fixed scale and no weight, and gets no gradient.
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
    """Eigenvalues in logarithms, the normalisation of the input, and the input matrix in its two real parts."""

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
    """Eigenvalues on the ring r_min <= |λ| < r_max <= 1 with phases below max_phase, then scaled by `gain`."""
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
    # area = |λ|², kept off 0 and 1 where its double logarithm has no value
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
    """λ, the diagonal of the Jacobian."""
    radius = jax.lax.stop_gradient(p.gain) * jnp.exp(-jnp.exp(p.nu))
    phase = jnp.exp(p.theta)
    return jax.lax.complex(radius * jnp.cos(phase), radius * jnp.sin(phase))


@check.checked
def initial_state(p: LRUParams) -> Complex[Array, " hidden"]:
    """Complex zeros, in the precision of the parameters."""
    return jax.lax.complex(jnp.zeros_like(p.nu), jnp.zeros_like(p.nu))


@check.checked
def step(p: LRUParams, h: Complex[Array, " hidden"], x: Float[Array, " inputs"] | None) -> Complex[Array, " hidden"]:
    """λ ⊙ h + exp(γ) ⊙ (B x)."""
    decayed = lru_eigenvalues(p) * h
    if x is None:
        return decayed
    scale = jnp.exp(p.gamma)
    return decayed + jax.lax.complex(scale * (p.B_re @ x), scale * (p.B_im @ x))


def output(h: Complex[Array, " hidden"]) -> Float[Array, " two_hidden"]:
    """[Re h, Im h]."""
    return jnp.concatenate([h.real, h.imag])


lru = Cell(init, initial_state, step, output)
