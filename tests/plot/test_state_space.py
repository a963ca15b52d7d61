"""Points stand where they are in the principal components, look as they are, and point where they are unstable."""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from known_points import cubic, described, of_cubic
from matplotlib.colors import to_hex

import rnn_dynamics as rd
from rnn_dynamics import plot
from rnn_dynamics.plot.kinds_of_points import KINDS

# a trajectory that moves most along the second number, less along the third, and not along the first
ELLIPSE = np.array([[0.0, 3 * np.cos(t), 2 * np.sin(t)] for t in np.linspace(0, 2 * np.pi, 41)[:-1]])


def places(axes, label):
    return np.concatenate([line.get_xydata() for line in axes.get_lines() if line.get_label() == label])


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_points_stand_at_their_principal_components(axes):
    found = described(np.array([[5.0, 1.0, 0.5], [0.0, -2.0, 1.5]]), 0.5 * np.stack([np.eye(3)] * 2))
    assert plot.state_space(axes, found, ELLIPSE) is axes
    np.testing.assert_allclose(places(axes, "_stable"), [[1.0, 0.5], [-2.0, 1.5]], atol=1e-12)
    np.testing.assert_allclose(places(axes, "_trajectory"), ELLIPSE[:, 1:], atol=1e-12)
    # the variances are 9/2 and 4/2
    assert axes.get_xlabel() == "PC 1 (69 % of variance)"
    assert axes.get_ylabel() == "PC 2 (31 % of variance)"
    assert axes.get_aspect() == 1


def test_without_trajectories_the_components_are_those_of_the_points(axes):
    points = np.array([[0.0, 2.0], [0.0, -2.0], [1.0, 0.0], [-1.0, 0.0]]) + np.array([10.0, 20.0])
    plot.state_space(axes, described(points, 0.5 * np.stack([np.eye(2)] * 4)))
    np.testing.assert_allclose(places(axes, "_stable"), [[2, 0], [-2, 0], [0, 1], [0, -1]], atol=1e-12)


def test_each_kind_has_its_own_look_and_only_stable_points_are_filled(axes, named):
    plot.state_space(axes, of_cubic(3))
    counts = {"stable": 8, "1 unstable": 12, "2 unstable": 6, "3 unstable": 1}
    assert legend(axes) == list(counts)
    for name, count in counts.items():
        (line,) = named(f"_{name}")
        assert len(line.get_xdata()) == count
        assert (line.get_markerfacecolor() != "none") == (name == "stable")
    assert len({kind.marker for kind in KINDS[:5]}) == len({kind.color for kind in KINDS[:5]}) == 5


def test_many_unstable_directions_share_a_look(axes):
    plot.state_space(axes, described(np.eye(6)[:2], [2 * np.eye(6), np.diag([2, 2, 2, 2, 0.1, 0.1])]))
    assert legend(axes) == ["4+ unstable"]


def test_undecided_and_slow_points_look_different(axes, named):
    jacobians = np.stack([np.diag([1.0, 0.5]), np.diag([0.9, 0.5])])
    plot.state_space(axes, described(np.eye(2), jacobians, fixed=[True, False], undecided=[True, True]))
    (ring,), (cross,) = named("_undecided"), named("_slow")
    assert (ring.get_markerfacecolor(), to_hex(ring.get_markeredgecolor())) == ("none", to_hex("0.6"))
    assert cross.get_marker() == "x"
    assert not named("_unstable direction")


def test_points_of_a_line_are_told_from_undecided_ones(axes):
    found = described(np.eye(2), np.stack([np.diag([1.0, 0.5])] * 2), undecided=True)
    plot.state_space(axes, found._replace(dimension=np.array([1, 0])))
    assert legend(axes) == ["on a line", "undecided"]


def test_lines_are_the_unstable_directions_within_the_picture(axes, named):
    # at the origin (1, 1, 0) grows; the last direction grows fastest, and is not in the plane of the trajectory
    V = np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]).T
    J = V @ np.diag([3.0, 2.0, 0.5]) @ np.linalg.inv(V)
    turned = ELLIPSE[:, [1, 2, 0]]
    plot.state_space(axes, described(np.zeros((1, 3)), J[None]), turned)
    hidden, shown = (line.get_xydata() for line in named("_unstable direction"))
    np.testing.assert_allclose(hidden, 0, atol=1e-12)
    np.testing.assert_allclose(shown[0], -shown[1], atol=1e-12)
    assert shown[1][1] / shown[1][0] == pytest.approx(1)
    assert np.hypot(*shown[1]) == pytest.approx(0.09 * max(np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())), rel=0.3)


def test_of_a_complex_pair_two_lines_span_its_plane(axes, named):
    turn = 1.2 * np.array([[0.0, -1.0], [1.0, 0.0]])
    plot.state_space(axes, described(np.zeros((1, 2)), turn[None]), ELLIPSE[:, 1:])
    lines = [np.diff(line.get_xydata(), axis=0)[0] for line in named("_unstable direction")]
    assert len(lines) == 2
    assert abs(np.linalg.det(np.stack(lines))) > 0.1


