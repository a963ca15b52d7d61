"""Two matrices with the same eigenvalues, all inside the unit circle: does a gradient vanish in both?

    normal      W = Q R Qᵀ          R block diagonal, r (cos a, -sin a; sin a, cos a), eigenvalues r e^{±ia}
    non-normal  W = Q (R + sN) Qᵀ   N strictly above the blocks: the eigenvalues are those of R, exactly

Powers of the first shrink from the start; those of the second grow first, which its pseudospectrum tells and its
eigenvalues do not. In a tanh net that growth can carry weak noise out of reach of the stable fixed point at 0: at the
defaults noise of 0.01 leads to a chaotic attractor, where the gradient does not vanish at all.
"""

from dataclasses import dataclass
from typing import NamedTuple

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

from .figure import write

NAMES = ("normal", "non-normal")


@dataclass(frozen=True)
class Config:
    """Both nets have inputs of independent noise; gradients go back from step T."""

    hidden: int = 32
    radius: float = 0.9
    skew: float = 3.0
    powers: int = 100
    T: int = 300
    noises: tuple[float, ...] = (1e-4, 1e-2)
    points: int = 81
    extent: float = 2.0
    seed: int = 0


class Matrix(NamedTuple):
    """What is known of one W; logarithms are natural."""

    W: np.ndarray
    eigenvalues: np.ndarray
    norm: np.ndarray
    departure: np.ndarray
    condition: np.ndarray
    kreiss: np.ndarray
    log_powers: np.ndarray
    log_linear: np.ndarray  # the gradient's norm in a linear net
    log_tanh: np.ndarray  # in a tanh net, for each noise
    smallest: np.ndarray  # σ_min(zI - W) over the grid


# of the fields that are no plain numbers
DIMS: dict[str, tuple[str, ...]] = {
    "W": ("row", "column"),
    "eigenvalues": ("index",),
    "log_powers": ("power",),
    "log_linear": ("lag",),
    "log_tanh": ("noise", "lag"),
    "smallest": ("y", "x"),
}


def run(config: Config = Config()) -> xarray.Dataset:
    """The fields of Matrix for both of them."""
    if config.hidden < 2 or config.hidden % 2:
        raise ValueError(f"hidden: got {config.hidden}, expected an even number: eigenvalues come in pairs")
    with jax.enable_x64(True):
        R, N, Q = parts(config)
        found = [measured(Q @ (R + skew * N) @ Q.T, eigenvalues_of(R), config) for skew in (0.0, config.skew)]
    fields = zip(Matrix._fields, zip(*found, strict=True), strict=True)
    return xarray.Dataset(
        {name: (("matrix", *DIMS.get(name, ())), np.stack(values)) for name, values in fields},
        coords={"matrix": list(NAMES), "noise": list(config.noises)},
    )


def matrices_of(dataset: xarray.Dataset) -> list[Matrix]:
    """Normal first."""
    return [Matrix(*(dataset[name].sel(matrix=which).values for name in Matrix._fields)) for which in NAMES]


