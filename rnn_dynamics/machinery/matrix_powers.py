"""Powers of a recurrent matrix: their values, their norms, and how far they grow before the eigenvalues take over.

    Wⁿ = Q Λⁿ Q⁻¹                                     `eigen_power`, with a bound of its error
    ‖Wᵏ‖₂ for k = 0 .. n                               `log_power_norms`, `power_norms`
    max over k of ‖Wᵏ‖₂                                `transient_growth`
    sup over |z| > 1 of (|z| - 1) / σ_min(zI - W)      `kreiss_constant`, which bounds max ‖Wⁿ‖ from both sides

For a normal W, ‖Wⁿ‖ = ρ(W)ⁿ. For a non-normal W, ρ(W) is only the rate in the long run, and the norms can first grow by
a large factor. The eigenvector formula is as accurate as the eigenvectors are well conditioned, so it comes with a
bound; repeated squaring (`power`) needs no eigenvectors and is right for defective matrices too.

`measure/eigen.py` re-exports the public functions as `rd.eigen`. σ_min(zI - W) comes from `pseudospectrum.py`.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, Int

from .. import argument
from .compiled_programs import with_float32_products
from .eigensystem import eigensystem, eigenvalues
from .lapack_threads import on_one_thread
from .printed import Table, fields_of, printable, span
from .pseudospectrum import smallest_singular_values
from .scaled import exponent_of, power_of_two
from .svd import norm_of_matrix, singular_values


def square(W: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """Return W after checking that it is real, of 32 or 64 bits, and square; other input would silently go wrong."""
    if not hasattr(W, "dtype") or W.dtype not in (jnp.float32, jnp.float64):
        got = f"dtype {W.dtype}" if hasattr(W, "dtype") else repr(W)
        raise TypeError(f"W: got {got}, expected a real array of float32 or float64")
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"W: got shape {W.shape}, expected a square matrix")
    on_one_thread()
    return jnp.asarray(W)


@printable
class EigenPower(NamedTuple):
    """A matrix power Wⁿ = QΛⁿQ⁻¹ and a bound of its error, as `rd.eigen.eigen_power` returns them.

    Attributes:
        value: The computed Wⁿ, real, shape (dim, dim).
        error_bound: An upper bound of the 2-norm of the error of `value`, a scalar in the units of Wⁿ; inf or NaN for a
            defective W, inf where the value overflows.
    """

    value: Float[Array, "n n"]
    error_bound: Float[Array, ""]

    def _headline(self) -> str:
        return f"{np.shape(self.value)}: entries {span(self.value)}, error at most {span(self.error_bound)}"

    def _table(self) -> Table:
        return fields_of(self)


@with_float32_products
def eigen_power(W: Float[Array, "n n"], n: int) -> EigenPower:
    """Compute Wⁿ from the eigenvectors of W, with a bound of the error.

        Wⁿ = Q Λⁿ Q⁻¹,   ‖error‖₂ <= κ μⁿ⁻¹ (n e + u (κ + n) μ) + n κ dim² tiny
        κ = κ(Q),   u = 8 dim eps,   e = κ (‖WQ - QΛ‖ / ‖Q‖ + u ‖W‖),   μ = ρ(W) + e

    e is the distance of Q⁻¹WQ from Λ. The bound holds because W = Q (Λ + E) Q⁻¹ with ‖E‖ <= e, so that
    ‖(Λ + E)ⁿ - Λⁿ‖ <= μⁿ - ρⁿ <= n e μⁿ⁻¹. The other terms are the rounding of the formula and what underflows.

    The formula loses digits where eigenvectors are nearly parallel (large κ), and the bound shows it. Use
    `rd.eigen.power` where only the value matters.

    Args:
        W: A real square matrix of float32 or float64, shape (dim, dim).
        n: The power, at least 0.

    Returns:
        An `EigenPower` with the fields `value` and `error_bound`.

    Cost:
        Time O(dim³), memory O(dim²), whatever n.

    Example:
        >>> found = rd.eigen.eigen_power(jnp.diag(jnp.array([0.5, 0.25])), 3)
        >>> bool(jnp.allclose(found.value, jnp.diag(jnp.array([0.125, 0.015625])))), bool(found.error_bound < 1e-4)
        (True, True)
        >>> jordan = jnp.array([[1.0, 1.0], [0.0, 1.0]])  # defective: it has one eigenvector
        >>> bool(rd.eigen.eigen_power(jordan, 30).error_bound < 1)
        False
    """
    W, n = square(W), argument.size("n", n, 0)
    if n == 0:
        return EigenPower(jnp.eye(len(W), dtype=W.dtype), jnp.zeros((), W.dtype))
    values, Q = eigensystem(W)
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
    """Compute σ_max / σ_min; inf for a Q that is singular up to rounding, NaN for one with NaNs."""
    values = singular_values(Q)
    singular = values[-1] <= len(Q) * jnp.finfo(Q.dtype).eps * values[0]
    return jnp.where(singular, jnp.inf, values[0] / jnp.where(singular, 1, values[-1]))


@with_float32_products
def power(W: Float[Array, "n n"], n: int) -> Float[Array, "n n"]:
    """Compute Wⁿ by repeated squaring.

    No eigenvectors are used, so the result is right for defective matrices too. It overflows or underflows where the
    float type cannot hold it; `rd.eigen.log_power_norms` gives the size of such powers.

    Args:
        W: A real square matrix of float32 or float64, shape (dim, dim).
        n: The power, at least 0.

    Returns:
        Wⁿ, shape (dim, dim).

    Cost:
        Time O(dim³ log n), memory O(dim²).

    Example:
        >>> rd.eigen.power(jnp.array([[1.0, 1.0], [0.0, 1.0]]), 30)
        Array([[ 1., 30.],
               [ 0.,  1.]], dtype=float32)
    """
    return jnp.linalg.matrix_power(square(W), argument.size("n", n, 0))


@with_float32_products
def log_power_norms(W: Float[Array, "n n"], n: int) -> Float[Array, " powers"]:
    """Compute ln ‖Wᵏ‖₂ for k = 0 .. n.

    The powers are kept with their scale as a power of two, so that none overflows or underflows.

    Args:
        W: A real square matrix of float32 or float64, shape (dim, dim).
        n: The highest power, at least 0.

    Returns:
        The natural logarithms of the norms, shape (n + 1,); -inf from the first power that is zero.

    Cost:
        n matrix products and n singular value decompositions: time O(n dim³), memory O(dim² + n).

    Example:
        >>> rd.eigen.log_power_norms(0.5 * jnp.eye(2), 2).round(3)  # 0, ln ½, 2 ln ½
        Array([ 0.   , -0.693, -1.386], dtype=float32)
    """
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
    """Compute ‖Wᵏ‖₂ for k = 0 .. n.

    A norm is inf or 0 only where the float type cannot hold it; `rd.eigen.log_power_norms` has no such limit.

    Args:
        W: A real square matrix of float32 or float64, shape (dim, dim).
        n: The highest power, at least 0.

    Returns:
        The norms, shape (n + 1,), from ‖I‖ = 1 on.

    Cost:
        n matrix products and n singular value decompositions: time O(n dim³), memory O(dim² + n).

    Example:
        >>> W = jnp.array([[0.0, 4.0], [0.0, 0.0]])  # both eigenvalues are 0
        >>> rd.eigen.power_norms(W, 3).round(3)
        Array([1., 4., 0., 0.], dtype=float32)
    """
    return jnp.exp(log_power_norms(W, n))


@printable
class TransientGrowth(NamedTuple):
    """The largest norm among the powers of a matrix, as `rd.eigen.transient_growth` returns it.

    Attributes:
        log_peak: The largest ln ‖Wᵏ‖₂ for k = 0 .. n, a scalar in nats.
        step: The k at which it is reached, a whole number; n itself where the norms still grow.
    """

    log_peak: Float[Array, ""]
    step: Int[Array, ""]

    def _headline(self) -> str:
        return f": the largest ln‖W^k‖ is {span(self.log_peak)}, at k = {span(self.step)}"

    def _table(self) -> Table:
        return fields_of(self)


def transient_growth(W: Float[Array, "n n"], n: int = 200) -> TransientGrowth:
    """Find the largest ‖Wᵏ‖₂ for k = 0 .. n: how far powers of W grow before its eigenvalues take over.

    For a normal W with ρ(W) <= 1 it is log_peak = 0 at step 0. A stable non-normal W can grow first and decay later.
    Where `step` is n, the norms still grow: raise n.

    Args:
        W: A real square matrix of float32 or float64, shape (dim, dim).
        n: The highest power to look at. Default: 200.

    Returns:
        A `TransientGrowth` with the fields `log_peak` and `step`.

    Cost:
        n matrix products and n singular value decompositions: time O(n dim³), memory O(dim² + n).

    Example:
        >>> growth = rd.eigen.transient_growth(jnp.array([[0.0, 4.0], [0.0, 0.0]]), 10)
        >>> round(float(growth.log_peak), 3), int(growth.step)  # ln 4, although both eigenvalues are 0
        (1.386, 1)
    """
    logs = log_power_norms(W, n)
    return TransientGrowth(jnp.max(logs), jnp.argmax(logs))


def kreiss_constant(W: Float[Array, "n n"]) -> Float[Array, ""]:
    """Compute the Kreiss constant, which bounds the transient growth of Wⁿ from both sides.

        K(W) = sup over |z| > 1 of (|z| - 1) / σ_min(zI - W)        K(W) <= max over n of ‖Wⁿ‖ <= e dim K(W)

    The inequalities are Kreiss's theorem. K is 1 for a normal W with ρ(W) <= 1, and inf where ρ(W) > 1 by more than
    rounding. Unlike `rd.eigen.transient_growth`, it needs no number of steps to look at.

    The supremum is found by a search and is a lower bound of the true one, however σ_min is rounded. The search looks
    at 40 circles whose distances from the unit circle grow from (1 - ρ) / (2 dim) to 10 ‖W‖, at 49 angles of the upper
    half plane and at the angles of the 32 largest eigenvalues, and then around the best points of 8 angles. It is
    within one per cent of K where one of these points is on the highest hill and σ_min there is at least 100 times its
    rounding error, dim eps (|z| + ‖W‖).

    Args:
        W: A real square matrix of float32 or float64, shape (dim, dim).

    Returns:
        K(W), a scalar of at least 1.

    Cost:
        About 5000 values of σ_min(zI - W), see `rd.eigen.pseudospectrum`: each is O(dim³), or O(dim²) per Lanczos step,
        after one Schur form, on CPUs.

    Example:
        >>> round(float(rd.eigen.kreiss_constant(0.5 * jnp.eye(2))), 3)  # a normal, stable matrix
        1.0
        >>> rd.eigen.kreiss_constant(2 * jnp.eye(2))  # a spectral radius above 1
        Array(inf, dtype=float32)
    """
    return _kreiss_constant(square(W))


@jax.jit
def _kreiss_constant(W: Float[Array, "n n"]) -> Float[Array, ""]:
    fixed = jax.lax.stop_gradient(W)
    values = eigenvalues(fixed)
    size, radius = len(W), jnp.max(jnp.abs(values))
    noise = 4 * size * float(jnp.finfo(W.dtype).eps) * jnp.maximum(norm_of_matrix(fixed), 1)
    # near an eigenvalue the function varies over its distance from the circle, so closer circles add nothing
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
    """Compute (|z| - 1) / σ_min(zI - W) at |z| = 1 + exp(outside), from below: the largest rounding error is added."""
    outside, angles = jnp.broadcast_arrays(outside, angles)
    beyond = jnp.exp(outside)
    z: Complex[Array, "*points"] = jax.lax.complex((1 + beyond) * jnp.cos(angles), (1 + beyond) * jnp.sin(angles))
    rounding = len(W) * float(jnp.finfo(W.dtype).eps) * (1 + beyond + norm_of_matrix(W))
    return beyond / (smallest_singular_values(W, z.ravel()).reshape(z.shape) + rounding)


def _climb(
    W: Float[Array, "n n"], outside: Float[Array, " hills"], angles: Float[Array, " hills"], spacing: Float[Array, ""]
) -> tuple[Float[Array, " hills"], Float[Array, " hills"]]:
    """Move each point to the best of 3 × 3 points around it, 20 times. The last grid is 1/2000 of the first in size."""
    across, along = (part.ravel() for part in jnp.mgrid[-1:2, -1:2].astype(W.dtype))

    def closer(k: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        outside, angles = at
        shrunk = jnp.asarray(2 / 3, W.dtype) ** k
        # a hill is at least as wide as its distance from the spectrum, which is at least that from the unit circle
        turn = shrunk * jnp.minimum(jnp.exp(outside), math.pi / 48)
        near = outside[:, None] + shrunk * spacing * across[None], angles[:, None] + turn[:, None] * along[None]
        best = jnp.argmax(_heights(W, *near), axis=1)[:, None]
        outside, angles = (jnp.take_along_axis(part, best, axis=1)[:, 0] for part in near)
        return outside, angles

    return jax.lax.fori_loop(0, 20, closer, (outside, angles))
