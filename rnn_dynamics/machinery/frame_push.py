"""Two ways to push the rows of Fᵀ through a step, and what each knows of the step's determinant."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .linear_maps import LinearMaps
from .lu_frames import column_scaled


class Pushed(NamedTuple):
    """(J F)ᵀ less the triangular factor already taken out of it: ln |diag| of that, and the nats it has lost.

    log_det is ln |det J| for a square frame, where it is asked for, else 0.
    """

    rows: Float[Array, "k n"]
    logs: Float[Array, " k"]
    lost: Float[Array, " k"]
    log_det: Float[Array, ""]


Push = Callable[[LinearMaps, Array], Pushed]


def whole(maps: LinearMaps, rows: Float[Array, "k n"], entire: bool) -> Pushed:
    """By the step's own linear map; kept as rows, since XLA's products on CPUs are twice as fast that way round.

    Unless it is `entire`, the frame is pushed apart from the identity, so that a compiler may drop the determinant.
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
    """By way of a frame of C F, as in `column_scaled`."""
    J = _jacobian(maps, rows)
    scaled, half = column_scaled(J, rows.T)
    log_det = _log_det(J) if determinant else jnp.zeros((), rows.dtype)
    return Pushed(half.frame.T @ scaled.T, half.logs, half.lost, log_det)


def _jacobian(maps: LinearMaps, rows: Float[Array, "k n"]) -> Float[Array, "n n"]:
    return maps.push(jnp.eye(rows.shape[1], dtype=rows.dtype))


def _log_det(J: Float[Array, "n n"]) -> Float[Array, ""]:
    """ln |det J| from the pivots of its LU decomposition."""
    return jnp.sum(jnp.log(jnp.abs(jnp.diagonal(jax.lax.linalg.lu(J)[0]))))
