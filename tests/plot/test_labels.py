"""Names beside their curves, inside the axes, none on another; what has no height is said instead."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from rnn_dynamics import plot


@pytest.fixture
def axes():
    """With the layout of the style, which gives up, with a warning, on what lies far outside."""
    with plt.style.context(plot.STYLE):
        figure, axes = plt.subplots()
        yield axes
        figure.canvas.draw()
        plt.close(figure)


def ends(axes):
    """Name and place, as a share of the axes, of each label of a curve."""
    return {text.get_text(): text.xy for text in axes.texts if text.get_gid() == "ends"}


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([0.5, 0.5, 0.5], [0.4, 0.5, 0.6]),
        ([1.0, 1.0, 1.0], [0.8, 0.9, 1.0]),
        ([0.0, 0.0], [0.0, 0.1]),
        ([0.6, 0.2, 0.35], [0.6, 0.2, 0.35]),
        ([0.32, 0.3, 0.9], [0.36, 0.26, 0.9]),
        ([0.5, 0.55, 0.62], [0.4566667, 0.5566667, 0.6566667]),
        ([1e8, -1e8, np.inf], [0.9, 0.0, 1.0]),
        ([7.0], [1.0]),
        ([], []),
    ],
)
def test_labels_move_up_and_down_as_little_as_they_must(heights, expected):
    np.testing.assert_allclose(plot.apart(np.array(heights), 0.1), expected, atol=1e-7)


def test_labels_without_room_share_what_there_is():
    np.testing.assert_allclose(plot.apart(np.zeros(5), 1.0, within=(-2.0, 0.0)), [-2, -1.5, -1, -0.5, 0])


def test_labels_of_any_heights_are_apart_inside_and_in_order():
    generator = np.random.default_rng(0)
    for count in range(2, 12):
        heights = generator.normal(0.5, 0.4, count)
        moved = plot.apart(heights, 0.07)
        assert np.argsort(moved).tolist() == np.argsort(heights).tolist()
        assert np.diff(np.sort(moved)).min() > 0.07 - 1e-12
        assert moved.min() >= 0
        assert moved.max() <= 1 + 1e-12


def test_curves_that_end_together_have_their_names_beside_them(axes):
    for name in "abcd":
        axes.plot([0, 1], [0, 1], label=name)
    axes.set_ylim(0, 1.02)
    plot.label_ends(axes)
    heights = [height for _, height in ends(axes).values()]
    assert np.diff(heights).min() > 0.06
    assert max(heights) <= 1
    assert min(heights) > 0.75


def test_labels_stand_at_the_ends_of_their_curves_in_their_colours_and_apart(axes):
    for height, label in ((1.0, "one"), (1.01, "another"), (3.0, "third"), (2.0, "_hidden")):
        axes.plot([0, 1], [0, height], label=label)
    plot.label_ends(axes, line=0.1)
    across = axes.transData + axes.transAxes.inverted()
    assert [text.get_text() for text in axes.texts] == ["one", "another", "third"]
    for text, line in zip(axes.texts, axes.get_lines(), strict=False):
        assert text.get_color() == line.get_color()
    one, another, third = (text.xy[1] for text in axes.texts)
    assert (one + another) / 2 == pytest.approx(across.transform((1, 1.005))[1])
    assert another == pytest.approx(one + 0.1)
    assert third == pytest.approx(across.transform((1, 3))[1])


def test_five_and_twenty_curves_have_small_names_inside(axes):
    for k in range(25):
        axes.plot([0, 1], [0, 1], label=f"c{k}")
    plot.label_ends(axes)
    heights = [height for _, height in ends(axes).values()]
    assert len(heights) == 25
    assert (min(heights), max(heights)) == pytest.approx((0, 1))
    assert axes.texts[0].get_fontsize() < 0.7 * plt.rcParams["font.size"]


def test_labels_written_again_are_written_once(axes):
    axes.plot([0, 1], [0, 1], label="a")
    plot.label_ends(axes)
    axes.plot([0, 1], [0, -50], label="b")
    plot.label_ends(axes)
    assert len(axes.texts) == 2
    assert {name: height for name, (_, height) in ends(axes).items()} == pytest.approx({"a": 0.9545, "b": 0}, abs=1e-3)


def test_a_curve_that_falls_below_a_logarithmic_axis_is_named_at_its_foot(axes):
    axes.plot([1, 10, 100], [1, 2, 3], label="a")
    axes.set(xscale="log", yscale="log")
    axes.plot([1, 10], [0, -1], label="falls")
    plot.label_ends(axes)
    assert ends(axes)["falls"][1] == 0


def test_a_curve_that_leaves_the_picture_is_named_where_it_was_last_seen(axes):
    axes.plot([0, 1, 2, 3], [0, 0.2, 1, 80], label="a")
    axes.plot([5, 6], [0, 1], label="outside")
    axes.axis((0, 2, 0, 2))
    plot.label_ends(axes)
    assert ends(axes).keys() == {"a"}
    assert ends(axes)["a"] == pytest.approx((1, 0.5))


@pytest.mark.parametrize(("height", "text"), [(np.nan, "NaN"), (np.inf, r"$\infty$"), (-np.inf, r"$-\infty$")])
def test_a_level_without_a_height_is_a_note(axes, named, notes, height, text):
    assert plot.level(axes, height, "Kreiss") is axes
    assert not named("_level")
    assert notes() == [f"Kreiss: {text}, not drawn"]


def test_a_level_below_a_logarithmic_axis_is_a_note(axes, named, notes):
    axes.set_yscale("log")
    plot.level(axes, 0, "zero")
    assert not named("_level")
    assert notes() == ["zero: 0 on a logarithmic axis, not drawn"]


def test_a_level_has_its_name_above_it(axes, named):
    axes.plot([0, 1], [0, 2])
    plot.level(axes, 1.5, "mean field", right=True)
    (line,) = named("_level")
    assert set(line.get_ydata()) == {1.5}
    (name,) = axes.texts
    assert (name.get_text(), name.xy) == ("mean field", (0.99, 1.5))
    assert name.get_path_effects()  # readable on points


def test_a_level_outside_the_limits_leaves_the_picture_as_it_is(axes):
    axes.set_ylim(0, 1)
    plot.level(axes, 1e9, "far")
    assert axes.get_ylim() == (0, 1)
