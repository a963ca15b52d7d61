"""How much further layers add to the largest exponent: a panel of `depth_and_width`."""

from typing import Any

import numpy as np
import xarray
from matplotlib.axes import Axes

from rnn_dynamics import plot


def stacks(axes: Axes, dataset: xarray.Dataset) -> None:
    """Plot how much further layers add to the mean λ₁; curves of λ₁ itself would hide one another."""
    layers, nets = dataset.layers.values, dataset.sizes["net"]
    exponents = dataset.deep.transpose("layers", "gain", "net").values
    added = exponents.mean(axis=-1) - exponents[0].mean(axis=-1)
    scatter = scatter_of(exponents)
    errors = np.sqrt((scatter**2 + scatter[0] ** 2) / nets)
    width, fewest = dataset.attrs["layer_width"], named(layers[0])
    for place in range(1, len(layers)):
        bars = errors[place] if nets > 1 else None
        style: dict[str, Any] = {"ls": ("-", "--", "-.", ":")[place % 4], "marker": "osD^"[place % 4], "ms": 3.5}
        gains = dataset.gain.values + 0.012 * (place - len(layers) / 2)  # shifted sideways: most overlap
        axes.plot(gains, added[place], color=f"C{place}", label=named(layers[place]), **style)
        axes.errorbar(gains, added[place], bars, fmt="none", ecolor=f"C{place}", elinewidth=0.8, label="_bars")
    axes.axhline(0, lw=1, color="black", label="_zero")
    axes.set(xlabel="gain $g$", ylabel=rf"mean $\lambda_1$ minus that of {fewest} (nats per step)")
    if len(layers) > 1:
        most = np.unravel_index(added.argmax(), added.shape)
        title = (
            f"{width} units per layer: {named(layers[most[0]])} add {added[most]:.3f} at g = {dataset.gain[most[1]]:g}"
        )
    else:
        title = f"{width} units per layer: only {fewest}, nothing to compare"
    axes.set_title(f"{title}\n(maximum; bars: standard error over {nets} nets)" if len(layers) > 1 else title)
    plot.label_ends(axes)


def named(layers: int) -> str:
    """Return a number of layers in words."""
    return "1 layer" if layers == 1 else f"{layers} layers"


def scatter_of(exponents: np.ndarray) -> np.ndarray:
    """Return the standard deviation over the nets, the last axis; NaN for a single net."""
    return exponents.std(axis=-1, ddof=1) if exponents.shape[-1] > 1 else np.full(exponents.shape[:-1], np.nan)
