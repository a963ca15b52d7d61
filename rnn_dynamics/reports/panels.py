"""What each figure of a report draws of one network, and how to read it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D

from .. import plot
from ..plot.curves import STROKES
from ..plot.labels import HALO
from ..sweeps.terminal_text import printable
from . import rest_in_words, sentences
from .network import Network
from .words import number

INK, MUTED, RULE = "#262626", "#595959", "#cccccc"
ONE_PERCENT = -2.0  # in decades
LONGEST_NAME = 28
MOST_BLOCKS, MOST_PATHS = 6, 5


def in_letters(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a text that matplotlib can draw: short, without mathematics, and in letters that its font has."""
    font = FT2Font(font_manager.findfont("DejaVu Sans"))
    shown = "".join(one if font.get_char_index(ord(one)) else "□" for one in printable(text, keep=""))
    return (shown if len(shown) <= longest else shown[: longest - 1] + "…").replace("$", r"\$")


def flow(axes: Axes, network: Network) -> None:
    """Draw the norm of the gradient over lag, next to its bound and the eigenvalue rule."""
    evidence = network.diagnosis.evidence
    lags = np.asarray(evidence.lag)
    norms = np.asarray(evidence.log_norm)
    plot.gradient_flow(axes, norms, lag=lags, label="measured")
    low, high = _range_of(norms)
    if evidence.log_rms is not None:
        typical = np.median(np.asarray(evidence.log_rms), axis=0)
        plot.gradient_flow(axes, typical, lag=lags, label="random", lw=1.0, color="#56b4e9")
    if evidence.log_bound is not None:
        bound = np.median(np.asarray(evidence.log_bound), axis=0)
        plot.gradient_flow(axes, bound, lag=lags, label="bound", ls="--", lw=1.1, color="#009e73")
    if evidence.eigenvalue_rate is not None and np.isfinite(evidence.eigenvalue_rate):
        rule = lags * evidence.eigenvalue_rate
        plot.gradient_flow(axes, rule, lag=lags, label=r"$\rho(W)^\ell$", ls=":", lw=1.3, color="#cc79a7")
    axes.set_ylim(low, high)
    _mark_one_percent(axes, network)
    if evidence.horizon is not None:
        _mark_horizon(axes, evidence.horizon, float(lags[-1]))
    axes.set(xlabel="lag ℓ (steps back)", ylabel="size of the gradient left")


def _mark_one_percent(axes: Axes, network: Network) -> None:
    """Draw the level of 1 %, and a dot where the median falls to it."""
    axes.axhline(ONE_PERCENT, color=RULE, lw=1.0, zorder=1)
    lag = sentences.reach(network.diagnosis.evidence)
    if lag is None:
        return
    axes.plot([lag], [ONE_PERCENT], "o", ms=5, color=INK, zorder=4, label="_one percent")
    # a curve that has fallen leaves this corner empty
    axes.text(0.03, 0.04, f"● 1 % at lag {lag}", transform=axes.transAxes, color=INK, fontsize=9, path_effects=HALO)


def _mark_horizon(axes: Axes, horizon: int, last: float) -> None:
    """Draw a line at the horizon, with its name on the side where there is more room."""
    left = horizon > last / 2
    axes.axvline(horizon, color="#d55e00", lw=1.2, label="_horizon")
    axes.annotate(
        f"horizon {horizon}",
        (horizon, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-4 if left else 4, -2),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
        color="#d55e00",
        fontsize=9,
        path_effects=HALO,
    )


def _range_of(norms: Any) -> tuple[float, float]:
    """Return limits in decades that hold the measured norms, and leave room for curves that leave the figure."""
    finite = norms[np.isfinite(norms)] / np.log(10)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (-3.0, 0.0)
    margin = 0.08 * max(high - low, 1.0)
    return min(low - margin, -2.3), max(high + 3 * margin, 0.4)


def flow_caption(network: Network) -> str:
    """Say how to read the gradient over lag."""
    evidence = network.diagnosis.evidence
    of = "one sequence" if evidence.sequences == 1 else f"{evidence.sequences} sequences: the median, and a band from "
    band = "" if evidence.sequences == 1 else "the 10 to the 90 % quantile"
    parts = [f"The norm of ∂h(T)/∂h(T−ℓ) of {of}{band}."]
    if evidence.log_rms is not None:
        parts.append("Thin: what is left of a gradient of random direction.")
    if evidence.log_bound is not None:
        parts.append(
            "Dashed: the product of the norms of the steps, a bound, estimated from some steps of the first sequence."
        )
    if evidence.eigenvalue_rate is not None and abs(evidence.eigenvalue_rate) < 100:
        radius = number(math.exp(evidence.eigenvalue_rate))
        parts.append(f"Dotted: what the eigenvalue rule would have said, with ρ = {radius}.")
    if (evidence.doubts or {}).get("log_norm"):
        parts.append(f"Doubtful: {(evidence.doubts or {})['log_norm']}.")
    return " ".join(parts)


