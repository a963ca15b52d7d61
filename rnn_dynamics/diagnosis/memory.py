"""How much memory a backward pass through T steps takes, counted before anything is run.

For its derivative, each step keeps intermediate results: its residuals. They are the outputs of the forward pass of
`jax.vjp`, so a trace of one step lists them. What does not depend on the state or the input is kept once for all steps.

    plain            T · (residuals + states + gradients + inputs)
    rematerialised   T · (states + gradients + inputs) + T/K · state + K · residuals         `unroll(keep_every=K)`

for each sequence, where "states" are those parts that the loss reads, "gradients" are its derivatives with respect to
them, and "inputs" is the copy that puts a batch in the order of time.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..cells.contract import Input, Params, State, Step
from ..machinery.compiled_programs import float32_products
from ..measure.gradients import Loss
from .batch import leading_axes, traced_loss, traced_step
from .words import bytes_in_words, count

# primitives that only call the program that they hold
CALLS = ("jit", "pjit", "closed_call", "remat2", "checkpoint")


class BackwardMemory(NamedTuple):
    """The memory that a backward pass takes on top of the parameters and the inputs, in bytes.

    Attributes:
        bytes: That of all T steps of all sequences.
        per_step: That of one step of one sequence: its residuals, its state, and the gradient with respect to it.
        residuals: The part of `per_step` that recomputing a stretch of steps saves.
        rematerialised: `bytes` where stretches of `keep_every` steps are recomputed.
        keep_every: K, the stretch that needs least.
        steps: T.
        sequences: How many sequences are passed back together.
    """

    bytes: int
    per_step: int
    residuals: int
    rematerialised: int
    keep_every: int
    steps: int
    sequences: int

    def sentence(self) -> str:
        """Say what a backward pass takes and what recomputing would save."""
        text = (
            f"A backward pass through {count(self.steps, 'step')} of {count(self.sequences, 'sequence')} takes about "
            f"{bytes_in_words(self.bytes)}: {bytes_in_words(self.per_step)} for each step of a sequence."
        )
        if self.rematerialised > 0.8 * self.bytes:
            return f"{text} Recomputing the states would save little."
        return (
            f"{text} Recomputing them in stretches of {count(self.keep_every, 'step')} would take about "
            f"{bytes_in_words(self.rematerialised)}, for one more forward pass."
        )


def backward_memory(
    step: Step, params: Params, h0: State, xs: Input, loss: Loss | None = None, *, targets: Any = None
) -> BackwardMemory:
    """Predict the memory of a backward pass from shapes alone.

    Args:
        step: The recurrent map, `step(params, state, x) -> state`.
        params: Its parameters, any pytree of floats.
        h0: The initial state of every sequence, unbatched.
        xs: The inputs, a pytree with leading axes (sequences, T).
        loss: The loss of one sequence: `loss(states)`, or `loss(states, target)` where there are targets. Default: one
            that reads the whole state at each step.
        targets: A pytree with leading axis (sequences,). Default: none.

    Returns:
        A `BackwardMemory`. Compilers drop and fuse some of it: for the cells here the prediction is within a fifth of
        what XLA reserves on CPUs.

    Cost:
        Two or three traces of one step; nothing is compiled or run.

    Example:
        >>> from rnn_dynamics.diagnosis.memory import backward_memory
        >>> found = backward_memory(lambda W, h, x: W @ h, jnp.eye(3), jnp.zeros(3), jnp.ones((2, 10, 1)))
        >>> found.per_step  # h before and after the step, ∂L/∂h, and x: 10 numbers
        40
    """
    sequences, T = leading_axes(xs)
    traced = traced_step(step, params, h0, xs)
    x = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf)[2:], jnp.result_type(leaf)), xs)
    residuals = residual_bytes(traced, params, traced.out, x)
    state = jax.tree.leaves(traced.out)
    read = state
    if loss is not None:
        target = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf)[1:], jnp.result_type(leaf)), targets)
        states = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((T, *leaf.shape), leaf.dtype), traced.out)
        judge = traced_loss(loss, traced, T, targets)
        program = jax.make_jaxpr(lambda states, target: judge(states, target))(states, target).jaxpr
        read = [leaf for leaf, var in zip(state, program.invars, strict=False) if _is_read(program, var)]
    # h at T times and its gradient; a copy of x
    shown = 2 * _bytes(read) + _bytes(jax.tree.leaves(x))
    return counted(residuals, _bytes(state), shown, T, sequences)


def counted(residuals: int, state: int, shown: int, T: int, sequences: int) -> BackwardMemory:
    """Return the memory for these bytes at each step: residuals, a whole state, and what all T steps keep anyway."""
    stretch = best_stretch(T, math.sqrt(T * state / max(residuals, 1)))
    recomputed = shown * T + math.ceil(T / stretch) * state + stretch * residuals
    per_step = residuals + shown
    plain = per_step * T
    return BackwardMemory(
        plain * sequences, per_step, residuals, min(plain, recomputed) * sequences, stretch, T, sequences
    )


def best_stretch(T: int, ideal: float) -> int:
    """Return a number of steps near the ideal one that divides T if there is one: a remainder takes more memory."""
    near = [K for K in range(1, T + 1) if ideal / 1.5 <= K <= ideal * 1.5]
    whole = [K for K in near if T % K == 0]
    return min(whole or near or [min(T, max(1, round(ideal)))], key=lambda K: abs(math.log(K / ideal)))


def residual_bytes(step: Step, params: Params, h: State, x: Input) -> int:
    """Return the bytes that one step keeps for its derivative and does not share with the other steps."""

    def kept(params: Params, h: State, x: Input) -> Any:
        return jax.tree.leaves(jax.vjp(lambda params, h: step(params, h, x), params, h)[1])

    with float32_products():
        program = jax.make_jaxpr(kept)(params, h, x).jaxpr
    count = len(jax.tree.leaves(params))
    states = len(jax.tree.leaves(h))
    inputs = set(map(id, program.invars[count + states :]))
    varying = _varying(program, [False] * count + [True] * (len(program.invars) - count))
    found = {id(var): var.aval for var, varies in zip(program.outvars, varying, strict=True) if varies}
    return _bytes([aval for name, aval in found.items() if name not in inputs])


def _varying(program: Any, given: list[bool]) -> list[bool]:
    """Return which outputs of a program depend on those of its inputs that are marked."""
    marked = {id(var) for var, varies in zip(program.invars, given, strict=True) if varies}
    for line in program.eqns:
        inputs = [id(var) in marked for var in line.invars]
        inner = line.params.get("jaxpr") if line.primitive.name in CALLS else None
        inner = getattr(inner, "jaxpr", inner)
        outputs = [any(inputs)] * len(line.outvars) if inner is None else _varying(inner, inputs)
        marked |= {id(var) for var, varies in zip(line.outvars, outputs, strict=True) if varies}
    return [id(var) in marked for var in program.outvars]


def _is_read(program: Any, var: Any) -> bool:
    return any(used is var for line in program.eqns for used in line.invars) or any(o is var for o in program.outvars)


def _bytes(leaves: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)
