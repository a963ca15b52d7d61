"""When does a gradient vanish, when does it explode, and do the eigenvalues of W predict it?

The nets are undriven: linear, tanh, GRU and LSTM, with the same random draws at every gain. The largest Lyapunov
exponent λ₁ of each net, with its error bar, shows whether a gradient grows or shrinks on its way back. It is compared
with three predictions:

    1/ρ(W)     the rule for a linear net; ρ of the recurrent matrix (of the candidate, where there are gates)
    at rest    ρ(J) = 1 for the Jacobian at the state 0, gates included: where rest stops being stable
    χ₁ = 1     mean-field theory of wide tanh nets

There are two critical gains: gradients vanish up to the first, where λ₁ < 0, and explode beyond the second, where
λ₁ > 0. For a linear net the two are equal.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
import xarray
from jax.flatten_util import ravel_pytree

import rnn_dynamics as rd
from rnn_dynamics.sweeps import Variable, described, one_device_per_core

from . import critical
from .figure import FIGURES, Output, folder, write
from .regimes_figure import draw

README = Path("README.md")
BEGIN, END = "<!-- written by python -m experiments.regimes -->\n", "<!-- end -->\n"

FIXED = ("leading", "length", "burn_in", "lags")


@dataclass(frozen=True)
class Config(Output):
    """Gains are evenly spaced. Each cell and width has `nets` random draws, numbered from 1000 · seed.

    Only the `leading` largest exponents are measured. `--full` starts from the publication size, for an accelerator.
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

    def __post_init__(self) -> None:
        if not 0 < self.gains[0] < self.gains[1]:
            raise ValueError(f"gains: got {self.gains}, expected (first, last) with 0 < first < last")
        if unknown := set(self.cells) - set(critical.RECURRENT):
            raise ValueError(
                f"cells: got {', '.join(sorted(unknown))}, expected some of {', '.join(critical.RECURRENT)}"
            )
        for name, least in (("steps", 2), ("nets", 1), ("leading", 1), ("burn_in", 1), ("lags", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: got {getattr(self, name)}, expected at least {least}")


FULL = Config(hidden=(64, 128, 256, 512), steps=57, nets=32, leading=64, length=10_000, burn_in=2000, lags=200)


@described(
    cell=Variable("1", "recurrent cell"),
    hidden=Variable("1", "units"),
    leading=Variable("1", "exponents measured"),
    length=Variable("1", "steps over which exponents are measured"),
    burn_in=Variable("1", "steps discarded before the measurement"),
    lags=Variable("1", "steps over which a gradient is followed"),
    gain=Variable("1", "gain g of the recurrent weights"),
    net=Variable("1", "number of the random draw"),
    exponents=Variable("nats per step", "largest Lyapunov exponents", ("index",)),
    stderr=Variable("nats per step", "their standard errors", ("index",)),
    reliable=Variable("1", "whether each exponent is reliable", ("index",)),
    log_norm=Variable("nats", "ln of the 2-norm of the derivative of h_T with respect to h_(T-lag)", ("lag",)),
    log_bound=Variable("nats", "ln of the product of the norms of the step Jacobians", ("lag",)),
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
    """Measure the gradient of one net at one gain, and the predictions from its weights.

    The random key depends on the number of the draw, not on the point's place in the grid, so that a draw is the same
    at every gain.
    """
    del key
    found = rd.cells.CELLS[cell]
    for_params, for_state, for_frame = jax.random.split(jax.random.key(net.astype(jnp.int32)), 3)
    params = found.init(for_params, inputs=1, hidden=hidden, gain=gain)
    rest = found.initial_state(params)
    vector, unravel = ravel_pytree(rest)
    # a linear net's Jacobian is W in every state, and a state away from 0 would overflow
    begin = rest if cell == "linear" else unravel(0.5 * jax.random.normal(for_state, vector.shape, vector.dtype))
    states = rd.unroll(found.step, params, begin, None, length=burn_in)
    net_at = (found.step, params, jax.tree.map(lambda leaf: leaf[-1], states), None)

    def loss(states: Any) -> jax.Array:
        """Return half the squared error of the mean output at the last step, whose target is 1."""
        return (found.output(jax.tree.map(lambda leaf: leaf[-1], states)).mean() - 1) ** 2 / 2

    k, steps = min(leading, vector.size), length + burn_in
    spectrum = rd.lyapunov_spectrum(*net_at, k=k, length=steps, frame_burn_in=burn_in, key=for_frame)
    flow = rd.gradient_flow(*net_at, length=lags)
    W = critical.RECURRENT[cell](params)
    return {
        "exponents": spectrum.exponents,
        "stderr": spectrum.stderr,
        "reliable": spectrum.reliable,
        "log_norm": flow.log_norm,
        "log_bound": flow.log_bound,
        "log_gradient": rd.log_state_gradients(*net_at, loss, length=lags)[::-1],
        "log_singular_values": rd.log_singular_values(*net_at, length=lags),
        "radius": rd.eigen.spectral_radius(W),
        "norm": rd.eigen.spectral_norm(W),
        "radius_at_rest": rd.eigen.spectral_radius(rd.step_jacobian(found.step, params, rest, None)),
    }


def run(config: Config = Config(), *, progress: bool = False) -> xarray.Dataset:
    """Run the sweep and add `regime`: -1 where gradients vanish, 1 where they explode, 0 on the edge, NaN: unknown."""
    grid = {
        "cell": list(config.cells),
        "hidden": list(config.hidden),
        **{name: [getattr(config, name)] for name in FIXED},
        "gain": np.linspace(*config.gains, config.steps),
        "net": 1000 * config.seed + np.arange(float(config.nets)),
    }
    with jax.enable_x64(False):
        dataset = rd.sweep(measure, grid, key=jax.random.key(config.seed), store=config.store, progress=progress)
    dataset = dataset.squeeze((*FIXED, "repeat")).load()
    return dataset.assign(regime=critical.regimes(dataset))


def rewrite(page: Path, text: str) -> None:
    """Replace the text between the two markers of a page."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    end = rest.partition(END)[2]
    if begin and end:  # a page without the markers belongs to another project
        page.write_text(f"{before}{BEGIN}{text}{END}{end}", encoding="utf-8")


def main() -> None:
    """Print the table of critical gains and write the figure; the default run also updates the README."""
    given = [word for word in sys.argv[1:] if word != "--full"]
    config = tyro.cli(Config, default=FULL if "--full" in sys.argv else Config(), args=given)
    one_device_per_core()
    dataset = run(config, progress=True)
    rows = critical.critical_gains(dataset)
    print(critical.table(rows, config.gains))
    print("NaN in the progress bar: the smallest singular values of points where float32 cannot resolve them")
    write("regimes", config, draw, dataset)
    if folder(config) == FIGURES:
        (FIGURES / "regimes.json").write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n")
        if README.exists():
            rewrite(README, critical.summary(rows, config))


if __name__ == "__main__":
    main()
