"""Two matrices with the same eigenvalues, all inside the unit circle: does a gradient vanish in both?

    normal      W = Q R Qᵀ          R has blocks r (cos a, -sin a; sin a, cos a), with eigenvalues r e^{±ia}
    non-normal  W = Q (R + sN) Qᵀ   N lies strictly above the blocks, so the eigenvalues are exactly those of R

The powers of the normal matrix shrink from the start. Those of the non-normal one grow first, which its pseudospectrum
shows and its eigenvalues do not. In a tanh net this growth can carry weak noise out of reach of the stable fixed point
at 0: with the default settings, noise of 0.01 leads to a chaotic attractor, where the gradient does not vanish at all.
"""

from dataclasses import asdict, dataclass

import jax
import matplotlib.pyplot as plt
import numpy as np
import tyro
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot
from rnn_dynamics.plot.decades import power_of_ten

from .figure import Output, write
from .two_matrices import DIMS, NAMES, Matrix, eigenvalues_of, grid, matrices_of, measured, parts


@dataclass(frozen=True)
class Config(Output):
    """Independent noise drives every unit of both nets; gradients are propagated back from step T."""

    hidden: int = 32
    radius: float = 0.9
    skew: float = 3.0
    powers: int = 100
    T: int = 300
    noises: tuple[float, ...] = (1e-4, 1e-2)
    points: int = 81
    extent: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse invalid settings before the measurements start."""
        if self.hidden < 2 or self.hidden % 2:
            raise ValueError(f"hidden: got {self.hidden}, expected an even number: eigenvalues come in pairs")
        if not self.noises:
            raise ValueError("noises: got none, expected at least one size")
        if not 1 <= self.powers <= self.T:
            raise ValueError(f"powers: got {self.powers}, expected 1 <= powers <= T = {self.T}")


def run(config: Config = Config()) -> xarray.Dataset:
    """Measure both matrices: the dataset holds the fields of `Matrix`, and the config in its attributes."""
    with jax.enable_x64(True):
        R, N, Q = parts(config.hidden, config.radius, config.seed)
        noise = jax.random.normal(jax.random.key(config.seed + 1), (config.T, config.hidden))
        seen = (eigenvalues_of(R), grid(config.extent, config.points), noise, config.noises, config.powers)
        found = [measured(Q @ (R + skew * N) @ Q.T, *seen) for skew in (0.0, config.skew)]
    fields = zip(Matrix._fields, zip(*found, strict=True), strict=True)
    return xarray.Dataset(
        {name: (("matrix", *DIMS.get(name, ())), np.stack(values)) for name, values in fields},
        coords={"matrix": list(NAMES), "noise": list(config.noises)},
        attrs={name: value for name, value in asdict(config).items() if name != "out"},
    )


def table(dataset: xarray.Dataset) -> dict[str, list[float]]:
    """Return the rows of the table by name, with one number per matrix."""
    end, matrices = dataset.attrs["powers"], matrices_of(dataset)
    rows = {
        "spectral radius ρ": [np.abs(m.eigenvalues).max() for m in matrices],
        "2-norm": [m.norm for m in matrices],
        "Henrici departure": [m.departure for m in matrices],
        "condition of eigenvectors": [m.condition for m in matrices],
        "Kreiss constant (lower bound)": [m.kreiss for m in matrices],
        f"peak of ‖Wⁿ‖, n ≤ {end}": [np.exp(m.log_powers.max()) for m in matrices],
        "... at step": [m.log_powers.argmax() for m in matrices],
        f"ρⁿ after {end} steps": [np.abs(m.eigenvalues).max() ** end for m in matrices],
        "gradient then: linear net": [np.exp(m.log_linear[-1]) for m in matrices],
    }
    for index, size in enumerate(dataset.noise.values):
        rows[f"... tanh net, noise {size:g}"] = [np.exp(m.log_tanh[index][-1]) for m in matrices]
    return rows


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw the pseudospectra above, and below the norms of powers and of gradients in tanh nets."""
    matrices, radius = matrices_of(dataset), dataset.attrs["radius"]
    figure, axes = plt.subplots(2, 2, figsize=(9, 7.8))
    z = grid(dataset.attrs["extent"], dataset.attrs["points"])
    for panel, name, matrix in zip(axes[0], NAMES, matrices, strict=True):
        plot.pseudospectrum(panel, z, matrix.smallest, matrix.eigenvalues)
        reach = "lines: reach of eig(W + E) at $\\Vert E\\Vert = 10^{-k}$"
        panel.set_title(f"{name.capitalize()}, ρ(W) = {radius:g}, ‖W‖ = {matrix.norm:.2g}\n{reach}")
    powers(axes[1, 0], matrices, radius)
    gradients(axes[1, 1], matrices, dataset.noise.values)
    return figure


def powers(axes: Axes, matrices: list[Matrix], radius: float) -> None:
    """Plot ‖Wⁿ‖ of both, the linear net's gradient as dots, and the Kreiss constant, a lower bound on the peak."""
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
    axes.set_title(f"Powers: {fate_of_powers(skew.log_powers, radius)}")
    plot.label_ends(axes)


def fate_of_powers(log_powers: np.ndarray, radius: float) -> str:
    """Describe ‖Wⁿ‖ of the non-normal matrix over the powers that were computed."""
    peak, last = int(log_powers.argmax()), len(log_powers) - 1
    if radius >= 1 or peak == last:
        return f"non-normal ones are at {power_of_ten(round(log_powers[last] / np.log(10), 1))} after n = {last}"
    height = power_of_ten(round(log_powers[peak] / np.log(10), 1))
    return f"non-normal ones peak at {height} (n = {peak}), then shrink" if peak else "both shrink from the start"


def gradients(axes: Axes, matrices: list[Matrix], noises: np.ndarray) -> None:
    """Plot ‖∂h_T/∂h_{T-ℓ}‖ of tanh nets: the normal one for the strongest noise, the non-normal one for all."""
    normal, skew = matrices
    strongest = int(np.argmax(noises))
    curves = {f"normal,\nnoise {noises[strongest]:g}": normal.log_tanh[strongest]}
    curves |= {f"non-normal,\nnoise {size:g}": logs for size, logs in zip(noises, skew.log_tanh, strict=True)}
    plot.power_norms(axes, curves)
    axes.set(xlabel="lag $\\ell$ (steps)", ylabel=r"$\Vert\partial h_T\,/\,\partial h_{T-\ell}\Vert_2$")
    ends = [power_of_ten(round(m.log_tanh[strongest][-1] / np.log(10), 1)) for m in matrices]
    last = len(skew.log_tanh[0]) - 1
    axes.set_title(
        f"tanh nets, noise {noises[strongest]:g}, after {last} steps:\n{ends[0]} (normal), {ends[1]} (non-normal)"
    )
    plot.label_ends(axes, line=0.12)


def main() -> None:
    """Print what distinguishes the two matrices, and write the figure."""
    config = tyro.cli(Config)
    dataset = run(config)
    print(f"{'':32} {'normal':>12} {'non-normal':>12}")
    for name, values in table(dataset).items():
        print(f"{name:32}", *(f"{value:12.4g}" for value in values))
    write("eigenvalues_mislead", config, draw, dataset)


if __name__ == "__main__":
    main()
