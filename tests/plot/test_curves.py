"""Gaps are gaps, ends are marked, single points are seen, and quantiles are numpy's where those exist."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from rnn_dynamics.plot import curves

X = np.arange(6.0)


def test_a_curve_breaks_at_nan_and_its_lonely_points_are_dots(axes, named):
    heights = np.array([1.0, np.nan, 2.0, 3.0, np.nan, np.nan])
    color = curves.curve(axes, X, heights, label="curve", color="C2")
    (line,), (dots,) = named("curve"), named("_alone")
    np.testing.assert_array_equal(line.get_ydata(), heights)
    assert dots.get_xydata().tolist() == [[0, 1]]
    assert to_hex(dots.get_color()) == to_hex(color) == to_hex("C2")
    assert axes.get_xlim()[1] > 5  # the gap at the end belongs to the picture


def test_infinities_are_triangles_on_the_edges_where_they_begin(axes, named):
    curves.curve(axes, X, np.array([0.0, 1.0, np.inf, 1.0, -np.inf, -np.inf]))
    marks = {mark.get_marker(): mark.get_xydata().tolist() for mark in named("_on_edge")}
    assert marks == {"^": [[2, 1]], "v": [[4, 0]]}
    assert axes.get_ylim()[0] > -1
    assert axes.get_ylim()[1] < 2


def test_a_band_is_the_area_between_its_edges_with_gaps(axes):
    low, high = X - 1, X + 1
    high[3] = np.nan
    curves.band(axes, X, low, high, color="C1")
    left, right = axes.collections
    for area, those in ((left, [0, 1, 2]), (right, [4, 5])):
        (path,) = area.get_paths()
        corners = {(x, y) for x, y in path.vertices}
        assert corners == {(X[i], edge[i]) for i in those for edge in (low, high)}
        assert to_hex(area.get_facecolor()[0]) == to_hex("C1")
    assert axes.dataLim.y0 == -1
    assert axes.dataLim.y1 == 6


def test_a_band_without_a_lower_end_leaves_the_picture_and_does_not_stretch_it(axes):
    low, high = np.array([0.0, -np.inf, -np.inf]), np.array([1.0, 2.0, -np.inf])
    curves.band(axes, X[:3], low, high, color="C1")
    (area,) = axes.collections
    corners = area.get_paths()[0].vertices
    assert set(corners[:, 0]) == {0, 1}  # at 2 both edges are 0: nothing between them
    assert corners[:, 1].min() < -500
    assert axes.get_ylim()[0] > -1


def test_a_band_of_one_point_is_a_bar(axes):
    curves.band(axes, X[:1], np.array([1.0]), np.array([2.0]), color="C1")
    (bar,) = axes.collections
    (segment,) = bar.get_segments()
    assert segment.tolist() == [[0, 1], [0, 2]]
    curves.band(axes, X[:1], np.array([np.nan]), np.array([np.nan]), color="C1")
    assert len(axes.collections) == 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.77, 1.0])
def test_quantiles_leave_nan_out_and_are_numpys_where_all_is_finite(share):
    values = np.random.default_rng(0).normal(size=(7, 5))
    values[2:5, 1], values[:, 2] = np.nan, np.nan
    expected = np.nanquantile(np.nan_to_num(values[:, [0, 3, 4]]), share, axis=0)
    got = curves.quantile(values, share)
    np.testing.assert_allclose(got[[0, 3, 4]], expected)
    np.testing.assert_allclose(got[1], np.quantile(values[[0, 1, 5, 6], 1], share))
    assert np.isnan(got[2])


def test_quantiles_of_infinite_numbers_are_infinite():
    values = np.array([[-np.inf, -np.inf, 1.0], [0.0, -np.inf, np.inf], [1.0, 2.0, np.inf], [2.0, 3.0, np.inf]])
    np.testing.assert_array_equal(curves.quantile(values, 0.0), [-np.inf, -np.inf, 1])
    np.testing.assert_array_equal(curves.quantile(values, 0.5), [0.5, -np.inf, np.inf])
    np.testing.assert_array_equal(curves.quantile(values, 0.1), [-np.inf, -np.inf, np.inf])
    assert np.isnan(curves.quantile(np.array([[-np.inf], [np.inf]]), 0.5))
