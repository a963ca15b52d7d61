"""Branches are solid exactly where they are stable, and bifurcations are marked and named where there is room."""

import itertools

import numpy as np
import pytest
from known_points import branch, fold, period_doubling, pitchfork
from matplotlib.colors import to_hex
from matplotlib.text import Text

from rnn_dynamics import plot
from rnn_dynamics.fixed_points import Bifurcation


def stretches(axes, style):
    """All finite points of the lines with this style."""
    points = np.concatenate([line.get_xydata() for line in axes.get_lines() if line.get_linestyle() == style])
    return points[np.isfinite(points).all(axis=1)]


def names(axes):
    return [text.get_text() for text in axes.texts]


def test_a_branch_is_solid_up_to_its_bifurcation_and_dashed_beyond(axes):
    assert plot.bifurcation_diagram(axes, pitchfork(), name="$g$") is axes
    solid, dashed = stretches(axes, "-"), stretches(axes, "--")
    assert solid[solid[:, 1] == 0, 0].max() == 1.0
    assert dashed[:, 0].min() == 1.0
    assert set(dashed[:, 1]) == {0}
    # both stable branches, of 40 points each
    assert np.sum(solid[:, 1] > 0) == np.sum(solid[:, 1] < 0) == 40
    widths = {line.get_linestyle(): line.get_linewidth() for line in axes.get_lines()}
    assert widths["--"] < widths["-"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$g$", "component 0 of the state")


def test_the_stable_side_of_a_fold_is_solid_down_to_its_tip(axes):
    plot.bifurcation_diagram(axes, fold())
    solid, dashed = stretches(axes, "-"), stretches(axes, "--")
    assert solid[:, 1].min() == dashed[:, 1].max() == 0
    assert [0, 0] in solid.tolist()
    assert [0, 0] in dashed.tolist()
    # in the order of the curve, so that nothing is crossed out
    assert (np.diff(solid[:, 1]) < 0).all()


def test_a_cycle_is_drawn_as_all_its_states_in_a_colour_of_its_period(axes):
    one, two = period_doubling()
    plot.bifurcation_diagram(axes, [one, two])
    colors = {line.get_color() for line in axes.get_lines() if len(line.get_xdata()) > 1}
    assert len(colors) == 2
    solid = stretches(axes, "-")
    at = two.values[10]
    assert sorted(solid[solid[:, 0] == at, 1]) == sorted(two.points[10, :, 0])
    assert {line.get_label() for line in axes.get_lines() if not line.get_label().startswith("_")} == {
        "fixed points",
        "2-cycles",
    }
    plot.label_ends(axes)
    assert {"fixed points", "2-cycles"} <= {*names(axes)}


def test_bifurcations_are_marked_where_they_are_and_named_once(axes, named):
    plot.bifurcation_diagram(axes, period_doubling())
    marks = np.concatenate([mark.get_xydata() for mark in named("_flip")])
    end = 1 + np.sqrt(6)
    np.testing.assert_allclose(marks, [[3, 2 / 3], [end, (end + 1 + np.sqrt((end - 3) * (end + 1))) / (2 * end)]])
    assert names(axes) == ["period doubling"]
    assert axes.texts[0].xy == (3.0, pytest.approx(2 / 3))


def test_names_lie_apart_and_within_the_axes(axes):
    kinds = ["fold", "flip", "neimark_sacker", "branch"]
    close = [Bifurcation(kind, 1 + 0.01 * i, np.array([0.01 * i]), 1) for i, kind in enumerate(kinds)]
    values = np.linspace(0, 2, 21)
    plot.bifurcation_diagram(axes, branch(values, (values - 1)[:, None], 0.5 * np.ones((21, 1)), close))
    axes.figure.canvas.draw()
    assert names(axes) == ["fold", "period doubling", "Neimark–Sacker", "branch point"]
    for text, other in itertools.combinations(axes.texts, 2):
        assert not _letters(text).overlaps(_letters(other))
    whole = axes.get_window_extent()
    for text in axes.texts:
        box = _letters(text)
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1


def _letters(text):
    """The box of a text without its arrow."""
    return Text.get_window_extent(text)


def test_undecided_stretches_are_grey_and_dotted(axes):
    values = np.linspace(0, 1, 11)
    multipliers = np.where((values > 0.35) & (values < 0.65), 1.0, 0.5)[:, None]
    plot.bifurcation_diagram(axes, branch(values, values[:, None], multipliers))
    dotted = stretches(axes, ":")
    assert (dotted[:, 0].min(), dotted[:, 0].max()) == pytest.approx((0.3, 0.7))
    (line,) = (line for line in axes.get_lines() if line.get_linestyle() == ":")
    assert to_hex(line.get_color()) == to_hex("0.6")


def test_a_component_or_any_function_of_the_state_is_drawn(axes):
    values = np.linspace(1, 2, 5)
    points = {"c": 3 * values[:, None], "h": 4 * values[:, None]}
    two = branch(values, np.zeros((5, 1)), 0.5 * np.ones((5, 2)))._replace(points=points)
    plot.bifurcation_diagram(axes, two, component=1)
    np.testing.assert_allclose(stretches(axes, "-")[:, 1], 4 * values)
    axes.clear()
    plot.bifurcation_diagram(axes, two, component=lambda state: np.hypot(state["c"][0], state["h"][0]))
    np.testing.assert_allclose(stretches(axes, "-")[:, 1], 5 * values)
    assert axes.get_ylabel() == ""
    axes.clear()
    plot.bifurcation_diagram(axes, two._replace(points=points["c"]), component=np.linalg.norm)
    assert "norm" in axes.get_ylabel()


def test_points_that_are_not_finite_are_gaps_and_said(axes, notes):
    one = fold()
    one.points[5] = np.nan
    plot.bifurcation_diagram(axes, one)
    assert notes() == ["gaps: NaN or infinite, 1 of 38 points of a branch"]
    assert one.values[5] not in stretches(axes, "-")[:, 0]


def test_branches_that_were_not_followed_are_said(axes, notes):
    class Diagram(tuple):
        left_out = 2

    plot.bifurcation_diagram(axes, Diagram(pitchfork()))
    assert notes() == ["not followed: 2 more branches"]


def test_what_cannot_be_drawn_is_refused(axes):
    with pytest.raises(ValueError, match="branches: got none"):
        plot.bifurcation_diagram(axes, [])
    with pytest.raises(ValueError, match="component: got 1, expected a place in a state of 1 numbers"):
        plot.bifurcation_diagram(axes, fold(), component=1)
