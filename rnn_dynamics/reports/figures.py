"""The figures of a report: which there are, what each shows of one network, and the sentence above it."""

import math
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ft2font import FT2Font

from .. import plot
from ..plot.curves import STROKES
from ..plot.labels import HALO
from ..sweeps.terminal_text import printable
from . import sentences
from .network import Network
from .words import number

SIZE, TITLE = (4.6, 3.0), 0.6  # inches: legible on a phone, and two side by side on a desk
INK, MUTED, RULE = "#262626", "#595959", "#cccccc"
ONE_PERCENT = -2.0  # in decades
# the parts of a drawing that are beside the point of a report, which has its own captions
LOOK = {
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
}
LONGEST_NAME = 28
MOST_BLOCKS, MOST_PATHS = 6, 5
# of a title above axes of this size
LETTERS_IN_A_LINE = 46


class Drawing(NamedTuple):
    """A figure of a report.

    Attributes:
        name: The name of its file and of its place in the page.
        topic: What it is about, in a few words.
        sentence: The finding, computed from the data of a network.
        caption: How to read it.
        draw: Draws one network on Axes.
        possible: Whether a network was measured as it needs.
    """

    name: str
    topic: str
    sentence: Callable[[Network], str]
    caption: Callable[[Network], str]
    draw: Callable[[Axes, Network], Any]
    possible: Callable[[Network], bool]


def possible(networks: Sequence[Network]) -> list[Drawing]:
    """Return the drawings for which at least one of the networks was measured."""
    return [each for each in DRAWINGS if any(each.possible(network) for network in networks)]


def drawn(drawing: Drawing, networks: Sequence[Network]) -> Canvas:
    """Draw networks side by side, each with its sentence as the title, with the same limits.

    A network that was not measured as the drawing needs leaves its place empty.
    """
    canvas = Canvas((SIZE[0] * len(networks), SIZE[1] + TITLE))
    panels = list(canvas.subplots(1, len(networks), squeeze=False)[0])
    _draw_alike(drawing, panels, networks)
    for axes, network in zip(panels, networks, strict=True):
        if axes.axison:
            whose = f"{in_letters(network.name)}: " if len(networks) > 1 else ""
            axes.set_title(wrapped(whose + in_letters(drawing.sentence(network), 200)), color=INK)
    return canvas


def each_drawn(drawing: Drawing, networks: Sequence[Network]) -> list[Canvas]:
    """Draw each network on a figure of its own without a title, with the same limits."""
    canvases = [Canvas(SIZE) for _ in networks]
    _draw_alike(drawing, [canvas.subplots() for canvas in canvases], networks)
    return canvases


def _draw_alike(drawing: Drawing, panels: Sequence[Axes], networks: Sequence[Network]) -> None:
    """Draw each network on its Axes; those that can be drawn get the same limits, so that they can be compared."""
    for axes, network in zip(panels, networks, strict=True):
        if drawing.possible(network):
            drawing.draw(axes, network)
        else:
            axes.set_axis_off()
    shown = [axes for axes in panels if axes.axison]
    for axis in "xy":
        limits = np.array([getattr(axes, f"get_{axis}lim")() for axes in shown])
        for axes in shown:
            getattr(axes, f"set_{axis}lim")(limits[:, 0].min(), limits[:, 1].max())
    for axes in shown:
        plot.label_ends(axes)


