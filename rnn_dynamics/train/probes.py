"""Measurements to take while a net learns, averaged over some held-out examples.

Each maker returns the same probe for equal arguments, so that training again compiles nothing. Any function of a
`Moment` is a probe as well; `problem(moment)` is what a measurement of `rnn_dynamics` is called with.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .. import argument, measure
from ..cells.contract import memoised
from ..cells.gates import gates as gates_of
from ..measure.gradients import log_state_gradients
from .moment import Moment, losses_along, problem
from .orthogonality import recurrent_matrices
from .probe import Probe

__all__ = ["contributions", "gates", "gradient_flow", "lyapunov", "spectral_radius", "state_gradients"]


def over_examples(measurement: Callable[[Moment, Array], Any], moment: Moment, examples: int) -> Any:
    """Of each of the first examples; a leading axis."""
    held = moment.examples.mask.shape[0]
    if examples > held:
        raise ValueError(f"examples: got {examples}, but the net is looked at with held_out = {held}")
    return jax.vmap(lambda index: measurement(moment, index))(jnp.arange(examples, dtype=jnp.int32))


@memoised
def gradient_flow(examples: int = 4) -> Probe:
    """ln ‖∂h_T/∂h_{T-ℓ}‖ for every lag ℓ, the mean over the examples."""
    examples = argument.size("examples", examples, 1)

    def curve(moment: Moment, index: Array) -> Array:
        return measure.gradient_flow(*problem(moment, index)).log_norm

    return Probe(
        lambda moment: jnp.mean(over_examples(curve, moment, examples), axis=0),
        "nats",
        "ln of the 2-norm of the derivative of h_T with respect to h_(T-lag)",
        ("lag",),
    )


@memoised
def state_gradients(examples: int = 4) -> Probe:
    """ln ‖∂L/∂h_t‖ for t = 1 .. T, the mean over the examples; of gradients that no float can hold as well."""
    examples = argument.size("examples", examples, 1)

    def log_norms(moment: Moment, index: Array) -> Array:
        return log_state_gradients(*problem(moment, index), losses_along(moment, index))

    return Probe(
        lambda moment: jnp.mean(over_examples(log_norms, moment, examples), axis=0),
        "nats",
        "ln of the norm of the derivative of the loss with respect to h_t, t = 1 .. T",
        ("time",),
    )


@memoised
def lyapunov(k: int = 1, burn_in: int = 0, examples: int = 4) -> Probe:
    """The k largest Lyapunov exponents along the examples: their means, standard errors and whether all are reliable.

    Examples are independent, so that their scatter is the standard error; NaN for one example.
    """
    examples, k = argument.size("examples", examples, 1), argument.size("k", k, 1)

    def spectrum(moment: Moment, index: Array) -> Any:
        key = jax.random.fold_in(moment.key, index)
        return measure.lyapunov_spectrum(*problem(moment, index), k=k, burn_in=burn_in, key=key)

    def means(moment: Moment) -> dict[str, Array]:
        found = over_examples(spectrum, moment, examples)
        scatter = (
            jnp.std(found.exponents, axis=0, ddof=1) if examples > 1 else jnp.full_like(found.exponents[0], jnp.nan)
        )
        return {
            "exponents": jnp.mean(found.exponents, axis=0),
            "stderr": scatter / examples**0.5,
            # one example may be too short for a standard error of its own: their scatter is the error
            "reliable": jnp.all(found.doubts & ~int(measure.Doubt.TOO_SHORT) == 0, axis=0),
        }

    return Probe(means, "nats per step", "largest Lyapunov exponents", ("index",))


@memoised
def contributions() -> Probe:
    """‖C_tk‖ of the double sum for the gradient in the cell's parameters, (T, T), along the first example."""

    def norms(moment: Moment) -> Array:
        return measure.gradient_contributions(*problem(moment), losses_along(moment)).norms

    return Probe(norms, "1", "norms of what step k contributes to the gradient of the loss at step t", ("t", "k"))


@memoised
def spectral_radius() -> Probe:
    """ρ of every recurrent matrix W of the cell as it is stored, in the order of its parameters."""

    def radii(moment: Moment) -> Array:
        return jnp.stack([measure.eigen.spectral_radius(W) for W in recurrent_matrices(moment.net.cell)])

    return Probe(radii, "1", "spectral radius of the recurrent matrices", ("matrix",))


@memoised
def gates(examples: int = 16, shut: float = 0.05) -> Probe:
    """The mean of every gate over units, time and examples, and how much of it is within `shut` of 0 or of 1.

    For one gated cell; the layers of a stack are to be unrolled for themselves, each with what the one below shows.
    """
    examples, shut = argument.size("examples", examples, 1), argument.number("shut", shut, above=0, up_to=0.5)

    def along(moment: Moment, index: Array) -> dict[str, Array]:
        step, params, h0, xs = problem(moment, index)
        states = measure.unroll(step, params, h0, xs)
        before = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest[:-1]]), h0, states)
        return jax.vmap(lambda state, x: gates_of(params, moment.cell.output(state), x))(before, xs)

    def statistics(moment: Moment) -> dict[str, Array]:
        found = over_examples(along, moment, examples)
        means = {f"{name}_mean": jnp.mean(values) for name, values in found.items()}
        closed = {f"{name}_shut": jnp.mean((values < shut).astype(values.dtype)) for name, values in found.items()}
        opened = {f"{name}_open": jnp.mean((values > 1 - shut).astype(values.dtype)) for name, values in found.items()}
        return means | closed | opened

    return Probe(statistics, "1", "gates: mean, and fractions nearly shut and nearly open")