def test_no_more_directions_than_asked_for(axes, named):
    plot.state_space(axes, described(np.zeros((1, 4)), [2 * np.eye(4)]), np.eye(4), directions=3)
    assert len(named("_unstable direction")) == 3


def test_outliers_are_left_out_and_said_or_drawn(axes, named, notes):
    far = np.arange(9) == 0
    plot.state_space(axes, of_cubic(outlier=far))
    assert len(named("_stable")[0].get_xdata()) == 3
    assert notes() == ["not drawn: far from the states visited, 1 of 9 points"]
    axes.clear()
    plot.state_space(axes, of_cubic(outlier=far), outliers=True)
    assert len(named("_stable")[0].get_xdata()) == 4
    assert notes() == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_points_without_a_place_and_gaps_are_said(axes, named, notes, value):
    found = of_cubic()
    found.points[0, 1] = value
    path = np.ones((2, 5, 2)) * np.arange(5.0)[:, None]
    path[1, 2, 0] = value
    plot.state_space(axes, found, path)
    assert len(named("_stable")[0].get_xdata()) == 3
    assert notes() == [
        "not drawn: NaN or infinite, 1 of 9 points",
        "gaps: NaN or infinite, 1 of 10 states of trajectories",
    ]
    assert np.isnan(named("_trajectory")[1].get_xdata()).tolist() == [False, False, True, False, False]


def test_no_points_leave_the_trajectories(axes, named, notes):
    plot.state_space(axes, described(np.zeros((0, 3)), np.zeros((0, 3, 3))), ELLIPSE)
    assert len(named("_trajectory")) == 1
    assert notes() == ["no points"]
    assert axes.get_legend() is None


def test_any_state_tree_is_drawn(axes):
    tree = {"c": np.array([[1 + 2j], [3 - 1j]]), "h": np.zeros((2, 1))}
    path = {"c": 3 * np.exp(1j * np.linspace(0, 6, 30))[:, None], "h": np.zeros((30, 1))}
    plot.state_space(axes, described(tree, 0.1 * np.stack([np.eye(3)] * 2)), path)
    assert np.linalg.norm(np.diff(places(axes, "_stable"), axis=0)) == pytest.approx(np.hypot(2, 3))


def test_one_number_has_one_component(axes):
    plot.state_space(axes, of_cubic(1))
    np.testing.assert_allclose(places(axes, "_stable"), [[-1, 0], [1, 0]])
    assert axes.get_ylabel() == "PC 2 (0 % of variance)"


def test_three_components_on_3d_axes():
    figure = plt.figure()
    axes = figure.add_subplot(projection="3d")
    plot.state_space(axes, of_cubic(3))
    assert axes.get_zlabel() == "PC 3 (33 %)"
    (stable,) = (line for line in axes.get_lines() if line.get_label() == "_stable")
    np.testing.assert_allclose(np.linalg.norm(stable.get_data_3d(), axis=0), np.sqrt(3))
    figure.canvas.draw()
    plt.close(figure)


def test_trajectories_of_other_states_are_refused(axes):
    with pytest.raises(ValueError, match=r"trajectories: got \(2, 2, 5, 2\), expected states with leading axes"):
        plot.state_space(axes, of_cubic(), np.zeros((2, 2, 5, 2)))
    with pytest.raises(ValueError, match="trajectories: got states of 3 numbers, expected 2"):
        plot.state_space(axes, of_cubic(), np.zeros((5, 3)))


def test_eigenvalues_have_the_look_of_their_points(axes, named, notes):
    assert plot.fixed_point_eigenvalues(axes, of_cubic()) is axes
    values = {name: named(f"_{name}")[0] for name in ("stable", "1 unstable", "2 unstable")}
    assert sorted(values["1 unstable"].get_xdata()) == pytest.approx([0.5] * 4 + [1.25] * 4)
    assert values["2 unstable"].get_xydata().tolist() == [[1.25, 0], [1.25, 0]]
    for kind in KINDS[:3]:
        assert (values[kind.name].get_color(), values[kind.name].get_marker()) == (kind.color, kind.marker)
    assert [patch.get_label() for patch in axes.patches] == ["|z| = 1"]
    assert legend(axes) == list(values)
    assert notes() == []


def test_eigenvalues_that_are_not_finite_or_not_there_are_said(axes, notes):
    found = of_cubic(1)
    found.eigenvalues[0] = np.nan
    plot.fixed_point_eigenvalues(axes, found)
    assert notes() == ["stable: NaN, 1 of 2 eigenvalues"]
    axes.clear()
    plot.fixed_point_eigenvalues(axes, described(np.zeros((0, 2)), np.zeros((0, 2, 2))))
    assert notes() == ["no points"]
    assert len(axes.patches) == 1