def in_letters(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a text that matplotlib can draw: short, without mathematics, and in letters that its font has."""
    font = FT2Font(font_manager.findfont("DejaVu Sans"))
    shown = "".join(one if font.get_char_index(ord(one)) else "□" for one in printable(text, keep=""))
    return (shown if len(shown) <= longest else shown[: longest - 1] + "…").replace("$", r"\$")


def wrapped(text: str) -> str:
    """Break a title into lines as wide as its axes."""
    return textwrap.fill(text, LETTERS_IN_A_LINE)


def _flow(axes: Axes, network: Network) -> None:
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


def _flow_caption(network: Network) -> str:
    evidence = network.diagnosis.evidence
    of = "one sequence" if evidence.sequences == 1 else f"{evidence.sequences} sequences: the median, and a band from "
    band = "" if evidence.sequences == 1 else "the 10 to the 90 % quantile"
    parts = [f"The norm of ∂h(T)/∂h(T−ℓ) of {of}{band}."]
    if evidence.log_rms is not None:
        parts.append("Thin: what is left of a gradient of random direction.")
    if evidence.log_bound is not None:
        parts.append("Dashed: the product of the norms of the steps, which it can never exceed.")
    if evidence.eigenvalue_rate is not None and abs(evidence.eigenvalue_rate) < 100:
        radius = number(math.exp(evidence.eigenvalue_rate))
        parts.append(f"Dotted: what the eigenvalue rule would have said, with ρ = {radius}.")
    if (evidence.doubts or {}).get("log_norm"):
        parts.append(f"Doubtful: {(evidence.doubts or {})['log_norm']}.")
    return " ".join(parts)


def _paths(axes: Axes, network: Network) -> None:
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


def _paths_caption(network: Network) -> str:
    shown, of = MOST_PATHS, len(network.diagnosis.evidence.paths or {})
    some = f" The {shown} strongest of {of} paths are shown." if of > shown else ""
    return f"What is left of a gradient of random direction, over all paths and over single ones.{some}"


def _spectrum(axes: Axes, network: Network) -> None:
    plot.lyapunov_spectrum(axes, network.spectrum)  # type: ignore[arg-type]
    axes.axhline(0, color="#999999", lw=0.8, zorder=1)
    axes.set(xlabel="index i", ylabel="exponent λᵢ (nats per step)")


def _eigenvalues(axes: Axes, network: Network) -> None:
    largest = sorted(network.eigenvalues.items(), key=lambda item: -np.nan_to_num(np.abs(item[1]), nan=np.inf).max())
    for name, values in largest[:MOST_BLOCKS]:
        plot.eigenvalue_cloud(axes, values, label=in_letters(name), alpha=0.75)
    named = axes.get_lines()
    axes.legend(
        named, [str(line.get_label()) for line in named], loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9
    )
    for line in named:  # the legend names them
        line.set_label(f"_{line.get_label()}")
    span = 1.05 * max(1.1, *(np.abs(np.asarray(line.get_xydata())).max(initial=0) for line in named))
    axes.set_aspect("equal", adjustable="box")
    axes.set(xlim=(-span, span), ylim=(-span, span))
    axes.locator_params(nbins=5)
    axes.set(xlabel="real part", ylabel="imaginary part")


def _gates(axes: Axes, network: Network) -> None:
    gates = network.diagnosis.evidence.gates or {}
    plot.gates_over_time(axes, {in_letters(name): gate.over_time for name, gate in gates.items()})
    axes.set(xlabel="step t")


def _state_gradients(axes: Axes, network: Network) -> None:
    logs = np.atleast_2d(np.asarray(network.diagnosis.evidence.log_state_gradients))
    plot.gradient_flow(axes, logs, lag=np.arange(1, logs.shape[-1] + 1), symbol="$t$")
    axes.set(xlabel="step t", ylabel="size of ∂L/∂hₜ")


def _measured(field: str) -> Callable[[Network], bool]:
    def asked(network: Network) -> bool:
        value = getattr(network.diagnosis.evidence, field)
        return value is not None and (not isinstance(value, dict) or bool(value))

    return asked


# fixed points come here, after the eigenvalues
DRAWINGS = (
    Drawing("gradient_flow", "Gradient over lag", sentences.of_flow, _flow_caption, _flow, _measured("log_norm")),
    Drawing(
        "paths",
        "Paths of the gradient",
        sentences.of_paths,
        _paths_caption,
        _paths,
        lambda network: _measured("paths")(network) and len(np.asarray(network.diagnosis.evidence.lag)) > 1,
    ),
    Drawing(
        "state_gradients",
        "The loss's gradient over time",
        sentences.of_state_gradients,
        lambda network: "∂L/∂h(t) at every step: where in the sequence this loss can teach the network anything.",
        _state_gradients,
        _measured("log_state_gradients"),
    ),
    Drawing(
        "spectrum",
        "Lyapunov exponents",
        sentences.of_spectrum,
        lambda network: (
            "The mean growth of disturbances along the first sequence, by direction. Bars: one standard error. "
            + sentences.reliability(network)
        ),
        _spectrum,
        lambda network: network.spectrum is not None,
    ),
    Drawing(
        "gates",
        "Gates over time",
        sentences.of_gates,
        lambda network: (
            "The mean over units and sequences at each step. A value counts as shut below 0.05 and as open above 0.95."
        ),
        _gates,
        _measured("gates"),
    ),
    Drawing(
        "eigenvalues",
        "Eigenvalues of each recurrent block",
        sentences.of_eigenvalues,
        lambda network: (
            "Blocks of the Jacobian of the last step of the first sequence. One step's eigenvalues say "
            "little about many steps: that is the figure over lag."
        ),
        _eigenvalues,
        lambda network: bool(network.eigenvalues),
    ),
)
