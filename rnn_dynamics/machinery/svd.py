"""Singular values by LAPACK's gesvd, because JAX's default on CPUs can deadlock.

`jnp.linalg.svd` and `jnp.linalg.norm(A, 2)` call LAPACK's gesdd on CPUs. In jaxlib 0.9.1 and 0.9.2 that kernel hands
a batch of matrices to XLA's thread pool and waits for them on a thread of the same pool. When all threads of the pool
wait like that, as those of two devices on two cores soon do, no thread is left to do the work and the process hangs.
The kernel of gesvd uses only its own thread, and costs about the same for the values alone.
"""

import jax
from jax.lax import linalg
from jaxtyping import Array, Float, Inexact


def singular_values(A: Inexact[Array, "rows columns"]) -> Float[Array, " values"]:
    """Compute the singular values of A in descending order; NaN where A has NaN."""

    def by(algorithm: linalg.SvdAlgorithm) -> jax.Array:
        return linalg.svd(A, full_matrices=False, compute_uv=False, algorithm=algorithm)

    return jax.lax.platform_dependent(
        cpu=lambda: by(linalg.SvdAlgorithm.QR), default=lambda: by(linalg.SvdAlgorithm.DEFAULT)
    )


def norm_of_matrix(A: Inexact[Array, "rows columns"]) -> Float[Array, ""]:
    """Compute the 2-norm of A, its largest singular value."""
    return singular_values(A)[0]