@pytest.fixture
def seen():
    return rd.speed_landscape(cubic, 0.25, jnp.zeros(2), jnp.eye(2), extent=1.5, resolution=31)


def test_speeds_are_colours_in_decades_where_they_were_measured(axes, seen):
    plot.speed_landscape(axes, seen, arrows=False)
    (mesh,) = axes.collections
    heights = np.asarray(mesh.get_array()).reshape(31, 31)
    assert mesh.get_clim()[0] == heights.min()
    # the lowest colour is at most eight decades below the highest
    assert np.ptp(mesh.get_clim()) <= 8
    expected = np.log10(np.asarray(seen.speed)[3, 20])
    assert heights[3, 20] == pytest.approx(expected)
    assert axes.get_xlim() == pytest.approx((-1.55, 1.55))


def test_points_lie_on_the_landscape_and_those_off_it_are_pale(axes, named, notes, seen):
    plot.speed_landscape(axes, seen, of_cubic())
    np.testing.assert_allclose(named("_stable")[0].get_xydata(), [[-1, -1], [-1, 1], [1, -1], [1, 1]], atol=1e-6)
    # how many of the nine points of the grid are exactly at rest depends on rounding
    zeros = int(np.sum(np.asarray(seen.speed) == 0))
    assert 1 <= zeros <= 9
    assert notes() == [f"in the lowest colour: exactly 0, {zeros} of 961 cells"]
    axes.clear()
    plane = rd.speed_landscape(cubic, 0.25, jnp.zeros(3), jnp.eye(3)[jnp.array([2, 0])], extent=1.5, resolution=8)
    plot.speed_landscape(axes, plane, of_cubic(3))
    pale, on = named("_1 unstable")
    assert (len(pale.get_xdata()), len(on.get_xdata())) == (8, 4)
    assert pale.get_markersize() < on.get_markersize()
    assert notes()[0] == "small and pale: off the plane, 18 of 27 points"


def test_points_beyond_the_edges_are_said(axes, notes):
    seen = rd.speed_landscape(cubic, 0.25, jnp.zeros(2), jnp.eye(2), extent=0.5, resolution=8)
    plot.speed_landscape(axes, seen, of_cubic())
    assert notes() == ["not drawn: beyond the edges, 8 of 9 points"]


def test_arrows_point_along_the_flow(axes, seen):
    plot.speed_landscape(axes, seen)
    (arrows,) = (artist for artist in axes.collections if hasattr(artist, "U"))
    x, y = arrows.get_offsets().T
    expected = np.stack([x * (1 - x**2), y * (1 - y**2)])
    expected /= np.linalg.norm(expected, axis=0)
    got = np.stack([arrows.U, arrows.V]) / np.hypot(arrows.U, arrows.V)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_speed_of_zero_and_nan_are_said(axes, notes, seen):
    speed = np.array(seen.speed)
    speed[0, 0], speed[0, 1] = np.nan, 0.0
    plot.speed_landscape(axes, seen._replace(speed=speed))
    assert notes() == ["hatched: NaN, 1 cells", f"in the lowest colour: exactly 0, {np.sum(speed == 0)} of 961 cells"]


def test_landscapes_that_do_not_fit_are_refused(axes, seen):
    with pytest.raises(ValueError, match=r"landscape.speed: got shape \(31,\)"):
        plot.speed_landscape(axes, seen._replace(speed=seen.speed[0]))
    with pytest.raises(ValueError, match=r"landscape.speed: got -1, expected numbers >= 0"):
        plot.speed_landscape(axes, seen._replace(speed=-np.ones((31, 31))))
    with pytest.raises(ValueError, match=r"landscape.first: got shape \(30,\), expected \(31,\)"):
        plot.speed_landscape(axes, seen._replace(first=seen.first[1:]))


def test_the_colour_bar_is_as_high_as_the_picture_and_shows_round_speeds():
    halved = rd.speed_landscape(lambda p, h, x: 0.5 * h, None, jnp.zeros(2), jnp.eye(2), extent=1.0, resolution=8)
    with plt.style.context(plot.STYLE):
        figure, (axes, _) = plt.subplots(1, 2)
        plot.speed_landscape(axes, halved)  # much higher than wide, so that the picture does not fill its place
        figure.draw_without_rendering()
    bar = figure.axes[-1]
    np.testing.assert_allclose(bar.get_position().intervaly, axes.get_position().intervaly, atol=1e-6)
    assert {"0.2", "0.5"} <= {label.get_text() for label in bar.get_yticklabels()}
    plt.close(figure)


def test_one_speed_everywhere_has_a_scale(axes):
    same = rd.speed_landscape(lambda p, h, x: h + 0.3, None, jnp.zeros(2), jnp.eye(2), extent=2.0, resolution=8)
    plot.speed_landscape(axes, same)
    low, high = axes.figure.axes[-1].get_ylim()
    assert high - low == pytest.approx(1)
