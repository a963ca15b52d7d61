"""The folder as a whole: reachable as rd.plot, and matplotlib only with it."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from known_points import branch, described

from rnn_dynamics import plot
from rnn_dynamics.fixed_points import SpeedLandscape
from rnn_dynamics.measure import CovariantVectors, LyapunovSpectrum
from rnn_dynamics.train import Fit

GRID = np.linspace(-1, 1, 4) + 1j * np.linspace(-1, 1, 5)[:, None]


def spectrum(exponents):
    """Of which nothing is reliable."""
    unknown = dict.fromkeys(LyapunovSpectrum._fields)
    known = {"exponents": exponents, "stderr": np.abs(exponents), "reliable": np.zeros(len(exponents), bool)}
    steps = {"history": np.stack([exponents, exponents]), "steps": np.array([10, 20]), "interval": 1}
    return LyapunovSpectrum(**{**unknown, **known, **steps})


def vectors(angles):
    known = {"angles": angles, "reliable": np.ones(angles.shape[-1], bool)}
    return CovariantVectors(**dict.fromkeys(CovariantVectors._fields) | known)


def fit(losses):
    seen = {"loss": losses, "held_out_loss": losses, "recorded": np.arange(len(losses)), "outcome": 0}
    return Fit(**dict.fromkeys(Fit._fields) | seen)


def points(many):
    """Of which one half is fixed, at these places and with these numbers as eigenvalues."""
    size = len(many)
    with np.errstate(all="ignore"):
        found = described(many, np.broadcast_to(np.eye(size), (size, size, size)), fixed=np.arange(size) % 2 == 0)
    return found._replace(eigenvalues=many.astype(complex), unstable=np.full(size, size), stable=np.zeros(size, bool))


def curve(many):
    values = np.arange(len(many), dtype=float)
    return branch(values, many, np.where(np.isfinite(many), many, 0.5))


def landscape(many):
    size = len(many)
    places = np.arange(size, dtype=float)
    plane = np.eye(2, size + 1)
    flow = np.stack([many, -many], axis=-1)
    return SpeedLandscape(np.zeros(size + 1), plane, places, places, np.abs(many), flow)


# how each picture is drawn of nothing but one number, as one net, one seed, one lag, and as several
PICTURES = {
    "bifurcation_diagram": lambda axes, many: plot.bifurcation_diagram(axes, curve(many)),
    "contributions": lambda axes, many: plot.contributions(axes, np.tril(np.abs(many))),
    "convergence": lambda axes, many: plot.convergence(axes, spectrum(many[0])),
    "covariant_vectors": lambda axes, many: plot.covariant_vectors(axes, vectors(np.full((2, 3, 3), many[0, 0]))),
    "eigenvalue_cloud": plot.eigenvalue_cloud,
    "fixed_point_eigenvalues": lambda axes, many: plot.fixed_point_eigenvalues(axes, points(many)),
    "gate_paths": lambda axes, many: plot.gate_paths(axes, {"all": many, "gate": many[0]}),
    "gates_over_time": lambda axes, many: plot.gates_over_time(axes, {"forget": many, "input": many[0]}),
    "gradient_flow": plot.gradient_flow,
    "level": lambda axes, many: plot.level(axes, float(many[0, 0]), "level"),
    "lyapunov_spectrum": lambda axes, many: plot.lyapunov_spectrum(axes, spectrum(many[0]), label="net"),
    "phase_diagram": lambda axes, many: plot.phase_diagram(axes, *map(np.arange, many.shape), many),
    "power_norms": lambda axes, many: plot.power_norms(axes, {"W": many[0]}),
    "pseudospectrum": lambda axes, many: plot.pseudospectrum(axes, GRID, np.full((5, 4), np.abs(many[0, 0])), many),
    "regime_map": lambda axes, many: plot.regime_map(axes, *map(np.arange, many.shape), many),
    "regime_points": lambda axes, many: plot.regime_points(
        axes, np.arange(len(many)), many, np.full(many.shape, np.nan)
    ),
    "singular_values": plot.singular_values,
    "speed_landscape": lambda axes, many: plot.speed_landscape(
        axes, landscape(many), described(np.pad(many, ((0, 0), (0, 1))), np.zeros((len(many), 2, 2)))
    ),
    "state_space": lambda axes, many: plot.state_space(axes, points(many), many),
    "training": lambda axes, many: plot.training(axes, fit(many[0])),
}


def test_every_picture_is_drawn_below():
    assert set(plot.__all__) - set(PICTURES) == {"STYLE", "apart", "in_powers_of_ten", "label_ends"}


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf, 0.0, 1e300, 5e-324])
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_any_number_is_drawn_without_a_warning_and_named(name, value):
    with plt.style.context(plot.STYLE):
        figure, panels = plt.subplots(1, 2)
        for axes, size in zip(panels, (1, 3), strict=True):
            assert PICTURES[name](axes, np.full((size, size), value)) is axes
            plot.label_ends(axes)
            assert np.isfinite(value) or any(text.get_text() for text in axes.texts), "a doubt that is not said"
        figure.canvas.draw()
        plt.close(figure)


def test_rd_plot_brings_matplotlib_when_it_is_asked_for():
    code = (
        "import sys, rnn_dynamics as rd; assert 'matplotlib' not in sys.modules; "
        "assert callable(rd.plot.lyapunov_spectrum); assert 'matplotlib' in sys.modules; "
        "assert not hasattr(rd, 'plots')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_everything_public_says_what_it_is():
    assert len(plot.__all__) > 5
    for name in plot.__all__:
        assert getattr(plot, name).__doc__, name
    assert plot.STYLE.exists()
