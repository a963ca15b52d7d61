"""A table of mistakes that an import can make, for the layers of all frameworks: each is caught, row by row.

First the mistakes of a converter: the imported parameters are changed, and compared with the live original as an import
compares them. Then those of somebody who saved arrays by hand: the arrays are changed, and imported with a recording.
All nets have as many inputs as units, so that no shape gives a mistake away that could also be made with other sizes.
"""

import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from keras import layers as L
from originals import random_weights

import rnn_dynamics as rd
from rnn_dynamics.cells import Affine
from rnn_dynamics.interop import MismatchError, from_equinox, from_flax, from_haiku, from_keras, verification
from rnn_dynamics.interop.equinox_cells import _original as of_equinox
from rnn_dynamics.interop.flax_cells import _original as of_flax
from rnn_dynamics.interop.haiku_cores import _original as of_haiku
from rnn_dynamics.interop.keras_layers import _original as of_keras
from rnn_dynamics.interop.layer_blocks import defaults_of_jax
from rnn_dynamics.interop.named_arrays import named

N = 4


def linen(cell):
    module = nn.RNN(cell)
    return module, random_weights(jax.eval_shape(module.init, jax.random.key(0), np.ones((1, 2, N), np.float32)))[
        "params"
    ]


def keras(layer):
    layer.build((None, None, N))
    layer.set_weights(random_weights([variable.value for variable in layer.weights]))
    return (layer,)


def nnx_cell(kind):
    cell = nnx.eval_shape(lambda: kind(N, N, rngs=nnx.Rngs(0)))
    nnx.update(cell, random_weights(nnx.state(cell, nnx.Param)))
    return nnx.RNN(cell), None


def haiku(core):
    def run(x):
        made = core()
        return made(x, made.initial_state(None))[0]

    return random_weights(jax.eval_shape(hk.transform(run).init, jax.random.key(0), np.ones(N, np.float32))), core


def equinox(kind):
    return (random_weights(eqx.filter_eval_shape(kind, N, N, key=jax.random.key(0))),)


ORIGINALS = {
    "linen LSTM": (of_flax, lambda: linen(nn.LSTMCell(N))),
    "linen OptimizedLSTM": (of_flax, lambda: linen(nn.OptimizedLSTMCell(N))),
    "linen GRU": (of_flax, lambda: linen(nn.GRUCell(N))),
    "linen Simple": (of_flax, lambda: linen(nn.SimpleCell(N))),
    "linen MGU": (of_flax, lambda: linen(nn.MGUCell(N))),
    "nnx LSTM": (of_flax, lambda: nnx_cell(nnx.LSTMCell)),
    "nnx OptimizedLSTM": (of_flax, lambda: nnx_cell(nnx.OptimizedLSTMCell)),
    "nnx GRU": (of_flax, lambda: nnx_cell(nnx.GRUCell)),
    "nnx Simple": (of_flax, lambda: nnx_cell(nnx.SimpleCell)),
    "equinox LSTM": (of_equinox, lambda: equinox(eqx.nn.LSTMCell)),
    "equinox GRU": (of_equinox, lambda: equinox(eqx.nn.GRUCell)),
    "haiku LSTM": (of_haiku, lambda: haiku(lambda: hk.LSTM(N))),
    "haiku GRU": (of_haiku, lambda: haiku(lambda: hk.GRU(N))),
    "haiku Vanilla": (of_haiku, lambda: haiku(lambda: hk.VanillaRNN(N))),
    "keras LSTM": (of_keras, lambda: keras(L.LSTM(N, return_sequences=True))),
    "keras GRU": (of_keras, lambda: keras(L.GRU(N, return_sequences=True))),
    "keras GRU, before": (of_keras, lambda: keras(L.GRU(N, reset_after=False, return_sequences=True))),
    "keras SimpleRNN": (of_keras, lambda: keras(L.SimpleRNN(N, return_sequences=True))),
}
GATES = {
    "LSTM": ("input", "forget", "cell", "output"),
    "GRU": ("update", "reset", "candidate"),
    "MGU": ("update", "reset", "candidate"),
    "vanilla": (),
}


def kind_of(name):
    return next(kind for kind in GATES if kind in name) if "Simple" not in name and "Vanilla" not in name else "vanilla"


def everywhere(change):
    """Change every affine map."""

    def mistake(cell, params):
        return cell, jax.tree.map(change, params, is_leaf=lambda part: isinstance(part, Affine))

    return mistake


def in_maps(change):
    return everywhere(lambda part: change(part) if isinstance(part, Affine) else part)


def swapped(first, second):
    def mistake(cell, params):
        return cell, params._replace(**{first: getattr(params, second), second: getattr(params, first)})

    return mistake


