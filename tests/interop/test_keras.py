"""Keras's layers against the real package with the JAX backend; models; and the way back."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import layers as L
from originals import assert_equal_to, random_weights, stacked, variants
from programs import output

import rnn_dynamics as rd
from rnn_dynamics.cells import LSTMState
from rnn_dynamics.interop import MismatchError, from_keras, to_keras

LAYERS = {
    "LSTM": lambda: L.LSTM(4),
    "LSTM without bias": lambda: L.LSTM(4, use_bias=False),
    "LSTM, gate by gate": lambda: L.LSTM(4, implementation=1, unroll=True, return_sequences=True, return_state=True),
    "GRU": lambda: L.GRU(4),
    "GRU, reset before": lambda: L.GRU(4, reset_after=False),
    "GRU without bias": lambda: L.GRU(4, use_bias=False),
    "GRU without bias, reset before": lambda: L.GRU(4, use_bias=False, reset_after=False, implementation=1),
    "SimpleRNN": lambda: L.SimpleRNN(4),
    "SimpleRNN, relu": lambda: L.SimpleRNN(4, activation="relu", use_bias=False),
    "SimpleRNN, softplus": lambda: L.SimpleRNN(4, activation="softplus"),
    "SimpleRNN, sigmoid": lambda: L.SimpleRNN(4, activation="sigmoid"),
    "SimpleRNN, linear": lambda: L.SimpleRNN(4, activation=None),
    "stack": lambda: L.RNN([L.LSTMCell(4), L.GRUCell(3), L.SimpleRNNCell(4)]),
}


VARIANTS = ["LSTM, gate by gate", "GRU without bias", "SimpleRNN, softplus", "SimpleRNN, sigmoid", "SimpleRNN, linear"]


@pytest.fixture(autouse=True)
def single_precision():
    # outside of a run of Keras's own, its layers broadcast biases
    with jax.enable_x64(False), jax.numpy_rank_promotion("allow"):
        yield


def built(layer, inputs=3, seed=3):
    layer.build((None, None, inputs))
    layer.set_weights(random_weights([variable.value for variable in layer.weights], seed))
    return layer


def step_of(cell):
    def step(state, x):
        lstm = isinstance(state, LSTMState)
        variables = [variable.value for variable in cell.trainable_variables]
        others = [variable.value for variable in cell.non_trainable_variables]
        parts = [part[None] for part in (state if lstm else [state])]
        (output, new), _ = cell.stateless_call(variables, others, x[None], parts)
        return LSTMState(new[0][0], new[1][0]) if lstm else new[0][0], output[0]

    return step


@pytest.mark.parametrize("name", variants(LAYERS, slow=VARIANTS))
def test_layers_equal_ours(name):
    layer = built(LAYERS[name]())
    net = from_keras(layer)
    assert net.verification.how == "live"
    assert_equal_to(net, stacked(*map(step_of, getattr(layer.cell, "cells", [layer.cell]))))


def test_a_cell_a_layer_of_it_and_its_arrays_are_the_same_net():
    layer = built(L.GRU(4))
    net = from_keras(layer)
    cell = from_keras(layer.cell)
    arrays = from_keras({variable.path: np.asarray(variable.value) for variable in layer.weights})
    assert cell.verification.how == "live"
    assert arrays.verification.how == "none"
    for other in (cell, arrays):
        assert jax.tree.all(jax.tree.map(jnp.array_equal, net.params, other.params))


def test_layers_of_a_list_are_a_stack():
    layers = [built(L.LSTM(4)), built(L.GRU(5, reset_after=False), inputs=4)]
    net = from_keras(layers)
    assert_equal_to(net, stacked(*(step_of(layer.cell) for layer in layers)))


def test_a_bidirectional_layer_becomes_two_nets():
    layer = built(
        L.Bidirectional(
            L.GRU(4, return_sequences=True), backward_layer=L.LSTM(3, go_backwards=True, return_sequences=True)
        )
    )
    net = from_keras(layer)
    xs = np.random.default_rng(0).normal(size=(1, 6, 3)).astype(np.float32)
    forward = rd.unroll(*net.problem(xs[0]))
    backward = rd.unroll(*net.backward.problem(xs[0, ::-1])).h[::-1]
    np.testing.assert_allclose(layer(xs)[0], jnp.concatenate([forward, backward], axis=1), atol=1e-6)


def test_a_plain_chain_is_found_in_a_model():
    model = keras.Sequential(
        [L.Input((None, 3)), L.Dense(3), L.LSTM(4, return_sequences=True), L.Dropout(0.5), L.GRU(5), L.Dense(2)]
    )
    assert from_keras(model).source == "Keras LSTM of 4 units + GRU of 5 units"
    inputs = L.Input((None, 3))
    below = L.Dropout(0.5)(L.LSTM(4, return_sequences=True)(inputs))
    model = keras.Model(inputs, L.Dense(1)(L.LSTM(4)(below)))
    assert from_keras(model).source == "Keras LSTM, 2 layers, 4 units"
    assert from_keras(keras.Sequential([L.Input((None, 3)), L.SimpleRNN(4)])).source == "Keras vanilla RNN, 4 units"


def test_what_is_no_plain_chain_is_refused_and_named():
    inputs = L.Input((None, 3))
    first = L.LSTM(4, return_sequences=True, name="first")
    normed = keras.Model(inputs, L.GRU(4, name="second")(L.LayerNormalization(name="norm")(first(inputs))))
    with pytest.raises(
        ValueError, match=r"first \(LSTM\), second \(GRU\), which are no plain chain: second is fed by norm"
    ):
        from_keras(normed)
    _, h, c = L.LSTM(4, return_state=True, name="encoder")(inputs)
    answer = keras.Model(inputs, L.LSTM(4, name="decoder")(inputs, initial_state=[h, c]))
    with pytest.raises(ValueError, match="no plain chain: decoder is fed by"):
        from_keras(answer)
    parallel = keras.Model(inputs, L.Add()([L.LSTM(4)(inputs), L.LSTM(4)(inputs)]))
    with pytest.raises(ValueError, match="no plain chain"):
        from_keras(parallel)
    between = keras.Sequential([L.Input((None, 3)), L.LSTM(4, return_sequences=True), L.Dense(4, name="d"), L.LSTM(4)])
    with pytest.raises(ValueError, match=r"is fed by d \(Dense\)"):
        from_keras(between)
    both = keras.Sequential([L.Input((None, 3)), L.Bidirectional(L.LSTM(4, return_sequences=True)), L.LSTM(4)])
    with pytest.raises(ValueError, match="a Bidirectional feeds both its nets to the next"):
        from_keras(both)
    with pytest.raises(ValueError, match="which has no recurrent layer"):
        from_keras(keras.Sequential([L.Input((3,)), L.Dense(2)]))


def test_what_our_cells_do_not_have_is_refused_with_the_reason():
    for layer, reason in (
        (L.LSTM(4, activation="relu"), "activation='relu', expected 'tanh', since our cell has no other"),
        (L.GRU(4, recurrent_activation="hard_sigmoid"), "recurrent_activation='hard_sigmoid', expected 'sigmoid'"),
        (L.SimpleRNN(4, activation="elu"), "activation='elu', expected 'tanh' or"),
        (L.LSTM(4, go_backwards=True), "go_backwards=True; import its cell, layer.cell"),
        (L.Dense(4), "got Dense .*, expected SimpleRNN, GRU, LSTM"),
    ):
        layer.build((None, None, 3))
        with pytest.raises(ValueError, match=reason):
            from_keras(layer)
    with pytest.raises(ValueError, match=r"has no weights yet; call it once, or layer\.build"):
        from_keras(L.LSTM(4))
    with pytest.raises(TypeError, match="layer: got int, expected a layer, cell or model of Keras"):
        from_keras(3)


def test_dropout_is_that_of_inference_and_leaves_no_trace():
    for layer in (L.LSTM(4, dropout=0.5, recurrent_dropout=0.5), L.SimpleRNN(4, dropout=0.5)):
        net = from_keras(built(layer))
        assert "dropout as in inference" in net.source
        assert_equal_to(net, stacked(step_of(built(type(layer)(4)).cell)))
    layer = built(L.SimpleRNN(4, dropout=0.5, stateful=False))
    seed = np.asarray(layer.cell.seed_generator.state.value).copy()
    from_keras(layer)
    np.testing.assert_array_equal(layer.cell.seed_generator.state.value, seed)
    assert getattr(layer.cell, "_dropout_mask", None) is None
    assert not layer.return_sequences


def test_an_import_does_not_move_the_state_of_a_stateful_layer():
    layer = L.LSTM(4, stateful=True)
    layer.build((2, 5, 3))
    xs = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    layer(xs)
    before = [np.asarray(state.value).copy() for state in layer.states]
    assert from_keras(layer).verification.how == "live"
    assert all(np.array_equal(one, state.value) for one, state in zip(before, layer.states, strict=True))


def test_half_precision_is_compared_with_its_own_rounding():
    net = from_keras(built(L.LSTM(4, dtype="mixed_float16")))
    assert net.params.input.W.dtype == jnp.float32
    assert 1e-6 < net.verification.difference < net.verification.tolerance < 0.05


def test_arrays_say_what_they_are_or_are_asked():
    layer = built(L.GRU(4, use_bias=False, reset_after=False))
    arrays = {variable.name: np.asarray(variable.value) for variable in layer.weights}
    with pytest.raises(ValueError, match='reset: got None, expected "after"'):
        from_keras(arrays)
    assert from_keras(arrays, reset="before").cell is rd.cells.gru
    with pytest.raises(ValueError, match="reset: got 'after', but a bias of shape \\(12,\\) is that of reset='before'"):
        from_keras(arrays | {"bias": np.zeros(12, np.float32)}, reset="after")
    simple = {"kernel": np.ones((3, 4), np.float32), "recurrent_kernel": np.eye(4, dtype=np.float32)}
    assert from_keras(simple, activation="relu").cell is rd.cells.make_elman("relu")
    assert from_keras(simple).source == "Keras vanilla RNN, 4 units, tanh assumed"
    with pytest.raises(ValueError, match="activation: got 'relu', but the arrays are those of GRU"):
        from_keras(arrays, reset="after", activation="relu")
    with pytest.raises(ValueError, match="reset: got 'after', but the arrays are those of vanilla RNN"):
        from_keras(simple, reset="after")
    with pytest.raises(ValueError, match="reset: got 'after' with a live module"):
        from_keras(layer, reset="after")
    old_names = {f"rnn/{name}:0": array for name, array in simple.items()}  # those of TensorFlow
    assert from_keras(old_names, activation="linear").cell is rd.cells.make_elman("identity")
    with pytest.raises(ValueError, match="activation: got 'elu', expected one of 'tanh'"):
        from_keras(simple, activation="elu")
    with pytest.raises(ValueError, match=r"no recurrent layer of Keras among 'a \(2,\)'"):
        from_keras({"a": np.ones(2)})


def test_recorded_outputs_verify_arrays():
    layer = built(L.LSTM(4, return_sequences=True))
    xs = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
    outputs = layer(xs)
    arrays = {variable.path: np.asarray(variable.value) for variable in layer.weights}
    assert from_keras(arrays, recorded=(xs, outputs)).verification.how == "recorded"
    with pytest.raises(MismatchError):
        from_keras(arrays, recorded=(xs, outputs[:, ::-1]))


@pytest.mark.slow
def test_any_backend_will_do():
    pytest.importorskip("torch")
    assert output("keras_on_torch.py").split() == ["live", "4", "torch"]


BACK = {
    "lstm": rd.cells.lstm,
    "gru, keep, after": rd.cells.make_gru(reset="after"),
    "gru, keep, before": rd.cells.gru,
    "gru, replace, before": rd.cells.make_gru("replace"),
    "relu": rd.cells.make_elman("relu"),
    "linear": rd.cells.linear,
    "stack": rd.cells.stack(rd.cells.lstm, rd.cells.gru),
}


@pytest.mark.parametrize("name", variants(BACK, slow=["gru, keep, before", "gru, keep, after", "linear"]))
def test_there_and_back(name, key):
    params = random_weights(BACK[name].init(key, inputs=2, hidden=3))
    exported = to_keras(BACK[name], params)
    if name == "stack":
        again = from_keras(exported)
    else:  # the export was compared with the original, so this need not be
        again = from_keras({variable.name: np.asarray(variable.value) for variable in exported.weights})
    if "replace" in name:  # the sign of the gate
        np.testing.assert_array_equal(again.params.update.W, -params.update.W)
    else:
        assert jax.tree.all(jax.tree.map(jnp.array_equal, again.params, params))
    if name == "stack":
        xs = np.random.default_rng(0).normal(size=(1, 5, 2)).astype(np.float32)
        ours = rd.unroll(BACK[name].step, params, BACK[name].initial_state(params), xs[0])
        np.testing.assert_allclose(keras.Sequential(exported)(xs)[0], BACK[name].output(ours), atol=1e-6)


def test_cells_that_keras_does_not_have_are_refused(key):
    for cell in (rd.cells.janet, rd.cells.lru, rd.cells.projected_lstm, rd.cells.make_elman("erf")):
        with pytest.raises(ValueError, match="Keras"):
            to_keras(cell, cell.init(key, inputs=2, hidden=3))
    with pytest.raises(ValueError, match="got bfloat16, expected float32 or float64"):
        to_keras(rd.cells.lstm, rd.cells.lstm.init(key, inputs=2, hidden=3, dtype=jnp.bfloat16))
