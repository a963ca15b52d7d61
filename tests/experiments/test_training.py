"""The experiments that train nets, at a tiny size, each against something that is known."""

from functools import partial

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from experiments import clipping_hides, interventions, learned_adder, preflossing, training_dynamics
from experiments.clipping_hides_figure import fall_of_nets, said_better, trusted
from experiments.counts import wilson
from experiments.exercises import adder
from experiments.interventions_figure import learnt, longest
from experiments.learned_adder_figure import carrying, keeping, said_right
from experiments.preflossing_figure import reach
from experiments.training_dynamics_figure import lags, solved_after
from rnn_dynamics import train

mpl.use("Agg")


@pytest.fixture(autouse=True)
def promotion():
    """Adam takes a power of a float by an integer, which strict promotion refuses."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.slow
def test_clipping_by_norm_alone_keeps_the_direction():
    config = clipping_hides.Config(
        hidden=8, gains=(0.5, 3.0, 2), length=20, lengths=(5,), gain=2.0, nets=4, batch=8, limit=0.01
    )
    dataset = clipping_hides.run(config)
    assert dataset.trusted.all()
    assert (dataset.angle_norm < 1e-6).all()
    np.testing.assert_allclose(dataset.share_norm, config.limit / np.exp(dataset.log_norm), rtol=1e-6)
    # by value every entry is at most limit/√p, so that the norm is at most the limit
    assert (dataset.share_value * np.exp(dataset.log_norm) <= config.limit * (1 + 1e-9)).all()
    assert (dataset.angle_value > 1).all()
    assert (dataset.angle_step > 0.1).all()
    # rounding of float32 turns a gradient that has not exploded by next to nothing
    assert (dataset.angle_float32.sel(gain=0.5) < 1e-3).all()
    figure = clipping_hides.draw(dataset)
    assert len(figure.axes) == 6
    plt.close(figure)


@pytest.mark.slow
def test_what_is_below_every_limit_is_not_clipped():
    config = clipping_hides.Config(
        hidden=4, gains=(0.5, 1.5, 2), length=6, lengths=(4,), nets=2, batch=4, limit=1e9, stride=1e-4
    )
    dataset = clipping_hides.run(config)
    for name in ("norm", "value", "step"):
        assert (dataset[f"angle_{name}"] < 1e-6).all()
        np.testing.assert_allclose(dataset[f"share_{name}"], 1)
        np.testing.assert_allclose(dataset[f"fall_{name}"], dataset.fall_norm, rtol=1e-9)
    one, other = jnp.array([1.0, 0.0, 0.0]), jnp.array([2.0, 2e-9, 0.0])
    np.testing.assert_allclose(clipping_hides.angle(one, other), np.degrees(1e-9), rtol=1e-6)
    np.testing.assert_allclose(clipping_hides.angle(one, jnp.array([1.0, 3.0**0.5, 0.0])), 60)


def test_gradients_that_are_not_trusted_are_left_out():
    believed = [[True, True, True, False], [True, False, False, False]]
    at = xarray.Dataset({"trusted": (("gain", "net"), believed), "x": (("gain", "net"), np.ones((2, 4)))})
    np.testing.assert_array_equal(trusted(at, "x"), [[1, np.nan], [1, np.nan], [1, np.nan], [np.nan, np.nan]])


def test_a_net_counts_once_however_many_gains_make_it_explode():
    """Net 0 falls by 20 % at the two gains where it explodes, by half of that if clipped by norm; net 1 never does."""
    at = xarray.Dataset(
        {
            "trusted": (("gain", "net"), np.ones((3, 2), bool)),
            "log_norm": (("gain", "net"), np.log([[1.0, 1.0], [1e6, 2.0], [1e8, 3.0]])),
            "fall_step": (("gain", "net"), [[9.0, 9.0], [0.1, 9.0], [0.3, 9.0]]),
            "fall_norm": (("gain", "net"), [[9.0, 9.0], [0.1, 9.0], [0.1, 9.0]]),
        },
        attrs={"limit": 1.0},
    )
    np.testing.assert_allclose(fall_of_nets(at, "step"), [20, np.nan])
    assert said_better(at) == "for 1 of 1 nets"


def test_what_adders_that_were_not_chosen_do():
    data = xarray.Dataset({"far_carried": ("net", [1.0, np.nan, 0.5, 0.995])})
    assert said_right(data) == "3 nets that add: 50 to 100 %, median 100 %"
    holds, loses = keeping(data)
    assert holds.tolist() == [True, False, False, True]
    assert loses.tolist() == [False, False, True, False]


def test_the_wired_adder_adds_and_its_second_unit_is_the_carry():
    net = learned_adder.wired(20.0)
    xs, right = adder.all_pairs(4)
    np.testing.assert_array_equal(learned_adder.to_add(xs) % 2, right)
    assert learned_adder.wrong(net, xs, right) == 0
    assert learned_adder.long_sums(net, 40, seed=0, pairs=50) == {"random": 1, "carried": 1}
    low, _, high = learned_adder.by_count(net, 4)
    assert carrying(low, high).tolist() == [1]
    handed_on = np.asarray(learned_adder.stream("carried", 9, jax.random.key(0)))[None]
    assert (learned_adder.to_add(handed_on) == 2).all()


@pytest.mark.slow
def test_some_tiny_net_learns_to_add():
    config = learned_adder.Config(bits=2, far=4, nets=4, updates=600, batch=16, rate=0.03, lags=6)
    dataset = learned_adder.run(config)
    assert (dataset.loss.isel(recorded=-1) < dataset.loss.isel(recorded=0)).all()
    assert dataset.wrong.min() == dataset.wrong[dataset.best] == 0
    assert dataset.trained_weights.shape == (3, 3 + 2 + 1 + 1)
    # a carry that is handed on meets the same Jacobian at every step, once the state has settled
    slopes = np.diff(dataset.wired_flow_carried.values[:, 2:], axis=1)
    np.testing.assert_allclose(slopes, slopes[0, 0], atol=0.05)
    assert (dataset.trained_flow_random.isel(lag=0) == 0).all()
    figure = learned_adder.draw(dataset)
    assert len(figure.axes) == 6
    plt.close(figure)


@pytest.mark.slow
def test_a_gru_learns_to_add_two_numbers_over_a_few_steps():
    config = training_dynamics.Config(
        cells=("gru",), lengths=(4,), seeds=2, hidden=8, updates=200, looks=2, batch=16, rate=0.03
    )
    dataset = training_dynamics.run(config)
    assert (dataset.loss.isel(look=-1) < 1 / 6).all()
    assert dataset.made.isel(cell=0, length=0, repeat=0).values.tolist() == [0, 100, 200]
    at = dataset.sel(cell="gru", length=4)
    heights = lags(at, 0, 4)
    assert (heights[:, 0] == 0).all()
    assert np.isfinite(heights).all()
    # an untrained GRU forgets: half of the state is replaced in a step
    assert (at.exponent.isel(look=0) < 0).all()
    figure = training_dynamics.draw(dataset)
    assert "GRU" in figure.axes[0].get_title(loc="left") + figure.axes[0].get_title()
    plt.close(figure)


def test_a_task_is_solved_at_the_first_look_that_sees_it():
    at = xarray.Dataset(
        {"loss": (("repeat", "look"), [[1, 0.005, 0.02], [1, 1, 0.01], [1, 1, 1]])},
    ).assign(made=(("repeat", "look"), [[0, 10, 20]] * 3))
    np.testing.assert_array_equal(solved_after(at), [10, 20, np.inf])


def test_copy_memory_with_blanks_before_it():
    key, like = jax.random.key(3), train.tasks.copy_memory(6, 2, 4)
    for delay in (1, 3, 6):
        example = interventions.copy_after(float(delay), 6, 2, 4).sample(key)
        plain = train.tasks.copy_memory(delay, 2, 4).sample(key)
        np.testing.assert_array_equal(example.xs[6 - delay :], plain.xs)
        assert (example.xs[: 6 - delay, 4] == 1).all()
        np.testing.assert_array_equal(example.targets[example.mask], plain.targets[plain.mask])
    np.testing.assert_array_equal(example.xs, like.sample(key).xs)


@pytest.mark.parametrize("name", interventions.PLANS)
def test_every_intervention_can_be_traced(name):
    sizes = {
        "longest": 4,
        "symbols": 1,
        "alphabet": 2,
        "hidden": 21,
        "updates": 4,
        "looks": 2,
        "batch": 2,
        "flossed": 2,
    }
    found = jax.eval_shape(
        partial(interventions.learn, intervention=name, **sizes), jax.random.key(0), delay=2.0, rate=0.01
    )
    assert found["loss"].shape == (3,)


@pytest.mark.slow
def test_a_short_delay_is_learnt_more_often_than_a_long_one():
    config = interventions.Config(
        interventions=("none",),
        delays=(1, 30),
        symbols=1,
        alphabet=2,
        seeds=3,
        hidden=8,
        updates=80,
        looks=4,
        rate=0.02,
    )
    dataset = interventions.run(config)
    counts = learnt(dataset)
    assert counts[0, 0] == 3
    best = dataset.loss.min("look").median("repeat").sel(intervention="none")
    assert best.sel(delay=1) < best.sel(delay=30)
    most = xarray.Dataset(
        {
            "learnt": (
                ("intervention", "delay", "repeat"),
                [[[1, 1, 1], [0, 1, 1]], [[1, 0, 1], [1, 0, 0]], [[0] * 3] * 2],
            )
        },
        coords={"delay": [5.0, 10.0]},
    )
    assert longest(most).tolist() == [10, 5, 0]
    figure = interventions.draw(dataset)
    assert {text.get_text() for text in figure.axes[0].texts} >= {"3", str(counts[0, 1])}
    plt.close(figure)


def test_known_intervals_of_a_rate():
    np.testing.assert_allclose(wilson(4, 8), (0.2152, 0.7848), atol=1e-4)
    np.testing.assert_allclose(wilson(0, 8), (0, 0.3244), atol=1e-4)


def test_an_intervention_that_is_not_known():
    with pytest.raises(ValueError, match="prayer"):
        interventions.Config(interventions=("prayer",))


@pytest.mark.slow
def test_preflossing_brings_exponents_to_zero_and_delays_are_those_asked_for():
    starts = ("Gaussian", "nearly all flossed")
    config = preflossing.Config(
        starts=starts, spacing=2, delays=2, seeds=2, hidden=8, floss_updates=100, updates=4, looks=2
    )
    dataset = preflossing.run(config)
    assert dataset.delay.values.tolist() == [2, 4]
    assert dataset.look.values.tolist() == [0, 2, 4]
    first = np.abs(dataset.exponents.isel(index=slice(0, 6))).max(("repeat", "index"))
    assert first.sel(start="nearly all flossed") < 0.5 * first.sel(start="Gaussian")
    learnt = xarray.DataArray([[[1, 0], [0, 0]], [[1, 1], [1, 1]]], dims=("start", "delay", "repeat"))
    figure = preflossing.draw(dataset.assign(learnt=learnt))
    assert [text.get_text() for text in figure.axes[0].texts[:4]] == ["1", "0", "2", "2"]
    assert reach(dataset.assign(learnt=learnt)) == "Most nets learn a delay of 0 (Gaussian),\nof 4 (nearly all flossed)"
    plt.close(figure)


def test_temporal_xor_of_a_traced_delay_is_that_of_the_task():
    key, hardest = jax.random.key(4), train.tasks.temporal_xor(21, 20)
    for delay in (2, 6, 20):
        example = jax.jit(lambda d: preflossing.after(d, hardest).sample(key))(delay)
        plain = train.tasks.temporal_xor(21, delay).sample(key)
        for one, other in zip(example, plain, strict=True):
            np.testing.assert_array_equal(one, other)
