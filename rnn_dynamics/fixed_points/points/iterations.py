"""The iterations of a search, for a batch of states at once, as compiled programs.

With f(h) = step(h) - h, its Jacobian A = J - I and q = ½ ‖f‖²:

    explored    h ← h - s A⁻¹ f, deflated, where s ≤ 1 keeps every number of the step below a cap. It does not insist
                on a smaller f, and so finds saddles that a descent slides past
    descended   h ← h - (H + μ I)⁻¹ Aᵀ f, if q falls. H = AᵀA (Levenberg-Marquardt), or the Hessian AᵀA + Σ f_i ∇²f_i
                of q, with which it converges quadratically to slow points too, and tells minima from saddles of q
    polished    h ← h - A⁻¹ f while ‖f‖ falls

Each program makes a few iterations; the host decides between them who goes on (`batches.py`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ...cells.contract import Input, Params
from ...machinery import entry
from ...machinery.captured_arrays import Traced
from ...machinery.compiled_programs import PLAIN
from .deflation import Divided, deflated
from .residual import newton_step, pulled_back, residual_of, with_jacobian


class Rows(NamedTuple):
    """The states of a batch and what is known of each, B of them.

    Attributes:
        vectors: The states, (B, n).
        change: The largest number in the last step, (B,); for a descent the share of ‖f‖ that the next step would take
            away if q were a parabola: 0 at a slow point, 1 near a fixed point.
        residual: The largest number in f, (B,).
        rounding: An estimate of the error of that by rounding, (B,).
        damping: μ over the mean diagonal of H, (B,), of descents.
    """

    vectors: Float[Array, "B n"]
    change: Float[Array, " B"]
    residual: Float[Array, " B"]
    rounding: Float[Array, " B"]
    damping: Float[Array, " B"]


@entry.compiled(compiler=PLAIN)
def explored(
    step: Traced,
    params: Params,
    xs: Input,
    which: Int[Array, " B"],
    at: Rows,
    known: Divided,
    cap: Float[Array, ""],
    *,
    steps: int,
) -> Rows:
    """Make Newton iterations with capped, deflated steps."""
    f = residual_of(step, params)

    def one(row: Rows, each: tuple[Input, Array, Array]) -> Rows:
        x, points, weight = each
        value, A = with_jacobian(f, row.vectors, x)
        full = deflated(newton_step(A, value), row.vectors, points, weight, known.reach)
        size = jnp.max(jnp.abs(full))
        new = row.vectors + full * jnp.minimum(1, cap / size)
        finite = jnp.all(jnp.isfinite(new))
        return row._replace(
            vectors=jnp.where(finite, new, row.vectors),
            change=jnp.where(finite, size, jnp.inf),
            residual=jnp.max(jnp.abs(value)),
        )

    of = jax.tree.map(lambda leaf: leaf[which], (xs, known.points, known.weight))
    return _repeated(one, at, of, steps)


@entry.compiled(compiler=PLAIN)
def polished(step: Traced, params: Params, xs: Input, which: Int[Array, " B"], at: Rows, *, steps: int) -> Rows:
    """Make Newton iterations, each of which is kept only if ‖f‖ falls."""
    f = residual_of(step, params)

    def one(row: Rows, x: Input) -> Rows:
        h = row.vectors
        value, A = with_jacobian(f, h, x)
        change = newton_step(A, value)
        after = f(h + change, x)
        falls = jnp.sum(after**2) < jnp.sum(value**2)
        return row._replace(
            vectors=jnp.where(falls, h + change, h),
            change=jnp.max(jnp.abs(change)),
            residual=jnp.max(jnp.abs(jnp.where(falls, after, value))),
            rounding=_rounding(A, h),
        )

    return _repeated(one, at, jax.tree.map(lambda leaf: leaf[which], xs), steps)


@entry.compiled(compiler=PLAIN)
def descended(
    step: Traced, params: Params, xs: Input, which: Int[Array, " B"], at: Rows, *, steps: int, exact: bool
) -> Rows:
    """Make damped iterations that lower q = ½ ‖f‖², with its exact Hessian or that of Levenberg and Marquardt."""
    f = residual_of(step, params)

    def one(row: Rows, x: Input) -> Rows:
        h = row.vectors
        value, A = with_jacobian(f, h, x)
        gradient, squared = A.T @ value, jnp.sum(A * A)
        H = A.T @ A
        if exact:
            H = H + jax.jacfwd(lambda v: pulled_back(f, v, x, value))(h)
        eps = jnp.finfo(h.dtype).eps
        shift = (row.damping + eps) * (squared / h.size + 1e-4)
        change = _positive_solve(H + shift * jnp.eye(h.size, dtype=h.dtype), gradient)
        after = f(h - change, x)
        gained, foreseen = jnp.sum(value**2) - jnp.sum(after**2), change @ (gradient + shift * change)
        left = jnp.sqrt(jnp.abs(foreseen) / jnp.sum(value**2))
        # at a minimum the matrix is positive definite, and rounding decides whether q falls
        still = jnp.all(jnp.isfinite(change)) & (left < jnp.sqrt(eps))
        factor = jnp.where((gained > 0.75 * foreseen) | still, 0.1, jnp.where(gained > 0.25 * foreseen, 1.0, 4.0))
        return Rows(
            vectors=jnp.where(gained > 0, h - change, h),
            change=jnp.where(jnp.isfinite(left), left, jnp.inf).astype(h.dtype),
            residual=jnp.max(jnp.abs(jnp.where(gained > 0, after, value))),
            rounding=_rounding(A, h),
            damping=jnp.clip(row.damping * factor, 1e-12, 1e12).astype(h.dtype),
        )

    return _repeated(one, at, jax.tree.map(lambda leaf: leaf[which], xs), steps)


def _repeated(one: Callable[[Rows, Any], Rows], at: Rows, of: Any, steps: int) -> Rows:
    return jax.lax.scan(lambda at, _: (jax.vmap(one)(at, of), None), at, None, length=steps)[0]


def _rounding(A: Float[Array, "n n"], h: Float[Array, " n"]) -> Float[Array, ""]:
    """Estimate how far rounding moves a number of step(h)."""
    return jnp.finfo(h.dtype).eps * jnp.max(jnp.abs(A) @ jnp.abs(h))


def _positive_solve(matrix: Float[Array, "n n"], vector: Float[Array, " n"]) -> Float[Array, " n"]:
    """Solve with a positive definite matrix; NaN if it is not. The vector is eliminated along with the matrix."""
    n = vector.size
    last = jnp.append(vector, jnp.finfo(vector.dtype).max ** 0.5)
    bordered = jnp.concatenate([jnp.concatenate([matrix, vector[:, None]], axis=1), last[None]])
    L = jax.lax.linalg.cholesky(bordered, symmetrize_input=False)
    return jax.lax.linalg.triangular_solve(L[:n, :n], L[n, :n][:, None], left_side=True, lower=True, transpose_a=True)[
        :, 0
    ]
