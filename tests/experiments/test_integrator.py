"""The line of an integrator, on a linear net whose line is known, and once trained at a small size."""

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import rnn_dynamics as rd
from experiments import integrator
from experiments.integrator_figure import draw, fixed, line_of

mpl.use("Agg")


@pytest.fixture(autouse=True)
def promotion():
    """Adam takes a power of a float by an integer, which strict promotion refuses."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def test_the_task_sums_its_inputs():
    task = integrator.integration(25)
    examples = jax.vmap(task.sample)(jax.random.split(jax.random.key(0), 4000))
    np.testing.assert_allclose(examples.targets, np.cumsum(examples.xs, axis=1), atol=1e-12)
    assert float(jnp.mean(examples.targets**2)) == pytest.approx(task.chance, rel=0.05)
    assert task.chance == 0.52


def test_a_line_through_its_readout():
    """The step h' = (0.98 h_1, 0.5 h_2 + 0.1 h_1²), read out as 3 h_1 + 1, drifts by -0.02 of (sum - 1)."""

    def step(p, h, x):
        return jnp.stack([0.98 * h[0], 0.5 * h[1] + 0.1 * h[0] ** 2])

    starts = jax.random.uniform(jax.random.key(0), (64, 2), jnp.float64, -1, 1)
    slow = jax.tree.map(np.asarray, rd.slow_manifolds(step, None, starts))
    line = line_of(slow, np.array([3.0, 0.0]), 1.0)
    np.testing.assert_allclose(line.drift, -0.02 * (line.sums - 1), atol=1e-9)
    np.testing.assert_allclose(line.along, -1 / np.log(0.98), rtol=1e-9)
    np.testing.assert_allclose(line.across, -1 / np.log(0.5), rtol=1e-9)
    assert line.slope(1.0) == pytest.approx(-0.02, abs=1e-9)
    assert (np.diff(line.sums) >= 0).all()


def test_undecided_points_are_not_drawn_as_stable():
    found = rd.find_fixed_points(lambda p, h, x: jnp.stack([h[0], 0.5 * h[1]]), None, jnp.ones((8, 2)))
    assert found.undecided.all()
    net = integrator.Opened("flat", 0.0, None, jax.tree.map(np.asarray, found), None, None, None)
    assert [len(those) for those, _ in fixed(net)] == [0, 0]


def test_a_net_without_a_line():
    slow = rd.slow_manifolds(lambda p, h, x: 0.5 * h, None, jnp.ones((8, 2)))
    with pytest.raises(RuntimeError, match="no line of slow states"):
        integrator.longest(slow, np.ones(2), 0.0)


def test_settings_that_are_not_known():
    with pytest.raises(ValueError, match="prayer"):
        integrator.Config(cells=("prayer",))


@pytest.mark.slow
def test_a_small_net_holds_a_sum_on_a_line():
    config = integrator.Config(cells=("GRU",), hidden=8, length=30, updates=400, candidates=200)
    nets = integrator.run(config)
    (net,) = nets
    assert net.loss < 0.05 * 0.5
    assert net.line.share > 0.9
    assert np.median(net.line.along) > 5 * np.median(net.line.across)
    within = [i for i in np.flatnonzero(net.found.fixed) if np.abs(net.values[i]) < 1]
    for i in within:  # the slope of the drift is the eigenvalue
        assert net.line.slope(net.values[i]) == pytest.approx(net.found.eigenvalues[i, 0].real - 1, abs=1e-3)
    figure = draw(nets)
    assert figure.get_suptitle().startswith("A net that integrates holds the sum on a line of slow states")
    plt.close(figure)
