"""By which steps does a small net become chaotic as its gain grows, and from where on does a gradient explode?

The net is h' = tanh(g W h) with 12 units, without input. W is divided by its spectral radius, so that the origin loses
its stability at a gain g of exactly 1. The attractor is followed upwards: at each gain the net starts from where it was
at the one before. Its orbit is drawn as dots; fixed points and 2-cycles, stable or not, are followed by
`rd.bifurcation_diagram`, which locates where their stability changes. Windows in which the net is locked to a cycle are
continued from their middle to the folds at which they end.

On the same axis are the two largest Lyapunov exponents, which say what the dots are (both below 0: a cycle; one 0: a
closed curve; both 0: a torus; one above 0: chaos; up to 0.012 nats per step count as 0), and the norm of the gradient
over some steps. With the default seed the leading eigenvalue of W is -1: the origin gives way to a 2-cycle, this to
closed curves and then to a torus, before the first chaos. Only there does a gradient grow exponentially. At fixed
points and cycles it fades, or keeps its size where stability is lost; on closed curves and tori it grows slowly,
by at most 200 over 100 steps. In the first, weak chaos the median is 80, in the chaos above g = 3 it is 10⁷. A kind of
attractor counts from where it holds for three gains in a row; shorter windows are shaded too.

The seed was chosen among 60 nets because its route has all of these; others skip some, or are not chaotic up to g = 4.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
import xarray

import rnn_dynamics as rd
from rnn_dynamics.fixed_points import Branch

from .bifurcations_figure import draw, finding, held, of_the_origin
from .figure import Output, write

# states are on a cycle if they return to within this, after at most so many steps
RETURNED, LONGEST = 1e-9, 48


@dataclass(frozen=True)
class Config(Output):
    """The attractor at `gains` (first, last, how many), each after `burn_in` steps."""

    hidden: int = 12
    gains: tuple[float, float, int] = (0.7, 3.6, 291)
    burn_in: int = 4000
    length: int = 30_000
    orbit: int = 64
    lags: int = 100
    anchors: int = 8
    windows: int = 2
    seed: int = 11


class Found(NamedTuple):
    """What `run` returns: the attractor over the gain, the branches of fixed points and cycles, and the locked ones."""

    attractor: xarray.Dataset
    branches: tuple[Branch, ...]
    locked: tuple[Branch, ...]


def step(params: jax.Array, h: jax.Array, x: None) -> jax.Array:
    """Compute tanh(W h), where the parameters are g W."""
    return jnp.tanh(params @ h)


def recurrent_weights(config: Config) -> jax.Array:
    """Draw W, of spectral radius 1."""
    W = jax.random.normal(jax.random.key(config.seed), (config.hidden, config.hidden), jnp.float64)
    return W / np.abs(np.linalg.eigvals(np.asarray(W))).max()


def run(config: Config = Config()) -> Found:
    """Follow the attractor, the fixed points and the cycles over the gain, in float64."""
    with jax.enable_x64(True):
        W, gains = recurrent_weights(config), jnp.linspace(*config.gains)
        attractor = attractors(W, gains, config)

        def params_of(gain: jax.Array) -> jax.Array:
            return gain * W

        origin = jnp.zeros((1, config.hidden))
        branches = rd.bifurcation_diagram(step, params_of, origin, gains[::2], depth=1)
        locked = [
            branch
            for window in longest_windows(attractor.period.values, config.windows)
            for branch in window_of(params_of, attractor, window)
        ]
        return Found(attractor, tuple(branches), tuple(locked))


def attractors(W: jax.Array, gains: jax.Array, config: Config) -> xarray.Dataset:
    """Measure the attractor at every gain; `height` is the component along the leading left eigenvector of W."""
    start = jnp.asarray(0.1 / np.arange(1, config.hidden + 1))
    starts = followed(W, gains, start, config.burn_in)
    measured = jax.jit(jax.vmap(partial(measure, config=config)))(gains[:, None, None] * W[None], starts)
    exponents, stderr, log_norm, orbit = map(np.asarray, measured)
    values, vectors = np.linalg.eig(np.asarray(W).T)
    leading = vectors[:, np.abs(values).argmax()].real
    leading = leading / np.linalg.norm(leading)
    return xarray.Dataset(
        {
            "exponent": (("gain", "index"), exponents),
            "stderr": (("gain", "index"), stderr),
            "log_norm": ("gain", log_norm),
            "orbit": (("gain", "time", "unit"), orbit),
            "period": ("gain", [period_of(states) for states in orbit]),
            "leading": ("unit", leading),
        },
        {"gain": np.asarray(gains)},
        {"lags": config.lags, "hidden": config.hidden, "leading_eigenvalue": complex(values[np.abs(values).argmax()])},
    )


@partial(jax.jit, static_argnames="steps")
def followed(W: jax.Array, gains: jax.Array, start: jax.Array, steps: int) -> jax.Array:
    """Return the state after some steps at each gain, each from the state at the gain before."""

    def at(h: jax.Array, gain: jax.Array) -> tuple[jax.Array, jax.Array]:
        params = gain * W
        # off the origin, where the net would stay although it is unstable
        h = jax.lax.fori_loop(0, steps, lambda _, h: step(params, h, None), h + 1e-3 * start)
        return h, h

    return jax.lax.scan(at, start, gains)[1]


def measure(params: jax.Array, h: jax.Array, *, config: Config) -> tuple[jax.Array, ...]:
    """Return two exponents, their errors, ln of the gradient's norm over some steps (median), and some states."""
    spectrum = rd.lyapunov_spectrum(step, params, h, None, k=2, length=config.length, frame_burn_in=200, interval=4)
    orbit = rd.unroll(step, params, h, None, length=config.orbit)

    def after(h: jax.Array) -> jax.Array:
        return rd.gradient_flow(step, params, h, None, length=config.lags, lags=config.lags).log_norm[-1]

    log_norms = jax.vmap(after)(orbit[:: config.orbit // config.anchors][: config.anchors])
    return spectrum.exponents, spectrum.stderr, jnp.median(log_norms), orbit


def period_of(states: np.ndarray) -> int:
    """Return the period of the cycle that the states are on; 0 for none."""
    away = np.abs(states[1 : LONGEST + 1] - states[0]).max(axis=1)
    back = np.flatnonzero(away < RETURNED)
    return int(back[0] + 1) if len(back) else 0


def longest_windows(periods: np.ndarray, most: int) -> list[slice]:
    """Return the longest stretches of gains with one period above 2, in the order of the gain."""
    edges = np.flatnonzero(np.diff(periods)) + 1
    bounds = [0, *edges.tolist(), len(periods)]
    stretches = [slice(a, b) for a, b in itertools.pairwise(bounds) if periods[a] > 2]
    stretches = sorted(stretches, key=lambda s: s.start - s.stop)[:most]
    return sorted(stretches, key=lambda s: s.start)


def window_of(params_of: Callable[[jax.Array], jax.Array], attractor: xarray.Dataset, window: slice) -> list[Branch]:
    """Continue the cycle of a window from its middle up and down, a little beyond the gains at which it was seen."""
    gains, middle = attractor.gain.values, (window.start + window.stop) // 2
    period, width = int(attractor.period[middle]), gains[1] - gains[0]
    start = jnp.asarray(attractor.orbit[middle, 0].values)
    ends = (gains[window.stop - 1] + 3 * width, gains[window.start] - 3 * width)
    return [
        rd.continuation(step, params_of, start, jnp.linspace(gains[middle], end, 41), period=period, most_points=400)
        for end in ends
    ]


def main() -> None:
    """Print what the attractor is over the gain and where stability changes, and write the figure."""
    config = tyro.cli(Config)
    found = run(config)
    told(found)
    print(f"\n{finding(found)}")
    write("bifurcations", config, draw, found)


def told(found: Found) -> None:
    """Print the located bifurcations and the stretches of gains with one kind of attractor."""
    leading = found.attractor.leading_eigenvalue
    print(
        f"leading eigenvalue of W: {leading:.4g}; the origin loses its stability at g = 1/|λ| = {1 / abs(leading):.8f}"
    )
    print("located on branches of fixed points and cycles (multiplier on the unit circle):")
    for branch in (*of_the_origin(found), *found.locked):
        what = "fixed point" if branch.period == 1 else f"{branch.period}-cycle"
        for one in branch.bifurcations:
            stable = " of the attractor" if is_of_attractor(branch, one.value) else ""
            print(f"  {what:>12} {one.kind:>15} at g = {one.value:.8f}, {one.multiplier:.4f}{stable}")
    print(f"attractor, by its exponents; gradient over {found.attractor.lags} steps (median, in powers of ten):")
    at = found.attractor
    powers = at.log_norm / np.log(10)
    for first, last, name in held(at):
        seen = powers.sel(gain=slice(first, last))
        print(f"  g = {first:.2f} to {last:.2f}: {name:<12} {float(seen.median()):6.1f}")


def is_of_attractor(branch: Branch, value: float) -> bool:
    """Return whether a branch is stable on one side of a value."""
    near = np.argsort(np.abs(np.asarray(branch.values) - value))[:3]
    return bool(np.asarray(branch.stable)[near].any())


if __name__ == "__main__":
    main()