def without_bias(cell, params):
    cell, params = in_maps(lambda part: part._replace(b=None))(cell, params)
    return cell, params._replace(recurrent_bias=None) if hasattr(params, "recurrent_bias") else params


def without_recurrent_bias(cell, params):
    return cell, params._replace(recurrent_bias=None)


def summed_biases(cell, params):
    b = params.candidate.b + params.recurrent_bias
    return cell, params._replace(candidate=params.candidate._replace(b=b), recurrent_bias=None)


def other_reset(cell, params):
    update, reset = (made_by(cell)[name] for name in ("update", "reset"))
    if reset == "before":
        return rd.cells.make_gru(update, "after"), params
    cell, params = (summed_biases if params.recurrent_bias is not None else lambda *same: same)(cell, params)
    return rd.cells.make_gru(update, "before"), params


def other_update(cell, params):
    update, reset = (made_by(cell)[name] for name in ("update", "reset"))
    return rd.cells.make_gru("replace" if update == "keep" else "keep", reset), params


def made_by(cell):
    return rd.cells.contract.made_by(cell)[1]


def forget_bias(added):
    def mistake(cell, params):
        return cell, params._replace(forget=params.forget._replace(b=params.forget.b + added))

    return mistake


def other_activation(cell, params):
    return rd.cells.make_elman("tanh" if made_by(cell)["activation"] == "relu" else "relu"), params


MISTAKES = {
    "W for U": in_maps(lambda part: Affine(part.U, part.W, part.b)),
    "transposed W": in_maps(lambda part: part._replace(W=part.W.T)),
    "transposed U": in_maps(lambda part: part._replace(U=part.U.T)),
    "transposed W and U": in_maps(lambda part: part._replace(W=part.W.T, U=part.U.T)),
    "no bias": without_bias,
    "bias twice": in_maps(lambda part: part._replace(b=2 * part.b)),
}
FOR_KIND = {
    "LSTM": {
        **{f"{one} for {other}": swapped(one, other) for one, other in itertools.combinations(GATES["LSTM"], 2)},
        "forget bias + 1": forget_bias(1),
        "forget bias - 1": forget_bias(-1),
    },
    "GRU": {
        **{f"{one} for {other}": swapped(one, other) for one, other in itertools.combinations(GATES["GRU"], 2)},
        "summed biases": summed_biases,
        "no recurrent bias": without_recurrent_bias,
        "other reset": other_reset,
        "other update": other_update,
    },
    "vanilla": {"other activation": other_activation},
}
FOR_KIND["MGU"] = FOR_KIND["GRU"]
# what is no mistake: the gates of an MGU are one, and not every GRU has a bias in its reset product
NONE = {("linen MGU", "update for reset")} | {
    (name, mistake)
    for name in ("nnx GRU", "haiku GRU", "keras GRU, before")
    for mistake in ("summed biases", "no recurrent bias")
}
ROWS = [
    (name, mistake)
    for name in ORIGINALS
    for mistake in (*MISTAKES, *FOR_KIND[kind_of(name)])
    if (name, mistake) not in NONE
]


@pytest.fixture(autouse=True)
def single_precision():
    with jax.enable_x64(False):
        yield


@pytest.fixture(scope="module")
def originals():
    """What each original gives, run once: its layer, random states and inputs, and outputs."""
    found = {}

    def original(name):
        if name not in found:
            make, arguments = ORIGINALS[name]
            with defaults_of_jax():
                made = make(*arguments())
                made = made[0] if isinstance(made, tuple) and not hasattr(made, "layers") else made
                found[name] = (made.layers[0], *_run(made))
        return found[name]

    return original


def _run(made):
    """The outputs of the live original from the very states and inputs that an import compares."""
    caught = {}

    def run(states, xs):
        states, xs = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), (states, xs))
        caught["all"] = states, xs, np.asarray(made.run(states, xs))
        return caught["all"][2]

    layer = made.layers[0]
    verification.verified(layer.cell, layer.params, "the original", run, inputs=N)
    return caught["all"]


def compare(cell, params, states, xs, outputs):
    return verification.compared("live", verification.outputs_of(cell, params, states, xs), outputs, "the net")


@pytest.mark.parametrize(("name", "mistake"), ROWS)
def test_a_mistake_of_the_converter_is_caught(originals, name, mistake):
    layer, states, xs, outputs = originals(name)
    compare(layer.cell, layer.params, states, xs, outputs)
    change = (MISTAKES | FOR_KIND[kind_of(name)])[mistake]
    with pytest.raises(MismatchError, match="differs from the original by"):
        compare(*change(layer.cell, layer.params), states, xs, outputs)


