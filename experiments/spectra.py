"""Which Lyapunov exponents of a net can be trusted, and do the eigenvalues of W predict them?

The net is a chaotic tanh net in float32, weakly and strongly saturated. The LU frames of `rd.lyapunov_spectrum` are
compared with the most common method, a QR decomposition after every step. Rounding hides from QR whatever lies more
than ln(1/eps) = 16 nats below the first exponent; exponents in doubt are grey. ln|eig W| would be right for a linear
net, but it ignores saturation. The eigenvalues of a step Jacobian include it, but the eigenvectors of one step are not
those of the next. Where W is random, as here, the mean of ln|eig J_t| nevertheless follows the exponents, and e^λ₁ is
the radius of the disk that eig J_t fill.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import tyro
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rnn_dynamics as rd
from rnn_dynamics import plot
from rnn_dynamics.plot.caveats import note

from .figure import Output, write


@dataclass(frozen=True)
class Config(Output):
    """An undriven tanh net on its attractor; eigenvalues are computed for `snapshots` of its Jacobians."""

    gains: tuple[float, ...] = (3.0, 8.0)
    hidden: int = 100
    T: int = 1000
    burn_in: int = 200
    snapshots: int = 20
    seed: int = 0


METHODS: dict[str, dict[str, Any]] = {"LU": {}, "QR": {"method": "qr", "interval": 1}}
# dimensions of the fields of a spectrum that are arrays
DIMS = {
    **dict.fromkeys(("exponents", "stderr", "reliable", "converged", "doubts"), ("index",)),
    **dict.fromkeys(("history", "local"), ("segment", "index")),
    "steps": ("segment",),
}


def run(config: Config = Config()) -> xarray.Dataset:
    """Measure the spectra and the eigenvalues at every gain, for the same random matrix, scaled, and first state.

    The dataset holds the fields of `rd.LyapunovSpectrum` over gain and decomposition, and `of_W` and `of_jacobians`
    over the gain.
    """
    with jax.enable_x64(False):
        return xarray.concat([at(gain, config) for gain in config.gains], "gain")


def at(gain: float, config: Config) -> xarray.Dataset:
    """Measure at one gain: the spectra in float32, the eigenvalues in float64."""
    cell = rd.cells.elman
    key_params, key_state = jax.random.split(jax.random.key(config.seed))
    params = cell.init(key_params, inputs=1, hidden=config.hidden, gain=gain)
    h0 = jax.random.normal(key_state, (config.hidden,))
    h0 = rd.unroll(cell.step, params, h0, None, length=config.burn_in)[-1]
    segments = max(2, min(32, config.T // 10))  # the same for both methods, so that they fit one array
    found = [
        rd.lyapunov_spectrum(cell.step, params, h0, None, length=config.T, segments=segments, **options)
        for options in METHODS.values()
    ]
    with jax.enable_x64(True):  # rounding would hide small eigenvalues too
        params, h0 = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (params, h0))
        of_W = np.asarray(rd.eigen.eigenvalues(params.W))
        of_jacobians = np.asarray(rd.eigen.jacobian_eigenvalues(cell.step, params, h0, None, length=config.snapshots))
    fields = {
        name: (
            ("decomposition", *DIMS.get(name, ())),
            np.stack([np.asarray(getattr(spectrum, name)) for spectrum in found]),
        )
        for name in rd.LyapunovSpectrum._fields
    }
    eigenvalues = {"of_W": ("index", of_W), "of_jacobians": (("snapshot", "index"), of_jacobians)}
    return xarray.Dataset({**fields, **eigenvalues}, coords={"gain": gain, "decomposition": list(METHODS)})


def spectrum_of(found: xarray.Dataset, method: str) -> rd.LyapunovSpectrum:
    """Return one method's spectrum at one gain, as it was measured."""
    chosen = found.sel(decomposition=method)
    fields: Any = (chosen[name].values for name in rd.LyapunovSpectrum._fields)
    return rd.LyapunovSpectrum(*fields)


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw one row per gain: the exponents by both methods, and the eigenvalues."""
    gains = dataset.gain.values
    figure, axes = plt.subplots(len(gains), 2, figsize=(9, 3.7 * len(gains)), squeeze=False, width_ratios=(1.55, 1))
    for row, gain in zip(axes, gains, strict=True):
        exponents(row[0], dataset.sel(gain=gain))
        eigenvalues(row[1], dataset.sel(gain=gain))
    return figure


def exponents(axes: Axes, found: xarray.Dataset) -> None:
    """Plot λ_i by both methods and as eigenvalues predict them; an inset enlarges the first ones."""
    by_lu, by_qr = (spectrum_of(found, method) for method in METHODS)
    index = np.arange(1, found.sizes["index"] + 1)
    axes.plot(index, np.log(np.abs(found.of_W.values)), "-.", color="C2", label=r"$\ln\,|$eig $W|$")
    axes.plot(index, log_moduli(found.of_jacobians.values), "--", color="C3", label=r"mean $\ln\,|$eig $J_t|$")
    plot.lyapunov_spectrum(axes, by_qr, label="QR every step", color="C1", ms=6, mfc="none")
    plot.lyapunov_spectrum(axes, by_lu, label="LU frames", color="C0", floor=False, ms=2.5)
    doubted = [np.sum(~spectrum.reliable) for spectrum in (by_qr, by_lu)]
    shares = f"{doubted[0]} of {len(index)} exponents by QR, {doubted[1]} by LU"
    axes.set_title(f"g = {found.gain.item():g}: in doubt (grey): {shares}")
    plot.label_ends(axes)
    first = 6
    inset = axes.inset_axes((0.15, 0.19, 0.36, 0.27))
    part = {name: getattr(by_lu, name)[:first] for name in ("exponents", "stderr", "reliable")}
    plot.lyapunov_spectrum(inset, by_lu._replace(**part), color="C0", floor=False, ms=2)
    inset.set(xlabel="", ylabel="")
    inset.set_title(f"the first {first}, ± standard error", fontsize=9)


def eigenvalues(axes: Axes, found: xarray.Dataset) -> None:
    """Plot the eigenvalues of W and of the Jacobians, with circles of radius g (the circular law) and e^λ₁."""
    gain, first = found.gain.item(), float(spectrum_of(found, "LU").exponents[0])
    plot.eigenvalue_cloud(axes, found.of_W.values, circles={"eig $W$, radius $g$": gain}, color="C2", ms=4)
    edge = {r"eig $J_t$, radius $e^{\lambda_1}$": float(np.exp(first))}
    plot.eigenvalue_cloud(axes, found.of_jacobians.values, circles=edge, color="C3", alpha=0.25, ms=2)
    largest = np.abs(found.of_W.values).max()
    axes.set_title(rf"$\ln\,\rho(W)$ = {np.log(largest):.2f}, $\lambda_1$ = {first:.2f}")
    note(axes, "solid: |z| = 1")


def log_moduli(eigenvalues: np.ndarray) -> np.ndarray:
    """Return the mean over time of the largest ln|λ|, of the second largest, and so on."""
    return np.log(np.abs(eigenvalues)).mean(axis=0)


def main() -> None:
    """Print which exponents can be trusted, and write the figure."""
    config = tyro.cli(Config)
    dataset = run(config)
    print(f"{config.hidden} exponents in nats per step, float32, {config.T} steps")
    print(
        f"{'gain':>5} {'method':>7} {'λ₁':>17} {'ln ρ(W)':>9} {'lowest':>9} {'in doubt':>9} {'sum-rule residual':>18}"
    )
    for gain in dataset.gain.values:
        found = dataset.sel(gain=gain)
        radius = np.abs(found.of_W.values).max()
        for method in METHODS:
            spectrum = spectrum_of(found, method)
            first = f"{spectrum.exponents[0]:.4f} ± {spectrum.stderr[0]:.4f}"
            print(
                f"{gain:5g} {method:>7} {first:>17} {np.log(radius):9.4f} {spectrum.exponents.min():9.2f} "
                f"{np.sum(~spectrum.reliable):9d} {spectrum.sum_rule_residual:18.3g}"
            )
    write("spectra", config, draw, dataset)


if __name__ == "__main__":
    main()
