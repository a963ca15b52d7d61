"""The cube of memories, on a net whose 27 fixed points are known, and once trained at a small size."""

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import rnn_dynamics as rd
from experiments import flip_flop
from experiments.flip_flop_figure import counts, draw, finding, neighbours_of
from rnn_dynamics import train
from rnn_dynamics.cells.affine import Affine

mpl.use("Agg")


@pytest.fixture(autouse=True)
def promotion():
    """Adam takes a power of a float by an integer, which strict promotion refuses."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def wired():
    """Return three units that each feed themselves alone: h = tanh(2 h) at 0 and at two more points, so 27 points."""
    cell, config = rd.cells.elman, flip_flop.Config(hidden=3, escape=200)
    net = train.Net(Affine(2 * jnp.eye(3), jnp.eye(3), jnp.zeros(3)), train.Readout(jnp.eye(3), jnp.zeros(3)))
    visited = jax.random.rademacher(jax.random.key(0), (64, 3), jnp.float64)
    starts = flip_flop.between(visited, 1024, jax.random.key(1))
    found = jax.tree.map(np.asarray, rd.find_fixed_points(cell.step, net.params, starts, jnp.zeros(3)))
    edges = np.flatnonzero(flip_flop.kept(found) & (found.unstable == 1))
    ways = flip_flop.ways_out(cell, net, found, edges, config)
    reached = flip_flop.arrivals(np.asarray(ways[:, :, -1]), found)
    outputs = flip_flop.outputs_of(cell, net.readout, jnp.asarray(found.points))
    return flip_flop.Opened(
        "wired", 0.0, 1.0, found, outputs, np.asarray(visited)[None], edges, np.asarray(ways), reached
    )


def test_the_wired_cube_has_8_corners_12_edges_6_faces_and_a_centre(wired):
    assert counts(wired) == [8, 12, 6, 1]
    corner = 0.9575040240772687  # tanh(2 h) = h
    at = np.abs(wired.outputs[wired.found.unstable == 0])
    np.testing.assert_allclose(at, corner, atol=1e-12)
    np.testing.assert_allclose(wired.found.eigenvalues[wired.found.unstable == 3].real, 2, atol=1e-12)


def test_each_edge_leads_to_the_two_corners_that_it_joins(wired):
    assert neighbours_of(wired) == (12, 12)
    ends = wired.outputs[wired.reached]
    np.testing.assert_allclose(ends.mean(axis=1), wired.outputs[wired.edges], atol=1e-9)


def test_ways_that_do_not_arrive_are_counted(wired):
    lost = wired._replace(reached=np.where(np.arange(12)[:, None] < 2, -1, wired.reached))
    assert neighbours_of(lost) == (12, 10)
    assert "(10 of 12)" in finding((lost,))


def test_the_figure_says_what_is_found(wired):
    figure = draw((wired,))
    assert figure.get_suptitle() == (
        "In the wired three bits are a cube with 8 memories at its corners;\n"
        "each of the 12 saddles on edges separates two memories that differ in one bit"
    )
    # time constants -1/ln(2 (1 - 0.9575²)) = 0.56 and 1/ln 2 = 1.44 steps
    assert figure.axes[2].get_title(loc="left") + figure.axes[2].get_title() == (
        "Memory: gradients fade e-fold in 1 step\nEdge: they grow e-fold in 1 step"
    )
    plt.close(figure)


def test_memories_that_hold_the_same_bits_are_no_cube(wired):
    outputs = np.where(wired.found.unstable[:, None] == 0, np.abs(wired.outputs), wired.outputs)
    assert finding((wired._replace(outputs=outputs),)).startswith("No cube in all: 8 memories in the wired")
    few = wired._replace(found=wired.found._replace(undecided=wired.found.unstable == 3))
    assert finding((few,)).startswith("No cube in all")


def test_states_between_lie_among_those_visited():
    visited = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    drawn = np.asarray(flip_flop.between(visited, 500, jax.random.key(0)))
    assert drawn.min() >= 0
    assert drawn.sum(axis=1).max() <= 1 + 1e-12


def test_settings_that_are_not_known():
    with pytest.raises(ValueError, match="prayer"):
        flip_flop.Config(cells=("prayer",))


@pytest.mark.slow
def test_a_small_tanh_net_learns_the_cube():
    (net,) = flip_flop.run(flip_flop.Config(cells=("tanh net",), length=40, updates=600, candidates=1024, escape=500))
    assert net.correct > 0.95
    assert counts(net) == [8, 12, 6, 1]
    assert neighbours_of(net) == (12, 12)
    assert net.found.residual.max() < 1e-12