@pytest.mark.parametrize("name", ORIGINALS)
def test_time_and_batch_swapped_are_caught(originals, name):
    layer, states, xs, outputs = originals(name)
    with pytest.raises(MismatchError, match=r"outputs have shape \(7, \d, 4\), the original's \(\d, 7, 4\)"):
        compare(layer.cell, layer.params, states, xs, outputs.swapaxes(0, 1))


def of_one_gate(layer):
    """Each mistake in one gate alone."""
    fields = getattr(layer.params, "_fields", ())
    maps = {name: getattr(layer.params, name) for name in fields if isinstance(getattr(layer.params, name), Affine)}
    changes = {
        "W for U": lambda part: Affine(part.U, part.W, part.b),
        "transposed W": lambda part: part._replace(W=part.W.T),
        "no bias": lambda part: part._replace(b=None),
        "opposite signs": lambda part: jax.tree.map(jnp.negative, part),
    }
    for (gate, part), (mistake, change) in itertools.product(maps.items(), changes.items()):
        yield f"{mistake} in {gate}", layer.params._replace(**{gate: change(part)})


class Blocks(NamedTuple):
    """How a framework stores a layer: the importer, W, U and the biases by name, and the axis of their gates."""

    importer: Callable
    W: str
    U: str
    biases: tuple[str, ...]
    axis: int = 1


SAVED = {
    "nnx OptimizedLSTM": Blocks(from_flax, "dense_h/kernel", "dense_i/kernel", ("dense_h/bias",)),
    "nnx GRU": Blocks(from_flax, "dense_h/kernel", "dense_i/kernel", ("dense_i/bias",)),
    "nnx Simple": Blocks(from_flax, "dense_h/kernel", "dense_i/kernel", ("dense_i/bias",)),
    "linen Simple": Blocks(from_flax, "h/kernel", "i/kernel", ("i/bias",)),
    "equinox LSTM": Blocks(from_equinox, "weight_hh", "weight_ih", ("bias",), 0),
    "equinox GRU": Blocks(from_equinox, "weight_hh", "weight_ih", ("bias", "bias_n"), 0),
    "haiku GRU": Blocks(from_haiku, "w_h", "w_i", ("b",)),
    "haiku Vanilla": Blocks(
        from_haiku,
        "vanilla_rnn/linear_1/w",
        "vanilla_rnn/linear/w",
        ("vanilla_rnn/linear/b", "vanilla_rnn/linear_1/b"),
    ),
    "keras LSTM": Blocks(from_keras, "recurrent_kernel", "kernel", ("bias",)),
    "keras GRU": Blocks(from_keras, "recurrent_kernel", "kernel", ("bias",)),
    "keras GRU, before": Blocks(from_keras, "recurrent_kernel", "kernel", ("bias",)),
    "keras SimpleRNN": Blocks(from_keras, "recurrent_kernel", "kernel", ("bias",)),
}


@functools.cache
def saved(name):
    """The arrays of an original as somebody would save them."""
    with defaults_of_jax():
        made = ORIGINALS[name][1]()
    if name.startswith("nnx"):
        tree = nnx.to_pure_dict(nnx.state(made[0].cell, nnx.Param))
    elif name.startswith("linen"):
        tree = made[1]["cell"]
    elif name.startswith("equinox"):
        tree = {
            one: getattr(made[0], one) for one in ("weight_hh", "weight_ih", "bias", "bias_n") if hasattr(made[0], one)
        }
    elif name.startswith("haiku"):
        tree = made[0] if "Vanilla" in name else made[0]["gru"]
    else:
        tree = {variable.name: np.asarray(variable.value) for variable in made[0].weights}
    return {path: np.asarray(array) for path, array in named(tree).items()}


def gates_swapped(arrays, form):
    """The first two blocks of everything that has blocks."""
    gates = arrays[form.W].shape[form.axis] // N

    def change(array):
        blocks = np.split(array, gates, axis=-1 if array.ndim == 1 or form.axis else 0)
        return np.concatenate([blocks[1], blocks[0], *blocks[2:]], axis=-1 if array.ndim == 1 or form.axis else 0)

    return {name: array if array.shape == (N,) else change(array) for name, array in arrays.items()}


