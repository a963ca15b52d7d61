"""Every task against its contract, against plain Python on its own inputs, and against the best constant answer."""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from rnn_dynamics.train import tasks
from rnn_dynamics.train.task import cross_entropy, mean_over_mask
from rnn_dynamics.train.tasks import TASKS

SMALL = {
    "adding": ({"length": 7}, {"length": 2}),
    "binary_addition": ({"bits": 5}, {"bits": 1}),
    "copy_memory": (
        {"delay": 3, "symbols": 4, "alphabet": 5},
        {"delay": 1, "symbols": 1, "alphabet": 2},
    ),
    "delayed_xor": ({"length": 9}, {"length": 3, "marked": 3}),
    "digits": ({"part": "test"}, {"pixels": 1, "delay": 2}),
    "flip_flop": ({"length": 12, "probability": 0.3}, {"length": 1, "channels": 1, "probability": 1.0}),
    "lorenz": ({"length": 6, "horizon": 3}, {"length": 1, "horizon": 1, "observed": 1, "interval": 0.5}),
    "parity": ({"length": 6}, {"length": 1}),
    "temporal_order": ({"length": 40}, {"length": 2}),
    "temporal_xor": ({"length": 13, "delay": 6}, {"length": 3, "delay": 2}),
}
CASES = [(name, tuple(options.items())) for name, many in SMALL.items() for options in many]
every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=lambda value: str(value).replace(" ", ""))
SAMPLES = 4096


def keys():
    return jax.random.split(jax.random.key(7), SAMPLES)


@functools.cache
def sampler(name, options):
    """A task and its compiled, batched sample."""
    task = TASKS[name](**dict(options))
    return task, jax.jit(jax.vmap(task.sample))


@functools.cache
def examples(name, options):
    """A task and many examples of it as numpy arrays."""
    task, sample = sampler(name, options)
    return task, jax.tree.map(np.asarray, sample(keys()))


def labelled(task):
    return task.loss is cross_entropy


def perfect(task, targets):
    """An answer that is sure of the target at every step."""
    return 20.0 * np.eye(task.outputs)[targets] if labelled(task) else targets


def wrong(task, targets):
    """An answer that is sure of something else."""
    return perfect(task, (targets + 1) % task.outputs if labelled(task) else targets + 2.0)


@functools.cache
def judge(task):
    """The loss of every example, and whether each step is correct."""

    def one(answers, example):
        loss = mean_over_mask(jax.vmap(task.loss)(answers, example.targets), example.mask)
        return loss, jax.vmap(task.correct)(answers, example.targets)

    judged = jax.jit(jax.vmap(one))
    return lambda answers, batch: jax.tree.map(np.asarray, judged(answers, batch))


def test_every_task_is_registered_under_its_name():
    assert set(TASKS) == set(SMALL) == set(tasks.__all__) - {"TASKS"}
    for name, make in TASKS.items():
        assert make is getattr(tasks, name)
        task = make()
        assert task.name == name
        assert make() is task
        hash(task)
        assert 0 < task.solved < task.chance


@every_case
def test_contract(name, options):
    task, batch = examples(name, options)
    assert batch.xs.shape == (SAMPLES, task.length, task.inputs)
    assert batch.xs.dtype == jnp.zeros(()).dtype
    assert np.isfinite(batch.xs).all()
    assert batch.mask.shape == (SAMPLES, task.length)
    assert batch.mask.dtype == bool
    assert batch.mask.any(axis=1).all()
    if labelled(task):
        assert batch.targets.shape == (SAMPLES, task.length)
        assert np.issubdtype(batch.targets.dtype, np.integer)
        assert batch.targets.min() >= 0
        assert set(batch.targets[batch.mask]) == set(range(task.outputs))
    else:
        assert batch.targets.shape == (SAMPLES, task.length, task.outputs)
        assert batch.targets.dtype == batch.xs.dtype
    assert TASKS[name](**dict(options)) is task
    assert len(np.unique(batch.xs, axis=0)) > 1 or task.length == 1


@every_case
def test_an_example_depends_on_its_key_alone(name, options):
    """Not on its place in the batch, nor on what was drawn before."""
    _, batch = examples(name, options)
    again = sampler(name, options)[1](keys()[::-1])
    for one, other in zip(again, batch, strict=True):
        np.testing.assert_array_equal(one, other[::-1])


@every_case
def test_in_both_precisions(name, options, dtype):
    task = TASKS[name](**dict(options))
    example = jax.eval_shape(task.sample, jax.random.key(3))
    assert example.xs.dtype == dtype
    assert example.targets.dtype == (jnp.arange(1).dtype if labelled(task) else dtype)
    answer = jax.ShapeDtypeStruct((task.outputs,), dtype)
    target = jax.ShapeDtypeStruct(example.targets.shape[1:], example.targets.dtype)
    assert jax.eval_shape(task.loss, answer, target).dtype == dtype
    assert jax.eval_shape(task.correct, answer, target).dtype == bool


