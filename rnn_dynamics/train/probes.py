"""Measurements to take during training, most of them averaged over some held-out examples.

Each maker returns the same probe for equal arguments. Any other function of a `Moment` is a probe as well;
`rd.train.problem(moment)` gives the arguments of the measurements of `rnn_dynamics`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .. import argument, measure
from ..cells.contract import memoised
from ..cells.gates import gates as gates_of
from ..measure.reliability import doubts_of_all
from .moment import Moment, losses_along, problem
from .orthogonality import recurrent_matrices
from .probe import Probe

__all__ = ["contributions", "gates", "gradient_flow", "log_state_gradients", "lyapunov", "spectral_radius"]


def over_examples(measurement: Callable[[Moment, Array], Any], moment: Moment, examples: int) -> Any:
    """Measure along each of the first examples; the result has a leading axis."""
    held = moment.examples.mask.shape[0]
    if examples > held:
        raise ValueError(f"examples: got {examples}, expected at most evaluation.examples = {held}")
    return jax.vmap(lambda index: measurement(moment, index))(jnp.arange(examples, dtype=jnp.int32))


@memoised
def gradient_flow(examples: int = 4) -> Probe:
    """Make a probe of the gradient flow: how fast the derivative of the last state shrinks or grows with the lag.

        ln ‖∂h_T/∂h_{T-ℓ}‖,    ℓ = 0 .. T,    the mean over the examples

    Args:
        examples: The number of held-out examples to average over. Default: 4.

    Returns:
        A `Probe` with result (T + 1,), in nats, and the dimension `lag`.

    Cost:
        That of `rd.gradient_flow` for each example: time O(T n³), memory O(n² + √T n).

    Example:
        >>> task, cell, identity = rd.train.tasks.adding(5), rd.cells.linear, rd.cells.initializers.identity
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3, gain=np.e, recurrent=identity)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> curve = rd.train.probes.gradient_flow(2).function(moment)
        >>> [round(float(value), 3) for value in curve]
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
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
def log_state_gradients(examples: int = 4) -> Probe:
    """Make a probe of the gradient of the loss with respect to each state.

        ln ‖∂L/∂h_t‖,    t = 1 .. T,    the mean over the examples

    The norms are carried as logarithms, so they are also right where the gradients are too large or too small for a
    float.

    Args:
        examples: The number of held-out examples to average over. Default: 4.

    Returns:
        A `Probe` with result (T,), in nats, and the dimension `time`; -inf where a gradient is exactly 0.

    Cost:
        One unroll and one backward pass for each example: time O(T n²), memory O(T n).

    Example:
        >>> task, cell, identity = rd.train.tasks.adding(5), rd.cells.linear, rd.cells.initializers.identity
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3, gain=np.e, recurrent=identity)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> curve = rd.train.probes.log_state_gradients(2).function(moment)
        >>> [round(float(change), 3) for change in jnp.diff(curve)]
        [-1.0, -1.0, -1.0, -1.0]
    """
    examples = argument.size("examples", examples, 1)

    def log_norms(moment: Moment, index: Array) -> Array:
        return measure.log_state_gradients(*problem(moment, index), losses_along(moment, index))

    return Probe(
        lambda moment: jnp.mean(over_examples(log_norms, moment, examples), axis=0),
        "nats",
        "ln of the norm of the derivative of the loss with respect to h_t, t = 1 .. T",
        ("time",),
    )


