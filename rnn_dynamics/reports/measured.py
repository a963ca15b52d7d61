"""What a report measures beyond the diagnosis: the spectrum, the eigenvalues of each block, where it rests."""

from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from ..cells.contract import Input, Params, State, Step
from ..diagnosis.result import Diagnosis
from ..interop.imported import Verification
from ..machinery.state_vector import blocks
from ..measure import LyapunovSpectrum, lyapunov_spectrum, step_jacobian, unroll
from .network import Network
from .where_it_rests import where_it_rests

# as many exponents as a figure can show, and few enough to take seconds
MOST_EXPONENTS = 48
# the Jacobian of a larger state would fill the memory for one figure
LARGEST_JACOBIAN = 4096


def network_of(
    name: str,
    problem: tuple[Step, Params, State, Input],
    diagnosis: Diagnosis,
    *,
    source: str,
    verification: Verification | None,
) -> Network:
    """Return a network with all that a report shows of it.

    Args:
        name: Its name in the report.
        problem: The step, parameters, initial state, and inputs of one sequence with leading axis T.
        diagnosis: The result of `rd.diagnose` for this network.
        source: What it was read from.
        verification: How it was compared with the original, if it was imported.
    """
    if diagnosis.evidence.first_non_finite:  # a trajectory that ends in NaN has neither
        return Network(name, source, verification, diagnosis, None, {})
    held = spectrum(*problem), eigenvalues(*problem), where_it_rests(*problem)
    return Network(name, source, verification, diagnosis, *held)


def spectrum(step: Step, params: Params, h0: State, xs: Input) -> LyapunovSpectrum | None:
    """Return the largest exponents of one sequence; a fifth of it turns the frame and is not measured."""
    steps = len(jax.tree.leaves(xs)[0])
    n = sum(at.stop - at.start for at in blocks(h0).values())
    if steps < 3:
        return None
    return lyapunov_spectrum(step, params, h0, xs, k=min(n, MOST_EXPONENTS), frame_burn_in=steps // 5)


def eigenvalues(step: Step, params: Params, h0: State, xs: Input) -> dict[str, NDArray]:
    """Return the eigenvalues of ∂s'/∂s at the last step of a sequence, for each part s of the state."""
    places = blocks(h0)
    if max(at.stop for at in places.values()) > LARGEST_JACOBIAN:
        return {}
    before, last = jax.tree.map(lambda leaf: leaf[:-1], xs), jax.tree.map(lambda leaf: leaf[-1], xs)
    states = unroll(step, params, h0, before)
    J = np.asarray(step_jacobian(step, params, jax.tree.map(lambda leaf: leaf[-1], states), last), np.float64)
    return {_partial(name): _eigenvalues(J[at, at]) for name, at in places.items()}


def _partial(path: str) -> str:
    """Return the name of a diagonal block, such as "∂c'/∂c", or "∂c'/∂c of layer 2" for "1.c"."""
    layer, _, part = path.rpartition(".")
    part = "h" if part == "state" else part
    if part.isdigit() and not layer:
        layer, part = part, "h"
    # counted from 1, as in the diagnosis
    of_layer = f"layer {int(layer) + 1}" if layer.isdigit() else layer
    return f"∂{part}'/∂{part}" + (f" of {of_layer}" if layer else "")


def _eigenvalues(block: Any) -> NDArray:
    """Return the eigenvalues of a block; NaN if it is not finite."""
    if not np.isfinite(block).all():
        return np.full(len(block), np.nan)
    return np.linalg.eigvals(block)
