"""The spread of singular values over depth: quantiles and extremes where they are."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from rnn_dynamics import plot

DEPTH = np.array([1, 2, 4])


@pytest.fixture
def logs():
    """Eleven values, from 10^-5T to 10^5T."""
    return np.log(10) * DEPTH[:, None] * np.arange(5, -6, -1.0)


def test_median_bands_and_extremes_are_those_of_the_values(axes, named, logs):
    assert plot.singular_values(axes, logs, depth=DEPTH, quantiles=((0.1, 0.9), (0.3, 0.7)), color="C4") is axes
    for word, factor in (("largest", 5), ("median", 0), ("smallest", -5)):
        (line,) = named(word)
        np.testing.assert_allclose(line.get_xydata(), np.stack([DEPTH, factor * DEPTH], axis=1), atol=1e-9)
        assert to_hex(line.get_color()) == to_hex("C4")
    for area, factor in zip(axes.collections, (4, 2), strict=True):
        corners = area.get_paths()[0].vertices
        np.testing.assert_allclose(np.unique(corners[:, 1] / corners[:, 0]).round(9), [-factor, factor])
    (one,) = named("_isometry")
    assert set(one.get_ydata()) == {0}
    assert axes.yaxis.get_major_formatter()(2.0, None) == "$10^{2}$"
    assert "sigma_i" in axes.get_ylabel()
    assert "steps" in axes.get_xlabel()


def test_nets_are_pooled_and_a_label_names_the_median_alone(axes, named, logs):
    nets = np.stack([logs, logs + 3 * np.log(10)], axis=1)
    plot.singular_values(axes, nets, label="orthogonal")
    assert named("orthogonal")[0].get_xdata().tolist() == [1, 2, 3]
    np.testing.assert_allclose(named("_largest")[0].get_ydata(), 5 * DEPTH + 3)
    np.testing.assert_allclose(named("_smallest")[0].get_ydata(), -5 * DEPTH, atol=1e-9)
    plot.label_ends(axes)
    assert [text.get_text() for text in axes.texts] == ["orthogonal"]


def test_an_isometry_is_one_line_at_one(axes, named):
    plot.singular_values(axes, 1e-14 * np.random.default_rng(0).normal(size=(3, 8)))
    for word in ("largest", "median", "smallest"):
        np.testing.assert_allclose(named(word)[0].get_ydata(), 0, atol=1e-13)
    low, high = axes.get_ylim()
    assert low <= -1
    assert high >= 1


def test_one_value_has_no_spread_and_one_depth_is_seen(axes, named, logs):
    plot.singular_values(axes, logs[:, :1])
    assert not axes.collections
    assert not named("largest")
    plot.singular_values(axes, logs[:1], label="one depth", quantiles=((0.0, 1.0),))
    assert sorted(dot.get_ydata()[0] for dot in named("_alone")) == pytest.approx([-5, 0, 5])
    (bar,) = axes.collections
    np.testing.assert_allclose(bar.get_segments()[0], [[1, -5], [1, 5]])


def test_zeros_and_lost_values_are_said(axes, named, notes, logs):
    logs[2, -3:] = -np.inf
    logs[1:, -1] = np.nan
    plot.singular_values(axes, logs)
    assert np.isfinite(named("smallest")[0].get_ydata()).tolist() == [True, True, False]
    assert [mark.get_xydata().tolist() for mark in named("_on_edge")] == [[[3, 0]]]
    assert notes() == [
        "exactly 0 in 2 of 11 singular values, first at $T$ = 3",
        "NaN in 1 of 11 singular values, left out, first at $T$ = 2",
    ]


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_nothing_that_has_a_height_is_said_too(axes, notes, value):
    plot.singular_values(axes, np.full((3, 2, 4), value))
    assert len(notes()) == 1
    assert "8 of 8" in notes()[0]
    assert not axes.collections


def test_arrays_that_do_not_fit_are_refused(axes, logs):
    with pytest.raises(ValueError, match=r"log_values: got shape \(11,\), expected \(depth, n\) or \(depth, nets, n\)"):
        plot.singular_values(axes, logs[0])
    with pytest.raises(ValueError, match=r"depth: got shape \(2,\), expected \(3,\) to match log_values"):
        plot.singular_values(axes, logs, depth=DEPTH[:2])
    with pytest.raises(ValueError, match=r"quantiles: got \(0\.5, 0\.5\), expected 0 <= low < high <= 1"):
        plot.singular_values(axes, logs, quantiles=((0.5, 0.5),))
    assert not axes.get_lines()


def test_few_depths_have_no_ticks_between_them(axes):
    plot.singular_values(axes, np.zeros((2, 3)))
    assert {tick % 1 for tick in axes.get_xticks()} == {0}