@every_case
def test_chance_is_the_loss_of_the_best_constant_answer(name, options):
    task, batch = examples(name, options)
    counted = batch.targets[batch.mask]
    if labelled(task):
        constant = np.log(np.bincount(counted, minlength=task.outputs) / len(counted))
    else:
        constant = counted.mean(axis=0)
    each, _ = judge(task)(np.broadcast_to(constant, (SAMPLES, task.length, task.outputs)), batch)
    fitted = 3 * task.outputs / SAMPLES  # the constant is the best one for these very examples
    assert abs(each.mean() - task.chance) < 4 * each.std() / np.sqrt(SAMPLES) + fitted


@every_case
def test_perfect_and_wrong_answers(name, options):
    task, batch = examples(name, options)
    loss, correct = judge(task)(perfect(task, batch.targets), batch)
    assert loss.max() <= task.solved
    assert correct.all()
    loss, correct = judge(task)(wrong(task, batch.targets), batch)
    assert loss.min() > task.chance
    assert not correct.any()


def few(name, options, count=300):
    """The task, and inputs, targets and steps that count of its first examples, one by one."""
    task, batch = examples(name, tuple(options.items()))
    for i in range(count):
        yield task, batch.xs[i], batch.targets[i], np.flatnonzero(batch.mask[i])


def each_small(name):
    return pytest.mark.parametrize("options", SMALL[name], ids=str)


