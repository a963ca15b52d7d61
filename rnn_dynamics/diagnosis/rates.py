"""Growth per step: Lyapunov exponents, and the eigenvalues of the recurrent matrices."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ..cells.contract import Params, State
from ..machinery.lapack_threads import on_one_thread
from ..measure import eigen, lyapunov_spectrum
from ..measure.reliability import reasons
from .flows import state_size
from .parts import layered, part_names
from .problem import Problem

MOST_EXPONENTS = 16
LARGEST_MATRIX = 2048
# the matrix that stands in a gated cell where the only one stands in a simple one
CANDIDATES = ("candidate.W", "cell.W")


class Exponents(NamedTuple):
    """The largest exponents, in nats per step: the mean over the sequences, with its standard error.

    `doubts` is a sum of `rd.Doubt` about the largest, and `exploding` how many are above 0.
    """

    exponents: NDArray
    stderr: NDArray
    doubts: int
    exploding: int


def exponents(problem: Problem) -> Exponents:
    """Measure up to 16 exponents of each sequence; its first fifth only turns the frame to its directions."""
    k = min(state_size(problem), MOST_EXPONENTS)
    spectra = [
        lyapunov_spectrum(
            problem.step,
            problem.params,
            problem.h0,
            problem.sequence(which),
            k=k,
            frame_burn_in=problem.steps // 5,
            windows=1,
        )
        for which in range(problem.sequences)
    ]
    each = np.stack([np.asarray(spectrum.exponents, np.float64) for spectrum in spectra])
    errors = np.stack([np.asarray(spectrum.stderr, np.float64) for spectrum in spectra])
    mean = each.mean(axis=0)
    stderr = np.sqrt(np.sum(errors**2, axis=0)) / len(each)
    if len(each) > 1:
        with np.errstate(invalid="ignore"):
            stderr = np.fmax(stderr, each.std(axis=0, ddof=1) / math.sqrt(len(each)))
    doubts = int(np.bitwise_or.reduce([int(np.asarray(spectrum.doubts)[0]) for spectrum in spectra]))
    margin = np.fmax(2 * np.nan_to_num(stderr, nan=0.0, posinf=0.0), 1 / problem.steps)
    return Exponents(mean, stderr, doubts, int(np.sum(mean > margin)))


def doubt_of(found: Exponents) -> str:
    """Return the doubts about the largest exponent in words."""
    words = str(reasons(found.doubts))
    return f"the largest exponent: {words}" if words else ""


def spectral_radii(params: Params, h0: State) -> dict[str, float]:
    """Return ρ of each matrix of the parameters that is as large as a part of the state, by its path."""
    sizes = {place.stop - place.start for place in part_names(h0).values()}
    found = {}
    on_one_thread()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        shape, name = np.shape(leaf), jax.tree_util.keystr(path, simple=True, separator=".")
        dtype = jnp.result_type(leaf)
        real = jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits >= 32
        square = real and len(shape) == 2 and shape[0] == shape[1] and shape[0] in sizes and shape[0] <= LARGEST_MATRIX
        if square and name.rpartition(".")[2] not in ("U", "b"):
            found[layered(name) or "W"] = float(eigen.spectral_radius(leaf))
    return found


def eigenvalue_rate(radii: dict[str, float]) -> float | None:
    """Return ln ρ of the matrix that the rule ρ^lag would use: a candidate's, else any; the largest of a stack."""
    chosen = [rho for name, rho in radii.items() if name.rpartition(" ")[2].endswith(CANDIDATES)] or [*radii.values()]
    if not chosen:
        return None
    return math.log(max(chosen)) if max(chosen) > 0 else -math.inf