def blocks_transposed(arrays, form):
    blocks = np.split(arrays[form.W], arrays[form.W].shape[form.axis] // N, axis=form.axis)
    return arrays | {form.W: np.concatenate([block.T for block in blocks], axis=form.axis)}


def one_bias_for_two(arrays, form):
    """The second bias is added to the first and left out, as it may be in an LSTM."""
    if len(form.biases) == 1:
        return arrays | {"bias": arrays["bias"].sum(0)}
    first, second = form.biases
    both = arrays[first].copy()
    both[-N:] += arrays[second]
    return arrays | {first: both, second: np.zeros(N, np.float32)}


SAVED_MISTAKES = {
    "gates swapped": gates_swapped,
    "W for U": lambda arrays, form: arrays | {form.W: arrays[form.U], form.U: arrays[form.W]},
    "blocks transposed": blocks_transposed,
    "matrix transposed": lambda arrays, form: arrays | {form.W: arrays[form.W].T},
    "no bias": lambda arrays, form: {name: array for name, array in arrays.items() if name not in form.biases},
    "one bias for two": one_bias_for_two,
    "time and batch swapped": lambda arrays, form: arrays,
}
SAVED_ROWS = [
    (name, mistake)
    for name in SAVED
    for mistake in SAVED_MISTAKES
    if not (mistake == "gates swapped" and kind_of(name) == "vanilla")
    # only here is the sum of two biases something else than the two
    and not (mistake == "one bias for two" and name not in ("equinox GRU", "keras GRU"))
]


@pytest.mark.parametrize(("name", "mistake"), SAVED_ROWS)
def test_a_mistake_in_saved_arrays_is_caught(originals, name, mistake):
    layer, _, _, _ = originals(name)
    form, arrays = SAVED[name], saved(name)
    unsaid = mistake == "no bias" and name.startswith("keras GRU")
    options = {"reset": "before" if "before" in name else "after"} if unsaid else {}
    # as many sequences as steps, so that their shape does not tell time from batch
    xs = np.random.default_rng(1).normal(size=(6, 6, N)).astype(np.float32)
    outputs = recorded_outputs(layer, xs)
    assert form.importer(arrays, recorded=(xs, outputs)).verification.how == "recorded"
    if mistake == "time and batch swapped":
        xs, outputs = xs.swapaxes(0, 1), outputs.swapaxes(0, 1)
    # the shape gives away a matrix that is not square, and its absence a bias that every cell of the framework has
    with pytest.raises(ValueError, match=r"differs from the original|got shape|missing|bias: expected"):
        form.importer(SAVED_MISTAKES[mistake](arrays, form), recorded=(xs, outputs), **options)


def recorded_outputs(layer, xs):
    zeros = np.zeros((len(xs), N), np.float32)
    states = rd.cells.LSTMState(zeros, zeros) if layer.kind == "LSTM" else zeros
    return verification.outputs_of(layer.cell, layer.params, states, xs).values


class OddLinen(nn.SimpleCell):
    """Computes something else than its parent, from the same parameters."""

    def __call__(self, carry, inputs):
        return jax.tree.map(lambda part: 0.9 * part, super().__call__(carry, inputs))


class OddNNX(nnx.SimpleCell):
    def __call__(self, carry, inputs):
        return jax.tree.map(lambda part: 0.9 * part, super().__call__(carry, inputs))


class OddEquinox(eqx.nn.GRUCell):
    def __call__(self, x, hidden, *, key=None):
        return 0.9 * super().__call__(x, hidden)


class OddHaiku(hk.GRU):
    def __call__(self, inputs, state):
        return jax.tree.map(lambda part: 0.9 * part, super().__call__(inputs, state))


class OddKeras(L.SimpleRNNCell):
    def call(self, sequence, states, training=False):
        output, new = super().call(sequence, states, training)
        return 0.9 * output, [0.9 * one for one in new]


ODD = {
    "linen": (from_flax, lambda: linen(OddLinen(N))),
    "nnx": (from_flax, lambda: (nnx_cell(OddNNX)[0],)),
    "equinox": (from_equinox, lambda: equinox(OddEquinox)),
    "haiku": (from_haiku, lambda: haiku(lambda: OddHaiku(N, name="gru"))),
    "keras": (from_keras, lambda: keras(L.RNN(OddKeras(N)))),
}


@pytest.mark.parametrize("name", ODD)
def test_an_original_that_computes_something_else_is_refused(name):
    importer, make = ODD[name]
    with defaults_of_jax():
        arguments = make()
    with pytest.raises(MismatchError, match="differs from the original by") as caught:
        importer(*arguments)
    assert caught.value.ours.shape == caught.value.original.shape
    assert importer(*arguments, verify=False).verification.how == "none"


@pytest.mark.slow
@pytest.mark.parametrize("name", ORIGINALS)
def test_a_mistake_in_one_gate_is_caught(originals, name):
    layer, states, xs, outputs = originals(name)
    missed = []
    for mistake, params in of_one_gate(layer):
        try:
            compare(layer.cell, params, states, xs, outputs)
        except MismatchError:
            continue
        missed.append(mistake)
    assert missed == []
