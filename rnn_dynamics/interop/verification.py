"""Run an imported net beside the original and refuse it if the outputs differ.

A live original starts from random states and takes a few steps with random inputs. Every gate, both biases and both
kernels then matter, and a chaotic net has no time to amplify rounding. Recorded outputs start from the zero state, and
only their first steps are compared, for the same reason.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ..cells.contract import Cell, Input, Params, State
from .imported import Imported, MismatchError, Verification

STEPS, BATCH = 5, 7
MOST_RECORDED = 20
# rounding of sums of n products, in units of eps
ROUNDING = 200

# the original: states (leading axis BATCH) and inputs (BATCH, STEPS, m) to outputs (BATCH, STEPS, n)
Run = Callable[[State, NDArray], NDArray]


def verified(cell: Cell, params: Params, source: str, run: Run, *, inputs: int, eps: float | None = None) -> Imported:
    """Compare with the live original on random states and inputs, and return the import.

    Args:
        cell: The cell of the import.
        params: Its parameters.
        source: What was read, in words.
        run: The original as a function of a batch of our states and inputs.
        inputs: The size of its input.
        eps: The precision that the original computes in. Default: that of the parameters.
    """
    # fixed inputs, so that an import ends the same way each time
    random = np.random.default_rng(0)
    zeros = cell.initial_state(params)
    states = jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=(BATCH, *leaf.shape)), leaf.dtype) / 2, zeros)
    xs = random.normal(size=(BATCH, STEPS, inputs)).astype(jax.tree.leaves(zeros)[0].dtype)
    ours = outputs_of(cell, params, states, xs)
    verification = compared("live", ours, np.asarray(run(states, xs)), source, eps)
    return Imported(cell, params, source, verification)


def compared_with_recorded(cell: Cell, params: Params, source: str, recorded: tuple[Any, Any] | None) -> Imported:
    """Compare with recorded inputs (T, m) and outputs (T, n), or batches of them; unverified if there are none."""
    if recorded is None:
        return Imported(cell, params, source, Verification("none"))
    xs, outputs = (np.asarray(array)[..., :MOST_RECORDED, :] for array in recorded)
    if xs.ndim == 2:
        xs, outputs = xs[None], outputs[None]
    zeros = cell.initial_state(params)
    states = jax.tree.map(lambda leaf: jnp.zeros((len(xs), *leaf.shape), leaf.dtype), zeros)
    ours = outputs_of(cell, params, states, xs.astype(jax.tree.leaves(zeros)[0].dtype))
    return Imported(cell, params, source, compared("recorded", ours, outputs, source, None))


@jax.jit(static_argnums=0)
def _outputs(cell: Cell, params: Params, states: State, xs: Input) -> Any:
    def advance(state: State, x: Input) -> tuple[State, Any]:
        state = cell.step(params, state, x)
        return state, cell.output(state)

    return jax.vmap(lambda state, xs: jax.lax.scan(advance, state, xs)[1])(states, xs)


def outputs_of(cell: Cell, params: Params, states: State, xs: NDArray) -> NDArray:
    """Return the outputs of our cell, (batch, T, n), from a batch of states and inputs."""
    return np.asarray(_outputs(cell, params, states, xs))


def compared(how: str, ours: NDArray, original: NDArray, source: str, eps: float | None) -> Verification:
    """Return the largest difference, or raise with both outputs if it is more than rounding."""
    if ours.shape != original.shape:
        raise MismatchError(
            f"{source}: the imported net's outputs have shape {ours.shape}, the original's {original.shape}, "
            "both as (batch, time, units)",
            ours,
            original,
        )
    eps = float(np.finfo(ours.dtype).eps) if eps is None else eps
    tolerance = ROUNDING * eps * max(1.0, float(np.abs(original).max()))
    difference = float(np.abs(ours.astype(np.float64) - original).max())
    if not difference <= tolerance:
        where = np.unravel_index(np.nanargmax(np.abs(ours - original)), ours.shape)
        raise MismatchError(
            f"{source}: the imported net differs from the original by {difference:.2g}, where rounding explains at "
            f"most {tolerance:.1g}; at (sequence, step, unit) = {tuple(map(int, where))} it gives "
            f"{ours[where]:.7g} and the original {original[where]:.7g}",
            ours,
            original,
        )
    return Verification(how, difference, tolerance)
