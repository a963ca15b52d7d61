"""When does a gradient vanish, when does it explode, and what do the eigenvalues of W know of it?

Nets without input, of the same random draws at every gain: a linear one, tanh, GRU, LSTM. The largest Lyapunov exponent
λ₁ of each, with its error bar, says what becomes of a gradient on its way back; beside it stand three predictions:

    1/ρ(W)     the rule of the linear net, ρ of the recurrent matrix (of the candidate, where there are gates)
    at rest    ρ(J) = 1 for the Jacobian at the state 0, gates and all: where rest stops being stable
    χ₁ = 1     mean-field theory of wide tanh nets

Two gains are critical: that up to which λ₁ < 0, where gradients vanish, and that beyond which λ₁ > 0, where they
explode. For a linear net they are one.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import tyro
import xarray
from jax.flatten_util import ravel_pytree
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rnn_dynamics as rd
from rnn_dynamics import plot
from rnn_dynamics.sweep import Variable, described, one_device_per_core

from .figure import write

# the matrix whose eigenvalues are asked
RECURRENT = {
    "linear": lambda params: params.W,
    "elman": lambda params: params.W,
    "gru": lambda params: params.candidate.W,
    "lstm": lambda params: params.cell.W,
}
FIXED = ("leading", "length", "burn_in", "lags")
NAMES = {"linear": "linear", "elman": "tanh", "gru": "GRU", "lstm": "LSTM"}


@dataclass(frozen=True)
class Config:
    """Gains are spaced evenly; `nets` random draws of each cell and width, numbered from 1000 · seed.

    `leading` exponents are measured, the largest ones; `full` is the publication size, for an accelerator.
    """

    cells: tuple[str, ...] = ("linear", "elman", "gru", "lstm")
    hidden: tuple[int, ...] = (32, 64)
    gains: tuple[float, float] = (0.2, 3.0)
    steps: int = 36
    nets: int = 8
    leading: int = 32
    length: int = 1000
    burn_in: int = 300
    lags: int = 100
    seed: int = 0
    store: Path | None = None
    full: bool = False


FULL = Config(
    hidden=(64, 128, 256, 512), steps=57, nets=32, leading=64, length=10_000, burn_in=2000, lags=200, full=True
)


@described(
    cell=Variable("1", "recurrent cell"),
    hidden=Variable("1", "units"),
    leading=Variable("1", "exponents measured"),
    length=Variable("1", "steps over which exponents are measured"),
    burn_in=Variable("1", "steps before them"),
    lags=Variable("1", "steps over which a gradient is followed"),
    gain=Variable("1", "gain g of the recurrent weights"),
    net=Variable("1", "number of the random draw"),
    exponents=Variable("nats per step", "largest Lyapunov exponents", ("index",)),
    stderr=Variable("nats per step", "their standard errors", ("index",)),
    reliable=Variable("1", "whether the arithmetic could see them", ("index",)),
    log_norm=Variable("nats", "ln of the 2-norm of the derivative of h_T with respect to h_(T-lag)", ("lag",)),
    log_bound=Variable("nats", "ln of the product of the norms of the steps", ("lag",)),
    log_gradient=Variable(
        "nats", "ln of the norm of the derivative of the loss with respect to h_(T-lag)", ("before",)
    ),
    log_singular_values=Variable("nats", "ln of the singular values of the whole product", ("rank",)),
    radius=Variable("1", "spectral radius of the recurrent matrix"),
    norm=Variable("1", "2-norm of the recurrent matrix"),
    radius_at_rest=Variable("1", "spectral radius of the Jacobian at the state 0"),
)
def measure(
    key: jax.Array,
    *,
    cell: str,
    hidden: int,
    leading: int,
    length: int,
    burn_in: int,
    lags: int,
    gain: jax.Array,
    net: jax.Array,
) -> dict[str, jax.Array]:
    """What becomes of the gradient of one net at one gain, and what is known of its weights.

    A draw is the same at every gain, so that its number makes the random key and not the point's place in the grid.
    """
    del key
    found = rd.cells.CELLS[cell]
    for_params, for_state, for_frame = jax.random.split(jax.random.key(net.astype(jnp.int32)), 3)
    params = found.init(for_params, inputs=1, hidden=hidden, gain=gain)
    rest = found.initial_state(params)
    vector, unravel = ravel_pytree(rest)
    # a linear net's Jacobian is W wherever it is, and away from 0 it would overflow
    begin = rest if cell == "linear" else unravel(0.5 * jax.random.normal(for_state, vector.shape, vector.dtype))
    states = rd.unroll(found.step, params, begin, None, length=burn_in)
    net_at = (found.step, params, jax.tree.map(lambda leaf: leaf[-1], states), None)

    def loss(states: Any) -> jax.Array:
        """Half the squared error of the mean output at the last step, which should be 1."""
        return (found.output(jax.tree.map(lambda leaf: leaf[-1], states)).mean() - 1) ** 2 / 2

    steps = {"length": length + burn_in, "frame_burn_in": burn_in}
    spectrum = rd.lyapunov_spectrum(*net_at, k=min(leading, vector.size), key=for_frame, **steps)
    flow = rd.gradient_flow(*net_at, length=lags)
    gradients = jax.tree.leaves(rd.state_gradients(*net_at, loss, length=lags))
    squares = sum(jnp.sum(leaf.reshape(lags, -1) ** 2, axis=1) for leaf in gradients)
    W = RECURRENT[cell](params)
    return {
        "exponents": spectrum.exponents,
        "stderr": spectrum.stderr,
        "reliable": spectrum.reliable,
        "log_norm": flow.log_norm,
        "log_bound": flow.log_bound,
        "log_gradient": jnp.log(squares)[::-1] / 2,
        "log_singular_values": rd.log_singular_values(*net_at, length=lags),
        "radius": rd.eigen.spectral_radius(W),
        "norm": rd.eigen.spectral_norm(W),
        "radius_at_rest": rd.eigen.spectral_radius(rd.step_jacobian(found.step, params, rest, None)),
    }


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """The sweep, with a variable `regime`: -1 where the gradient vanishes, 1 where it explodes, 0 on the edge."""
    grid = {
        "cell": list(config.cells),
        "hidden": list(config.hidden),
        **{name: [getattr(config, name)] for name in FIXED},
        "gain": np.linspace(*config.gains, config.steps),
        "net": 1000 * config.seed + np.arange(float(config.nets)),
    }
    dataset = rd.sweep(measure, grid, key=jax.random.key(config.seed), store=config.store, progress=progress)
    dataset = dataset.squeeze((*FIXED, "repeat")).load()
    return dataset.assign(regime=regimes(dataset))


def regimes(dataset: xarray.Dataset) -> xarray.DataArray:
    """-1, 0 or 1 by the sign of λ₁, NaN where it is not reliable.

    0 within two standard errors and one e-fold of the whole run: what grows less is not told from what does not grow.
    """
    first = dataset.isel(index=0)
    margin = 2 * first.stderr + 1 / dataset.length
    known = first.reliable.astype(bool) & np.isfinite(first.exponents)
    return xarray.where(known, np.sign(first.exponents).where(np.abs(first.exponents) > margin, 0.0), np.nan)


class Critical(NamedTuple):
    """The gains at which a cell's gradients change their fate: measured, as (least, median, greatest) of the nets.

    inf is beyond the gains swept. What rules and theory say of them stands beside, as medians over the nets.
    """

    cell: str
    hidden: int
    vanish_below: tuple[float, float, float]
    explode_beyond: tuple[float, float, float]
    by_radius: float
    at_rest: float
    mean_field: float


def critical_gains(dataset: xarray.Dataset) -> list[Critical]:
    """A row for each cell and width."""
    return [
        critical(str(cell), int(hidden), dataset.sel(cell=cell, hidden=hidden))
        for cell in dataset.cell.values
        for hidden in dataset.hidden.values
    ]


def critical(cell: str, hidden: int, at: xarray.Dataset) -> Critical:
    gain, regime = at.gain.values, at.regime.transpose("net", "gain").values
    first = at.exponents.isel(index=0).transpose("net", "gain").values
    rest = np.log(at.radius_at_rest.transpose("net", "gain").values)

    def over_nets(found: list[float]) -> tuple[float, float, float]:
        return min(found), float(np.median(found)), max(found)

    return Critical(
        cell=cell,
        hidden=hidden,
        vanish_below=over_nets([stops_vanishing(gain, *net) for net in zip(first, regime, strict=True)]),
        explode_beyond=over_nets([begins_to_explode(gain, *net) for net in zip(first, regime, strict=True)]),
        by_radius=float((at.gain / at.radius).median()),
        at_rest=over_nets([begins_to_explode(gain, net, np.sign(net)) for net in rest])[1],
        mean_field=float(np.sqrt(rd.theory.edge_of_order(0.0))) if cell == "elman" else np.nan,
    )


def stops_vanishing(gain: np.ndarray, exponents: np.ndarray, regime: np.ndarray) -> float:
    """The gain up to which λ₁ < 0."""
    others = np.flatnonzero(regime != -1)
    return zero_before(gain, exponents, others[0] if len(others) else len(gain))


def begins_to_explode(gain: np.ndarray, exponents: np.ndarray, regime: np.ndarray) -> float:
    """The gain beyond which λ₁ > 0 throughout."""
    others = np.flatnonzero(regime != 1)
    return zero_before(gain, exponents, others[-1] + 1 if len(others) else 0)


def zero_before(gain: np.ndarray, exponents: np.ndarray, place: int) -> float:
    """Where between the last gain and the one at `place` a curve is 0, taken as straight in ln gain.

    For a linear net, whose exponent is ln g + ln ρ, that is exact. inf if the place is beyond the last gain.
    """
    if place == len(gain):
        return np.inf
    if place == 0:
        return float(gain[0])
    (low, high), (before, after) = exponents[place - 1 : place + 1], np.log(gain[place - 1 : place + 1])
    share = np.clip(-low / (high - low), 0, 1) if high != low else 1.0
    return float(np.exp(before + share * (after - before)))


def table(rows: list[Critical], greatest: float) -> str:
    """The critical gains by measurement, by rule and by theory; `greatest` is the last gain that was swept."""

    def shown(gain: float) -> str:
        return f"{gain:.3f}" if np.isfinite(gain) else f"> {greatest:g}" if gain > 0 else ""

    def measured(gains: tuple[float, float, float]) -> str:
        least, middle, most = map(shown, gains)
        return f"{middle:>9} ({least} to {most})"

    heads = ("cell", "units", "gradients vanish below", "explode beyond", "1/ρ(W)", "at rest", "χ₁ = 1")
    widths = (8, 7, 28, 28, 9, 9, 9)
    cells = [heads] + [
        (
            NAMES[row.cell],
            str(row.hidden),
            measured(row.vanish_below),
            measured(row.explode_beyond),
            *map(shown, (row.by_radius, row.at_rest, row.mean_field)),
        )
        for row in rows
    ]
    return "\n".join("".join(f"{text:>{width}}" for text, width in zip(line, widths, strict=True)) for line in cells)


def draw(dataset: xarray.Dataset) -> Figure:
    """A column for each cell, at its largest width: the norm over gain and lag, and λ₁ over the gain."""
    hidden = int(dataset.hidden[-1])
    rows = [row for row in critical_gains(dataset) if row.hidden == hidden]
    figure, axes = plt.subplots(2, len(rows), figsize=(2.9 * len(rows) + 1, 6.4), squeeze=False, sharex=True)
    for (above, below), row in zip(axes.T, rows, strict=True):
        at = dataset.sel(cell=row.cell, hidden=hidden)
        last = row is rows[-1]
        norms = at.log_norm.median("net").transpose("gain", "lag").values
        plot.regime_map(above, at.gain.values, np.arange(at.sizes["lag"]), norms, limit=8, bar=last)
        above.set(xlabel="", title=f"{NAMES[row.cell]}, {hidden} units")
        exponents_over_gain(below, at, row, names=last)
        if row is not rows[0]:
            above.set_ylabel("")
            below.set_ylabel("")
    return figure


def exponents_over_gain(axes: Axes, at: xarray.Dataset, row: Critical, *, names: bool) -> None:
    """λ₁ of every net with its regime; the gain at which 1/ρ(W) expects an explosion, and theory where there is one."""
    first = at.exponents.isel(index=0).transpose("gain", "net").values
    plot.regime_points(axes, at.gain.values, first, at.regime.transpose("gain", "net").values, names=names, ms=3.5)
    axes.axvline(row.by_radius, ls="--", lw=1.1, color="0.35", zorder=1.6)
    axes.annotate(
        r"$1/\rho(W)$",
        (row.by_radius, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(3, 0),
        color="0.35",
        textcoords="offset points",
        fontsize=9,
    )
    if np.isfinite(row.mean_field):
        theory = [float(rd.theory.largest_exponent(float(gain))) for gain in at.gain.values]
        axes.plot(at.gain, theory, color="black", lw=1.2, zorder=1.7, label="_theory")
        axes.annotate("mean field", (at.gain.values[-1], theory[-1]), ha="right", va="bottom", fontsize=9)
    beyond, greatest = row.explode_beyond[1], float(at.gain[-1])
    axes.set_title(
        f"half of the nets explode beyond {beyond:.2f}" if np.isfinite(beyond) else f"fewer explode up to {greatest:g}"
    )


def main() -> None:
    """Print the table of critical gains, write figures/regimes.png."""
    config = tyro.cli(Config, default=FULL if "--full" in sys.argv else Config())
    one_device_per_core()
    dataset = run(config, progress=True)
    print(table(critical_gains(dataset), config.gains[1]))
    write("regimes", draw, dataset)


if __name__ == "__main__":
    main()
