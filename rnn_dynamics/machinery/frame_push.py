"""Two ways to push a frame F of k columns through a step's Jacobian J. Both can give ln |det J| as well.

    whole     Fᵀ ↦ (J F)ᵀ                                 the plain way
    in_two    J = Ĵ C,  C F = F' T',  J F = (Ĵ F') T'     the careful way, where columns of J differ much in size

The careful way keeps the digits that a saturated unit of x' = W tanh(x) would cost, because its tiny column of J is
rounded off in the product J F. See `lu_frames.column_scaled` for C. Here the factor T' has already been taken out when
the frame comes back, so its logarithms are returned with it.

The frame is kept as rows, Fᵀ, since XLA's products on CPUs are twice as fast that way round. Next: `frame_loop.py`
calls one of the two in every step.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .linear_maps import LinearMaps
from .lu_frames import column_scaled


class Pushed(NamedTuple):
    """The pushed frame, and the triangular factor that was already taken out of it.

    rows     (J F)ᵀ without that factor
    logs     ln |diag| of the factor, 0 if none was taken out
    lost     how many nats of each were lost to cancellation
    log_det  ln |det J| for a square frame where it is asked for, else 0
    """

    rows: Float[Array, "k n"]
    logs: Float[Array, " k"]
    lost: Float[Array, " k"]
    log_det: Float[Array, ""]


Push = Callable[[LinearMaps, Array], Pushed]


def whole(maps: LinearMaps, rows: Float[Array, "k n"], entire: bool) -> Pushed:
    """Push the frame by the step's own linear map.

    A square frame also gives ln |det J|. If `entire`, J is formed once for both. Otherwise the frame is pushed on its
    own, so that the compiler can drop J and its determinant where the caller does not use them.
    """
    k, n = rows.shape
    nothing, log_det = jnp.zeros(k, rows.dtype), jnp.zeros((), rows.dtype)
    if k < n:
        pushed = maps.push(rows.T).T
    elif entire:
        J = _jacobian(maps, rows)
        pushed, log_det = rows @ J.T, _log_det(J)
    else:
        pushed, log_det = maps.push(rows.T).T, _log_det(_jacobian(maps, rows))
    return Pushed(pushed, nothing, nothing, log_det)


def in_two(maps: LinearMaps, rows: Float[Array, "n n"], determinant: bool) -> Pushed:
    """Push the frame in two halves: factor C F first, then multiply by Ĵ (see `column_scaled`)."""
    J = _jacobian(maps, rows)
    scaled, half = column_scaled(J, rows.T)
    log_det = _log_det(J) if determinant else jnp.zeros((), rows.dtype)
    return Pushed(half.frame.T @ scaled.T, half.logs, half.lost, log_det)


def _jacobian(maps: LinearMaps, rows: Float[Array, "k n"]) -> Float[Array, "n n"]:
    return maps.push(jnp.eye(rows.shape[1], dtype=rows.dtype))


def _log_det(J: Float[Array, "n n"]) -> Float[Array, ""]:
    """Compute ln |det J| from the pivots of an LU decomposition."""
    return jnp.sum(jnp.log(jnp.abs(jnp.diagonal(jax.lax.linalg.lu(J)[0]))))
