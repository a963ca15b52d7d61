"""The critical line where the norm is 1, colours that also differ in grey, and doubts that are said."""

import numpy as np
import pytest

from rnn_dynamics import plot

GAINS, LAGS = np.array([0.5, 0.8, 1.0, 1.3, 2.0]), np.arange(6)


@pytest.fixture
def logs():
    """A linear net: g^ℓ."""
    return np.log(GAINS)[:, None] * LAGS


def mesh_of(axes):
    return axes.collections[0]


def critical(axes):
    """The points of the contour, if there is one."""
    lines = [artist for artist in axes.collections if hasattr(artist, "levels")]
    assert all(line.levels.tolist() == [0] for line in lines)
    return np.concatenate([part for line in lines for part in line.allsegs[0]]) if lines else np.zeros((0, 2))


def bar_of(axes):
    return mesh_of(axes).colorbar


def test_the_map_has_gain_across_lag_up_and_whole_symmetric_limits(axes, logs):
    assert plot.regime_map(axes, GAINS, LAGS, logs) is axes
    mesh = mesh_of(axes)
    np.testing.assert_allclose(mesh.get_array(), logs.T / np.log(10))
    np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], [0.35, 0.65, 0.9, 1.15, 1.65, 2.35])
    assert mesh.get_clim() == (-2, 2)
    blue, red = (mesh.cmap(mesh.norm(height)) for height in (-2, 2))
    assert blue[2] > 2 * blue[0]
    assert red[0] > 2 * red[2]
    assert ("gain $g$" in axes.get_xlabel(), "steps" in axes.get_ylabel()) == (True, True)
    assert "partial h_T" in bar_of(axes).ax.get_ylabel()
    assert bar_of(axes).extend == "neither"


def test_the_critical_line_is_where_the_norm_is_one_and_lag_0_does_not_bend_it(axes, logs):
    plot.regime_map(axes, GAINS, LAGS, logs - 0.01 * LAGS)
    points = critical(axes)
    np.testing.assert_allclose(points[:, 0], 1, atol=0.05)
    assert points[:, 1].min() == 1
    np.testing.assert_allclose(points[:, 1].max(), 5)
    assert len(bar_of(axes).lines) == 1


@pytest.mark.parametrize("gains", [slice(0, 2), slice(3, 5), slice(2, 3)])
def test_no_line_is_drawn_where_there_is_none(axes, logs, gains):
    plot.regime_map(axes, GAINS[gains], LAGS, logs[gains])
    assert not len(critical(axes))
    assert not bar_of(axes).lines


def test_what_lies_beyond_the_limit_is_clipped_and_the_bar_has_arrows(axes, logs):
    plot.regime_map(axes, GAINS, LAGS, logs, limit=0.5)
    assert mesh_of(axes).get_clim() == (-0.5, 0.5)
    assert mesh_of(axes).get_array().max() == 0.5
    assert bar_of(axes).extend == "both"


def test_huge_norms_do_not_take_all_the_colours(axes, logs):
    plot.regime_map(axes, GAINS, LAGS, 100 * logs)
    assert mesh_of(axes).get_clim() == (-8, 8)


def test_zeros_have_the_lowest_colour_and_nan_is_hatched(axes, notes, logs):
    logs[0, 3:] = -np.inf
    logs[4, 5] = np.nan
    plot.regime_map(axes, GAINS, LAGS, logs)
    assert mesh_of(axes).get_array()[3:, 0].tolist() == [-mesh_of(axes).get_clim()[1]] * 3
    assert bar_of(axes).extend == "min"
    (missing,) = (artist for artist in axes.collections if artist.get_label() == "_missing")
    assert missing.get_paths()[0].vertices.min(axis=0).tolist() == [1.65, 4.5]
    assert notes() == ["hatched: NaN, 1 cells", "in the lowest colour: exactly 0, 3 of 30 cells"]


def test_infinite_norms_have_the_highest_colour_and_are_said(axes, notes, logs):
    logs[4, 2:] = np.inf
    plot.regime_map(axes, GAINS, LAGS, logs)
    assert notes() == [r"in the highest colour: $\infty$, 4 of 30 cells"]


def test_in_grey_print_what_vanishes_is_darker_than_what_explodes():
    """CIE lightness, 0 (black) to 100 (white), of the sRGB colours."""
    strength = np.linspace(0, 0.5, 51)
    colors = np.stack([plot.regimes.COLORS(0.5 + sign * strength)[:, :3] for sign in (-1, 1)])
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    vanish, explode = 116 * np.cbrt(linear @ (0.2126, 0.7152, 0.0722)) - 16
    assert vanish[-1] < explode[-1] - 30
    assert (vanish[1:] < explode[1:]).all()
    assert (np.diff(vanish) < 0).all()
    assert (np.diff(explode) < 0).all()


