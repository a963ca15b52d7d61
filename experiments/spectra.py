"""Which Lyapunov exponents of a net can be trusted, and what do the eigenvalues of W know of them?

A chaotic tanh net in float32, weakly and strongly saturated. The LU frames of `rd.lyapunov_spectrum` stand beside the
method that is used most, a QR decomposition after every step: rounding hides from it what lies ln(1/eps) = 16 nats
below the first exponent, and what it cannot vouch for is grey. ln|eig W| would be right for a linear net and knows
nothing of saturation. The eigenvalues of a step Jacobian do, although the eigenvectors of one step are not those of the
next: where W is random, as here, the mean of ln|eig J_t| follows the exponents, and e^λ₁ is the radius of their disk.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rnn_dynamics as rd
from rnn_dynamics import plot

from .figure import write


@dataclass(frozen=True)
class Config:
    """An undriven tanh net on its attractor; `snapshots` of its Jacobians are taken apart into eigenvalues."""

    gains: tuple[float, ...] = (3.0, 8.0)
    hidden: int = 100
    T: int = 1000
    burn_in: int = 200
    snapshots: int = 20
    seed: int = 0


class Spectra(NamedTuple):
    """What is known of a net at one gain."""

    by_lu: rd.LyapunovSpectrum
    by_qr: rd.LyapunovSpectrum
    of_W: np.ndarray
    of_jacobians: np.ndarray


def run(config: Config = Config()) -> list[Spectra]:
    """The spectra at every gain, of the same random matrix scaled, from the same first state."""
    with jax.enable_x64(False):
        return [at(gain, config) for gain in config.gains]


def at(gain: float, config: Config) -> Spectra:
    cell = rd.cells.elman
    key_params, key_state = jax.random.split(jax.random.key(config.seed))
    params = cell.init(key_params, inputs=1, hidden=config.hidden, gain=gain)
    h0 = jax.random.normal(key_state, (config.hidden,))
    h0 = rd.unroll(cell.step, params, h0, None, length=config.burn_in)[-1]
    by_lu = rd.lyapunov_spectrum(cell.step, params, h0, None, length=config.T)
    by_qr = rd.lyapunov_spectrum(cell.step, params, h0, None, length=config.T, method="qr", every=1)
    with jax.enable_x64(True):  # small eigenvalues drown in rounding too
        params, h0 = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (params, h0))
        of_W = rd.eigen.eigenvalues(params.W)
        of_jacobians = rd.eigen.jacobian_eigenvalues(cell.step, params, h0, None, length=config.snapshots)
    return Spectra(*jax.tree.map(np.asarray, (by_lu, by_qr, of_W, of_jacobians)))


def draw(spectra: list[Spectra], config: Config = Config()) -> Figure:
    """A row for each gain: the exponents by both methods, and the eigenvalues."""
    figure, axes = plt.subplots(len(spectra), 2, figsize=(9, 3.7 * len(spectra)), squeeze=False, width_ratios=(1.55, 1))
    for row, gain, found in zip(axes, config.gains, spectra, strict=True):
        exponents(row[0], found, gain)
        eigenvalues(row[1], found, gain)
    return figure


def exponents(axes: Axes, found: Spectra, gain: float) -> None:
    """λ_i by both methods, beside what eigenvalues say; the first ones enlarged."""
    index = np.arange(1, len(found.of_W) + 1)
    axes.plot(index, np.log(np.abs(found.of_W)), "-.", color="C2", label=r"$\ln\,|$eig $W|$")
    axes.plot(index, log_moduli(found.of_jacobians), "--", color="C3", label=r"mean $\ln\,|$eig $J_t|$")
    plot.lyapunov_spectrum(axes, found.by_qr, label="QR every step", color="C1", ms=6, mfc="none")
    plot.lyapunov_spectrum(axes, found.by_lu, label="LU frames", color="C0", floor=False, ms=2.5)
    by_qr, by_lu = (np.sum(~spectrum.reliable) for spectrum in (found.by_qr, found.by_lu))
    axes.set_title(f"g = {gain:g}: in doubt (grey) are {by_qr} of {len(index)} exponents by QR, {by_lu} by LU")
    plot.label_ends(axes)
    first = 6
    inset = axes.inset_axes((0.15, 0.19, 0.36, 0.27))
    part = {name: getattr(found.by_lu, name)[:first] for name in ("exponents", "stderr", "reliable")}
    plot.lyapunov_spectrum(inset, found.by_lu._replace(**part), color="C0", floor=False, ms=2)
    inset.set(xlabel="", ylabel="")
    inset.set_title(f"the first {first}, ± standard error", fontsize=9)


def eigenvalues(axes: Axes, found: Spectra, gain: float) -> None:
    """Eigenvalues of W and of the Jacobians, with the radius of the circular law and that of the first exponent."""
    radius = float(np.exp(found.by_lu.exponents[0]))
    plot.eigenvalue_cloud(axes, found.of_W, circles={"eig $W$, radius $g$": gain}, color="C2", ms=4)
    edge = {r"eig $J_t$, radius $e^{\lambda_1}$": radius}
    plot.eigenvalue_cloud(axes, found.of_jacobians, circles=edge, color="C3", alpha=0.25, ms=2)
    axes.set_title(f"g = {gain:g}: eigenvalues, and |z| = 1")


def log_moduli(eigenvalues: np.ndarray) -> np.ndarray:
    """The mean over time of the largest ln|λ|, of the second largest, and so on."""
    return np.log(np.abs(eigenvalues)).mean(axis=0)


def main() -> None:
    """Print what can be trusted and write figures/spectra.png."""
    config = tyro.cli(Config)
    spectra = run(config)
    print(f"{config.hidden} exponents in nats per step, float32, {config.T} steps")
    print(
        f"{'gain':>5} {'method':>7} {'λ₁':>17} {'ln ρ(W)':>9} {'lowest':>9} {'in doubt':>9} {'sum-rule residual':>18}"
    )
    for gain, found in zip(config.gains, spectra, strict=True):
        for name, spectrum in (("LU", found.by_lu), ("QR", found.by_qr)):
            first = f"{spectrum.exponents[0]:.4f} ± {spectrum.stderr[0]:.4f}"
            last = spectrum.exponents.min()
            print(
                f"{gain:5g} {name:>7} {first:>17} {np.log(np.abs(found.of_W[0])):9.4f} {last:9.2f} "
                f"{np.sum(~spectrum.reliable):9d} {spectrum.sum_rule_residual:18.3g}"
            )
    write("spectra", draw, spectra, config)


if __name__ == "__main__":
    main()
