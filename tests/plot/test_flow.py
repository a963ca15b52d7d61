"""Gradients over the lag: medians at their heights, bands of quantiles, and zeros and gaps that are said."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from rnn_dynamics import plot

TEN = np.log(10)


@pytest.fixture
def logs():
    """Five nets over ten lags, from 10^-2ℓ to 10^2ℓ."""
    return np.arange(-2.0, 3.0)[:, None] * np.arange(10) * TEN


def corners(area):
    return {(round(float(x), 6), round(float(y), 6)) for x, y in area.get_paths()[0].vertices}


def test_the_median_and_its_band_stand_at_decimal_logarithms(axes, named, logs):
    assert plot.gradient_flow(axes, logs + 3 * TEN, label="tanh", quantiles=(0.25, 0.75), color="C3", ls="--") is axes
    (line,) = named("tanh")
    np.testing.assert_allclose(line.get_xydata(), [[ell, 3] for ell in range(10)])
    assert (line.get_linestyle(), to_hex(line.get_color())) == ("--", to_hex("C3"))
    (area,) = axes.collections
    assert corners(area) == {(ell, 3 + sign * ell) for ell in range(10) for sign in (-1, 1)}
    assert to_hex(area.get_facecolor()[0]) == to_hex("C3")
    assert axes.yaxis.get_major_formatter()(-3.0, None) == "$10^{-3}$"
    assert "steps" in axes.get_xlabel()
    assert "partial h_T" in axes.get_ylabel()


@pytest.mark.parametrize("shape", [(10,), (1, 10)])
def test_one_net_has_no_band(axes, named, notes, logs, shape):
    plot.gradient_flow(axes, logs[4].reshape(shape), label="net")
    np.testing.assert_allclose(named("net")[0].get_ydata(), 2 * np.arange(10))
    assert not axes.collections
    assert not notes()


def test_one_lag_is_a_point_with_a_bar(axes, named, logs):
    plot.gradient_flow(axes, logs[:, 9:], lag=np.array([9]), quantiles=(0.0, 1.0))
    assert [dot.get_xydata().tolist() for dot in named("_alone")] == [[[9, 0]]]
    (bar,) = axes.collections
    np.testing.assert_allclose(bar.get_segments()[0], [[9, -18], [9, 18]])


def test_a_gradient_of_zero_ends_the_curve_with_a_mark_and_a_note(axes, named, notes, logs):
    logs[0, 4:] = logs[1, 5:] = logs[2, 6:] = -np.inf
    plot.gradient_flow(axes, logs, label="relu", quantiles=(0.0, 1.0))
    assert np.isfinite(named("relu")[0].get_ydata()).tolist() == [True] * 6 + [False] * 4
    assert [mark.get_xydata().tolist() for mark in named("_on_edge")] == [[[6, 0]]]
    assert notes() == [r"relu: exactly 0 in 3 of 5 nets, first at $\ell$ = 4"]
    heights = dict(sorted(corners(axes.collections[0]), key=lambda corner: -corner[1]))
    assert heights[4] < 10 * axes.get_ylim()[0]  # the band is open below
    assert axes.get_ylim()[0] > -10


def test_nan_is_a_gap_or_a_net_left_out_and_is_said(axes, named, notes, logs):
    logs[0] = logs[:, 5] = np.nan
    plot.gradient_flow(axes, logs, label="net", quantiles=(0.0, 1.0))
    y = named("net")[0].get_ydata()
    np.testing.assert_allclose(np.delete(y, 5), np.delete(0.5 * np.arange(10), 5))
    assert np.isnan(y[5])
    assert len(axes.collections) == 2
    assert notes() == [r"net: NaN in 5 of 5 nets, left out, first at $\ell$ = 0"]


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_nothing_that_has_a_height_is_said_too(axes, notes, value):
    plot.gradient_flow(axes, np.full((3, 8), value), label="none")
    plot.label_ends(axes)
    (said,) = notes()
    assert said.startswith("none: ")
    assert " in 3 of 3 nets" in said
    assert said.endswith(r"first at $\ell$ = 0")
    assert not axes.collections
    assert axes.get_xlim()[1] > 7


def test_notes_of_several_curves_stand_below_each_other_in_one_text(axes, notes, logs):
    logs[4, 3:] = -np.inf
    for label in ("one", "two", "two"):
        plot.gradient_flow(axes, logs[4], label=label)
    assert [note.split(":")[0] for note in notes()] == ["one", "two"]
    (text,) = axes.texts
    axes.figure.canvas.draw()
    box, name = text.get_window_extent(), axes.xaxis.label.get_window_extent()
    assert box.y1 <= name.y0


def test_arrays_that_do_not_fit_are_refused(axes, logs):
    with pytest.raises(ValueError, match=r"log_norms: got shape \(1, 5, 10\), expected \(lag,\) or \(nets, lag\)"):
        plot.gradient_flow(axes, logs[None])
    with pytest.raises(ValueError, match=r"log_norms: got shape \(0, 4\)"):
        plot.gradient_flow(axes, np.zeros((0, 4)))
    with pytest.raises(ValueError, match=r"lag: got shape \(9,\), expected \(10,\) to match log_norms"):
        plot.gradient_flow(axes, logs, lag=np.arange(9))
    with pytest.raises(ValueError, match=r"lag: got \[0 2 1\], expected finite numbers, each larger than the one"):
        plot.gradient_flow(axes, np.zeros(3), lag=np.array([0, 2, 1]))
    with pytest.raises(ValueError, match=r"quantiles: got \(0\.9, 0\.1\), expected 0 <= low < high <= 1"):
        plot.gradient_flow(axes, logs, quantiles=(0.9, 0.1))
    assert not axes.get_lines()


def test_lags_that_are_steps_have_no_ticks_between_them(axes):
    plot.gradient_flow(axes, np.zeros(2))
    assert {tick % 1 for tick in axes.get_xticks()} == {0}


def test_what_is_not_a_step_has_the_ticks_it_needs(axes):
    plot.gradient_flow(axes, np.zeros(2), lag=np.array([0.0, 0.5]))
    assert {tick % 1 for tick in axes.get_xticks()} > {0}