def parts(config: Config) -> tuple[jax.Array, jax.Array, jax.Array]:
    """R, N and Q; the moduli are spread over the disk, and the largest is the radius asked for."""
    moduli_key, angles_key, upper_key, basis_key = jax.random.split(jax.random.key(config.seed), 4)
    n = config.hidden
    moduli = config.radius * jnp.sqrt(jax.random.uniform(moduli_key, (n // 2,))).at[0].set(1)
    angles = jax.random.uniform(angles_key, (n // 2,), maxval=jnp.pi)
    even = 2 * jnp.arange(n // 2)
    real, imaginary = moduli * jnp.cos(angles), moduli * jnp.sin(angles)
    R = jnp.zeros((n, n)).at[even, even].set(real).at[even + 1, even + 1].set(real)
    R = R.at[even, even + 1].set(-imaginary).at[even + 1, even].set(imaginary)
    N = jnp.triu(jax.random.normal(upper_key, (n, n)), 1).at[even, even + 1].set(0) / np.sqrt(n)
    return R, N, jnp.linalg.qr(jax.random.normal(basis_key, (n, n)))[0]


def eigenvalues_of(R: jax.Array) -> np.ndarray:
    """Those of its blocks, without rounding: what a solver finds for a non-normal W is κ times less sure."""
    upper = np.diag(np.asarray(R))[::2] + 1j * np.diag(np.asarray(R), -1)[::2]
    return np.concatenate([upper, upper.conj()])


def grid(config: Config) -> np.ndarray:
    """Points of the complex plane about 0."""
    line = np.linspace(-config.extent, config.extent, config.points)
    return line[None, :] + 1j * line[:, None]


def measured(W: jax.Array, eigenvalues: np.ndarray, config: Config) -> Matrix:
    n, lags = config.hidden, config.powers
    params = rd.cells.Affine(W=W, U=jnp.eye(n))
    rest = jnp.zeros(n)
    noise = jax.random.normal(jax.random.key(config.seed + 1), (config.T, n))

    def flow(noise: jax.Array) -> jax.Array:
        return rd.gradient_flow(rd.cells.elman.step, params, rest, noise, lags=lags).log_norm

    linear = rd.gradient_flow(rd.cells.linear.step, params, rest, None, length=lags)
    return Matrix(
        W=np.asarray(W),
        eigenvalues=eigenvalues,
        norm=np.asarray(rd.eigen.spectral_norm(W)),
        departure=np.asarray(rd.eigen.departure_from_normality(W)),
        condition=np.asarray(rd.eigen.eigenvector_condition(W)),
        kreiss=np.asarray(rd.eigen.kreiss_constant(W)),
        log_powers=np.asarray(rd.eigen.log_power_norms(W, lags)),
        log_linear=np.asarray(linear.log_norm),
        log_tanh=np.stack([flow(size * noise) for size in config.noises]),
        smallest=np.asarray(rd.eigen.pseudospectrum(W, jnp.asarray(grid(config)))),
    )


def table(dataset: xarray.Dataset, config: Config) -> dict[str, list[float]]:
    """Rows by name, a number for each matrix."""
    end, matrices = config.powers, matrices_of(dataset)
    rows = {
        "spectral radius ρ": [np.abs(m.eigenvalues).max() for m in matrices],
        "2-norm": [m.norm for m in matrices],
        "Henrici departure": [m.departure for m in matrices],
        "condition of eigenvectors": [m.condition for m in matrices],
        "Kreiss constant (lower bound)": [m.kreiss for m in matrices],
        "peak of ‖Wⁿ‖": [np.exp(m.log_powers.max()) for m in matrices],
        "... at step": [m.log_powers.argmax() for m in matrices],
        f"ρⁿ after {end} steps": [np.abs(m.eigenvalues).max() ** end for m in matrices],
        "gradient then: linear net": [np.exp(m.log_linear[-1]) for m in matrices],
    }
    for index, size in enumerate(config.noises):
        rows[f"... tanh net, noise {size:g}"] = [np.exp(m.log_tanh[index][-1]) for m in matrices]
    return rows


def draw(dataset: xarray.Dataset, config: Config = Config()) -> Figure:
    """Above: the pseudospectra. Below: the norms of powers, and of gradients in tanh nets."""
    matrices = matrices_of(dataset)
    figure, axes = plt.subplots(2, 2, figsize=(9, 7.8))
    for panel, name, matrix in zip(axes[0], NAMES, matrices, strict=True):
        plot.pseudospectrum(panel, grid(config), matrix.smallest, matrix.eigenvalues)
        reach = "lines: reached by eig(W + E) at $\\Vert E\\Vert = 10^{-k}$"
        panel.set_title(f"{name.capitalize()}, ρ(W) = {config.radius:g}, ‖W‖ = {matrix.norm:.2g}\n{reach}")
    powers(axes[1, 0], matrices)
    gradients(axes[1, 1], matrices, config)
    return figure


def powers(axes: Axes, matrices: list[Matrix]) -> None:
    normal, skew = matrices
    plot.power_norms(axes, {"normal $= \\rho(W)^n$": normal.log_powers, "non-normal": skew.log_powers})
    every = slice(0, None, 4)
    lags = np.arange(len(skew.log_linear))
    axes.plot(lags[every], skew.log_linear[every] / np.log(10), "o", ms=3.5, color="C1")
    middle = len(lags) // 3
    axes.annotate(
        "dots: a linear net's gradient",
        (middle, skew.log_linear[middle] / np.log(10)),
        xytext=(6, 4),
        textcoords="offset points",
        color="C1",
        fontsize=9,
    )
    plot.level(axes, np.log10(skew.kreiss), f"Kreiss constant {skew.kreiss:.3g} ≤ peak", right=True)
    peak = int(skew.log_powers.argmax())
    axes.set_title(f"Powers: non-normal ones peak at {np.exp(skew.log_powers[peak]):.0f} before they shrink")
    plot.label_ends(axes)


def gradients(axes: Axes, matrices: list[Matrix], config: Config) -> None:
    """‖∂h_T/∂h_{T-ℓ}‖ of tanh nets: the normal one in the strongest noise, the other in all."""
    normal, skew = matrices
    curves = {f"normal,\nnoise {config.noises[-1]:g}": normal.log_tanh[-1]}
    curves |= {f"non-normal,\nnoise {size:g}": logs for size, logs in zip(config.noises, skew.log_tanh, strict=True)}
    plot.power_norms(axes, curves)
    axes.set(xlabel="lag $\\ell$ (steps)", ylabel=r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$")
    fate = "explodes" if skew.log_tanh[-1][-1] > 0 else "vanishes"
    axes.set_title(f"tanh net: the gradient {fate} at noise {config.noises[-1]:g}")
    plot.label_ends(axes, line=0.12)


def main() -> None:
    """Print what distinguishes the two matrices and write figures/eigenvalues_mislead.png."""
    config = tyro.cli(Config)
    dataset = run(config)
    print(f"{'':32} {'normal':>12} {'non-normal':>12}")
    for name, values in table(dataset, config).items():
        print(f"{name:32}", *(f"{value:12.4g}" for value in values))
    write("eigenvalues_mislead", draw, dataset, config)


if __name__ == "__main__":
    main()
