"""What is said of each exact cycle: true period, multipliers, stability, regions; in order, in the dtype of the net."""

import jax
import jax.numpy as jnp
import numpy as np

from ..eigen_analysis import eigen_analysis
from .exact_result import ExactCycles
from .piecewise_linear import Net, PiecewiseLinear, used_kinks
from .region_points import Solutions, matrices


def described(net: PiecewiseLinear, host: Net, found: Solutions, complete: bool, examined: int) -> ExactCycles:
    """Return the result of `exact_cycles` for distinct solutions."""
    found = _from_the_lowest(found._replace(points=host.unit * found.points))
    dtype = net.A.dtype
    error = 2 * host.unit * found.error
    periods = [_true_period(*each) for each in zip(found.points, error, strict=True)]
    multipliers, error = _multipliers(host, found, periods, float(jnp.finfo(dtype).eps))
    size, on_kink = np.abs(multipliers), found.on_kink()
    near = np.argmin(np.abs(size - 1), axis=1)[:, None]
    order = np.lexsort((found.points[:, 0, 0], size[:, 0], np.array(periods)))
    points = found.points.astype(dtype) + 0  # no -0
    fields = {
        "points": points,
        "period": np.array(periods, int),
        "residual": _residual(net, points).astype(dtype),
        "multipliers": multipliers.astype(np.result_type(dtype, np.complex64)),
        "stable": (size + error < 1).all(axis=1) & ~on_kink,
        "undecided": (np.abs(size - 1) <= error).any(axis=1) | on_kink,
        "unstable": (size - error > 1).sum(axis=1),
        "margin": (1 - size[:, 0]).astype(dtype),
        "margin_error": np.take_along_axis(error, near, 1)[:, 0].astype(dtype),
        "regions": _all_regions(net, found),
        "on_kink": on_kink,
        "dimension": found.dimension,
    }
    arrays = {name: jax.device_put(field[order]) for name, field in fields.items()}
    return ExactCycles(**arrays, complete=complete, examined=examined)


def _from_the_lowest(found: Solutions) -> Solutions:
    """Rotate each cycle so that the state with the lowest first unit comes first."""
    p = found.points.shape[1]
    turned = (np.argmin(found.points[:, :, 0], axis=1)[:, None] + np.arange(p)) % p
    points, regions, distance, reach = (np.take_along_axis(part, turned[..., None], 1) for part in found[:4])
    return found._replace(points=points, regions=regions, distance=distance, reach=reach)


def _true_period(points: np.ndarray, error: float) -> int:
    """Return the smallest number of steps after which all points are the same."""
    p = len(points)
    shifts = (q for q in range(1, p) if p % q == 0 and np.abs(np.roll(points, q, axis=0) - points).max() <= error)
    return next(shifts, p)


def _multipliers(host: Net, found: Solutions, periods: list[int], eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues of M_{q-1} ··· M_0 over each true period q, and how far rounding can have moved them."""
    n = len(host.c)
    products, changes = np.zeros((2, len(periods), n, n))
    for i, period in enumerate(periods):
        product, size = np.eye(n), np.eye(n)
        for M in matrices(host, found.regions[i, :period]):
            product, size = M @ product, np.abs(M) @ size
        products[i], changes[i] = product, period * eps * size
    with np.errstate(over="ignore", invalid="ignore"):  # where there is no full set of eigenvectors
        analysis = eigen_analysis(products, changes, eps)
    return analysis.eigenvalues, analysis.error


def _residual(net: PiecewiseLinear, points: np.ndarray) -> np.ndarray:
    """Return the largest component of step(h_i) - h_(i+1) of each cycle, of the points as they are returned."""
    A, V, C, d, c = (np.asarray(part, np.float64) for part in net)
    h = points.astype(np.float64)
    after = h @ A.T + np.maximum(h @ C.T + d, 0) @ V.T + c
    return np.abs(after - np.roll(h, -1, axis=1)).max(axis=(1, 2), initial=0)


def _all_regions(net: PiecewiseLinear, found: Solutions) -> np.ndarray:
    """Return which kinks are on, idle ones included."""
    regions = found.points @ np.asarray(net.C, np.float64).T + np.asarray(net.d, np.float64) > 0
    regions[..., used_kinks(net)] = found.regions
    return regions
