"""The orthogonal net, h_t = φ(W h_{t-1} + U x_t + b) with W = g exp(A - Aᵀ).

The exponential of a skew-symmetric matrix is orthogonal, so every singular value of W is g at the start and after
any number of unconstrained updates of A. Lezcano-Casado & Martínez-Rubio (2019), "Cheap orthogonal constraints in
neural networks"; theirs has modrelu, here φ is tanh unless another is asked for.
Initial weights: A - Aᵀ has plane-rotation blocks with angles U(-π, π) as in Henaff et al. (2016), U ~ N(0, 1/inputs),
b = 0. g is `gain`: a fixed scale and no weight, which gets no gradient.

The exponential costs some 20 n³ operations in each step. Over many steps compute it once, inside the loss if A is
trained: the cell's `prepare` is `as_affine`, and its step takes what that returns.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import argument
from . import check
from .activations import Activation
from .affine import Affine, Bias, constant, init_affine
from .contract import Cell, Input, State, memoised
from .elman import elman, make_elman
from .initializers import identity


class OrthogonalParams(NamedTuple):
    """A of the skew-symmetric A - Aᵀ, input weights, bias and the fixed scale g."""

    A: Float[Array, "hidden hidden"]
    U: Float[Array, "hidden inputs"]
    b: Float[Array, " hidden"] | None
    gain: Float[Array, ""]


def init(
    key: PRNGKeyArray, *, inputs: int, hidden: int, gain: Any = 1.0, bias: Bias = 0.0, dtype: Any = None
) -> OrthogonalParams:
    """Plane rotations by angles U(-π, π), U ~ N(0, 1/inputs), b = `bias` (None: no bias)."""
    key_A, key_U = jax.random.split(argument.key(key))
    dtype = argument.floating(dtype, narrow=False)
    rest = init_affine(key_U, inputs=inputs, hidden=hidden, recurrent=identity, bias=bias, dtype=dtype)
    n, dtype = rest.W.shape[0], rest.W.dtype
    angles = jax.random.uniform(key_A, (n // 2,), dtype, -math.pi, math.pi)
    even = 2 * jnp.arange(n // 2)
    A = jnp.zeros((n, n), dtype).at[even + 1, even].set(angles)
    return OrthogonalParams(A=A, U=rest.U, b=rest.b, gain=constant("gain", gain, (), dtype))


def as_affine(p: OrthogonalParams) -> Affine:
    """The same map with W = g exp(A - Aᵀ) written out."""
    W = jax.lax.stop_gradient(p.gain) * jax.scipy.linalg.expm(p.A - p.A.T)
    return Affine(W=W, U=p.U, b=p.b)


@memoised
def make_orthogonal(activation: str | Activation = "tanh") -> Cell:
    """The orthogonal cell with φ by name or as a function."""
    plain = make_elman(activation)

    @check.checked
    def raw(p: OrthogonalParams, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> State:
        return plain.step(as_affine(p), h, x)

    def step(p: OrthogonalParams | Affine, h: State, x: Input) -> State:
        return plain.step(p, h, x) if isinstance(p, Affine) else raw(p, h, x)

    return Cell(init, initial_state, step, prepare=as_affine)


def initial_state(p: OrthogonalParams | Affine) -> Float[Array, " hidden"]:
    """Zeros, in the precision of the parameters."""
    return elman.initial_state(p) if isinstance(p, Affine) else zeros(p)


@check.checked
def zeros(p: OrthogonalParams) -> Float[Array, " hidden"]:
    """Zeros, for parameters that are not prepared."""
    return jnp.zeros_like(p.A[:, 0])


orthogonal = make_orthogonal()
