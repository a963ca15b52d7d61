"""Eigenvalues of a recurrent matrix, its powers, and measures of what the eigenvalues miss.

‖Wⁿ‖ follows ρ(W)ⁿ only for large n. Before that the powers of a non-normal W can grow, the more so the more skewed its
eigenvectors are. Its pseudospectrum, numerical radius and departure from normality measure this.

All of it runs on every device. Eigenvalues of nonsymmetric matrices come from LAPACK on CPUs, from `jax.lax.linalg.eig`
on GPUs, and from a QR iteration written in JAX elsewhere, as on TPUs: O(n) QR decompositions, so O(n⁴) operations.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from ..cells.contract import Input, Params, State, Step
from ..machinery import eigensystem, entry
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
    """Compute all eigenvalues of a matrix, the largest magnitude first.

    Args:
        W: A real square matrix, (n, n), of float32 or float64.

    Returns:
        The complex eigenvalues, (n,).

    Cost:
        Time O(n³), memory O(n²).

    Example:
        >>> rd.eigen.eigenvalues(jnp.diag(jnp.array([1.0, -3.0]))).real
        Array([-3.,  1.], dtype=float32)
    """
    found = eigensystem.eigenvalues(square(W))
    return found[jnp.argsort(-jnp.abs(found))]


def spectral_radius(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """Compute the spectral radius of a matrix.

        ρ(W) = max |λ_i|

    It is the factor per step by which ‖Wⁿ‖ grows for large n.

    Args:
        W: A real square matrix, (n, n), of float32 or float64.

    Returns:
        ρ(W), a scalar.

    Cost:
        Time O(n³), memory O(n²).

    Example:
        >>> round(float(rd.eigen.spectral_radius(jnp.array([[0.0, 4.0], [1.0, 0.0]]))), 3)
        2.0
    """
    return jnp.max(jnp.abs(eigensystem.eigenvalues(square(W))))


def spectral_abscissa(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """Compute the spectral abscissa of a matrix.

        α(W) = max Re λ_i

    It is the rate at which ‖exp(tW)‖ grows for large t.

    Args:
        W: A real square matrix, (n, n), of float32 or float64.

    Returns:
        α(W), a scalar.

    Cost:
        Time O(n³), memory O(n²).

    Example:
        >>> round(float(rd.eigen.spectral_abscissa(jnp.array([[-1.0, 5.0], [0.0, -2.0]]))), 3)
        -1.0
    """
    return jnp.max(eigensystem.eigenvalues(square(W)).real)


def spectral_norm(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """Compute the spectral norm of a matrix.

        ‖W‖₂ = σ_max(W) >= ρ(W)

    It is the largest factor by which one step can lengthen a vector.

    Args:
        W: A real square matrix, (n, n), of float32 or float64.

    Returns:
        ‖W‖₂, a scalar.

    Cost:
        Time O(n³), memory O(n²).

    Example:
        >>> round(float(rd.eigen.spectral_norm(jnp.array([[0.0, 4.0], [1.0, 0.0]]))), 3)
        4.0
    """
    return norm_of_matrix(square(W))


def numerical_radius(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """Compute the numerical radius of a matrix.

        r(W) = max |u*Wu| over unit vectors u,   ρ(W) <= r(W) <= ‖W‖₂ <= 2 r(W)

    It is the largest |eigenvalue| of the Hermitian part of e^{iθ} W over the angles θ. The search takes 33 angles of
    the quarter circle, which is enough for a real W, and refines every local maximum. The result is too small by a
    relative 1e-9 and rounding, and by at most 3e-4 where two maxima of nearly equal height lie less than two of these
    angles apart.

    Args:
        W: A real square matrix, (n, n), of float32 or float64.

    Returns:
        r(W), a scalar.

    Cost:
        Time O(n³) for each of about 1000 angles.

    Example:
        >>> round(float(rd.eigen.numerical_radius(jnp.array([[0.0, 1.0], [0.0, 0.0]]))), 3)
        0.5
    """
    return _numerical_radius(square(W))


@jax.jit
def _numerical_radius(W: Float[Array, "n n"]) -> Float[Array, ""]:
    fixed = jax.lax.stop_gradient(W)
    reach = jax.vmap(lambda angle: _turned(fixed, angle))
    width = math.pi / 64
    grid = jnp.arange(33, dtype=W.dtype) * width
    heights = reach(grid)
    # the heights are symmetric about both ends of the quarter circle
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
    """Compute Henrici's departure from normality.

        √(‖W‖_F² - Σ|λ_i|²)

    It is the Frobenius norm of the part above the diagonal in a Schur form, and 0 for a normal matrix. Computed as a
    difference of squares, it is rounding noise below √eps ‖W‖_F.

    Args:
        W: A real square matrix, (n, n), of float32 or float64.

    Returns:
        The departure, a scalar.

    Cost:
        Time O(n³), memory O(n²).

    Example:
        >>> round(float(rd.eigen.departure_from_normality(jnp.array([[1.0, 2.0], [0.0, 1.0]]))), 3)
        2.0
    """
    W = square(W)
    values = eigensystem.eigenvalues(W)
    return jnp.sqrt(jnp.maximum(jnp.sum(jnp.abs(W) ** 2) - jnp.sum(jnp.abs(values) ** 2), 0))


def eigenvector_condition(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """Compute the condition number of the matrix of unit eigenvectors.

        κ(Q) = σ_max(Q)/σ_min(Q),   W = Q Λ Q⁻¹

    An eigenvalue of a perturbed W moves by at most κ(Q) times the perturbation.

    Args:
        W: A real square matrix, (n, n), of float32 or float64.

    Returns:
        κ(Q), a scalar: 1 for a normal W, inf for a defective one, NaN for one with NaNs.

    Cost:
        Time O(n³), memory O(n²).

    Example:
        >>> round(float(rd.eigen.eigenvector_condition(jnp.diag(jnp.array([1.0, 3.0])))), 3)
        1.0

    References:
        Bauer & Fike (1960), Numerische Mathematik 2, 137-141.
    """
    return condition_number(eigensystem.eigensystem(square(W))[1])


def defective(W: Float[Array, "n n"]) -> Bool[Array, ""]:
    """Return whether W lacks a full set of eigenvectors, up to rounding.

        κ(Q) = inf,   or some κᵢ > 0.03 / √eps with another eigenvalue within 64 eps ‖W‖ κᵢ of λᵢ

    Here κᵢ is the condition number of the eigenvalue λᵢ. An error δ splits an eigenvalue of a Jordan block of size m
    into m of condition κᵢ = δ^(1/m - 1) / m, at most 2π δ κᵢ apart. The rule does not flag large random matrices, whose
    κ(Q) is large but whose eigenvalues lie farther apart, or multiples of I, whose equal eigenvalues have κᵢ = 1.

    Args:
        W: A real square matrix, (n, n), of float32 or float64.

    Returns:
        A boolean scalar.

    Cost:
        Time O(n³), memory O(n²).

    Example:
        >>> bool(rd.eigen.defective(jnp.array([[1.0, 1.0], [0.0, 1.0]])))
        True
    """
    W = square(W)
    eps = float(jnp.finfo(W.dtype).eps)
    values, Q = eigensystem.eigensystem(W)
    # κᵢ = ‖yᵢ‖ ‖xᵢ‖ of the left and right eigenvectors with yᵢ*xᵢ = 1, and ‖xᵢ‖ = 1
    sensitive = jnp.linalg.norm(jnp.linalg.inv(Q), axis=1)
    apart = jnp.abs(values[:, None] - values[None]) + jnp.diag(jnp.full(len(W), jnp.inf, W.dtype))
    merge = jnp.min(apart, axis=1) <= 64 * eps * norm_of_matrix(W) * sensitive
    return jnp.isinf(condition_number(Q)) | jnp.any(merge & (sensitive > 0.03 / math.sqrt(eps)))


def pseudospectrum(W: Float[Array, "n n"], grid: Complex[Array, "*grid"]) -> Float[Array, "*grid"]:
    """Compute the smallest singular value of zI - W at every point z of a grid.

        σ_min(zI - W) = the smallest ‖E‖ for which z is an eigenvalue of W + E

    Its level set at ε is the boundary of the ε-pseudospectrum.

    Args:
        W: A real square matrix, (n, n), of float32 or float64.
        grid: Complex points z, of any shape.

    Returns:
        σ_min(zI - W), of the shape of the grid.

    Cost:
        A singular value decomposition per point, O(n³). On CPUs, for n >= 70 and at least 16 points, one Schur form
        and O(n²) per search step at each point where the search ends soon.

    Example:
        >>> values = rd.eigen.pseudospectrum(jnp.diag(jnp.array([1.0, 3.0])), jnp.array([0j, 2.5 + 0j]))
        >>> [round(float(x), 3) for x in values]  # the distance to the nearest eigenvalue
        [1.0, 0.5]

    References:
        Lui (1997), SIAM Journal on Scientific Computing 18, 565-573.
    """
    points = jnp.asarray(grid)
    return smallest_singular_values(square(W), points.ravel()).reshape(points.shape)


def circular_law(radius: Float[Array, "*shape"], gain: float = 1.0) -> Float[Array, "*shape"]:
    """Return the share of eigenvalues inside a circle for a large random matrix, by the circular law.

        F(r) = min(r²/g², 1) for independent entries of mean 0 and variance g²/n

    Args:
        radius: r, the radius of the circle around 0, of any shape.
        gain: g. Default: 1.

    Returns:
        The share of eigenvalues with |λ| < r, 0 .. 1, of the shape of `radius`.

    Example:
        >>> float(rd.eigen.circular_law(jnp.array(0.5)))
        0.25
    """
    return jnp.clip((radius / gain) ** 2, 0, 1)


def jacobian_eigenvalues(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None = None
) -> Complex[Array, "T n"]:
    """Compute the eigenvalues of every step Jacobian along the trajectory that starts at h0.

        J_t = ∂h_t/∂h_{t-1},   t = 1 .. T

    They describe each step alone. For growth over many steps use `lyapunov_spectrum`.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree.
        h0: The initial state, a pytree with n numbers in all, of 32 or 64 bits.
        xs: The inputs, a pytree with leading axis T; None for an undriven step, with `length=T`.
        length: T, needed where xs is None.

    Returns:
        The complex eigenvalues, (T, n): row [t - 1] belongs to J_t, the largest magnitude first.

    Cost:
        Time O(T n³), memory O(n² + T n).

    Example:
        >>> W = jnp.diag(jnp.array([1.0, -3.0]))
        >>> rd.eigen.jacobian_eigenvalues(lambda W, h, x: W @ h, W, jnp.ones(2), None, length=2).real
        Array([[-3.,  1.],
               [-3.,  1.]], dtype=float32)
    """
    length, _ = entry.checked(step, params, h0, xs, length)
    return _jacobian_eigenvalues(step, params, h0, xs, length=length)


@entry.compiled()
def _jacobian_eigenvalues(
    step: Step, params: Params, h0: State, xs: Input, *, length: int | None
) -> Complex[Array, "T n"]:
    T = entry.time_steps(xs, length)
    h0 = entry.opened(step, params, h0, xs)
    vector, _ = flatten(h0)
    identity = jnp.eye(vector.size, dtype=vector.dtype)

    def advance(h: State, x: Input) -> tuple[State, Array]:
        maps = linear_maps(step, params, h, x)
        return maps.after, eigenvalues(maps.push(identity))

    return jax.lax.scan(advance, h0, xs, length=T)[1]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
