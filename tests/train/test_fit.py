"""Training against a plain loop, and what a long run needs: stops, penalties, truncation, noise, one compilation."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from learning import fit, plain_loop
from programs import TWO_DEVICES, output

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.train.norm import log_norm

TASK = train.tasks.adding(6)
MOMENTUM, SGD = optax.sgd(3e-2, momentum=0.9), optax.sgd(1e-1)  # Adam of optax promotes types silently
NET = train.init_net(rd.cells.elman, TASK, key=jax.random.key(1), hidden=3)
TINY = {"updates": 4, "every": 2, "hidden": 3, "batch": 2, "held_out": 3}


def assert_trees_agree(left, right, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), left, right)


def assert_same_bits(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(rd.cells.elman, id="elman"),
        pytest.param(rd.cells.lstm, id="lstm", marks=pytest.mark.slow),
        pytest.param(rd.cells.orthogonal, id="orthogonal", marks=pytest.mark.slow),
        pytest.param(rd.cells.stack(rd.cells.gru, rd.cells.elman), id="stack", marks=pytest.mark.slow),
    ],
)
def test_training_is_the_plain_loop(cell, key):
    found = fit(cell, TASK, MOMENTUM, key=key, **TINY)
    losses, net = plain_loop(cell, TASK, MOMENTUM, key=key, updates=4, batch=2, hidden=3)
    np.testing.assert_allclose(found.loss, losses, rtol=1e-9)
    assert_trees_agree(found.net, net, rtol=1e-8, atol=1e-10)
    assert found.updates == 4
    assert found.outcome == 0
    np.testing.assert_array_equal(found.recorded, [0, 2, 4])


@pytest.mark.parametrize("truncate", [pytest.param(1, marks=pytest.mark.slow), 4, 6])
def test_truncation_cuts_the_gradient_at_multiples(truncate, key):
    found = fit(rd.cells.elman, TASK, SGD, key=key, truncate=truncate, **TINY)
    losses, net = plain_loop(rd.cells.elman, TASK, SGD, key=key, updates=4, batch=2, hidden=3, truncate=truncate)
    np.testing.assert_allclose(found.loss, losses, rtol=1e-9)
    assert_trees_agree(found.net, net, rtol=1e-8, atol=1e-10)
    whole = fit(rd.cells.elman, TASK, SGD, key=key, **TINY)
    same = np.allclose(found.net.params.W, whole.net.params.W, rtol=1e-6)
    assert same == (truncate >= TASK.length)


def test_keeping_fewer_states_changes_nothing(key):
    whole = fit(rd.cells.elman, TASK, SGD, key=key, **TINY)
    fewer = fit(rd.cells.elman, TASK, SGD, key=key, keep_every=2, **TINY)
    assert_trees_agree(whole.net, fewer.net, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in rd.cells.CELLS if name != "threshold"])
def test_every_cell_trains(name, key):
    found = fit(rd.cells.CELLS[name], TASK, SGD, key=key, **TINY)
    assert found.updates == 4
    assert np.isfinite(found.loss).all()
    start = train.init_net(rd.cells.CELLS[name], TASK, key=jax.random.split(key)[0], hidden=3)
    moved = [float(jnp.abs(a - b).max()) for a, b in zip(*map(jax.tree.leaves, (found.net, start)), strict=True)]
    assert max(moved) > 1e-4


def test_a_hard_threshold_trains_its_readout_alone(key):
    found = fit(rd.cells.threshold, TASK, SGD, key=key, **TINY)
    start = train.init_net(rd.cells.threshold, TASK, key=jax.random.split(key)[0], hidden=3)
    assert_same_bits(found.net.params, start.params)
    assert not np.allclose(found.net.readout.c, start.readout.c)


@pytest.mark.slow
def test_vmapped_over_seeds_and_learning_rates_is_each_alone(key):
    keys, rates = jax.random.split(key, 3), jnp.asarray([0.1, 0.01, 0.3])

    def learn(key, rate):
        return fit(rd.cells.elman, TASK, optax.sgd(rate), key=key, **TINY)

    together = jax.jit(jax.vmap(learn))(keys, rates)
    for place in range(3):
        alone = learn(keys[place], rates[place])
        assert_trees_agree(jax.tree.map(lambda leaf, i=place: leaf[i], together), alone, rtol=1e-10, atol=1e-12)


def learned(key, *, rate):
    found = fit(rd.cells.elman, TASK, optax.sgd(rate), key=key, **TINY)
    return {"held_out_loss": found.held_out_loss, "updates": found.updates}


@pytest.mark.slow
def test_a_sweep_over_hyper_parameters(key):
    found = rd.sweep(learned, {"rate": [0.01, 0.1]}, key=key, repeats=2, progress=False)
    alone = learned(jax.random.fold_in(key, 3), rate=0.1)
    np.testing.assert_allclose(found.held_out_loss[1, 1], alone["held_out_loss"], rtol=1e-6)


def test_an_update_that_is_not_finite_is_not_made(key):
    wild = optax.sgd(1e40)
    found = fit(rd.cells.linear, TASK, wild, key=key, **{**TINY, "updates": 20, "every": 4})
    made = int(found.updates)
    assert found.outcome == 2
    assert 0 < made < 20
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found.net))
    assert np.isfinite(found.loss[:made]).all()
    assert not np.isfinite(np.asarray([found.loss[made], found.log_gradient_norm[made]])).all() or made == 1
    assert np.isnan(found.loss[made + 1 :]).all()
    # the last good net is the one of as many updates, and it was looked at once more
    good = fit(rd.cells.linear, TASK, wild, key=key, **{**TINY, "updates": made, "every": made})
    assert_same_bits(found.net, good.net)
    looked = np.isfinite(found.correct).sum()
    assert looked == made // 4 + 2


@pytest.mark.slow
def test_one_diverging_net_does_not_stop_the_others(key):
    def learn(rate):
        return fit(rd.cells.linear, TASK, optax.sgd(rate), key=key, **{**TINY, "updates": 20, "every": 4})

    found = jax.jit(jax.vmap(learn))(jnp.asarray([1e40, 1e-2]))
    np.testing.assert_array_equal(found.outcome, [2, 0])
    np.testing.assert_array_equal(found.updates[1], 20)
    alone = learn(1e40)
    np.testing.assert_array_equal(np.isnan(found.held_out_loss[0]), np.isnan(alone.held_out_loss))
    np.testing.assert_allclose(found.held_out_loss[1], learn(1e-2).held_out_loss, rtol=1e-9)


def test_a_solved_task_ends_the_training_at_the_next_look(key):
    easy = TASK._replace(solved=0.5)
    settings = {**TINY, "updates": 40, "every": 4, "stop_when_solved": True}
    found = fit(rd.cells.elman, easy, MOMENTUM, key=key, **settings)
    made = int(found.updates)
    assert found.outcome == 1
    assert 0 < made < 40
    assert found.held_out_loss[made // 4] <= 0.5
    assert (found.held_out_loss[: made // 4] > 0.5).all()
    assert np.isnan(found.held_out_loss[made // 4 + 1 :]).all()
    traced = jax.jit(lambda key: fit(rd.cells.elman, easy, MOMENTUM, key=key, **settings))(key)
    assert_trees_agree(traced, found, rtol=1e-9, atol=1e-12)


def test_penalties_add_up_and_are_told_apart(key):
    def of_readout(moment):
        return jnp.sum(moment.net.readout.c**2) + moment.net.readout.c.sum()

    def of_time(moment):
        return moment.updates.astype(float)

    plain = fit(rd.cells.elman, TASK, SGD, key=key, **{**TINY, "updates": 1, "every": 1})
    found = fit(rd.cells.elman, TASK, SGD, key=key, penalties=(of_readout, of_time), **{**TINY, "every": 4})
    np.testing.assert_allclose(found.loss[0], plain.loss[0], rtol=1e-12)
    assert found.penalty[0] == 0  # c and the step are 0
    one = fit(rd.cells.elman, TASK, SGD, key=key, penalties=(of_readout,), **{**TINY, "updates": 1, "every": 1})
    np.testing.assert_allclose(one.net.readout.c, plain.net.readout.c - 0.1, rtol=1e-9)
    np.testing.assert_allclose(found.penalty[1], one.net.readout.c**2 + one.net.readout.c + 1, rtol=1e-9)


def test_a_penalty_sees_the_examples_of_the_update(key):
    def loss_again(moment):
        states = [rd.unroll(*train.problem(moment, i)) for i in range(2)]
        return sum(train.loss_along(moment, i)(states[i]) for i in range(2)) / 2

    found = fit(rd.cells.orthogonal, TASK, SGD, key=key, penalties=(loss_again,), **TINY)
    np.testing.assert_allclose(found.penalty, found.loss, rtol=1e-9)


@pytest.mark.slow
def test_gradients_clipped_on_their_way_back(key):
    """Only the training sees it: a probe that takes Jacobians gets the plain cell."""
    probes = {"flow": train.probes.gradient_flow(1)}
    clipped = fit(rd.cells.elman, TASK, SGD, key=key, clip_each_step=1e-3, probes=probes, **TINY)
    wide = fit(rd.cells.elman, TASK, SGD, key=key, clip_each_step=1e3, **TINY)
    plain = fit(rd.cells.elman, TASK, SGD, key=key, **TINY)
    assert_trees_agree(wide.net, plain.net, rtol=1e-12)
    np.testing.assert_allclose(clipped.loss[0], plain.loss[0], rtol=1e-12)
    cell = rd.cells.elman
    # the limit is for the loss of one example, and the gradient that comes back is that of a mean over two
    by_hand = fit(train.clip_each_step(cell, 1e-3 / 2), TASK, SGD, key=key, **TINY)
    assert_trees_agree(clipped.net, by_hand.net, rtol=1e-12)
    assert not np.allclose(clipped.net.params.W, plain.net.params.W, rtol=1e-6)


def test_noise_on_the_state(key):
    """With W = 0 and no input a linear state is its noise, so that the loss of a readout of 1 is its variance."""
    still = train.tasks.adding(6)._replace(loss=lambda answer, target: jnp.mean(answer**2))
    net = train.init_net(rd.cells.linear, still, key=key, hidden=4)
    net = jax.tree.map(jnp.zeros_like, net)._replace(readout=train.Readout(jnp.ones((1, 4)) / 2, jnp.zeros(1)))
    settings = {"updates": 1, "every": 1, "batch": 4000, "held_out": 2, "key": key, "net": net}
    found = fit(rd.cells.linear, still, SGD, noise=0.3, **settings)
    np.testing.assert_allclose(found.loss[0], 0.09, rtol=4 * (2 / 4000) ** 0.5)
    assert found.held_out_loss[0] == 0  # a net is looked at without noise
    without = fit(rd.cells.linear, still, SGD, noise=0.0, **settings)
    assert without.loss[0] == 0


def test_compiled_once_for_any_key_and_net(key, compilations):
    settings = {
        **TINY,
        "probes": {"flow": train.probes.gradient_flow(1), "lyapunov": train.probes.lyapunov(1, examples=2)},
        "penalties": (train.soft_orthogonality(0.1), train.flossing(0.1, k=1, every=2)),
    }
    for k in jax.random.split(key, 2):  # what JAX compiles for a first call alone
        fit(rd.cells.elman, TASK, SGD, key=k, **settings)
    before = compilations.count
    fit(rd.cells.elman, TASK, SGD, key=jax.random.key(5), **settings)
    again = {
        **settings,
        "probes": {"flow": train.probes.gradient_flow(1), "lyapunov": train.probes.lyapunov(1, examples=2)},
        "penalties": (train.soft_orthogonality(0.1), train.flossing(0.1, k=1, every=2)),
    }
    fit(rd.cells.elman, TASK, SGD, key=jax.random.key(6), **again)
    assert compilations.count == before


@pytest.mark.slow
def test_devices_share_a_batch():
    output("shared_batch.py", environment=os.environ | TWO_DEVICES)


def test_norms_that_squares_would_lose():
    tree = {"a": jnp.asarray([3e200, 0.0]), "b": jnp.asarray(4e200)}
    np.testing.assert_allclose(log_norm(tree), np.log(5e200), rtol=1e-14)
    np.testing.assert_allclose(log_norm(jax.tree.map(lambda leaf: leaf * 1e-300 * 1e-120, tree)), np.log(5e-220))
    assert log_norm({"a": jnp.zeros(3)}) == -np.inf
    assert log_norm({"a": jnp.asarray([np.inf, 1.0])}) == np.inf
    assert np.isnan(log_norm({"a": jnp.asarray([np.nan, 1.0])}))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"updates": 5}, "updates: got 5, expected a multiple of evaluation.every = 2"),
        ({"updates": 0}, "updates"),
        ({"every": 0}, "every"),
        ({"batch": 0}, "batch"),
        ({"held_out": 0}, "evaluation.examples"),
        ({"truncate": 0}, "truncate"),
        ({"keep_every": 0}, "keep_every"),
        ({"noise": -1.0}, "noise"),
        ({"probes": {"wrong": 3}}, "probes"),
        ({"penalties": (3,)}, "penalties"),
        ({"held_out_task": train.tasks.flip_flop(6)}, "evaluation.task: got 3 inputs, expected 2"),
        ({"devices": []}, "devices"),
        (
            {"held_out_task": TASK._replace(loss=lambda answer, target: answer[0])},
            "evaluation.task: got adding with the loss",
        ),
        ({"held_out_task": 3}, "evaluation.task"),
        ({"devices": jax.devices()[:1] * 2}, r"execution\.devices: got \[.*, .*\], expected one or more, each once"),
        ({"devices": 2}, "devices"),
        ({"devices": [2]}, "devices"),
        ({"penalties": train.soft_orthogonality(0.1)}, "penalties"),
        (
            {"penalties": (lambda moment: moment.net.readout.c,)},
            r"penalties: got float64\[1\] from .*, expected one real",
        ),
        ({"penalties": (lambda moment: None,)}, "penalties: got None from"),
        ({"probes": [3]}, "probes"),
        ({"stop_when_solved": "no"}, "stop_when_solved"),
        ({"progress": "no"}, "progress"),
        ({"net": 3}, "net"),
        (
            {"net": NET._replace(readout=train.Readout(jnp.ones((2, 3)), jnp.ones(2)))},
            "net: got a readout of 2 outputs",
        ),
        ({"net": NET, "hidden": 3}, "hidden: got 3, expected None because `net` is given"),
        ({"net": train.init_net(rd.cells.lstm, TASK, key=jax.random.key(0), hidden=3)}, "params"),
    ],
)
def test_bad_arguments_are_named(wrong, message, key):
    settings = TINY | ({"hidden": None} if "net" in wrong else {}) | wrong
    with pytest.raises((ValueError, TypeError), match=message):
        fit(rd.cells.elman, TASK, SGD, key=key, **settings)


def test_what_an_optimizer_keeps_may_not_overflow(key):
    """Adam divides by the root of its mean of squares: were that infinite, nothing would ever move again."""

    def spike(moment):
        return jnp.where(moment.updates == 2, 1e300, 0.0) * jnp.sum(moment.net.readout.V)

    with jax.numpy_dtype_promotion("standard"):
        found = fit(rd.cells.elman, TASK, optax.adam(0.01), key=key, penalties=(spike,), **TINY)
    assert found.outcome == 2
    assert found.updates == 2
    # one that starts from infinity, and looks for the lowest loss so far, is no such case
    patient = optax.chain(SGD, optax.contrib.reduce_on_plateau(patience=2))
    with jax.numpy_dtype_promotion("standard"):
        assert fit(rd.cells.elman, TASK, patient, key=key, **TINY).updates == 4


def test_a_net_in_another_precision_than_that_of_jax(key):
    net = train.init_net(rd.cells.elman, TASK, key=key, hidden=3, dtype=jnp.float32)
    found = fit(rd.cells.elman, TASK, optax.sgd(0.1), key=key, net=net, **(TINY | {"hidden": None}))
    assert {leaf.dtype for leaf in jax.tree.leaves(found.net)} == {jnp.dtype(jnp.float32)}
    assert found.loss.dtype == jnp.float32
    assert np.isfinite(found.held_out_loss).all()


def test_a_traced_learning_rate_needs_jit_around_it(key):
    with pytest.raises(TypeError, match=r"optimizer, penalties, probes: got one that holds a traced number.*jax\.jit"):
        jax.vmap(lambda rate: fit(rd.cells.elman, TASK, optax.sgd(rate), key=key, **TINY))(jnp.ones(2))


def test_devices_are_not_for_a_transformed_training(key):
    with pytest.raises(ValueError, match=r"devices: got .* under a transformation"):
        jax.jit(lambda key: fit(rd.cells.elman, TASK, SGD, key=key, devices=jax.devices()[:1], **TINY))(key)


def test_solved_is_what_the_held_out_task_calls_so(key):
    settings = {**TINY, "stop_when_solved": True}
    for solved, outcome in ((1e9, 1), (0.0, 0)):
        held_out = TASK._replace(solved=solved)
        assert fit(rd.cells.elman, TASK, SGD, key=key, held_out_task=held_out, **settings).outcome == outcome


def test_what_is_no_cell_task_or_optimizer(key):
    for place, name in enumerate(("cell", "task", "optimizer")):
        arguments = [rd.cells.elman, TASK, SGD]
        arguments[place] = 3
        with pytest.raises(TypeError, match=name):
            fit(*arguments, key=key, **TINY)


def test_ten_looks_where_nothing_else_is_said(key):
    settings = {"hidden": 2, "batch": 1, "held_out": 1, "key": key}
    assert list(fit(rd.cells.elman, TASK, SGD, updates=6, **settings).recorded) == [0, 1, 2, 3, 4, 5, 6]
    assert list(fit(rd.cells.elman, TASK, SGD, updates=25, **settings).recorded) == [0, 5, 10, 15, 20, 25]


def test_inside_jit_with_a_key_from_outside(key):
    inside = jax.jit(lambda: fit(rd.cells.elman, TASK, SGD, key=key, **TINY))()
    assert_trees_agree(inside, fit(rd.cells.elman, TASK, SGD, key=key, **TINY), rtol=1e-10, atol=1e-12)