@memoised
def lyapunov(k: int = 1, burn_in: int = 0, examples: int = 4) -> Probe:
    """Make a probe of the k largest Lyapunov exponents along held-out examples.

    The examples are independent, so their scatter gives the standard error, which is NaN for one example.

    Args:
        k: The number of exponents. Default: 1.
        burn_in: The number of first steps of an example to leave out of the exponents. Default: 0.
        examples: The number of held-out examples to average over. Default: 4.

    Returns:
        A `Probe` with four results, each (k,). `exponents` are the means and `stderr` their standard errors, in nats
        per step. `doubts` are those that some example has. TOO_SHORT is not one of them, since the standard error comes
        from the scatter of the examples. `reliable` is True where there is no doubt.

    Cost:
        That of `rd.lyapunov_spectrum` for each example: time O(T n² k), memory O(n k).

    Example:
        >>> task, cell, identity = rd.train.tasks.adding(5), rd.cells.linear, rd.cells.initializers.identity
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3, gain=np.e, recurrent=identity)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> found = rd.train.probes.lyapunov(2, examples=2).function(moment)
        >>> [round(float(exponent), 3) for exponent in found["exponents"]]
        [1.0, 1.0]
    """
    examples, k = argument.size("examples", examples, 1), argument.size("k", k, 1)

    def spectrum(moment: Moment, index: Array) -> Any:
        key = jax.random.fold_in(moment.key, index)
        return measure.lyapunov_spectrum(*problem(moment, index), k=k, burn_in=burn_in, key=key)

    def means(moment: Moment) -> dict[str, Array]:
        found = over_examples(spectrum, moment, examples)
        # one example may be too short for its own standard error, which is taken from their scatter instead
        doubts = doubts_of_all(found.doubts, but=measure.Doubt.TOO_SHORT)
        scatter = (
            jnp.std(found.exponents, axis=0, ddof=1) if examples > 1 else jnp.full_like(found.exponents[0], jnp.nan)
        )
        return {
            "exponents": jnp.mean(found.exponents, axis=0),
            "stderr": scatter / examples**0.5,
            "reliable": doubts == 0,
            "doubts": doubts,
        }

    return Probe(means, "nats per step", "largest Lyapunov exponents", ("index",))


@memoised
def contributions() -> Probe:
    """Make a probe of how much each step contributes to the gradient of the loss at each later step.

        ∂L/∂θ = Σ_t Σ_k C_tk,    the result is ‖C_tk‖

    θ are the parameters of the cell; the measurement is along the first held-out example.

    Returns:
        A `Probe` with result (T, T) and the dimensions `t` and `k`.

    Cost:
        That of `rd.gradient_contributions`: time O(T² p) and memory O(T (n + p)) for p parameters of the cell.

    Example:
        >>> task, cell, identity = rd.train.tasks.adding(5), rd.cells.linear, rd.cells.initializers.identity
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3, gain=1.0, recurrent=identity)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> rd.train.probes.contributions().function(moment).shape
        (5, 5)
    """

    def norms(moment: Moment) -> Array:
        return measure.gradient_contributions(*problem(moment), losses_along(moment)).norms

    return Probe(norms, "1", "norm of the contribution of step k to the gradient of the loss at step t", ("t", "k"))


@memoised
def spectral_radius() -> Probe:
    """Make a probe of the spectral radius ρ = max |λ| of the W of every Affine of the cell.

    The matrices are the W as they are stored, in the order of the parameters; a gated cell has one for each gate. The V
    of coRNN is in no Affine and is left out.

    Returns:
        A `Probe` with result (matrices,), a pure number, and the dimension `matrix`.

    Cost:
        Time O(n³), memory O(n²) a matrix.

    Example:
        >>> task, cell, identity = rd.train.tasks.adding(5), rd.cells.linear, rd.cells.initializers.identity
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3, gain=2.0, recurrent=identity)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> [round(float(radius), 3) for radius in rd.train.probes.spectral_radius().function(moment)]
        [2.0]
    """

    def radii(moment: Moment) -> Array:
        return jnp.stack([measure.eigen.spectral_radius(W) for W in recurrent_matrices(moment.net.params)])

    return Probe(radii, "1", "spectral radius of the recurrent matrices", ("matrix",))


@memoised
def gates(examples: int = 16, shut: float = 0.05) -> Probe:
    """Make a probe of the gates of one gated cell: their mean, and how often they are nearly shut or nearly open.

    The averages are over units, time and examples. For a stack, unroll each layer separately, with the output of the
    layer below as its input, and call `rd.cells.gates`.

    Args:
        examples: The number of held-out examples to average over. Default: 16.
        shut: A gate below `shut` counts as shut, and above 1 - `shut` as open; in (0, 0.5]. Default: 0.05.

    Returns:
        A `Probe` with three scalars for each gate: `<gate>_mean`, and the fractions `<gate>_shut` and `<gate>_open`.

    Cost:
        One unroll for each example.

    Example:
        >>> task, cell = rd.train.tasks.adding(5), rd.cells.mgu
        >>> net = rd.train.init_net(cell, task, key=key, hidden=3)
        >>> examples = jax.vmap(task.sample)(jax.random.split(key, 2))
        >>> moment = rd.train.Moment(cell, task, net, examples, key, jnp.asarray(0))
        >>> sorted(rd.train.probes.gates(2).function(moment))
        ['forget_mean', 'forget_open', 'forget_shut']
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


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
