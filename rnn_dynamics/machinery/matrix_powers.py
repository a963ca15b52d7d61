"""Powers of a recurrent matrix: by eigenvectors with a bound, by squaring, their norms, how far they grow on the way.

What is wanted of it stands in `eigen`, which re-exports it.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact, Int

from .. import argument
from .lapack_threads import on_one_thread
from .pseudospectrum import smallest_singular_values
from .scaled import exponent_of, power_of_two
from .svd import norm_of_matrix, singular_values


def square(W: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """W, which must be real, of 32 or 64 bits, and square: what is formed of it would be silently wrong otherwise."""
    if not hasattr(W, "dtype") or W.dtype not in (jnp.float32, jnp.float64):
        got = f"dtype {W.dtype}" if hasattr(W, "dtype") else repr(W)
        raise TypeError(f"W: got {got}, expected a real array of float32 or float64")
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"W: got shape {W.shape}, expected a square matrix")
    on_one_thread()
    return jnp.asarray(W)


class EigenPower(NamedTuple):
    """Wⁿ = QΛⁿQ⁻¹ and a bound for the 2-norm of its error; inf or NaN for a defective W."""

    value: Float[Array, "n n"]
    error_bound: Float[Array, ""]


def eigen_power(W: Float[Array, "n n"], n: int) -> EigenPower:
    """Wⁿ by its eigenvectors, and how far that can be trusted.

    The error is at most κ μⁿ⁻¹ (n e + u (κ + n) μ) + n κ dim² tiny with κ = κ(Q), u = 8 dim eps, the distance
    e = κ (‖WQ - QΛ‖ / ‖Q‖ + u ‖W‖) of Q⁻¹WQ from Λ, and μ = ρ(W) + e. For as W = Q (Λ + E) Q⁻¹ with ‖E‖ <= e,
    ‖(Λ + E)ⁿ - Λⁿ‖ <= μⁿ - ρⁿ <= n e μⁿ⁻¹; the rest is the rounding of the formula and what underflows.
    inf where the value overflows.
    """
    W, n = square(W), argument.size("n", n, 0)
    if n == 0:
        return EigenPower(jnp.eye(len(W), dtype=W.dtype), jnp.zeros((), W.dtype))
    values, Q = jnp.linalg.eig(W)
    value = (Q * values[None] ** n) @ jnp.linalg.inv(Q)
    info, size = jnp.finfo(W.dtype), len(W)
    condition, unit = condition_number(Q), 8 * size * float(info.eps)
    residual = norm_of_matrix(W.astype(Q.dtype) @ Q - Q * values[None]) / norm_of_matrix(Q)
    off = condition * (residual + unit * norm_of_matrix(W))
    rate = jnp.max(jnp.abs(values)) + off
    error = condition * rate ** (n - 1) * (float(n) * off + unit * (condition + float(n)) * rate)
    error = error + condition * (float(n) * size**2 * float(info.tiny))
    return EigenPower(value.real, jnp.where(jnp.all(jnp.isfinite(value)), error, jnp.inf))


def condition_number(Q: Inexact[Array, "n n"]) -> Float[Array, ""]:
    """σ_max / σ_min; inf for a Q that is singular up to rounding, NaN for one with NaNs."""
    values = singular_values(Q)
    singular = values[-1] <= len(Q) * jnp.finfo(Q.dtype).eps * values[0]
    return jnp.where(singular, jnp.inf, values[0] / jnp.where(singular, 1, values[-1]))


def power(W: Float[Array, "n n"], n: int) -> Float[Array, "n n"]:
    """Wⁿ by repeated squaring: no eigenvectors, right for defective matrices too."""
    return jnp.linalg.matrix_power(square(W), argument.size("n", n, 0))


def log_power_norms(W: Float[Array, "n n"], n: int) -> Float[Array, " powers"]:
    """ln ‖Wᵏ‖₂ for k = 0 .. n; -inf from where a power is zero. Costs n products and singular values."""
    W, n = square(W), argument.size("n", n, 0)

    def advance(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        P, exponent = carry
        P = W @ P
        more = exponent_of(jax.lax.stop_gradient(jnp.max(jnp.abs(P))))
        P, exponent = P * power_of_two(-more, P.dtype), exponent + more
        return (P, exponent), exponent.astype(P.dtype) * math.log(2) + jnp.log(norm_of_matrix(P))

    start = (jnp.eye(len(W), dtype=W.dtype), jnp.int32(0))
    return jnp.pad(jax.lax.scan(advance, start, None, length=n)[1], (1, 0))


def power_norms(W: Float[Array, "n n"], n: int) -> Float[Array, " powers"]:
    """‖Wᵏ‖₂ for k = 0 .. n; inf or 0 only where the type cannot hold it (see `log_power_norms`)."""
    return jnp.exp(log_power_norms(W, n))


class TransientGrowth(NamedTuple):
    """The largest ln ‖Wᵏ‖ for k = 0 .. n, and the k at which it is reached: n itself where it still grows."""

    log_peak: Float[Array, ""]
    step: Int[Array, ""]


def transient_growth(W: Float[Array, "n n"], n: int = 200) -> TransientGrowth:
    """How far powers of W grow before its eigenvalues have their way; log_peak = 0 at step 0 for a normal, stable W."""
    logs = log_power_norms(W, n)
    return TransientGrowth(jnp.max(logs), jnp.argmax(logs))


def kreiss_constant(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """sup (|z| - 1) / σ_min(zI - W) over |z| > 1: a lower bound, whatever rounding adds to σ_min, found by a search.

    Kreiss's theorem: it <= max ‖Wⁿ‖ <= e dim(W) times it. inf where ρ(W) > 1 by more than rounding; 1 for a normal W
    with ρ(W) <= 1. Searched on 40 circles whose distances from the unit circle grow from (1 - ρ) / 2n to 10 ‖W‖, at 49
    angles of the upper half plane and those of the 32 largest eigenvalues, then around the best points of 8 angles:
    within a per cent where one of them is on the highest hill and σ_min there is 100 times its rounding error,
    n eps (|z| + ‖W‖), or more. Costs some 5000 values of σ_min (`eigen.pseudospectrum`).
    """
    return _kreiss_constant(square(W))


@jax.jit
def _kreiss_constant(W: Float[Array, "n n"]) -> Float[Array, ""]:
    fixed = jax.lax.stop_gradient(W)
    values = jnp.linalg.eigvals(fixed)
    size, radius = len(W), jnp.max(jnp.abs(values))
    noise = 4 * size * float(jnp.finfo(W.dtype).eps) * jnp.maximum(norm_of_matrix(fixed), 1)
    # an eigenvalue bends its hill over its own distance: closer circles than that see no more of it
    nearest = jnp.log(jnp.maximum(1 - radius, noise) / (2 * size))
    farthest = jnp.log(10 * jnp.maximum(norm_of_matrix(fixed), 1))
    outside, spacing = jnp.linspace(nearest, farthest, 40), (farthest - nearest) / 39
    largest = values[jnp.argsort(-jnp.abs(values))[:32]]
    angles = jnp.concatenate([jnp.linspace(0, math.pi, 49, dtype=W.dtype), jnp.abs(jnp.angle(largest))])
    heights = _heights(fixed, outside[:, None], angles[None])
    column = jax.lax.top_k(jnp.max(heights, axis=0), 8)[1]
    outside, angles = _climb(fixed, outside[jnp.argmax(heights, axis=0)[column]], angles[column], spacing)
    best = jnp.max(_heights(W, outside, angles))
    return jnp.where(radius > 1 + noise, jnp.inf, jnp.maximum(best, 1))


def _heights(
    W: Float[Array, "n n"], outside: Float[Array, "*#points"], angles: Float[Array, "*#points"]
) -> Float[Array, "*points"]:
    """(|z| - 1) / σ_min(zI - W) at |z| = 1 + exp(outside), from below: σ_min with its largest rounding error."""
    outside, angles = jnp.broadcast_arrays(outside, angles)
    beyond = jnp.exp(outside)
    z: Complex[Array, "*points"] = jax.lax.complex((1 + beyond) * jnp.cos(angles), (1 + beyond) * jnp.sin(angles))
    rounding = len(W) * float(jnp.finfo(W.dtype).eps) * (1 + beyond + norm_of_matrix(W))
    return beyond / (smallest_singular_values(W, z.ravel()).reshape(z.shape) + rounding)


def _climb(
    W: Float[Array, "n n"], outside: Float[Array, " hills"], angles: Float[Array, " hills"], spacing: Float[Array, ""]
) -> tuple[Float[Array, " hills"], Float[Array, " hills"]]:
    """Each point moved to the best of 3 × 3 around it, 20 times, ever closer ones: at last 1/2000 of the first step."""
    across, along = (part.ravel() for part in jnp.mgrid[-1:2, -1:2].astype(W.dtype))

    def closer(k: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        outside, angles = at
        shrunk = jnp.asarray(2 / 3, W.dtype) ** k
        # a hill is no narrower than its distance from the spectrum, which is no smaller than that from the circle
        turn = shrunk * jnp.minimum(jnp.exp(outside), math.pi / 48)
        near = outside[:, None] + shrunk * spacing * across[None], angles[:, None] + turn[:, None] * along[None]
        best = jnp.argmax(_heights(W, *near), axis=1)[:, None]
        outside, angles = (jnp.take_along_axis(part, best, axis=1)[:, 0] for part in near)
        return outside, angles

    return jax.lax.fori_loop(0, 20, closer, (outside, angles))
