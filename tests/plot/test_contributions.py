"""The table of the double sum: rows are losses, columns steps, and the future is empty."""

import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics import plot


@pytest.fixture
def table():
    """‖C_tk‖ = 10^-(t - k)."""
    t, k = np.mgrid[:4, :4]
    return np.where(k <= t, 10.0 ** (k - t), 0.0)


def cell(axes, t, k):
    """What the map has at loss t and step k, counted from 1."""
    mesh = axes.collections[0]
    columns, rows = mesh.get_coordinates()[0, :, 0], mesh.get_coordinates()[:, 0, 1]
    return mesh.get_array()[np.searchsorted(rows, t) - 1, np.searchsorted(columns, k) - 1]


def test_colours_are_decimal_logarithms_and_the_future_is_empty(axes, notes, table):
    assert plot.contributions(axes, table) is axes
    assert cell(axes, 4, 1) == -3
    assert cell(axes, 4, 3) == -1
    assert cell(axes, 2, 2) == 0
    assert cell(axes, 1, 4) is np.ma.masked
    mesh = axes.collections[0]
    assert mesh.get_array().mask.sum() == 6
    assert (mesh.get_clim(), mesh.colorbar.extend) == ((-3, 0), "neither")
    assert "C_{tk}" in mesh.colorbar.ax.get_ylabel()
    assert ("$k$" in axes.get_xlabel(), "$t$" in axes.get_ylabel()) == (True, True)
    assert axes.get_ylim() == (4.5, 0.5)  # as the matrix is written
    assert not notes()


def test_what_the_measurement_returns_is_what_its_norms_are(axes, table):
    plot.contributions(axes, rd.Contributions(norms=table, by_lag=None, gradient=None))
    assert cell(axes, 4, 1) == -3


def test_zeros_are_grey_and_not_the_lowest_colour(axes, notes, table):
    table[3, 0] = 0
    plot.contributions(axes, table)
    assert cell(axes, 4, 1) is np.ma.masked
    grey = axes.collections[1]
    assert np.argwhere(~grey.get_array().mask).tolist() == [[3, 0]]
    assert notes() == ["grey: exactly 0, 1 cells"]
    assert axes.collections[0].get_clim() == (-2, 0)


def test_tiny_contributions_have_the_lowest_colour_and_an_arrow(axes, table):
    plot.contributions(axes, table, reach=1.5)
    assert cell(axes, 4, 1) == -1.5
    assert axes.collections[0].colorbar.extend == "min"


def test_nan_is_hatched_and_infinity_has_the_highest_colour(axes, notes, table):
    table[3, 1], table[2, 0] = np.nan, np.inf
    plot.contributions(axes, table)
    (missing,) = (artist for artist in axes.collections if artist.get_label() == "_missing")
    assert [path.vertices.min(axis=0).tolist() for path in missing.get_paths()] == [[1.5, 3.5]]
    assert cell(axes, 3, 1) == 0
    assert axes.collections[0].colorbar.extend == "max"
    assert notes() == ["hatched: NaN, 1 cells", r"in the highest colour: $\infty$, 1 of 10 cells"]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1.0, 1e-300])
@pytest.mark.parametrize("T", [1, 3])
def test_a_table_of_one_value_is_a_map(axes, value, T):
    plot.contributions(axes, np.tril(np.full((T, T), value)))
    low, high = axes.collections[0].get_clim()
    assert low < high
    assert {tick % 1 for tick in (*axes.get_xticks(), *axes.get_yticks())} == {0}


def test_what_is_no_table_is_refused(axes, table):
    with pytest.raises(ValueError, match=r"table: got shape \(3, 4\), expected \(T, T\)"):
        plot.contributions(axes, table[:3])
    with pytest.raises(ValueError, match=r"table: got shape \(1, 4, 4\), expected \(T, T\)"):
        plot.contributions(axes, table[None])
    with pytest.raises(ValueError, match=r"table: got 0\.1 at t = 0, k = 1, expected 0 for k > t"):
        plot.contributions(axes, table.T)
    with pytest.raises(ValueError, match=r"table: got -1 at t = 0, k = 0, expected a norm"):
        plot.contributions(axes, -table)
    with pytest.raises(ValueError, match=r"reach: got 0, expected a positive number"):
        plot.contributions(axes, table, reach=0)
    assert not axes.collections
