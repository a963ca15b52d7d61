"""Run an imported net beside the original and refuse it if the outputs differ.

A live original starts from random states and takes a few steps with random inputs: every gate, both biases and both
kernels then matter, and a chaotic net has little time to amplify rounding. Recorded outputs start from the zero state,
and only their first steps are compared, for the same reason.

How much rounding explains at each step is measured: our net runs once more with parameters, states and inputs that are
moved by a rounding error each.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from ..cells.contract import Cell, Input, Params, State
from .arrays import as_numpy, precision
from .imported import Imported, MismatchError, Verification, unverified

STEPS, BATCH = 4, 7
LEAST_RECORDED, MOST_RECORDED = 3, 20
# rounding of sums of n products, in units of eps; 16-bit nets add up in 32 bits
ROUNDING, ROUNDING_OF_16_BITS = 200, 8
CAUSES = {
    "live": "It computes something else than a plain layer with its weights; both outputs are in the error's fields "
    "ours and original",
    "recorded": "The arrays mean something else than their names say, or were not those of the recording, which must "
    "start from the state zero, without dropout; both outputs are in the error's fields ours and original",
}
# outputs smaller than this count as this large
SMALLEST_SCALE = 0.01

# the original: states (leading axis BATCH) and inputs (BATCH, STEPS, m) to outputs (BATCH, STEPS, n)
Run = Callable[[State, NDArray], NDArray]

_SKIPPED = ContextVar("skipped", default=False)


@contextmanager
def without_verification() -> Iterator[None]:
    """Import live nets without running them: for weights of a net that was verified before and has trained since."""
    token = _SKIPPED.set(True)
    try:
        yield
    finally:
        _SKIPPED.reset(token)


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
    if _SKIPPED.get():
        return unverified(cell, params, source)
    # fixed inputs, so that an import ends the same way each time
    random = np.random.default_rng(0)
    zeros = jax.eval_shape(cell.initial_state, params)
    states = jax.tree.map(lambda leaf: (random.normal(size=(BATCH, *leaf.shape)) / 2).astype(leaf.dtype), zeros)
    xs = random.normal(size=(BATCH, STEPS, inputs)).astype(jax.tree.leaves(zeros)[0].dtype)
    ours = outputs_of(cell, params, states, xs, eps=eps)
    return Imported(cell, params, source, compared("live", ours, np.asarray(run(states, xs)), source))


def compared_with_recorded(
    cell: Cell, params: Params, source: str, recorded: tuple[Any, Any] | None, *, eps: float | None = None
) -> Imported:
    """Compare with recorded inputs (T, m) and outputs (T, n), or batches of them; unverified if there are none.

    `eps` is the precision that the original computed in; that of the parameters or of the outputs is taken if coarser.
    """
    if recorded is None:
        return Imported(cell, params, source, Verification("none"))
    inputs, outputs = recorded_arrays(recorded)
    zeros = jax.eval_shape(cell.initial_state, params)
    states = jax.tree.map(lambda leaf: np.zeros((len(inputs), *leaf.shape), leaf.dtype), zeros)
    eps = max(eps or 0.0, precision(outputs))
    xs = inputs[:, :MOST_RECORDED].astype(jax.tree.leaves(zeros)[0].dtype)
    ours = outputs_of(cell, params, states, xs, eps=eps)
    return Imported(cell, params, source, compared("recorded", ours, outputs[:, :MOST_RECORDED], source))


def recorded_arrays(recorded: tuple[Any, Any]) -> tuple[NDArray, NDArray]:
    """Return recorded inputs (B, T, m) and outputs (B, T, n), checked, of all steps."""
    if not isinstance(recorded, tuple | list) or len(recorded) != 2:
        raise TypeError(f"recorded: got {type(recorded).__name__}, expected a pair, the inputs and the outputs")
    inputs, outputs = map(as_numpy, recorded)
    if inputs.ndim == 2:
        inputs, outputs = inputs[None], outputs[None]
    if inputs.ndim != 3 or outputs.ndim != 3 or inputs.shape[:2] != outputs.shape[:2]:
        raise ValueError(
            f"recorded: got inputs of shape {inputs.shape} and outputs of shape {outputs.shape}, expected (T, m) and "
            "(T, n), or (B, T, m) and (B, T, n), batch first"
        )
    if inputs.shape[1] < LEAST_RECORDED or not inputs.any():
        raise ValueError(
            f"recorded: got {inputs.shape[1]} steps" + ("" if inputs.any() else " of zeros") + f", expected at least "
            f"{LEAST_RECORDED} steps with inputs that are not all 0; nothing else shows all weights"
        )
    if not np.isfinite(inputs).all() or not np.isfinite(outputs).all():
        raise ValueError("recorded: got values that are not finite")
    return inputs, outputs


class Outputs(NamedTuple):
    """Our outputs, (batch, T, n), and at each step the difference that rounding explains, (T,)."""

    values: NDArray
    tolerance: NDArray


@jax.jit(static_argnums=0)
def _outputs(cell: Cell, params: Params, states: State, xs: Input) -> Any:
    def advance(state: State, x: Input) -> tuple[State, Any]:
        state = cell.step(params, state, x)
        return state, cell.output(state)

    return jax.vmap(lambda state, xs: jax.lax.scan(advance, state, xs)[1])(states, xs)


def outputs_of(cell: Cell, params: Params, states: State, xs: NDArray, *, eps: float | None = None) -> Outputs:
    """Run our cell from a batch of states and inputs, and measure how far rounding errors carry it."""
    values = np.asarray(_outputs(cell, params, states, xs))
    eps = max(eps or 0.0, precision(values))
    rounding = ROUNDING if eps < 1e-5 else ROUNDING_OF_16_BITS
    random = np.random.default_rng(1)

    def moved(leaf: NDArray) -> NDArray:
        return (leaf * (1 + 2 * eps * random.choice([-1, 1], leaf.shape))).astype(leaf.dtype)

    shifted = np.asarray(_outputs(cell, *jax.tree.map(moved, jax.tree.map(np.asarray, (params, states, xs)))))
    scale = np.maximum(np.abs(values).max(axis=(0, 2)), SMALLEST_SCALE)
    return Outputs(values, rounding * eps * scale + rounding / 10 * np.abs(shifted - values).max(axis=(0, 2)))


def compared(how: str, ours: Outputs, original: NDArray, source: str) -> Verification:
    """Return the largest difference, or raise with both outputs if it is more than rounding."""
    values = ours.values
    if values.shape != original.shape:
        raise MismatchError(
            f"{source}: the imported net's outputs have shape {values.shape}, the original's {original.shape}, "
            "both as (batch, time, units)",
            values,
            original,
        )
    difference = np.abs(values.astype(np.float64) - original.astype(np.float64))
    excess = difference / ours.tolerance[:, None]
    where = np.unravel_index(np.argmax(np.where(np.isnan(excess), np.inf, excess)), excess.shape)
    tolerance = float(ours.tolerance[where[1]])
    if not excess[where] <= 1:
        raise MismatchError(
            f"{source}: the imported net differs from the original by {difference[where]:.2g}, where rounding explains "
            f"at most {tolerance:.1g}; at (sequence, step, unit) = {tuple(map(int, where))} it gives "
            f"{values[where]:.7g} and the original {original[where]:.7g}. {CAUSES[how]}",
            values,
            original,
        )
    return Verification(how, float(difference.max()), tolerance)
