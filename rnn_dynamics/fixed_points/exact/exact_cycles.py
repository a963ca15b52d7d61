"""All fixed points and cycles of a piecewise-linear net, exactly: one linear map in each region."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ... import argument
from .exact_description import described
from .exact_result import ExactCycles
from .piecewise_linear import PiecewiseLinear, checked, on_the_host
from .region_points import distinct, solutions
from .region_search import searched
from .region_tree import possible_regions


def exact_cycles(
    net: PiecewiseLinear, period: int, *, limit: int = 100_000, key: Array | None = None, starts: int = 1000
) -> ExactCycles:
    """Find all cycles of a piecewise-linear net whose period divides `period`.

    In the region with kinks D on, D diagonal with ones and zeros, the net is linear, and so are p steps:

        h' = (A + V D C) h + V D d + c,        h_p = h_0  where  (I - M_{p-1} ··· M_0) h_0 = b,   M_i = A + V D_i C

    A sequence of regions holds a cycle if the solution h_0 .. h_(p-1) lies in them. There are (2^m)^p sequences.
    Whole sets of them are excluded at once: those for which linear inequalities that any cycle in the set must satisfy
    have no solution (branch and bound). The few that are left are solved. So "all" is a statement about all sequences,
    except that cycles with states above 1e8 times the offsets of the net may be missed.

    For all cycles up to a period, call it with each period; `found.period == period` selects those that are new.

    Args:
        net: A `PiecewiseLinear`, whose constant input is part of c or d.
        period: p, at least 1; cycles with a period that divides it are found as well.
        limit: How many sets of sequences are examined at most, at 20 to 200 µs each. Default: 100 000.
        key: A JAX random key: above `limit`, search instead from random sequences, as SCYFI does; then `complete` is
            False. Default: raise an error.
        starts: The number of random sequences that a search starts from. Default: 1000.

    Returns:
        An `ExactCycles`: points, true periods, Floquet multipliers, stability, regions, and `complete`.

    Cost:
        Host only, nothing is compiled. How many sets are examined depends on the net. Of random relu nets, on one core:
        100 sets and 10 ms for period 3 of 6 units (2^18 sequences) and for fixed points of 20 units, 1000 to 10 000
        sets and up to 4 s for period 6 of 6 units and for fixed points of 40 units. A set takes some pivots of
        O((m p)²). Memory: tens of MB. A search takes O(starts · p n³) per iteration.

    Example:
        >>> tent = rd.fixed_points.PiecewiseLinear(*(jnp.full(s, v) for s, v in [((1, 1), 2.0), ((1, 1), -4.0),
        ...     ((1, 1), 1.0), ((1,), -0.5), ((1,), 0.0)]))  # h' = 2 h - 4 relu(h - 1/2)
        >>> found = rd.fixed_points.exact_cycles(tent, 2)
        >>> found
        ExactCycles(n=1): 2 of period 1, 1 of period 2; these are all
        >>> [round(float(h), 3) for h in found.points[2, :, 0]], found.multipliers.real.ravel().tolist()
        ([0.4, 0.8], [2.0, -2.0, -4.0])

    References:
        Eisenmann, Monfared, Göring & Durstewitz (2023), Bifurcations and loss jumps in RNN training, arXiv:2310.17561,
        for SCYFI.
    """
    net, period = checked(net), argument.size("period", period, 1)
    limit, starts = argument.size("limit", limit, 0), argument.size("starts", starts, 1)
    host, eps = on_the_host(net, period), float(jnp.finfo(net.A.dtype).eps)
    tree = possible_regions(host, period, limit)
    regions, examined = tree.regions, tree.nodes
    if not tree.complete:
        if key is None:
            raise ValueError(
                f"limit: got {limit!r}, but more sets of the 2^{period * len(host.d)} sequences of regions would have "
                "to be examined; expected a higher limit, or a key to search without a claim that all are found"
            )
        seed = np.asarray(jax.random.key_data(argument.key(key))).ravel().tolist()
        more, visited = searched(host, period, starts, seed)
        regions, examined = np.concatenate([regions, more]), examined + visited
    found = distinct(solutions(host, regions, eps))
    return described(net, host, found, tree.complete, examined)
