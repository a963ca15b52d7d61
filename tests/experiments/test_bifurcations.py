"""The way to chaos, in parts whose answer is known, and at a tiny size against exact gains."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from experiments import bifurcations
from experiments.bifurcations_figure import draw, finding, held, kinds, where_it_ends

mpl.use("Agg")


def attractor(first, second, period):
    """Return an attractor with these exponents."""
    gains = np.arange(len(first)) / 10
    return xarray.Dataset(
        {
            "exponent": (("gain", "index"), np.stack([first, second], axis=1)),
            "stderr": (("gain", "index"), np.full((len(first), 2), 1e-4)),
            "log_norm": ("gain", 100 * np.asarray(first, float)),
            "period": ("gain", period),
        },
        {"gain": gains},
    )


def test_the_exponents_name_the_attractor():
    at = attractor([-1, -1, -1, 0, 0, 0.1], [-2, -1, -1, -1, 0, 0], [1, 2, 5, 0, 0, 0])
    assert kinds(at).tolist() == ["fixed point", "2-cycle", "5-cycle", "closed curve", "torus", "chaos"]
    assert [name for _, _, name in held(at)][2] == "locked cycle"


def test_short_stretches_are_left_out_and_their_neighbours_joined():
    at = attractor([-1.0] * 6 + [0.1] + [-1.0] * 6, [-1.0] * 13, [1] * 6 + [0] + [1] * 6)
    assert held(at) == [(0.0, 1.2, "fixed point")]


def test_gradients_explode_in_chaos_only_if_they_are_larger_there():
    at = attractor([-1.0] * 6 + [0.1] * 6, [-1.0] * 12, [1] * 6 + [0] * 6)
    assert where_it_ends(at) == "chaos, where gradients explode"
    assert where_it_ends(at.assign(log_norm=at.log_norm.copy(data=[12.0] * 6 + [10.0] * 6))) == "chaos"
    assert where_it_ends(at.isel(gain=slice(0, 6))) == "other attractors"


@pytest.mark.parametrize("period", [1, 3, 0])
def test_the_period_of_an_orbit(period):
    steps = np.arange(64)[:, None]
    states = np.cos(2 * np.pi * steps / period) + np.sin(steps * 2 * np.pi / period) if period else np.sqrt(steps)
    assert bifurcations.period_of(states) == period


def test_the_longest_windows_in_their_order():
    periods = np.array([1, 1, 1, 1, 5, 5, 0, 7, 7, 7, 0, 4, 0])
    assert bifurcations.longest_windows(periods, 2) == [slice(4, 6), slice(7, 10)]


@pytest.mark.slow
def test_a_small_net_leaves_the_origin_at_a_gain_of_one():
    config = bifurcations.Config(hidden=3, gains=(0.5, 1.4, 19), burn_in=300, length=400, lags=20, windows=0, seed=2)
    found = bifurcations.run(config)
    at = found.attractor
    below = at.exponent.sel(gain=slice(0.4, 0.9)).isel(index=0)
    np.testing.assert_allclose(below, np.log(below.gain), atol=5e-3)  # λ_1 = ln g at the origin
    first = found.branches[0].bifurcations[0]
    assert first.value == pytest.approx(1, abs=1e-8)
    assert abs(first.multiplier) == pytest.approx(1, abs=1e-8)
    assert (at.period.sel(gain=slice(0.4, 0.9)) == 1).all()
    figure = draw(found)
    assert figure.get_suptitle() == finding(found)
    plt.close(figure)
