"""What a grid may be, what is static in it, and how it is cut into windows and chunks."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_measures import thrice, twice

from rnn_dynamics.sweeps import grid_windows
from rnn_dynamics.sweeps.grid import group_at, groups, point_at, read_grid, traced_at


def of_one_name(number):
    def function(x):
        return number * x

    function.__qualname__ = "function"
    return function


shapes = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple)


@given(shapes, st.integers(1, 40), st.integers(1, 5))
def test_windows_of_chunks_cover_each_point_once(shape, width, many):
    window = grid_windows.box(shape, width)
    assert 1 <= math.prod(window) <= width
    chunk = tuple(
        a * b for a, b in zip(window, grid_windows.box(grid_windows.counts(shape, window), many), strict=True)
    )
    seen = np.zeros(shape, int)
    corners = set()
    for number in range(math.prod(grid_windows.counts(shape, chunk))):
        cells, inside = grid_windows.windows(grid_windows.region(shape, chunk, number), window)
        np.add.at(seen, tuple(cells[:, inside]), 1)
        corners |= {tuple(corner) for corner in cells[:, :, 0].T.tolist()}
    assert (seen == 1).all()
    # a window is where it is whatever the chunk
    assert corners == set(
        map(tuple, (np.argwhere(np.ones(grid_windows.counts(shape, window))).astype(int) * window).tolist())
    )


def test_a_block_wastes_little():
    assert grid_windows.box((21, 8), 16) == (2, 8)
    assert grid_windows.box((10,), 4) == (4,)
    assert grid_windows.box((100,), 51) == (50,)
    assert grid_windows.box((5, 1, 3), 1) == (1, 1, 1)


def test_a_product_is_traced_by_floats_and_arrays_and_static_by_all_else():
    W = jnp.ones((2, 3, 3))
    grid = read_grid(
        {"gain": [1, 2.5], "W": W, "cell": ["a", "b"], "n": np.arange(3), "free": [True], "f": [twice, thrice]}, 4
    )
    assert {axis.name: axis.kind for axis in grid.axes} == {
        "gain": "float",
        "W": "array",
        "cell": "text",
        "n": "int",
        "free": "bool",
        "f": "function",
    }
    assert grid.dims == ("gain", "W", "cell", "n", "free", "f", "repeat")
    assert grid.shape == (2, 2, 2, 3, 1, 2, 4)
    assert len(groups(grid)) == 12
    assert group_at(grid, (0, 0, 1, 2, 0, 1, 3)) == ("b", 2, True, thrice)
    assert type(groups(grid)[0][1]) is int
    assert traced_at(grid, np.zeros((7, 5, 2), int))["W"].shape == (5, 2, 3, 3)
    assert point_at(grid, grid.size - 1)["gain"] == 2.5


def test_a_list_of_points_has_one_dimension_and_the_groups_that_occur():
    grid = read_grid([{"n": 3, "gain": 0.5}, {"n": 4, "gain": 0.5}, {"n": 3, "gain": 1.0}], 2)
    assert grid.dims == ("point", "repeat")
    assert grid.shape == (3, 2)
    assert groups(grid) == [(3,), (4,)]
    assert point_at(grid, 5) == {"n": 3, "gain": 1.0}


@pytest.mark.parametrize(
    ("grid", "kind", "message"),
    [
        (3, TypeError, "grid: got 3, expected a mapping"),
        ([], TypeError, "expected a mapping of names to values or a list of points"),
        ({"gain": 0.5}, TypeError, r"grid\['gain'\]: got 0.5, expected a list"),
        ({"cell": "gru"}, TypeError, r"grid\['cell'\]: got 'gru', expected a list"),
        ({"gain": []}, ValueError, "got no values"),
        ({"key": [1.0]}, ValueError, "got the axis 'key'"),
        ({"progress": [1.0]}, ValueError, "got the axis 'progress'"),
        ({"a b": [1.0]}, ValueError, "got the axis 'a b'"),
        ({"gain": [0.5, math.nan]}, ValueError, "got 1 non-finite values"),
        ({"gain": [0.5, 0.5]}, ValueError, "got .*0.5.* more than once"),
        ({"n": [3, 3]}, ValueError, "got 3 more than once"),
        ({"n": [3, True]}, TypeError, "expected all floats"),
        ({"n": [3, "a"]}, TypeError, "got 3, 'a' ..."),
        ({"f": [lambda x: x]}, TypeError, "all functions with a name"),
        ({"W": [np.ones(2), np.ones(3)]}, ValueError, r"shapes \[\(2,\), \(3,\)\], expected one shape"),
        ({"x": [None]}, TypeError, "got None"),
        ([{"a": 1.0}, {"b": 1.0}], ValueError, r"grid\[1\]: got \['b'\], expected the names \['a'\]"),
        ({"a": jax.random.split(jax.random.key(0), 2)}, TypeError, "expected all floats"),
        ([{}, {}], ValueError, r"got 2 points without axes; expected \{\} and repeats=2"),
        ([{"f": of_one_name(1)}, {"f": of_one_name(2)}], ValueError, "several functions of the same name"),
        ({"a": range(2000), "b": range(2000), "c": range(2000)}, ValueError, r"fewer than 2\*\*32"),
    ],
)
def test_what_no_grid_is(grid, kind, message):
    with pytest.raises(kind, match=message):
        read_grid(grid, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 1e39], "got 1e[+]39, which float32 cannot hold"),
        ([1.0, 1e-50], "got 1e-50, which float32 cannot hold"),
        ([0.5, 1.0, 1.0 + 1e-12], "got 1.0 and 1.000000000001, which are the same in float32"),
        ([np.array([3, 2**33 + 5])], "got 8589934597, which int32 cannot hold"),
        ([np.array([1j, 1e39j])], "got 1e[+]39j, which complex64 cannot hold"),
    ],
)
def test_values_that_the_precision_would_change_are_refused(values, message):
    with jax.enable_x64(False):
        with pytest.raises(ValueError, match=rf"grid\['a'\]: {message}; expected other values, or jax.config.update"):
            read_grid({"a": values}, 1)
        read_grid({"a": [0.0, 0.1, 0.5, 3e38]}, 1)
    read_grid({"a": values}, 1)