@pytest.mark.parametrize("lag", [1, 4])
def test_the_line_of_one_lag_crosses_its_cell(axes, logs, lag):
    plot.regime_map(axes, GAINS, LAGS[[0, lag]], (logs - 0.01 * LAGS)[:, [0, lag]])
    points = critical(axes)
    np.testing.assert_allclose(points[:, 0], 1, atol=0.05)
    np.testing.assert_allclose(sorted(points[:, 1]), [0.5 * lag, 1.5 * lag])


def test_the_line_of_one_gain_crosses_its_cell(axes):
    plot.regime_map(axes, np.array([1.5]), np.arange(4), np.array([[0, -1, 1, 2.0]]))
    np.testing.assert_allclose(sorted(critical(axes).tolist()), [[1.0, 1.5], [2.0, 1.5]])


def test_few_lags_have_no_ticks_between_them(axes):
    plot.regime_map(axes, np.arange(1.0, 3.0), np.arange(2), np.zeros((2, 2)))
    assert {tick % 1 for tick in axes.get_yticks()} == {0}


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf, 0.0])
def test_a_map_of_one_value_is_a_map(axes, value):
    plot.regime_map(axes, GAINS, LAGS, np.full((5, 6), value))
    assert mesh_of(axes).get_clim() == (-1, 1)
    assert not len(critical(axes))


def test_one_gain_and_one_lag_are_a_cell_that_is_seen(axes):
    plot.regime_map(axes, np.array([1.5]), np.array([3]), np.array([[2.0]]))
    corners = mesh_of(axes).get_coordinates().reshape(-1, 2)
    assert corners.min(axis=0).tolist() == [1.0, 2.5]
    assert corners.max(axis=0).tolist() == [2.0, 3.5]


def test_maps_that_do_not_fit_are_refused(axes, logs):
    with pytest.raises(
        ValueError, match=r"gain: got shape \(5,\), expected \(6,\) to match the first axis of log_norms"
    ):
        plot.regime_map(axes, GAINS, LAGS, logs.T)
    with pytest.raises(ValueError, match=r"log_norms: got shape \(2, 5, 6\), expected \(gain, lag\)"):
        plot.regime_map(axes, GAINS, LAGS, np.stack([logs, logs]))
    with pytest.raises(ValueError, match=r"gain: got \[2\. .*expected finite numbers, each larger"):
        plot.regime_map(axes, GAINS[::-1], LAGS, logs)
    with pytest.raises(ValueError, match=r"limit: got -1, expected a positive number"):
        plot.regime_map(axes, GAINS, LAGS, logs, limit=-1)
    assert not axes.collections


def test_a_phase_diagram_has_its_line_where_the_exponent_is_zero(axes, notes):
    x, y = np.linspace(0, 1, 5), np.linspace(0, 2, 9)
    exponents = y[:, None] - x[None, :] - 0.3
    plot.phase_diagram(axes, x, y, exponents)
    mesh = axes.collections[0]
    assert mesh.get_clim() == (-1.7, 1.7)
    (line,) = [each for each in axes.collections if hasattr(each, "levels")]
    points = np.concatenate([path.vertices for path in line.get_paths()])
    np.testing.assert_allclose(points[:, 1] - points[:, 0], 0.3, atol=1e-12)
    exponents[2, 3] = np.nan
    exponents[0, 0] = -np.inf
    plot.phase_diagram(axes, x, y, exponents, limit=1)
    assert notes() == ["hatched: NaN, 1 cells", r"in the lowest colour: $-\infty$, 1 of 45 cells"]
    with pytest.raises(ValueError, match=r"x: got shape \(4,\), expected \(5,\)"):
        plot.phase_diagram(axes, x[:4], y, exponents)
    with pytest.raises(ValueError, match="limit: got 0, expected a positive number"):
        plot.phase_diagram(axes, x, y, exponents, limit=0)


def test_a_phase_diagram_without_chaos_has_no_line(axes):
    plot.phase_diagram(axes, np.arange(2.0), np.arange(2.0), -np.ones((2, 2)))
    assert axes.collections[0].get_clim() == (-1, 1)
    assert not any(hasattr(each, "levels") for each in axes.collections)


def test_an_exponent_just_above_zero_does_not_take_all_the_colours(axes):
    plot.phase_diagram(axes, np.arange(3.0), np.arange(2.0), np.array([[-1, -0.5, 1e-9], [-2, -1, -0.25]]))
    assert axes.collections[0].get_clim() == (-0.75, 0.75)


def test_a_phase_diagram_refuses_what_is_not_real(axes):
    with pytest.raises(ValueError, match="exponents: got complex128, expected real numbers"):
        plot.phase_diagram(axes, np.arange(2.0), np.arange(2.0), np.full((2, 2), 1j))
