"""What the eigenvalues of a recurrent matrix say about its powers, and what they hide.

‖Wⁿ‖ follows ρ(W)ⁿ only in the end. On the way a non-normal W grows by as much as its eigenvectors are skew; how much is
told by its pseudospectrum, its numerical radius, its departure from normality. Eigenvalues of nonsymmetric matrices are
found on CPUs and GPUs; `pseudospectrum`, `numerical_radius`, the norms of powers and what follows from them need
symmetric ones alone and run on any device.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import entry
from ..machinery.linear_maps import linear_maps
from ..machinery.matrix_powers import (
    EigenPower,
    TransientGrowth,
    condition_number,
    eigen_power,
    kreiss_constant,
    log_power_norms,
    power,
    power_norms,
    square,
    transient_growth,
)
from ..machinery.pseudospectrum import smallest_singular_values
from ..machinery.state_vector import flatten
from ..machinery.svd import norm_of_matrix

__all__ = [
    "EigenPower",
    "TransientGrowth",
    "circular_law",
    "defective",
    "departure_from_normality",
    "eigen_power",
    "eigenvalues",
    "eigenvector_condition",
    "jacobian_eigenvalues",
    "kreiss_constant",
    "log_power_norms",
    "numerical_radius",
    "power",
    "power_norms",
    "pseudospectrum",
    "spectral_abscissa",
    "spectral_norm",
    "spectral_radius",
    "transient_growth",
]


def eigenvalues(W: Float[Array, "n n"]) -> Complex[Array, " n"]:
    """All eigenvalues, the largest magnitude first."""
    found = jnp.linalg.eigvals(square(W))
    return found[jnp.argsort(-jnp.abs(found))]


def spectral_radius(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """ρ(W) = max |λ|: the rate at which ‖Wⁿ‖ grows in the end."""
    return jnp.max(jnp.abs(jnp.linalg.eigvals(square(W))))


def spectral_abscissa(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """max Re λ: the rate at which ‖exp(tW)‖ grows in the end."""
    return jnp.max(jnp.linalg.eigvals(square(W)).real)


def spectral_norm(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """‖W‖₂ = σ_max(W) >= ρ(W): the most that one step can do."""
    return norm_of_matrix(square(W))


def numerical_radius(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """max |u*Wu| over unit vectors u; ρ(W) <= it <= ‖W‖₂ <= twice it.

    The largest |eigenvalue| of the Hermitian part of e^{iθ} W, at 33 angles of the quarter that is enough for a real W
    and then around every local maximum of those. From below: by a relative 1e-9 and rounding, and where two maxima of
    nearly one height lie within two steps, by 3e-4 at most.
    """
    return _numerical_radius(square(W))


@jax.jit
def _numerical_radius(W: Float[Array, "n n"]) -> Float[Array, ""]:
    fixed = jax.lax.stop_gradient(W)
    reach = jax.vmap(lambda angle: _turned(fixed, angle))
    width = math.pi / 64
    grid = jnp.arange(33, dtype=W.dtype) * width
    heights = reach(grid)
    # mirrored at both ends, as the heights are
    around = jnp.pad(heights, 1, mode="reflect")
    top = (heights >= around[:-2]) & (heights >= around[2:])
    angles = grid[jax.lax.top_k(jnp.where(top, heights, -1), 17)[1]]
    offsets = jnp.arange(-2, 3, dtype=W.dtype)[None] / 2

    def closer(k: Array, angles: Array) -> Array:
        near = angles[:, None] + width * jnp.asarray(0.5, W.dtype) ** k * offsets
        best = jnp.argmax(jax.vmap(reach)(near), axis=1)[:, None]
        return jnp.take_along_axis(near, best, axis=1)[:, 0]

    angles = jax.lax.fori_loop(0, 11, closer, angles)
    return _turned(W, angles[jnp.argmax(reach(angles))])


def _turned(W: Float[Array, "n n"], angle: Float[Array, ""]) -> Float[Array, ""]:
    turned = jax.lax.complex(W * jnp.cos(angle), W * jnp.sin(angle))
    values = jnp.linalg.eigvalsh((turned + turned.conj().T) / 2)
    return jnp.maximum(values[-1], -values[0])


def departure_from_normality(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """Henrici's √(‖W‖_F² - Σ|λ|²), the size of what is above the diagonal in a Schur form; 0 for a normal matrix.

    A difference of squares: what is below √eps ‖W‖_F is rounding.
    """
    W = square(W)
    return jnp.sqrt(jnp.maximum(jnp.sum(jnp.abs(W) ** 2) - jnp.sum(jnp.abs(jnp.linalg.eigvals(W)) ** 2), 0))


def eigenvector_condition(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """κ(Q) of the matrix of unit eigenvectors: 1 for a normal W, inf for a defective one, NaN for one with NaNs.

    An eigenvalue of a perturbed W moves by at most κ(Q) times the perturbation (Bauer and Fike 1960).
    """
    return condition_number(jnp.linalg.eig(square(W))[1])


def defective(W: Float[Array, "n n"]) -> Bool[Array, ""]:
    """Whether W has no full set of eigenvectors, or none that can be told from rounding.

    An error δ splits an eigenvalue of a Jordan block of size m into m of condition κᵢ = δ^(1/m - 1) / m, no more than
    2π δ κᵢ apart. So: κ(Q) is inf; or some κᵢ > 0.03 / √eps, and another eigenvalue within 64 eps ‖W‖ κᵢ of λᵢ. Large
    random matrices have a large κ(Q) and eigenvalues far apart for it; multiples of I have equal ones with κᵢ = 1.
    """
    W = square(W)
    eps = float(jnp.finfo(W.dtype).eps)
    values, Q = jnp.linalg.eig(W)
    # κᵢ = ‖yᵢ‖ ‖xᵢ‖ of the left and right eigenvectors with yᵢ*xᵢ = 1, and ‖xᵢ‖ = 1
    sensitive = jnp.linalg.norm(jnp.linalg.inv(Q), axis=1)
    apart = jnp.abs(values[:, None] - values[None]) + jnp.diag(jnp.full(len(W), jnp.inf, W.dtype))
    merge = jnp.min(apart, axis=1) <= 64 * eps * norm_of_matrix(W) * sensitive
    return jnp.isinf(condition_number(Q)) | jnp.any(merge & (sensitive > 0.03 / math.sqrt(eps)))


def pseudospectrum(W: Float[Array, "n n"], grid: Complex[Array, "*grid"]) -> Float[Array, "*grid"]:
    """σ_min(zI - W) at every complex z of the grid: z is an eigenvalue of some W + E with ‖E‖ of that size.

    Its level set at ε bounds the ε-pseudospectrum. Costs a singular value decomposition a point, O(n³); on CPUs, for
    n >= 64, one Schur form and O(n²) a step where inverse iteration ends soon (`machinery/pseudospectrum.py`).
    """
    points = jnp.asarray(grid)
    return smallest_singular_values(square(W), points.ravel()).reshape(points.shape)


def circular_law(radius: Float[Array, "*shape"], gain: float = 1.0) -> Float[Array, "*shape"]:
    """The share of eigenvalues within |λ| < radius of a large random matrix with entries of variance gain²/n."""
    return jnp.clip((radius / gain) ** 2, 0, 1)


def jacobian_eigenvalues(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None = None
) -> Complex[Array, "T n"]:
    """The eigenvalues of each step Jacobian J_1 .. J_T along the trajectory, largest magnitude first."""
    entry.enter(step, params=params, h0=h0, xs=xs)
    return _jacobian_eigenvalues(step, params, h0, xs, length=entry.whole_number("length", length))


@entry.compiled("length")
def _jacobian_eigenvalues(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None
) -> Complex[Array, "T n"]:
    T = entry.time_steps(xs, length)
    h0 = entry.closed(step, params, h0, jax.tree.map(lambda leaf: leaf[0], xs))
    vector, _ = flatten(h0)
    identity = jnp.eye(vector.size, dtype=vector.dtype)

    def advance(h: State, x: Input) -> tuple[State, Array]:
        maps = linear_maps(step, params, h, x)
        return maps.after, eigenvalues(maps.push(identity))

    return jax.lax.scan(advance, h0, xs, length=T)[1]
