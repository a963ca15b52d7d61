"""What the eigenvalues of a recurrent matrix say about its powers, and what they hide.

‖Wⁿ‖ follows ρ(W)ⁿ only in the end. On the way a non-normal W grows by as much as its eigenvectors are skew; how much is
told by its pseudospectrum, its numerical radius, its departure from normality. Eigenvalues of nonsymmetric matrices are
found on CPUs and GPUs; `pseudospectrum`, `numerical_radius`, the norms of powers and what follows from them need
symmetric ones alone and run on any device.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Int

from .. import argument
from ..cells.contract import Input, Params, State, Step
from . import door
from .flat import flatten
from .linear_maps import linear_maps
from .scaled import exponent_of, power_of_two


def eigenvalues(W: Float[Array, "n n"]) -> Complex[Array, " n"]:
    """All eigenvalues, the largest magnitude first."""
    found = jnp.linalg.eigvals(W)
    return found[jnp.argsort(-jnp.abs(found))]


def spectral_radius(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """ρ(W) = max |λ|: the rate at which ‖Wⁿ‖ grows in the end."""
    return jnp.max(jnp.abs(jnp.linalg.eigvals(W)))


def spectral_abscissa(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """max Re λ: the rate at which ‖exp(tW)‖ grows in the end."""
    return jnp.max(jnp.linalg.eigvals(W).real)


def spectral_norm(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """‖W‖₂ = σ_max(W) >= ρ(W): the most that one step can do."""
    return jnp.linalg.norm(W, 2)


def numerical_radius(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """max |u*Wu| over unit vectors u; ρ(W) <= it <= ‖W‖₂ <= twice it.

    The largest eigenvalue of the Hermitian part of e^{iθ} W, over 64 angles and then around the best of them.
    """
    largest = jax.vmap(lambda angle: _turned(W, angle))
    width = 2 * math.pi / 64
    angles = jnp.arange(64, dtype=W.dtype) * width
    best = angles[jnp.argmax(largest(angles))]
    for _ in range(6):
        near = best + width * jnp.linspace(-1, 1, 9, dtype=W.dtype)
        best, width = near[jnp.argmax(largest(near))], width / 4
    return _turned(W, best)


def _turned(W: Float[Array, "n n"], angle: Float[Array, ""]) -> Float[Array, ""]:
    turned = jax.lax.complex(W * jnp.cos(angle), W * jnp.sin(angle))
    return jnp.linalg.eigvalsh((turned + turned.conj().T) / 2)[-1]


def departure_from_normality(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """Henrici's √(‖W‖_F² - Σ|λ|²), the size of what is above the diagonal in a Schur form; 0 for a normal matrix.

    A difference of squares: what is below √eps ‖W‖_F is rounding.
    """
    return jnp.sqrt(jnp.maximum(jnp.sum(W**2) - jnp.sum(jnp.abs(jnp.linalg.eigvals(W)) ** 2), 0))


def eigenvector_condition(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """κ(Q) of the matrix of unit eigenvectors: 1 for a normal W, inf for a defective one.

    An eigenvalue of a perturbed W moves by at most κ(Q) times the perturbation (Bauer and Fike 1960).
    """
    values = jnp.linalg.svd(jnp.linalg.eig(W)[1], compute_uv=False)
    seen = values[-1] > len(W) * jnp.finfo(W.dtype).eps * values[0]
    return jnp.where(seen, values[0] / jnp.where(seen, values[-1], 1), jnp.inf)


def defective(W: Float[Array, "n n"]) -> Bool[Array, ""]:
    """Whether W has no full set of eigenvectors, or none that can be told from rounding: κ(Q) > 1/√eps.

    Rounding splits a double eigenvalue by √eps, which leaves its two eigenvectors as far apart: that is the size from
    which on half of the digits of QΛQ⁻¹ are gone.
    """
    return eigenvector_condition(W) > 0.1 / math.sqrt(jnp.finfo(W.dtype).eps)


class EigenPower(NamedTuple):
    """Wⁿ = QΛⁿQ⁻¹ and a bound for the 2-norm of its error; inf or NaN for a defective W."""

    value: Float[Array, "n n"]
    error_bound: Float[Array, ""]


def eigen_power(W: Float[Array, "n n"], n: int) -> EigenPower:
    """Wⁿ by its eigenvectors, and how far that can be trusted.

    The bound is κ(Q) ρⁿ (n κ(Q) + dim) dim eps: each eigenvalue is off by κ(Q) eps ‖W‖ and its power n times that.
    """
    n = argument.size("n", n, 0)
    values, Q = jnp.linalg.eig(W)
    value = (Q * values[None] ** n) @ jnp.linalg.inv(Q)
    condition, radius = eigenvector_condition(W), jnp.max(jnp.abs(values))
    size = len(W)
    scale = jnp.maximum(radius, 0) ** max(n - 1, 0) * (radius + n * condition * jnp.linalg.norm(W, 2))
    return EigenPower(value.real, condition * size * jnp.finfo(W.dtype).eps * scale)


def power(W: Float[Array, "n n"], n: int) -> Float[Array, "n n"]:
    """Wⁿ by repeated squaring: no eigenvectors, right for defective matrices too."""
    return jnp.linalg.matrix_power(W, argument.size("n", n, 0))


def log_power_norms(W: Float[Array, "n n"], n: int) -> Float[Array, " powers"]:
    """ln ‖Wᵏ‖₂ for k = 0 .. n; -inf from where a power is zero. Costs n products and singular values."""
    n = argument.size("n", n, 0)

    def advance(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        P, exponent = carry
        P = W @ P
        more = exponent_of(jax.lax.stop_gradient(jnp.max(jnp.abs(P))))
        P, exponent = P * power_of_two(-more, P.dtype), exponent + more
        return (P, exponent), exponent.astype(P.dtype) * math.log(2) + jnp.log(jnp.linalg.norm(P, 2))

    start = (jnp.eye(len(W), dtype=W.dtype), jnp.int32(0))
    return jnp.pad(jax.lax.scan(advance, start, None, length=n)[1], (1, 0))


def power_norms(W: Float[Array, "n n"], n: int) -> Float[Array, " powers"]:
    """‖Wᵏ‖₂ for k = 0 .. n; inf or 0 only where the type cannot hold it (see `log_power_norms`)."""
    return jnp.exp(log_power_norms(W, n))


def pseudospectrum(W: Float[Array, "n n"], grid: Complex[Array, "*grid"]) -> Float[Array, "*grid"]:
    """σ_min(zI - W) at every complex z of the grid: z is an eigenvalue of some W + E with ‖E‖ of that size.

    Its level set at ε bounds the ε-pseudospectrum. Costs a singular value decomposition a point, 64 at a time.
    """
    points = jnp.asarray(grid)
    W, identity = jnp.asarray(W, points.dtype), jnp.eye(len(W), dtype=points.dtype)

    def smallest(z: Array) -> Array:
        return jnp.linalg.svd(z * identity - W, compute_uv=False)[-1]

    return jax.lax.map(smallest, points.ravel(), batch_size=64).reshape(points.shape)


def kreiss_constant(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """sup (|z| - 1) / σ_min(zI - W) over |z| > 1, searched on 48 circles of 96 points: a lower bound within per cents.

    Kreiss's theorem: it <= max ‖Wⁿ‖ <= e dim(W) times it. inf where ρ(W) > 1; 1 for a normal W with ρ(W) <= 1.
    """
    largest = jnp.maximum(jnp.linalg.norm(W, 2), 1)
    radii = 1 + jnp.logspace(-3, 1, 48, dtype=W.dtype) * largest
    angles = jnp.arange(96, dtype=W.dtype) * (2 * math.pi / 96)
    points = jax.lax.complex(radii[:, None] * jnp.cos(angles)[None], radii[:, None] * jnp.sin(angles)[None])
    found = (radii[:, None] - 1) / pseudospectrum(W, points)
    return jnp.where(spectral_radius(W) > 1, jnp.inf, jnp.maximum(jnp.max(found), 1))


class TransientGrowth(NamedTuple):
    """The largest ln ‖Wᵏ‖ for k = 0 .. n, and the k at which it is reached: n itself where it still grows."""

    log_peak: Float[Array, ""]
    step: Int[Array, ""]


def transient_growth(W: Float[Array, "n n"], n: int = 200) -> TransientGrowth:
    """How far powers of W grow before its eigenvalues have their way; log_peak = 0 at step 0 for a normal, stable W."""
    logs = log_power_norms(W, n)
    return TransientGrowth(jnp.max(logs), jnp.argmax(logs))


def circular_law(radius: Float[Array, "*shape"], gain: float = 1.0) -> Float[Array, "*shape"]:
    """The share of eigenvalues within |λ| < radius of a large random matrix with entries of variance gain²/n."""
    return jnp.clip((radius / gain) ** 2, 0, 1)


def jacobian_eigenvalues(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None = None
) -> Complex[Array, "T n"]:
    """The eigenvalues of each step Jacobian J_1 .. J_T along the trajectory, largest magnitude first."""
    door.enter(step, params=params, h0=h0, xs=xs)
    return _jacobian_eigenvalues(step, params, h0, xs, length=door.whole_number("length", length))


@door.compiled("length")
def _jacobian_eigenvalues(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None
) -> Complex[Array, "T n"]:
    T = door.time_steps(xs, length)
    h0 = door.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    vector, _ = flatten(h0)
    identity = jnp.eye(vector.size, dtype=vector.dtype)

    def advance(h: State, x: Input) -> tuple[State, Array]:
        maps = linear_maps(step, params, h, x)
        return maps.after, eigenvalues(maps.push(identity))

    return jax.lax.scan(advance, h0, xs, length=T)[1]
