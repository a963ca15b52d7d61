"""Measure one system of `known_systems`: its exponents three times, and the mean divergence along its trajectory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd

from .known_systems_equations import System

SPECTRUM: dict[str, Any] = {}  # further options of `rd.lyapunov_spectrum`
# steps in a period where the default is too coarse for RK4; `known_systems_causes` shows what happens with it
FINER: dict[str, int] = {
    "AtmosphericRegime": 1600,
    "BelousovZhabotinsky": 6400,
    "CellCycle": 1600,
    "CellularNeuralNetwork": 1600,
    "CoevolvingPredatorPrey": 1600,
    "Colpitts": 1600,
    "ForcedVanDerPol": 1600,
    "JerkCircuit": 3200,
    "MacArthur": 1600,
    "WindmiReduced": 1600,
}


class Plan(NamedTuple):
    """How long to measure, in periods of a flow; one has `steps` steps. A map is iterated as often."""

    periods: int
    steps: int
    settle: int
    turn: int


class Run(NamedTuple):
    """One run: exponents and errors per unit time (of a map per step), and the parts of the sum rule.

    Two programs that round differently do not stay on the same chaotic trajectory. So the divergence is compared with
    ln|det J| on one trajectory, and ln|det J| with the exponents on another.
    """

    exponents: np.ndarray
    stderr: np.ndarray
    residual: float  # Σ λ - mean ln|det J| of the steps
    volume: float  # mean ln|det J| of the steps, on the trajectory of `rate`
    rate: float  # mean divergence of the flow; of a map, mean ln|det J|
    doubts: int
    slowest: float  # speed of the flow
    fastest: float
    end: jax.Array


class Along(NamedTuple):
    """A trajectory's end, means of ln|det J| of a step and of the divergence, and its slowest and fastest speed."""

    end: jax.Array
    volume: jax.Array
    divergence: jax.Array
    slowest: jax.Array
    fastest: jax.Array


def rk4(of: System) -> Callable[..., jax.Array]:
    """Return one step of the classical Runge-Kutta method, with params (dt, parameters of the equations)."""

    def step(params: Any, X: jax.Array, x: None) -> jax.Array:
        dt, values = params
        first = of.equations(values, X, 0.0)
        second = of.equations(values, X + dt / 2 * first, 0.0)
        third = of.equations(values, X + dt / 2 * second, 0.0)
        fourth = of.equations(values, X + dt * third, 0.0)
        return X + dt / 6 * (first + 2 * second + 2 * third + fourth)

    return step


def step_of(of: System) -> Callable[..., jax.Array]:
    """Return one step: of a flow by RK4, of a map itself."""
    return rk4(of) if of.period else lambda params, X, x: of.equations(params[1], X, 0.0)


def walker(of: System) -> Callable[..., Along]:
    """Return the compiled function that follows a trajectory for n steps; n may change without compiling again."""
    step = step_of(of)

    def volume(params: Any, X: jax.Array) -> jax.Array:
        return jnp.linalg.slogdet(jax.jacfwd(step, argnums=1)(params, X, None))[1]

    def divergence(params: Any, X: jax.Array) -> jax.Array:
        return jnp.trace(jax.jacfwd(of.equations, argnums=1)(params[1], X, 0.0))

    def speed(params: Any, X: jax.Array) -> jax.Array:
        return jnp.linalg.norm(of.equations(params[1], X, 0.0))

    @jax.jit
    def walk(params: Any, X: jax.Array, n: int) -> Along:
        def once(_: Any, so_far: Along) -> Along:
            X, log_det, total, slowest, fastest = so_far
            log_det, total, now = log_det + volume(params, X), total + divergence(params, X), speed(params, X)
            return Along(step(params, X, None), log_det, total, jnp.minimum(slowest, now), jnp.maximum(fastest, now))

        now = speed(params, X)
        found = jax.lax.fori_loop(0, n, once, Along(X, jnp.zeros_like(now), jnp.zeros_like(now), now, now))
        # the trapezoidal rule: both ends count half
        ends = (divergence(params, found.end) - divergence(params, X)) / 2
        return found._replace(volume=found.volume / n, divergence=(found.divergence + ends) / n)

    return walk


def spectrum(of: System, walk: Callable[..., Along], params: Any, X: jax.Array, steps: int, turn: int) -> Run:
    """Measure the exponents over `steps` steps, after `turn` steps that turn the frame. NaN if X is not finite."""
    if not np.isfinite(X).all():
        nothing = np.full(X.shape, np.nan)
        return Run(nothing, nothing, np.nan, np.nan, np.nan, int(rd.Doubt.NOT_FINITE), np.nan, np.nan, X)
    found = rd.lyapunov_spectrum(step_of(of), params, X, None, length=turn + steps, frame_burn_in=turn, **SPECTRUM)
    begin = walk(params, X, turn).end
    along = walk(params, begin, steps)
    unit = float(params[0])
    return Run(
        np.asarray(found.exponents) / unit,
        np.asarray(found.stderr) / unit,
        float(found.sum_rule_residual) / unit,
        float(along.volume) / unit,
        float(along.divergence if of.period else along.volume),
        int(np.bitwise_or.reduce(np.asarray(found.doubts))),
        float(along.slowest),
        float(along.fastest),
        along.end,
    )