def paths(axes: Axes, network: Network) -> None:
    """Draw what is left of a gradient of random direction over all paths, and over the strongest single ones."""
    evidence = network.diagnosis.evidence
    lag, heights_there = sentences.strongest_paths(evidence)
    strongest = list(heights_there)[:MOST_PATHS]
    whole = evidence.log_norm if evidence.log_rms is None else evidence.log_rms
    curves = {"all paths": whole, **{in_letters(name): (evidence.paths or {})[name] for name in strongest}}
    widths = np.linspace(3.0, 1.5, len(curves))
    # at lag 0 nothing is on a path from one part of the state to another yet
    shown = slice(1, max(2, int(np.searchsorted(np.asarray(evidence.lag), lag)) + 1))
    for place, (name, logs) in enumerate(curves.items()):
        stroke = STROKES[place % len(STROKES)]
        heights, lags = np.asarray(logs)[..., shown], np.asarray(evidence.lag)[shown]
        plot.gradient_flow(axes, heights, lag=lags, label=name, ls=stroke, lw=widths[place])
    axes.set(xlabel="lag ℓ (steps back)", ylabel="size of the gradient left")


def paths_caption(network: Network) -> str:
    """Say how to read the paths."""
    shown, of = MOST_PATHS, len(network.diagnosis.evidence.paths or {})
    some = f" The {shown} strongest of {of} paths are shown." if of > shown else ""
    return f"What is left of a gradient of random direction, over all paths and over single ones.{some}"


def spectrum(axes: Axes, network: Network) -> None:
    """Draw the exponents over their index."""
    plot.lyapunov_spectrum(axes, network.spectrum)  # type: ignore[arg-type]
    axes.axhline(0, color="#999999", lw=0.8, zorder=1)
    axes.set(xlabel="index i", ylabel="exponent λᵢ (nats per step)")


def eigenvalues(axes: Axes, network: Network) -> None:
    """Draw the eigenvalues of the blocks with the largest ones."""
    largest = sorted(network.eigenvalues.items(), key=lambda item: -np.nan_to_num(np.abs(item[1]), nan=np.inf).max())
    for name, values in largest[:MOST_BLOCKS]:
        plot.eigenvalue_cloud(axes, values, label=in_letters(name), alpha=0.75)
    named = axes.get_lines()
    axes.legend(
        named, [str(line.get_label()) for line in named], loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9
    )
    for line in named:  # the legend names them
        line.set_label(f"_{line.get_label()}")
    _complex_plane(axes, named)


def _complex_plane(axes: Axes, drawn: Sequence[Line2D]) -> None:
    """Show as much of the plane as holds these points and the unit circle, with 0 in the middle."""
    span = 1.05 * max(1.1, *(np.abs(np.asarray(line.get_xydata())).max(initial=0) for line in drawn))
    axes.set_aspect("equal", adjustable="box", anchor="W")  # centred, a layout would cut off the label on the left
    axes.set(xlim=(-span, span), ylim=(-span, span))
    axes.locator_params(nbins=5)
    axes.set(xlabel="real part", ylabel="imaginary part")


def state_space(axes: Axes, network: Network) -> None:
    """Draw fixed points among the states of the first sequence."""
    rest = network.rest
    assert rest is not None
    assert rest.found is not None
    plot.state_space(axes, rest.found, rest.visited, outliers=rest_in_words.all_far(rest.found))
    # the limits are set once more, for two networks alike; centred, a layout would cut off the label on the left
    axes.set_aspect("equal", adjustable="box", anchor="W")


def point_eigenvalues(axes: Axes, network: Network) -> None:
    """Draw the eigenvalues of the Jacobians at fixed points."""
    rest = network.rest
    assert rest is not None
    assert rest.found is not None
    plot.fixed_point_eigenvalues(axes, rest.found, outliers=rest_in_words.all_far(rest.found))
    _complex_plane(axes, axes.get_lines())


def gates(axes: Axes, network: Network) -> None:
    """Draw how far each gate is open."""
    gates = network.diagnosis.evidence.gates or {}
    plot.gates_over_time(axes, {in_letters(name): gate.over_time for name, gate in gates.items()})
    axes.set(xlabel="step t")


def state_gradients(axes: Axes, network: Network) -> None:
    """Draw the size of the loss's gradient at each step."""
    logs = np.atleast_2d(np.asarray(network.diagnosis.evidence.log_state_gradients))
    plot.gradient_flow(axes, logs, lag=np.arange(1, logs.shape[-1] + 1), symbol="$t$")
    axes.set(xlabel="step t", ylabel="size of ∂L/∂hₜ")
