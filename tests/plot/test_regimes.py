"""The critical line where the norm is 1, points with the colour of their regime, and doubts that are said."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from rnn_dynamics import plot

GAINS, LAGS = np.array([0.5, 0.8, 1.0, 1.3, 2.0]), np.arange(6)
CODES = {"vanishing": -1, "critical": 0, "exploding": 1, "unreliable": np.nan}


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
    assert notes() == ["hatched: NaN, 1 cells", "exactly 0, in the lowest colour: 3 of 30 cells"]


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
    with pytest.raises(ValueError, match=r"gain: got shape \(5,\), expected \(6,\) by the first axis of log_norms"):
        plot.regime_map(axes, GAINS, LAGS, logs.T)
    with pytest.raises(ValueError, match=r"log_norms: got shape \(2, 5, 6\), expected \(gain, lag\)"):
        plot.regime_map(axes, GAINS, LAGS, np.stack([logs, logs]))
    with pytest.raises(ValueError, match=r"gain: got \[2\. .*expected finite numbers, each larger"):
        plot.regime_map(axes, GAINS[::-1], LAGS, logs)
    with pytest.raises(ValueError, match=r"limit: got -1, expected a positive number"):
        plot.regime_map(axes, GAINS, LAGS, logs, limit=-1)
    assert not axes.collections


@pytest.fixture
def points():
    """Exponents and regimes of two nets at four gains."""
    exponents = np.array([[-1.0, -0.9], [-0.4, 0.01], [0.0, 0.2], [0.5, 0.6]])
    regime = np.array([[-1, -1], [-1, 0], [np.nan, 1], [1, 1]])
    return exponents, regime


def test_points_have_the_colour_and_the_shape_of_their_regime(axes, named, points):
    exponents, regime = points
    assert plot.regime_points(axes, GAINS[:4], exponents, regime) is axes
    looks = set()
    for word, code in CODES.items():
        (line,) = named(f"_{word}")
        chosen = np.isnan(regime) if np.isnan(code) else regime == code
        expected = [(GAINS[i], exponents[i, j]) for i, j in np.argwhere(chosen)]
        assert line.get_xydata().tolist() == [list(point) for point in expected]
        assert line.get_linestyle() == "None"
        looks.add((line.get_marker(), to_hex(line.get_markeredgecolor() if word == "unreliable" else line.get_color())))
    assert len({marker for marker, _ in looks}) == len({color for _, color in looks}) == 4
    (grey,) = named("_unreliable")
    assert (grey.get_markerfacecolor(), to_hex(grey.get_markeredgecolor())) == ("none", to_hex("0.6"))
    (zero,) = named("_zero")
    assert set(zero.get_ydata()) == {0}
    assert "nats per step" in axes.get_ylabel()


def test_regimes_are_named_beside_their_points_apart(axes, points):
    plot.regime_points(axes, GAINS[:4], *points)
    heights = {text.get_text(): text.xy[1] for text in axes.texts}
    assert set(heights) == set(CODES)
    assert heights["vanishing"] == -0.9
    low, high = axes.get_ylim()
    assert np.diff(sorted(heights.values())).min() > 0.06 * (high - low)
    assert all(text.xy[0] == 1 for text in axes.texts)


def test_regimes_without_points_are_not_named(axes):
    plot.regime_points(axes, GAINS, -np.ones(5), -np.ones(5))
    assert [text.get_text() for text in axes.texts] == ["vanishing"]


def test_exponents_without_a_height_are_on_the_edges_and_said(axes, named, notes, points):
    exponents, regime = points
    exponents[0, 0], exponents[1, 1], exponents[3, 1], exponents[2, 0] = -np.inf, np.nan, np.inf, -np.inf
    plot.regime_points(axes, GAINS[:4], exponents, regime)
    marks = {(mark.get_marker(), to_hex(mark.get_color())): mark.get_xydata().tolist() for mark in named("_on_edge")}
    assert marks == {
        ("v", "#0072b2"): [[0.5, 0]],
        ("o", to_hex("0.6")): [[1.0, 0]],
        ("^", "#d55e00"): [[1.3, 1]],
        ("x", to_hex("0.6")): [[0.8, 0]],
    }
    assert notes() == [
        r"lower edge: $-\infty$, 2 of 8 points",
        r"upper edge: $\infty$, 1 of 8 points",
        "crosses: NaN, 1 of 8 points",
    ]


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf, 0.3])
def test_points_that_are_all_in_doubt_are_all_grey(axes, value):
    plot.regime_points(axes, GAINS, np.full(5, value), np.full(5, np.nan))
    drawn = [line for line in axes.get_lines() if line.get_label() in ("_unreliable", "_on_edge")]
    assert sum(len(line.get_xdata()) for line in drawn) == 5
    assert {to_hex(line.get_color()) for line in drawn} == {to_hex("0.6")}


def test_points_that_do_not_fit_are_refused(axes, points):
    exponents, regime = points
    with pytest.raises(ValueError, match=r"x: got shape \(5,\), expected \(4,\) by the first axis of exponents"):
        plot.regime_points(axes, GAINS, exponents, regime)
    with pytest.raises(ValueError, match=r"regime: got shape \(3, 2\), expected \(4, 2\) by exponents"):
        plot.regime_points(axes, GAINS[:4], exponents, regime[:3])
    with pytest.raises(ValueError, match=r"regime: got -2, expected -1, 0, 1 or NaN"):
        plot.regime_points(axes, GAINS[:4], exponents, 2 * regime)
    with pytest.raises(ValueError, match=r"exponents: got shape \(4, 2, 1\), expected \(gain,\) or \(gain, nets\)"):
        plot.regime_points(axes, GAINS[:4], exponents[..., None], regime)
    assert not axes.get_lines()


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
    assert any("hatched: NaN, 1 cells" in note for note in notes())
    with pytest.raises(ValueError, match=r"x: got shape \(4,\), expected \(5,\)"):
        plot.phase_diagram(axes, x[:4], y, exponents)
    with pytest.raises(ValueError, match="limit: got 0, expected a positive number"):
        plot.phase_diagram(axes, x, y, exponents, limit=0)


def test_a_phase_diagram_without_chaos_has_no_line(axes):
    plot.phase_diagram(axes, np.arange(2.0), np.arange(2.0), -np.ones((2, 2)))
    assert axes.collections[0].get_clim() == (-1, 1)
    assert not any(hasattr(each, "levels") for each in axes.collections)
