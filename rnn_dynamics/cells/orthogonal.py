"""The orthogonal net, whose recurrent matrix is a scaled orthogonal matrix throughout training.

    h_t = φ(W h_{t-1} + U x_t + b),    W = g exp(A - Aᵀ)        default φ = tanh

The exponential of a skew-symmetric matrix is orthogonal, so every singular value of W is g at the start and after any
number of unconstrained updates of A. Lezcano-Casado & Martínez-Rubio (2019), "Cheap orthogonal constraints in neural
networks"; they use modrelu for φ.

Parameters (`OrthogonalParams`): A (hidden, hidden), U (hidden, inputs), b (hidden,) or None, g a scalar.
State: h (hidden,).
Initial weights: A - Aᵀ has plane-rotation blocks with angles U(-π, π) as in Henaff et al. (2016), U ~ N(0, 1/inputs),
b = 0. g is `gain`, a fixed scale that gets no gradient.

The exponential costs about 20 n³ operations in each step. Over many steps compute it once, inside the loss if A is
trained: the cell's `prepare` is `as_affine`, and its `step` also takes the prepared parameters.
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
    """Parameters of an orthogonal net.

        h_t = φ(W h_{t-1} + U x_t + b),    W = g exp(A - Aᵀ)

    Attributes:
        A: Any matrix, shape (hidden, hidden); only A - Aᵀ counts.
        U: Input weights, shape (hidden, inputs).
        b: Bias, shape (hidden,), or None for no bias.
        gain: g, a scalar: every singular value of W. A fixed scale that gets no gradient.

    References:
        Lezcano-Casado & Martínez-Rubio (2019), "Cheap orthogonal constraints in neural networks".
    """

    A: Float[Array, "hidden hidden"]
    U: Float[Array, "hidden inputs"]
    b: Float[Array, " hidden"] | None
    gain: Float[Array, ""]


def init(
    key: PRNGKeyArray, *, inputs: int, hidden: int, gain: Any = 1.0, bias: Bias = 0.0, dtype: Any = None
) -> OrthogonalParams:
    """Draw plane rotations by angles U(-π, π) for exp(A - Aᵀ) and U ~ N(0, 1/inputs); set b.

    Args:
        key: A JAX random key.
        inputs: The size of the input, 0 or more.
        hidden: The number of units, 1 or more.
        gain: g, the singular value of W. Default: 1. It may be traced.
        bias: b, a scalar or an array of shape (hidden,), which may be traced; None for no bias. Default: 0.
        dtype: float32 or float64. Default: JAX's default.

    Returns:
        An `OrthogonalParams`.
    """
    key_A, key_U = jax.random.split(argument.key(key))
    dtype = argument.floating(dtype, narrow=False)
    rest = init_affine(key_U, inputs=inputs, hidden=hidden, recurrent=identity, bias=bias, dtype=dtype)
    n, dtype = rest.W.shape[0], rest.W.dtype
    angles = jax.random.uniform(key_A, (n // 2,), dtype, -math.pi, math.pi)
    even = 2 * jnp.arange(n // 2)
    A = jnp.zeros((n, n), dtype).at[even + 1, even].set(angles)
    return OrthogonalParams(A=A, U=rest.U, b=rest.b, gain=constant("gain", gain, (), dtype))


def as_affine(p: OrthogonalParams) -> Affine:
    """Compute the recurrent matrix of an orthogonal net and return the parameters of the same map with W explicit.

        W = g exp(A - Aᵀ)

    It is the cell's `prepare`: call it once before many steps, inside the loss if A is trained.

    Args:
        p: The parameters of an `orthogonal` cell.

    Returns:
        An `Affine`, which the cell's `step` and `initial_state` also take. No gradient reaches g.

    Cost:
        About 20 hidden³ operations.

    Example:
        >>> params = rd.cells.orthogonal.init(key, inputs=1, hidden=4, gain=2.0)
        >>> W = rd.cells.as_affine(params).W
        >>> bool(jnp.allclose(W.T @ W, 4 * jnp.eye(4), atol=1e-4))
        True

    References:
        Lezcano-Casado & Martínez-Rubio (2019), "Cheap orthogonal constraints in neural networks".
    """
    W = jax.lax.stop_gradient(p.gain) * jax.scipy.linalg.expm(p.A - p.A.T)
    return Affine(W=W, U=p.U, b=p.b)


@memoised
def make_orthogonal(activation: str | Activation = "tanh") -> Cell:
    """Make an orthogonal cell with a given activation.

        h_t = φ(W h_{t-1} + U x_t + b),    W = g exp(A - Aᵀ)

    `rd.cells.orthogonal` is the cell with the default. Equal arguments give the same object.

    Args:
        activation: φ, as a name ("tanh", "logistic", "relu", "softplus", "erf", "identity") or an elementwise function.

    Returns:
        A `Cell`. Its parameters are an `OrthogonalParams`, or an `Affine` once prepared; its state is h (hidden,).

    Cost:
        About 20 hidden³ operations per step; O(hidden² + hidden inputs) with the parameters that `prepare` returns.

    Example:
        >>> cell = rd.cells.make_orthogonal("identity")
        >>> params = cell.init(key, inputs=1, hidden=4)
        >>> h = cell.step(cell.prepare(params), jnp.ones(4), None)
        >>> round(float(jnp.linalg.norm(h)), 3)  # ‖W h‖ = ‖h‖
        2.0

    References:
        Lezcano-Casado & Martínez-Rubio (2019), "Cheap orthogonal constraints in neural networks".
        Henaff et al. (2016), for the initial rotations.
    """
    plain = make_elman(activation)

    @check.checked
    def raw(p: OrthogonalParams, h: Float[Array, " hidden"], x: Float[Array, " inputs"] | None) -> State:
        return plain.step(as_affine(p), h, x)

    def step(p: OrthogonalParams | Affine, h: State, x: Input) -> State:
        """Compute h_t = φ(W h_{t-1} + U x_t + b) with W = g exp(A - Aᵀ), or with W as given by prepared parameters."""
        return plain.step(p, h, x) if isinstance(p, Affine) else raw(p, h, x)

    return Cell(init, initial_state, step, prepare=as_affine)


def initial_state(p: OrthogonalParams | Affine) -> Float[Array, " hidden"]:
    """Return zeros in the precision of the parameters, prepared or not."""
    return elman.initial_state(p) if isinstance(p, Affine) else zeros(p)


@check.checked
def zeros(p: OrthogonalParams) -> Float[Array, " hidden"]:
    """Return zeros for parameters that are not prepared."""
    return jnp.zeros_like(p.A[:, 0])


orthogonal = make_orthogonal()
