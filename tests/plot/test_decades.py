"""Powers of ten where they are whole, and never two ticks of the same name."""

import numpy as np
import pytest

from rnn_dynamics.plot import decades


@pytest.mark.parametrize(
    ("power", "name"),
    [
        (-3.0, "$10^{-3}$"),
        (0, "$10^{0}$"),
        (-0.0, "$10^{0}$"),
        (0.25, "$10^{0.25}$"),
        (1e6, "$10^{1000000}$"),
    ],
)
def test_ticks_have_their_power_as_a_name(power, name):
    assert decades.power_of_ten(power) == name


def test_logarithms_of_any_float_are_heights():
    heights = decades.decades(np.array([2000 * np.log(10), -np.inf, np.nan], np.float32))
    np.testing.assert_allclose(heights, [2000, -np.inf, np.nan], rtol=1e-6)
    assert heights.dtype == np.float64


@pytest.mark.parametrize("data", [[0.0, 0.0], [2.0, 2.0 + 1e-12], [0.2, 0.3], [-0.1, 0.1], [-300.0, 40.0]])
def test_an_axis_that_scales_itself_shows_whole_powers(axes, data):
    decades.in_powers_of_ten(axes.yaxis)
    axes.plot([0, 1], data)
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert len(ticks) > 1
    assert all(tick == round(tick) for tick in ticks)
    assert low < min(data)
    assert high > max(data)


def test_an_axis_drawn_out_between_two_powers_names_its_ticks_apart(axes):
    decades.in_powers_of_ten(axes.yaxis)
    axes.set_ylim(0.1, 0.4)
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert len(set(names)) == len(names) > 1


@pytest.mark.parametrize("data", [[1], [0, 1], [1, 2, 3], [0, 100]])
def test_an_axis_that_counts_has_whole_ticks(axes, data):
    axes.plot(data, data)
    decades.in_whole_numbers(axes.xaxis)
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick == round(tick) for tick in ticks)


def test_a_logarithmic_axis_keeps_its_ticks(axes):
    axes.set_xscale("log")
    axes.set_xlim(0.01, 100)
    before = axes.get_xticks().tolist()
    decades.in_whole_numbers(axes.xaxis)
    assert axes.get_xticks().tolist() == before