@each_small("adding")
def test_adding(options):
    for task, xs, targets, counted in few("adding", options):
        assert list(counted) == [task.length - 1]
        assert (xs[:, 1] == 1).sum() == 2
        assert set(xs[:, 1]) <= {0, 1}
        assert xs[: task.length // 2, 1].sum() == 1
        assert targets[-1, 0] == pytest.approx(sum(value for value, mark in xs if mark), abs=1e-12)


@each_small("copy_memory")
def test_copy_memory(options):
    delay, symbols, alphabet = options["delay"], options["symbols"], options["alphabet"]
    for task, xs, targets, counted in few("copy_memory", options):
        assert task.length == delay + 2 * symbols
        assert (xs.sum(axis=1) == 1).all()
        shown = list(xs.argmax(axis=1))
        blank, go = alphabet, alphabet + 1
        assert max(shown[:symbols]) < alphabet
        assert shown[symbols:] == [blank] * (delay - 1) + [go] + [blank] * symbols
        assert list(counted) == list(range(shown.index(go) + 1, task.length))
        assert list(targets[counted]) == shown[:symbols]


@each_small("temporal_order")
def test_temporal_order(options):
    length, firsts, seconds = options["length"], set(), set()
    for _, xs, targets, counted in few("temporal_order", options):
        assert (xs.sum(axis=1) == 1).all()
        word = "".join("XYabcd"[i] for i in xs.argmax(axis=1))
        relevant = [i for i, letter in enumerate(word) if letter in "XY"]
        assert ["XX", "XY", "YX", "YY"][targets[-1]] == "".join(word[i] for i in relevant)
        assert list(counted) == [length - 1]
        firsts.add(relevant[0])
        seconds.add(relevant[1])
    if length == 40:
        assert firsts == set(range(4, 8))
        assert seconds == set(range(16, 20))


@each_small("parity")
def test_parity(options):
    for task, xs, targets, counted in few("parity", options):
        assert set(xs[:, 0]) <= {0, 1}
        assert list(counted) == list(range(task.length))
        assert list(targets) == [xs[: t + 1, 0].sum() % 2 for t in counted]


@each_small("delayed_xor")
def test_delayed_xor(options):
    marked, seen = options.get("marked", 2), set()
    for task, xs, targets, counted in few("delayed_xor", options):
        assert set(xs.ravel()) <= {0, 1}
        times = np.flatnonzero(xs[:, 1])
        seen.update(times)
        edges = [k * task.length // marked for k in range(marked + 1)]
        assert [int(np.searchsorted(edges, time, side="right")) for time in times] == list(range(1, marked + 1))
        assert list(counted) == [task.length - 1]
        assert targets[-1] == sum(xs[time, 0] for time in times) % 2
    assert seen == set(range(task.length))


@each_small("temporal_xor")
def test_temporal_xor(options):
    delay = options["delay"]
    for task, xs, targets, counted in few("temporal_xor", options):
        bits = [bool(bit) for bit in xs[:, 0]]
        assert list(counted) == list(range(delay, task.length))
        assert [bool(targets[t]) for t in counted] == [bits[t - delay] != bits[t - delay // 2] for t in counted]


@each_small("binary_addition")
def test_binary_addition(options):
    bits = options["bits"]
    powers = 2 ** np.arange(bits + 1)
    for _, xs, targets, counted in few("binary_addition", options):
        first, second = (xs.T @ powers).astype(int)
        assert max(first, second) < 2**bits
        assert targets @ powers == first + second
        assert len(counted) == bits + 1


@each_small("flip_flop")
def test_flip_flop(options):
    for task, xs, targets, counted in few("flip_flop", options):
        assert set(xs.ravel()) <= {-1, 0, 1}
        assert len(counted) == task.length
        for pulses, held in zip(xs.T, targets.T, strict=True):
            for t in counted:
                assert held[t] == next((pulse for pulse in pulses[t::-1] if pulse), 0)
    xs = examples("flip_flop", tuple(options.items()))[1].xs
    stderr = 0.5 / np.sqrt(xs.size)
    assert abs((xs != 0).mean() - options["probability"]) < 4 * stderr
    assert abs(xs.mean()) < 8 * stderr


def test_lorenz_moves_as_the_equations_say():
    """From the first sample on, against scipy's integrator with tight tolerances."""
    scale, shift = np.array([7.92464, 9.01125, 8.62244]), np.array([0, 0, 23.55])

    def velocity(_, state):
        x, y, z = state
        return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z

    for _, xs, targets, counted in few("lorenz", {"length": 6, "horizon": 3}, 5):
        times = 0.05 * np.arange(9)
        path = solve_ivp(velocity, (0, 1), xs[0] * scale + shift, t_eval=times, rtol=1e-10, atol=1e-10).y.T
        np.testing.assert_allclose((path[:6] - shift) / scale, xs, atol=2e-4)
        np.testing.assert_allclose((path[3:] - shift) / scale, targets, atol=2e-4)
        assert len(counted) == 6


def test_lorenz_observed_and_normalised():
    task, batch = examples("lorenz", tuple(SMALL["lorenz"][1].items()))
    assert task.inputs == 1
    normalised = batch.targets[:, 0]
    np.testing.assert_allclose(normalised.mean(axis=0), 0, atol=4 / np.sqrt(SAMPLES))
    np.testing.assert_allclose(normalised.std(axis=0), 1, atol=4 / np.sqrt(2 * SAMPLES))


@each_small("digits")
def test_digits(options):
    """Every image stands in the installed data, in the right part, with its label, and none is missing."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    part = range(1437, 1797) if options.get("part") == "test" else range(1437)
    where = {images[i].tobytes(): i for i in part}
    seen = set()
    for task, xs, targets, counted in few("digits", options, SAMPLES):
        assert list(counted) == [task.length - 1]
        index = where[(16 * xs).ravel()[:64].astype(images.dtype).tobytes()]
        assert (xs.ravel()[64:] == 0).all()
        assert targets[-1] == labels[index]
        seen.add(index)
    assert len(seen) > 0.9 * len(part)


def test_digits_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'rnn_dynamics\[train\]'"):
        tasks.digits(pixels=32)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adding", {"length": 1}, "length: got 1, expected a whole number of at least 2"),
        ("binary_addition", {"bits": 0}, "bits: got 0, expected a whole number of at least 1"),
        ("copy_memory", {"delay": 0}, "delay: got 0, expected a whole number of at least 1"),
        ("copy_memory", {"symbols": 0}, "symbols: got 0, expected a whole number of at least 1"),
        ("copy_memory", {"alphabet": 1}, "alphabet: got 1, expected a whole number of at least 2"),
        ("delayed_xor", {"length": 1}, "length: got 1, expected a whole number of at least 2"),
        ("delayed_xor", {"marked": 0}, "marked: got 0, expected a whole number of at least 1"),
        ("digits", {"pixels": 7}, "pixels: got 7, expected a divisor of 64"),
        ("digits", {"delay": -1}, "delay: got -1, expected a whole number of at least 0"),
        ("digits", {"part": "valid"}, "part: got 'valid', expected one of 'train', 'test'"),
        ("flip_flop", {"length": 0}, "length: got 0, expected a whole number of at least 1"),
        ("flip_flop", {"channels": 0}, "channels: got 0, expected a whole number of at least 1"),
        ("flip_flop", {"probability": 0.0}, r"probability: got 0.0, expected a finite number in \(0.0, 1.0\]"),
        ("lorenz", {"length": 0}, "length: got 0, expected a whole number of at least 1"),
        ("lorenz", {"horizon": 0}, "horizon: got 0, expected a whole number of at least 1"),
        ("lorenz", {"interval": -0.1}, "interval: got -0.1, expected a finite number"),
        ("lorenz", {"observed": 4}, "observed: got 4, expected 1, 2 or 3 coordinates"),
        ("parity", {"length": 0}, "length: got 0, expected a whole number of at least 1"),
        ("temporal_order", {"length": 1}, "length: got 1, expected a whole number of at least 2"),
        ("temporal_xor", {"delay": 0}, "delay: got 0, expected a whole number of at least 2"),
        ("temporal_xor", {"delay": 5}, "delay: got 5, expected an even number"),
        ("temporal_xor", {"length": 20}, "length: got 20, expected a whole number of at least 21"),
    ],
)
def test_bad_arguments(name, options, message):
    with pytest.raises(ValueError, match=message):
        TASKS[name](**options)
