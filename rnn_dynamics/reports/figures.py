"""The figures of a report: which there are, what each shows of one network, and the sentence above it."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from .. import plot
from . import panels, rest_in_words, sentences
from .network import Network
from .panels import INK, MUTED, RULE, in_letters

SIZE, TITLE = (4.6, 3.0), 0.6  # inches: legible on a phone, and two side by side on a desk
# frames and ticks step back behind the data, on top of the style of all plots
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
    places = list(canvas.subplots(1, len(networks), squeeze=False)[0])
    _draw_alike(drawing, places, networks)
    for axes, network in zip(places, networks, strict=True):
        if axes.axison:
            whose = f"{in_letters(network.name)}: " if len(networks) > 1 else ""
            axes.set_title(wrapped(whose + in_letters(drawing.sentence(network), 200)), color=INK)
    return canvas


def each_drawn(drawing: Drawing, networks: Sequence[Network]) -> list[Canvas]:
    """Draw each network on a figure of its own without a title, with the same limits."""
    canvases = [Canvas(SIZE) for _ in networks]
    _draw_alike(drawing, [canvas.subplots() for canvas in canvases], networks)
    return canvases


def _draw_alike(drawing: Drawing, places: Sequence[Axes], networks: Sequence[Network]) -> None:
    """Draw each network on its Axes; those that can be drawn get the same limits, so that they can be compared."""
    for axes, network in zip(places, networks, strict=True):
        if drawing.possible(network):
            drawing.draw(axes, network)
        else:
            axes.set_axis_off()
    shown = [axes for axes in places if axes.axison]
    for axis in "xy":
        limits = np.array([getattr(axes, f"get_{axis}lim")() for axes in shown])
        for axes in shown:
            getattr(axes, f"set_{axis}lim")(limits[:, 0].min(), limits[:, 1].max())
    for axes in shown:
        plot.label_ends(axes)


def wrapped(text: str) -> str:
    """Break a title into lines as wide as its axes."""
    return textwrap.fill(text, LETTERS_IN_A_LINE)


def _measured(field: str) -> Callable[[Network], bool]:
    def asked(network: Network) -> bool:
        value = getattr(network.diagnosis.evidence, field)
        return value is not None and (not isinstance(value, dict) or bool(value))

    return asked


DRAWINGS = (
    Drawing(
        "gradient_flow", "Gradient over lag", sentences.of_flow, panels.flow_caption, panels.flow, _measured("log_norm")
    ),
    Drawing(
        "paths",
        "Paths of the gradient",
        sentences.of_paths,
        panels.paths_caption,
        panels.paths,
        lambda network: _measured("paths")(network) and len(np.asarray(network.diagnosis.evidence.lag)) > 1,
    ),
    Drawing(
        "state_gradients",
        "The loss's gradient over time",
        sentences.of_state_gradients,
        lambda network: "∂L/∂h(t) at every step: where in the sequence this loss can teach the network anything.",
        panels.state_gradients,
        _measured("log_state_gradients"),
    ),
    Drawing(
        "spectrum",
        "Lyapunov exponents",
        sentences.of_spectrum,
        lambda network: (
            "The mean growth of disturbances along the first sequence, by direction. Bars: one standard error. "
            + sentences.of_first_sequence(network)
            + sentences.reliability(network)
        ),
        panels.spectrum,
        lambda network: network.spectrum is not None,
    ),
    Drawing(
        "gates",
        "Gates over time",
        sentences.of_gates,
        lambda network: (
            "The mean over units and sequences at each step. A value counts as shut below 0.05 and as open above 0.95."
        ),
        panels.gates,
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
        panels.eigenvalues,
        lambda network: bool(network.eigenvalues),
    ),
    Drawing(
        "fixed_points",
        "Fixed points",
        rest_in_words.of_state_space,
        rest_in_words.state_space_caption,
        panels.state_space,
        rest_in_words.was_found,
    ),
    Drawing(
        "fixed_point_eigenvalues",
        "Eigenvalues at the fixed points",
        rest_in_words.of_point_eigenvalues,
        rest_in_words.point_eigenvalues_caption,
        panels.point_eigenvalues,
        rest_in_words.was_found,
    ),
)
