"""Cells where their numbers are, colours within the limits, and what has no colour hatched."""

import numpy as np
from matplotlib.colors import to_hex

from rnn_dynamics.plot import heat_map


def test_edges_are_half_way_between_the_points_also_of_a_grid_that_is_not_uniform():
    np.testing.assert_allclose(heat_map.edges(np.array([1.0, 2.0, 4.0])), [0.5, 1.5, 3.0, 5.0])
    np.testing.assert_allclose(heat_map.edges(np.array([7.0])), [6.5, 7.5])


def test_colours_are_those_of_the_numbers_and_the_bar_says_which(axes):
    heights = np.array([[-5.0, -1.0, 0.0], [np.nan, 1.0, np.inf]])
    x, y = np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0])
    bar = heat_map.heat_map(axes, x, y, heights, (-2, 2), cmap="RdBu_r", name="norm")
    mesh, missing = axes.collections
    np.testing.assert_array_equal(mesh.get_array().filled(99), [[-2, -1, 0], [99, 1, 2]])
    np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], [0.5, 1.5, 3.0, 5.0])
    assert mesh.get_clim() == (-2, 2)
    assert (bar.extend, bar.ax.get_ylabel()) == ("both", "norm")
    names = [text.get_text() for text in bar.ax.get_yticklabels()]
    assert {"$10^{-2}$", "$10^{0}$", "$10^{2}$"} <= set(names)
    assert missing.get_hatch()
    corners = {tuple(corner) for corner in missing.get_paths()[0].vertices}
    assert corners == {(0.5, 0.5), (1.5, 0.5), (0.5, 1.5), (1.5, 1.5)}


def test_arrows_stand_only_where_something_lies_beyond(axes):
    x = np.arange(2.0)
    for heights, extend in (([0.0, 1.0], "neither"), ([0.0, 1.5], "max"), ([-np.inf, 1.0], "min")):
        bar = heat_map.heat_map(axes, x, x[:1], np.array([heights]), (-1, 1), cmap="viridis", name="")
        assert bar.extend == extend


def test_zeros_have_a_grey_of_their_own_and_are_counted(axes, notes):
    heat_map.zeros(axes, np.arange(3.0), np.arange(2.0), np.array([[True, False]]))
    (mesh,) = axes.collections
    assert mesh.get_array().mask.tolist() == [[False, True]]
    assert to_hex(mesh.cmap(mesh.norm(0.0))) == to_hex(heat_map.ZERO)
    assert notes() == ["grey: exactly 0, 1 cells"]
    heat_map.zeros(axes, np.arange(3.0), np.arange(2.0), np.array([[False, False]]))
    assert len(axes.collections) == 1
