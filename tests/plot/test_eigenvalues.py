"""Eigenvalues where they are, circles of the right size, contours at powers of ten."""

import numpy as np
import pytest

from rnn_dynamics import plot


@pytest.fixture
def grid():
    line = np.linspace(-2, 2, 81)
    return line[None, :] + 1j * line[:, None]


def circles(axes):
    return {patch.get_label(): patch.radius for patch in axes.patches}


def test_every_eigenvalue_is_a_point_of_the_plane(axes):
    values = np.array([[0.5 + 1j, 0.5 - 1j], [-2.0, 0.1]])
    assert plot.eigenvalue_cloud(axes, values, label="W") is axes
    (cloud,) = axes.get_lines()
    np.testing.assert_allclose(cloud.get_xydata(), [[0.5, 1], [0.5, -1], [-2, 0], [0.1, 0]])
    assert cloud.get_label() == "W"
    assert axes.get_aspect() == 1
    assert axes.get_xlabel().startswith("Re")
    assert axes.get_ylabel().startswith("Im")


def test_the_unit_circle_is_there_once_and_others_have_their_names(axes):
    plot.eigenvalue_cloud(axes, np.array([0.5]), circles={"g": 3.0}, color="C2")
    plot.eigenvalue_cloud(axes, np.array([0.1j]))
    assert circles(axes) == {"|z| = 1": 1, "g": 3.0}
    assert len(axes.patches) == 2
    (name,) = axes.texts
    assert (name.get_text(), name.get_color()) == ("g", "C2")
    assert name.xy == (0, 3.0)


def test_contours_stand_at_powers_of_ten_of_the_distance_to_a_normal_spectrum(axes, grid):
    eigenvalues = np.array([0.525, -0.525])
    distance = np.abs(grid[..., None] - eigenvalues).min(axis=-1)
    plot.pseudospectrum(axes, grid, distance, eigenvalues)
    (contours,) = (artist for artist in axes.collections if hasattr(artist, "levels"))
    assert contours.levels.tolist() == [-1, 0]
    for power, parts in zip(contours.levels, contours.allsegs, strict=True):
        z = np.concatenate(parts) @ (1, 1j)
        np.testing.assert_allclose(np.abs(z[:, None] - eigenvalues).min(axis=1), 10**power, rtol=0.2)
    assert [text.get_text() for text in axes.texts] == ["$10^{0}$"]  # the other is too small for a name here
    assert circles(axes) == {"|z| = 1": 1}
    assert axes.get_xlim() == axes.get_ylim() == (-2, 2)


def test_names_of_contours_lie_on_them_and_apart(axes, grid):
    plot.pseudospectrum(axes, grid, np.abs(grid) ** 8 + 1e-9, np.array([0.0]))
    names = {text.get_text(): np.hypot(*text.get_position()) for text in axes.texts}
    for power in (-1, 0, 1, 2):
        assert names[f"$10^{{{power}}}$"] == pytest.approx(10 ** (power / 8), rel=0.05)
    places = np.array([text.get_position() for text in axes.texts]) @ (1, 1j)
    assert np.min(np.abs(places[:, None] - places)[~np.eye(len(places), dtype=bool)]) > 0.4
    assert len(names) <= plot.eigenvalues.POWERS


def test_no_power_of_ten_in_reach_leaves_the_eigenvalues(axes, notes, grid):
    plot.pseudospectrum(axes, grid, np.full(grid.shape, 0.5), np.array([0.5]))
    assert not axes.collections
    assert len(axes.get_lines()) == 1
    assert notes() == ["no contours: no power of ten between 0.5 and 0.5"]


def test_eigenvalues_without_a_place_are_said(axes, notes):
    plot.eigenvalue_cloud(axes, np.array([0.5, complex(np.nan, 1), complex(np.inf, 0), -np.inf]), label="W")
    (cloud,) = axes.get_lines()
    assert cloud.get_xydata().tolist() == [[0.5, 0]]
    assert notes() == ["W: NaN, 1 of 4 eigenvalues", "W: infinite, 2 of 4 eigenvalues"]


def test_the_style_of_the_cloud_may_have_any_of_its_names(axes):
    plot.eigenvalue_cloud(axes, np.array([0.5]), markersize=4, mec="red")
    (cloud,) = axes.get_lines()
    assert (cloud.get_markersize(), cloud.get_markeredgecolor()) == (4, "red")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_in_doubt_are_crosses_beside_the_contours_of_the_others(axes, named, notes, grid, value):
    distance = np.abs(grid) + 0.05
    distance[:2, 5] = value
    plot.pseudospectrum(axes, grid, distance, np.zeros(1))
    (crosses,) = named("_lost")
    assert crosses.get_xydata() @ (1, 1j) == pytest.approx(grid[:2, 5])
    assert notes() == ["crosses: NaN or infinite, 2 of 6561 points of the grid"]
    (contours,) = (artist for artist in axes.collections if hasattr(artist, "levels"))
    assert contours.levels.tolist() == [-1, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, 0.0, 5e-324, 1])
def test_a_grid_of_one_value_has_eigenvalues_and_a_note(axes, notes, grid, value):
    plot.pseudospectrum(axes, grid, np.full(grid.shape, value), np.array([0.5]))
    assert not axes.collections
    assert len(notes()) == 1
    assert axes.get_xlim() == (-2, 2)


def test_whole_numbers_have_contours(axes, grid):
    plot.pseudospectrum(axes, grid, np.arange(grid.size).reshape(grid.shape), np.array([0.5]))
    assert len(axes.collections) == 1


@pytest.mark.parametrize("part", [np.s_[:1], np.s_[:, :1], np.s_[:1, :1]])
def test_a_grid_too_thin_for_contours_says_so(axes, notes, grid, part):
    thin = grid[part]
    plot.pseudospectrum(axes, thin, np.abs(thin), np.array([0.5]))
    assert notes() == [f"no contours: a grid of {thin.shape[0]} × {thin.shape[1]} points"]


def test_arrays_that_do_not_fit_are_refused(axes, grid):
    distance = np.abs(grid)
    with pytest.raises(ValueError, match=r"grid: got shape \(81,\), expected \(rows, columns\)"):
        plot.pseudospectrum(axes, grid[0], distance[0], np.array([0.5]))
    with pytest.raises(ValueError, match=r"values: got shape \(80, 81\), expected \(81, 81\) to match grid"):
        plot.pseudospectrum(axes, grid, distance[1:], np.array([0.5]))
    with pytest.raises(ValueError, match="values: got -1, expected numbers >= 0"):
        plot.pseudospectrum(axes, grid, -np.ones(grid.shape), np.array([0.5]))
    with pytest.raises(ValueError, match=r"eigenvalues: got shape \(0,\)"):
        plot.eigenvalue_cloud(axes, np.zeros(0))
    with pytest.raises(ValueError, match=r"circles: got radius -1\.0 for 'g', expected a positive number"):
        plot.eigenvalue_cloud(axes, np.array([0.5]), circles={"g": -1.0})
