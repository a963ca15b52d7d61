"""Solve the linear equations of Newton's method for a cycle, one block of unknowns after the other.

    J_i d_i - d_{i+1} = b_i,   i = 0 .. p - 1,   d_p = d_0

Multiplying the Jacobians together, (I - J_{p-1} ··· J_0) d_0 = …, would lose a digit for each factor of ten by which
the product stretches. Here d_1, d_2, … are eliminated by LU with row pivoting from two blocks of rows at a time,

    A d_0 + B d_i = g              P (B; J_i) = L U
    J_i d_i - d_{i+1} = b_i

so that each direction is followed forwards where it contracts and backwards where it expands. What is left is
(A + B) d_0 = g. This is as stable as LU of the whole (p n, p n) matrix, at O(p n³) in place of O(p³ n³). Wright (1992),
SIAM J. Sci. Stat. Comput. 13, 742-764, does it by QR; he also gives an example for which row pivoting fails, one with
p n in the hundreds that is built for it.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

# the eigenvalue 1 of the product of the Jacobians is moved off 1 by so many times eps
APART = 20.0


def cyclic_matrix(J: np.ndarray, last: float = 1.0) -> np.ndarray:
    """Return the whole matrices, (..., p n, p n), of the equations with Jacobians (..., p, n, n).

    `last` is what d_p is multiplied by.
    """
    *leading, p, n, _ = J.shape
    found, at = np.zeros((*leading, p, n, p, n)), np.arange(p)
    found[..., at, :, at, :] = np.moveaxis(J, -3, 0)
    found[..., at, :, (at + 1) % p, :] -= np.where(at == p - 1, last, 1.0).reshape(p, *[1] * (J.ndim - 1)) * np.eye(n)
    return found.reshape(*leading, p * n, p * n)


def solve_cyclic(J: Float[Array, "p n n"], b: Float[Array, "p n k"]) -> Float[Array, "p n k"]:
    """Solve J_i d_i - d_{i+1} = b_i with d_p = d_0 for d.

    Where the product of the Jacobians has an eigenvalue 1 there is no solution, or a family of them. 1 is therefore
    replaced by 1 + 20 eps, which changes a regular solution in its last digits only, and bounds that of a singular
    system by 1 / (20 eps).
    """
    n = b.shape[1]
    identity = jnp.eye(n, dtype=b.dtype)

    def eliminate(
        kept: tuple[Array, Array, Array], rows: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array, Array], tuple[Array, Array]]:
        A, B, g = kept
        Ji, bi = rows
        zero = jnp.zeros_like(Ji)
        LU, _, order = jax.lax.linalg.lu(jnp.concatenate([B, Ji]))
        right = jnp.concatenate([jnp.concatenate([A, zero, g], axis=1), jnp.concatenate([zero, -identity, bi], axis=1)])
        right = right[order]
        upper = solve_triangular(LU[:n], right[:n], lower=True, unit_diagonal=True)
        lower = right[n:] - LU[n:] @ upper
        return (lower[:, :n], lower[:, n : 2 * n], lower[:, 2 * n :]), (LU[:n], upper)

    (A, B, g), eliminated = jax.lax.scan(eliminate, (J[0], -identity, b[0]), (J[1:], b[1:]))
    apart = 1 + APART * float(jnp.finfo(b.dtype).eps)
    first = jnp.linalg.solve(A + apart * B, g)

    def substitute(after: Array, rows: tuple[Array, Array]) -> tuple[Array, Array]:
        U, upper = rows
        right = upper[:, 2 * n :] - upper[:, :n] @ first - upper[:, n : 2 * n] @ after
        d = solve_triangular(U, right)
        return d, d

    _, others = jax.lax.scan(substitute, first, eliminated, reverse=True)
    return jnp.concatenate([first[None], others])
