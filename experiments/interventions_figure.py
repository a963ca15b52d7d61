"""The figure of `interventions`: one row per intervention, one column per delay."""

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_dynamics import plot

from .counts import table


def draw(dataset: xarray.Dataset) -> Figure:
    """Draw how many nets learnt and how low the loss got, sorted by the number of nets."""
    at = dataset.isel(intervention=np.argsort(-learnt(dataset).sum(axis=1), kind="stable"))
    figure, axes = plt.subplots(1, 2, figsize=(13, 1.4 + 0.34 * at.sizes["intervention"]))
    rates(axes[0], at)
    lowest(axes[1], at)
    return figure


def learnt(dataset: xarray.Dataset) -> np.ndarray:
    """Return how many nets learnt, (intervention, delay)."""
    return np.asarray(dataset.learnt.sum("repeat").transpose("intervention", "delay").values)


def longest(dataset: xarray.Dataset) -> np.ndarray:
    """Return the longest delay that more than half of the nets learnt, (intervention,); 0 where there is none."""
    most = learnt(dataset) > dataset.sizes["repeat"] / 2
    return np.asarray(np.max(np.where(most, dataset.delay.values, 0), axis=1))


def rates(axes: Axes, at: xarray.Dataset) -> None:
    """Draw a coloured table of how many nets learnt."""
    names = [str(name) for name in at.intervention.values]
    table(axes, learnt(at), nets=at.sizes["repeat"], rows=names, columns=at.delay.values)
    reach = longest(at)
    plain = dict(zip(names, reach, strict=True)).get("none")
    best = " and ".join([name for name, far in zip(names, reach, strict=True) if far == reach.max()][:2])
    told = f"Most nets learn a delay of {plain:g} without intervention,\n" if plain is not None else ""
    axes.set_title(
        f"{told}of {reach.max():g} with {best}" + (" and others" if (reach == reach.max()).sum() > 2 else "")
    )


def lowest(axes: Axes, at: xarray.Dataset) -> None:
    """Plot the median over nets of the lowest held-out loss over the delay; the best and the plain nets are named."""
    losses = at.loss.min("look").median("repeat").transpose("intervention", "delay").values
    names = [str(name) for name in at.intervention.values]
    named = {"none", *names[:3], "pre-flossing", "radius at most 1"} & set(names)
    for position, name in enumerate(name for name in names if name not in named):
        axes.plot(at.delay, np.log10(losses[names.index(name)]), color="0.8", lw=1, label=f"_other{position}")
    for position, name in enumerate(name for name in names if name in named):
        style = {"color": "black", "lw": 2.2} if name == "none" else {"color": f"C{position % 6}"}
        axes.plot(at.delay, np.log10(losses[names.index(name)]), marker="o", ms=4, label=name, **style)
    for height, text in ((at.attrs["solved"], "learnt"), (at.attrs["chance"], "chance")):
        plot.level(axes, np.log10(height), text)
    plot.in_powers_of_ten(axes.yaxis)
    axes.set_xscale("log", base=2)
    axes.set_xticks(at.delay.values, [f"{delay:g}" for delay in at.delay.values])
    axes.set_xticks([], minor=True)
    axes.set(xlabel="delay (steps)", ylabel="lowest held-out loss, median (nats)")
    place = int(np.searchsorted(at.delay.values, longest(at).max()))
    best = int(np.argmin(losses[:, place]))
    plain = f"{losses[names.index('none'), place]:.2g} without intervention, " if "none" in names else ""
    axes.set_title(
        f"{at.attrs['updates']} updates; grey: the other interventions. At a delay of\n"
        f"{at.delay.values[place]:g} the loss falls to {plain}{losses[best, place]:.2g} with {names[best]}"
    )
    plot.label_ends(axes)
