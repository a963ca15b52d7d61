"""The rescue of nets that do not learn, in parts whose answer is known, and once as a whole at a small size."""

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from experiments import rescue
from experiments.rescue_figure import AS_DRAWN, FIRST, draw, learnt, solved_after
from rnn_dynamics.diagnosis import Diagnosis, Evidence, Remedy

mpl.use("Agg")


@pytest.fixture(autouse=True)
def promotion():
    """Adam takes a power of a float by an integer, which strict promotion refuses."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.parametrize(("cell", "summed"), [("LSTM", 4), ("GRU", 2)])
def test_nets_are_drawn_as_pytorch_draws_them(cell, summed):
    """Uniform within 1/√n, where a gate of two biases reaches twice as far."""
    hidden = 400
    net = rescue.as_drawn(cell, rescue.task_of("adding", rescue.Config(length=4)), jax.random.key(0), hidden)
    within = np.array([float(jnp.abs(leaf).max()) * hidden**0.5 for leaf in jax.tree.leaves(net)])
    biases = np.array([leaf.shape == (hidden,) for leaf in jax.tree.leaves(net)])
    assert np.sum(within > 1) == np.sum(within[biases] > 1) == summed
    assert within.max() < 2
    assert float(jnp.std(net.readout.V)) == pytest.approx(1 / (3 * hidden) ** 0.5, rel=0.1)
    gate = net.params.forget.b if cell == "LSTM" else net.params.update.b
    assert float(jnp.std(gate)) == pytest.approx((2 / (3 * hidden)) ** 0.5, rel=0.1)
    if cell == "GRU":
        assert net.params.recurrent_bias is not None


def test_tasks_have_the_same_length():
    config = rescue.Config(length=20, letters=3)
    assert [rescue.task_of(name, config).length for name in rescue.TASKS] == [20, 20]


def remedy(name, helps, params):
    return Remedy(name, f"to {name}", "", {}, {}, helps, None, params)


def test_the_first_remedy_that_helps_is_taken():
    found = Diagnosis(
        Evidence(1, 2, 1), (), (remedy("worse", False, 1), remedy("good", True, 2), remedy("too", True, 3))
    )
    assert rescue.advice(found, 0, ("too",)) == {FIRST: ("good", "to good", 2), "too": ("too", "to too", 3)}
    nothing = found._replace(remedies=found.remedies[:1])
    assert rescue.advice(nothing, 0, ()) == {FIRST: ("none", "nothing", 0)}


def fake(learns):
    """Return losses of two nets in one cell and task, of which `learns` (start, net) learn at the second look."""
    loss = np.where(np.asarray(learns)[..., None] & (np.arange(3) > 0), 0.001, 0.2)
    place = ("task", "cell", "start", "net")
    return xarray.Dataset(
        {
            "loss": ((*place, "look"), loss[None, None]),
            "flow": ((*place, "lag"), np.zeros((1, 1, 2, 2, 5)) - np.arange(5)),
            "advice": (("start", "net"), [["none"] * 2, ["chrono"] * 2]),
            "solved": ("task", [0.01]),
            "chance": ("task", [1 / 6]),
        },
        {
            "task": ["adding"],
            "cell": ["GRU"],
            "start": [AS_DRAWN, FIRST],
            "made": ("look", [0, 10, 20]),
            "lag": range(5),
        },
        {"length": 4},
    )


def test_the_figure_counts_the_nets_that_learn():
    dataset = fake([[False, False], [False, True]])
    at = dataset.sel(task="adding", cell="GRU")
    np.testing.assert_array_equal(solved_after(at.sel(start=FIRST)), [np.inf, 10])
    assert learnt(at) == {AS_DRAWN: 0, FIRST: 1}
    figure = draw(dataset)
    assert figure.get_suptitle() == (
        "Over 4 steps 0 of 2 nets learn as initialised, 1 of 2 as advised (remedy: chrono)"
    )
    titles = [axes.get_title(loc="left") + axes.get_title() for axes in figure.axes]
    assert titles[1] == "GRU, adding: 0 of 2 learn;\nas advised 1"
    plt.close(figure)


@pytest.mark.parametrize("what", ["cells", "tasks", "also"])
def test_settings_that_are_not_known(what):
    with pytest.raises(ValueError, match="prayer"):
        rescue.Config(**{what: ("prayer",)})


@pytest.mark.slow
def test_an_lstm_copies_a_letter_over_forty_steps_only_as_advised():
    config = rescue.Config(
        cells=("LSTM",), tasks=("copying",), length=40, letters=1, seeds=2, hidden=16, updates=200, looks=4, batch=16
    )
    dataset = rescue.run(config)
    at = dataset.sel(task="copying", cell="LSTM")
    left = np.exp(at.flow.isel(lag=-1))
    assert (left.sel(start=AS_DRAWN) < 1e-5).all()
    assert (left.sel(start=FIRST) > 0.1).all()
    assert (at.advice.sel(start=FIRST) != "none").all()
    assert at.loss.sel(start=AS_DRAWN).min() > 0.8 * at.chance
    assert at.loss.sel(start=FIRST).min("look").max() < 0.5 * at.chance
    assert "vanish" in at.finding.item() or "1 %" in at.finding.item()
