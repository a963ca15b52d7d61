"""Iterations of a search from many states at once, as compiled programs: Newton, and Levenberg-Marquardt.

With f(h) = step(h) - h, its Jacobian A = J - I and q = ½‖f‖²:

    newton        h ← h - s A⁻¹ f, where s ≤ 1 keeps every component of the step below a cap
    marquardt     h ← h - (AᵀA + μ I)⁻¹ Aᵀ f, taken if q falls; μ falls after a step that was taken, and grows otherwise

Each program runs some iterations for a whole batch; `search.py` decides between them who goes on.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..cells.contract import Input, Params
from ..machinery import entry
from ..machinery.captured_arrays import Traced
from ..machinery.compiled_programs import PLAIN
from .residual import residual_of, rows, with_jacobian


class Places(NamedTuple):
    """Where the candidates of a batch are, B of them.

    Attributes:
        vectors: The states, (B, n).
        residual: The largest component of f there, (B,).
        slope: ‖Aᵀf‖ / (‖A‖ ‖f‖) there, (B,): 0 at a local minimum of the speed; 1 after Newton's iterations.
        damping: μ, (B,).
    """

    vectors: Float[Array, "B n"]
    residual: Float[Array, " B"]
    slope: Float[Array, " B"]
    damping: Float[Array, " B"]


@entry.compiled(compiler=PLAIN)
def newton(
    step: Traced, params: Params, xs: Input, which: Int[Array, " B"], at: Places, cap: Float[Array, ""], *, steps: int
) -> Places:
    """Make some Newton iterations and return the places with the smallest residual of the last two."""
    f = residual_of(step, params)

    def one(h: Float[Array, " n"], x: Input) -> tuple[Float[Array, " n"], Float[Array, ""]]:
        value, A = with_jacobian(f, h, x)
        change = -jnp.linalg.solve(A, value)
        size = jnp.max(jnp.abs(change))
        moved = h + change * jnp.minimum(1.0, cap / size).astype(h.dtype)
        return jnp.where(jnp.isfinite(size) & jnp.all(jnp.isfinite(moved)), moved, h), jnp.max(jnp.abs(value))

    x = rows(xs, which)

    def iterate(h, _):
        new, residual = jax.vmap(one)(h, x)
        return new, (h, residual)

    h, _ = jax.lax.scan(iterate, at.vectors, None, length=steps)
    residual = jnp.max(jnp.abs(jax.vmap(f)(h, x)), axis=1)
    return at._replace(vectors=h, residual=residual)


@entry.compiled(compiler=PLAIN)
def marquardt(step: Traced, params: Params, xs: Input, which: Int[Array, " B"], at: Places, *, steps: int) -> Places:
    """Make some Levenberg-Marquardt iterations."""
    f = residual_of(step, params)

    def one(at: Places, x: Input) -> Places:
        h, mu = at.vectors, at.damping
        value, A = with_jacobian(f, h, x)
        gradient = A.T @ value
        squared = jnp.sum(A * A)
        slope = jnp.sqrt(jnp.sum(gradient**2) / (squared * jnp.sum(value**2)))
        floor = jnp.finfo(h.dtype).eps * squared
        M = A.T @ A + (mu * squared / h.size + floor) * jnp.eye(h.size, dtype=h.dtype)
        L = jax.lax.linalg.cholesky(M, symmetrize_input=False)
        change = jax.scipy.linalg.cho_solve((L, True), gradient)
        new = h - change
        after = f(new, x)
        taken = jnp.sum(after**2) < jnp.sum(value**2)
        return Places(
            jnp.where(taken, new, h),
            jnp.max(jnp.abs(jnp.where(taken, after, value))),
            jnp.where(jnp.isfinite(slope), slope, 0.0).astype(h.dtype),
            jnp.clip(jnp.where(taken, 0.2 * mu, 4 * mu), 1e-12, 1e12).astype(h.dtype),
        )

    x = rows(xs, which)
    return jax.lax.scan(lambda at, _: (jax.vmap(one)(at, x), None), at, None, length=steps)[0]


@entry.compiled(compiler=PLAIN)
def local_maps(
    step: Traced, params: Params, xs: Input, which: Int[Array, " B"], vectors: Float[Array, "B n"]
) -> tuple[Float[Array, "B n"], Float[Array, "B n n"]]:
    """Return f and the Jacobian of the step at each of B points."""
    f = residual_of(step, params)
    value, A = jax.vmap(lambda h, x: with_jacobian(f, h, x))(vectors, rows(xs, which))
    return value, A + jnp.eye(A.shape[-1], dtype=A.dtype)
