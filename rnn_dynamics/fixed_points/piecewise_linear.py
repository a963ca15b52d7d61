"""All fixed points and cycles of a piecewise-linear net, exactly: one linear map in each region."""

from typing import NamedTuple

from jaxtyping import Array, Float

from .cycles_result import Cycles


class PiecewiseLinear(NamedTuple):
    """A net that is linear in each region: h' = A h + V relu(C h + d) + c. Its m kinks are the rows of C h + d = 0.

    Attributes:
        A: The linear part, (n, n).
        V: The weights of the kinked part, (n, m).
        C: The normals of the kinks, (m, n).
        d: Their offsets, (m,).
        c: The constant, (n,).
    """

    A: Float[Array, "n n"]
    V: Float[Array, "n m"]
    C: Float[Array, "m n"]
    d: Float[Array, " m"]
    c: Float[Array, " n"]


def exact_cycles(net: PiecewiseLinear, period: int) -> Cycles:
    """Find all fixed points (period 1) or cycles of a piecewise-linear net."""
    raise NotImplementedError
