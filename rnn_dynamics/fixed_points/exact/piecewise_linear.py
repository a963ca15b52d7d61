"""Piecewise-linear nets: one matrix and one constant in each region."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class PiecewiseLinear(NamedTuple):
    """A net that is linear in each region: the parameters of `piecewise_linear_step`.

        h' = A h + V relu(C h + d) + c

    Its m kinks are the hyperplanes where a row of C h + d is 0. Many nets are of this form:

        relu net         h' = relu(W h + b)              A = 0, V = I, C = W, d = b, c = 0
        leaky relu net   h' = leaky(W h + b), slope a    A = a W, V = (1 - a) I, C = W, d = b, c = a b
        PLRNN            h' = A h + W relu(h) + c        A diagonal, V = W, C = I, d = 0
        shallow PLRNN    h' = A h + W₁ relu(W₂ h + b₂) + b₁

    A constant input belongs in d or c. `piecewise_linear_of` finds the form of a step.

    Attributes:
        A: The linear part, (n, n).
        V: The weights of the kinked part, (n, m).
        C: The normals of the kinks, (m, n).
        d: Their offsets, (m,).
        c: The constant, (n,).

    Example:
        >>> W, b = 2 * jnp.eye(2), -jnp.ones(2)
        >>> net = rd.fixed_points.PiecewiseLinear(jnp.zeros((2, 2)), jnp.eye(2), W, b, jnp.zeros(2))
        >>> len(rd.fixed_points.exact_cycles(net, 1).points)  # each unit rests at 0 or at 1
        4

    References:
        Durstewitz (2017), PLoS Computational Biology 13, e1005542, for the PLRNN.
        Hess, Monfared, Brenner & Durstewitz (2023), arXiv:2306.04406, for the shallow PLRNN.
    """

    A: Float[Array, "n n"]
    V: Float[Array, "n m"]
    C: Float[Array, "m n"]
    d: Float[Array, " m"]
    c: Float[Array, " n"]


def piecewise_linear_step(
    net: PiecewiseLinear, h: Float[Array, " n"], x: Float[Array, " n"] | None
) -> Float[Array, " n"]:
    """Compute one step of a piecewise-linear net, so that every measurement runs on it.

        h' = A h + V relu(C h + d) + c + x

    Args:
        net: A `PiecewiseLinear`.
        h: The state, (n,).
        x: What is added to c, (n,), or None for nothing.

    Returns:
        h', (n,).

    Cost:
        O(n² + n m).

    Example:
        >>> tent = rd.fixed_points.PiecewiseLinear(*(jnp.full(s, v) for s, v in [((1, 1), 2), ((1, 1), -4), ((1, 1), 1),
        ...     ((1,), -0.5), ((1,), 0)]))  # h' = 2 h - 4 relu(h - 1/2)
        >>> float(rd.fixed_points.piecewise_linear_step(tent, jnp.array([0.75]), None)[0])
        0.5
    """
    z = net.C @ h + net.d
    h = net.A @ h + net.V @ jnp.where(z <= 0, 0, z) + net.c
    return h if x is None else h + x


# the largest number of float64, with room for sums
LARGEST = 1e300


class Net(NamedTuple):
    """A `PiecewiseLinear` in float64 on the host, without idle kinks, in units in which its numbers are near 1.

    The units are powers of two, which changes no digit: `unit` for the state, so that all offsets are at most about 1,
    and one for each kink, so that |(C_j, d_j)| is near 1. Matrices A + V D C are as before.
    """

    A: np.ndarray
    V: np.ndarray
    C: np.ndarray
    d: np.ndarray
    c: np.ndarray
    unit: float


def on_the_host(net: PiecewiseLinear, period: int) -> Net:
    """Return the net for `exact_cycles`: a kink that nothing moves, or that moves nothing, is no kink."""
    with np.errstate(over="ignore", invalid="ignore"):
        host = _in_its_units(net)
        weights = (np.abs(host.A) + np.abs(host.V) @ np.abs(host.C)).sum(axis=1).max()
    finite = all(np.isfinite(part).all() for part in host)
    if not (finite and weights < LARGEST ** (1 / period)):
        largest = max(np.abs(np.asarray(part, np.float64)).max(initial=0) for part in net)
        raise ValueError(
            f"net: got numbers of up to {largest:.3g}, with which {period} steps overflow; expected smaller ones"
        )
    return host


def _in_its_units(net: PiecewiseLinear) -> Net:
    A, V, C, d, c = (np.asarray(part, np.float64) for part in net)
    c, used = c + V @ np.where((C == 0).all(axis=1), np.maximum(d, 0), 0), used_kinks(net)
    V, C, d = V[:, used], C[used], d[used]
    normals = np.linalg.norm(C, axis=1)
    offset = max(np.abs(d / normals).max(initial=0), np.abs(c).max())
    unit = float(np.exp2(np.round(np.log2(offset)))) if offset > 0 else 1.0
    size = np.exp2(np.round(np.log2(np.hypot(normals * unit, d))))
    return Net(A, V * size / unit, C * unit / size[:, None], d / size, c / unit, unit)


def used_kinks(net: PiecewiseLinear) -> np.ndarray:
    """Return which kinks the state moves and the state feels, (m,)."""
    return (np.asarray(net.C) != 0).any(axis=1) & (np.asarray(net.V) != 0).any(axis=0)


def checked(net: PiecewiseLinear) -> PiecewiseLinear:
    """Refuse a net with an array that is missing, of the wrong shape, not real or not finite, by its name."""
    if not isinstance(net, PiecewiseLinear):
        raise TypeError(
            f"net: got {type(net).__name__}, expected a PiecewiseLinear(A, V, C, d, c); piecewise_linear_of(step, "
            "params, state, x) makes one of a step"
        )
    for name, part in net._asdict().items():
        if isinstance(part, jax.core.Tracer):
            raise TypeError(
                f"net.{name}: got an array that is being traced by jit, vmap or grad, expected a concrete one, since "
                "the number of cycles depends on its values; call it outside"
            )
        if not isinstance(part, jax.Array | np.ndarray) or not jnp.issubdtype(part.dtype, jnp.floating):
            got = getattr(part, "dtype", type(part).__name__)
            raise TypeError(f"net.{name}: got {got}, expected an array of real floating numbers")
        if not np.isfinite(np.asarray(part, np.float64)).all():
            raise ValueError(f"net.{name}: got numbers that are not finite, expected finite ones")
    n, m = len(np.atleast_1d(net.c)), len(np.atleast_1d(net.d))
    for name, shape, words in (
        ("c", (n,), "(n,)"),
        ("d", (m,), "(m,)"),
        ("A", (n, n), "(n, n)"),
        ("V", (n, m), "(n, m)"),
        ("C", (m, n), "(m, n)"),
    ):
        if np.shape(getattr(net, name)) != shape:
            raise ValueError(
                f"net.{name}: got shape {np.shape(getattr(net, name))}, expected {words} = {shape}: n is the length of "
                "c, m that of d"
            )
    if not n:
        raise ValueError("net.c: got no number, expected at least one unit")
    return net
