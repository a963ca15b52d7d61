"""Points have the colour and the shape of their regime, are named beside them, and doubts are said."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from rnn_dynamics import plot

GAINS = np.array([0.5, 0.8, 1.0, 1.3])
CODES = {"vanishing": -1, "critical": 0, "exploding": 1, "not known": np.nan}


@pytest.fixture
def points():
    """Exponents and regimes of two nets at four gains."""
    exponents = np.array([[-1.0, -0.9], [-0.4, 0.01], [0.0, 0.2], [0.5, 0.6]])
    regime = np.array([[-1, -1], [-1, 0], [np.nan, 1], [1, 1]])
    return exponents, regime


def test_points_have_the_colour_and_the_shape_of_their_regime(axes, named, points):
    exponents, regime = points
    assert plot.regime_points(axes, GAINS, exponents, regime) is axes
    looks = set()
    for word, code in CODES.items():
        (line,) = named(f"_{word}")
        chosen = np.isnan(regime) if np.isnan(code) else regime == code
        expected = [(GAINS[i], exponents[i, j]) for i, j in np.argwhere(chosen)]
        assert line.get_xydata().tolist() == [list(point) for point in expected]
        assert line.get_linestyle() == "None"
        looks.add((line.get_marker(), to_hex(line.get_markeredgecolor() if word == "not known" else line.get_color())))
    assert len({marker for marker, _ in looks}) == len({color for _, color in looks}) == 4
    (grey,) = named("_not known")
    assert (grey.get_markerfacecolor(), to_hex(grey.get_markeredgecolor())) == ("none", to_hex("0.6"))
    (zero,) = named("_zero")
    assert set(zero.get_ydata()) == {0}
    assert "nats per step" in axes.get_ylabel()


def test_regimes_are_named_beside_their_points_apart(axes, points):
    plot.regime_points(axes, GAINS, *points)
    heights = {text.get_text(): text.xy[1] for text in axes.texts}
    assert set(heights) == set(CODES)
    assert heights["vanishing"] == -0.9
    low, high = axes.get_ylim()
    assert np.diff(sorted(heights.values())).min() > 0.06 * (high - low)
    assert all(text.xy[0] == 1 for text in axes.texts)


def test_regimes_without_points_are_not_named(axes):
    plot.regime_points(axes, GAINS, -np.ones(4), -np.ones(4))
    assert [text.get_text() for text in axes.texts] == ["vanishing"]


def test_exponents_without_a_height_are_on_the_edges_and_said(axes, named, notes, points):
    exponents, regime = points
    exponents[0, 0], exponents[1, 1], exponents[3, 1], exponents[2, 0] = -np.inf, np.nan, np.inf, -np.inf
    plot.regime_points(axes, GAINS, exponents, regime)
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
    plot.regime_points(axes, GAINS, np.full(4, value), np.full(4, np.nan))
    drawn = [line for line in axes.get_lines() if line.get_label() in ("_not known", "_on_edge")]
    assert sum(len(line.get_xdata()) for line in drawn) == 4
    assert {to_hex(line.get_color()) for line in drawn} == {to_hex("0.6")}


def test_points_that_do_not_fit_are_refused(axes, points):
    exponents, regime = points
    with pytest.raises(ValueError, match=r"x: got shape \(3,\), expected \(4,\) to match the first axis of exponents"):
        plot.regime_points(axes, GAINS[:3], exponents, regime)
    with pytest.raises(ValueError, match=r"regime: got shape \(3, 2\), expected \(4, 2\) to match exponents"):
        plot.regime_points(axes, GAINS, exponents, regime[:3])
    with pytest.raises(ValueError, match=r"regime: got -2, expected -1, 0, 1 or NaN"):
        plot.regime_points(axes, GAINS, exponents, 2 * regime)
    with pytest.raises(ValueError, match=r"exponents: got shape \(4, 2, 1\), expected \(gain,\) or \(gain, nets\)"):
        plot.regime_points(axes, GAINS, exponents[..., None], regime)
    assert not axes.get_lines()


def test_points_without_a_place_are_said_and_their_regime_is_not_named(axes, named, notes):
    plot.regime_points(axes, np.array([0.5, np.nan, np.inf]), np.array([-1.0, 0.0, np.nan]), np.array([-1, 0, 1]))
    assert not named("_critical")
    assert not named("_on_edge")
    assert notes() == ["not drawn: x is NaN or infinite, 2 of 3 points"]
    assert [text.get_text() for text in axes.texts if text.get_gid() != "notes"] == ["vanishing"]


def test_names_of_points_at_the_upper_edge_stay_inside(axes):
    plot.regime_points(axes, GAINS, np.array([-30, 1.0, 1.01, 1.02]), np.array([-1, 0, 1, np.nan]))
    low, high = axes.get_ylim()
    heights = sorted(text.xy[1] for text in axes.texts)
    assert heights[-1] <= high + 1e-9
    assert np.diff(heights).min() > 0.06 * (high - low)


def test_the_style_of_points_may_have_any_of_its_names(axes, named):
    plot.regime_points(axes, GAINS, np.ones(4), np.ones(4), markersize=9, c="black")
    (line,) = named("_exploding")
    assert (line.get_markersize(), line.get_color()) == (9, "black")
