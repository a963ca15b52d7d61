"""Haiku's cores against the real package; the names of its parameters; and the way back."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from originals import assert_equal_to, random_weights, variants

import rnn_dynamics as rd
from rnn_dynamics.cells import LSTMState
from rnn_dynamics.interop import MismatchError, from_haiku, to_haiku

X = np.ones((2, 3), np.float32)
CORES = {
    "LSTM": lambda: hk.LSTM(4),
    "GRU": lambda: hk.GRU(4),
    "VanillaRNN": lambda: hk.VanillaRNN(4),
    "VanillaRNN, one bias": lambda: hk.VanillaRNN(4, double_bias=False),
    "DeepRNN": lambda: hk.DeepRNN([hk.GRU(4), hk.LSTM(5), hk.LSTM(3)]),
    "DeepRNN of one": lambda: hk.DeepRNN([hk.LSTM(4)]),
}


@pytest.fixture(autouse=True)
def single_precision():
    with jax.enable_x64(False):
        yield


def params_of(core, seed=3):
    def run(x):
        made = core()
        return made(x, made.initial_state(len(x)))[0]

    with jax.numpy_rank_promotion("allow"):
        return random_weights(jax.eval_shape(hk.transform(run).init, jax.random.key(0), X), seed)


def step_of(core, params):
    apply = hk.without_apply_rng(hk.transform(lambda x, state: core()(x, state))).apply

    def theirs(state):
        return hk.LSTMState(state.h, state.c) if isinstance(state, LSTMState) else state

    def ours(state):
        return LSTMState(state.hidden, state.cell) if isinstance(state, hk.LSTMState) else state

    def is_state(part):
        return isinstance(part, LSTMState | hk.LSTMState)

    def step(state, x):
        _, new = apply(params, x, jax.tree.map(theirs, state, is_leaf=is_state))
        return jax.tree.map(ours, new, is_leaf=is_state)

    return step


@pytest.mark.parametrize("name", variants(CORES, slow=["VanillaRNN, one bias", "DeepRNN of one"]))
def test_cores_equal_ours(name):
    params = params_of(CORES[name])
    net = from_haiku(params, core=CORES[name])
    assert net.verification.how == "live"
    if name == "DeepRNN of one":  # its state is a tuple of one
        step = step_of(lambda: hk.LSTM(4), params)
    else:
        step = step_of(CORES[name], params)
    assert_equal_to(net, step)


class Net(hk.Module):
    def __init__(self):
        super().__init__()
        self.core = hk.LSTM(4)

    def __call__(self, x):
        return hk.Linear(2)(self.core(x, self.core.initial_state(len(x)))[0])


def test_a_core_is_found_in_the_parameters_of_a_larger_net():
    with jax.numpy_rank_promotion("allow"):
        params = random_weights(jax.eval_shape(hk.transform(lambda x: Net()(x)).init, jax.random.key(0), X))
    net = from_haiku(params, core=CORES["LSTM"])
    assert net.source == "Haiku LSTM, 4 units, called net/~/lstm"
    arrays = from_haiku(params)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, net.params, arrays.params))
    with pytest.raises(ValueError, match="core: has 5 units, but net/~/lstm in the params has 4"):
        from_haiku(params, core=lambda: hk.LSTM(5))
    with pytest.raises(ValueError, match="looked for gru/w_h, found 'net/linear/b'"):
        from_haiku(params, core=CORES["GRU"])


def test_what_is_no_chain_of_cores_is_refused():
    with pytest.raises(TypeError, match=r"core: got <class .*LSTM'>, expected a function such as"):
        from_haiku({}, core=hk.LSTM)
    with pytest.raises(ValueError, match="kind: got 'lstm' with a live module"):
        from_haiku({}, core=lambda: hk.LSTM(3), kind="lstm")
    params = params_of(CORES["DeepRNN"])
    for core, reason in (
        (lambda: hk.DeepRNN([hk.LSTM(4), jax.nn.relu]), "core: got relu, expected hk.LSTM"),
        (lambda: hk.deep_rnn_with_skip_connections([hk.LSTM(4)]), "skip connections, which is no chain"),
        (lambda: hk.IdentityCore(), "core: got IdentityCore"),
    ):
        with pytest.raises(ValueError, match=reason):
            from_haiku(params, core=core)
    with pytest.raises(TypeError, match=r"core: got .*, expected a function .* and params as a dict"):
        from_haiku([params], core=CORES["LSTM"])
    with pytest.raises(TypeError, match="params: got int, expected Haiku's dict"):
        from_haiku(3)


def test_arrays_need_names_that_say_what_they_are_or_a_kind():
    params = params_of(CORES["LSTM"])
    live = from_haiku(params, core=CORES["LSTM"])
    flat = {f"{module}/{name}": array for module, arrays in params.items() for name, array in arrays.items()}
    assert jax.tree.all(jax.tree.map(jnp.array_equal, from_haiku(flat).params, live.params))
    renamed = {"encoder/linear": params["lstm/linear"]}
    with pytest.raises(
        ValueError, match="kind: missing, since the names 'encoder/linear/b', 'encoder/linear/w' do not"
    ):
        from_haiku(renamed)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, from_haiku(renamed, kind="lstm").params, live.params))
    vanilla = params_of(CORES["VanillaRNN"])
    assert from_haiku(vanilla).cell is rd.cells.make_elman("relu")
    several = params_of(CORES["DeepRNN"])
    with pytest.raises(ValueError, match="layers 'gru', 'lstm', 'lstm_1', whose names do not say"):
        from_haiku(several)
    listed = from_haiku([{name: several[name]} for name in ("gru", "lstm/linear", "lstm_1/linear")])
    assert jax.tree.all(jax.tree.map(jnp.array_equal, listed.params, from_haiku(several, core=CORES["DeepRNN"]).params))


def test_recorded_outputs_verify_arrays_and_catch_a_lost_one_of_the_forget_gate():
    params = params_of(CORES["LSTM"])
    net = from_haiku(params, core=CORES["LSTM"])
    xs = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    outputs = rd.unroll(*net.problem(xs)).h
    assert from_haiku(params, recorded=(xs, outputs)).verification.how == "recorded"
    own = params["lstm/linear"]
    less = {"lstm/linear": {"w": own["w"], "b": own["b"].at[8:12].add(-1)}}
    with pytest.raises(MismatchError):
        from_haiku(less, recorded=(xs, outputs))


BACK = {
    "lstm": rd.cells.lstm,
    "gru, keep": rd.cells.gru,
    "gru, replace": rd.cells.make_gru("replace"),
    "relu": rd.cells.make_elman("relu"),
    "stack": rd.cells.stack(rd.cells.make_gru("replace"), rd.cells.lstm, rd.cells.lstm),
}


@pytest.mark.parametrize("name", variants(BACK, slow=["gru, replace", "relu"]))
def test_there_and_back(name, key):
    params = random_weights(BACK[name].init(key, inputs=2, hidden=3))
    core, exported = to_haiku(BACK[name], params)
    again = from_haiku(exported, core=core)
    if name == "gru, keep":  # the sign of the gate
        np.testing.assert_array_equal(again.params.update.W, -params.update.W)
    else:  # 1 is taken from the forget bias and added again
        assert jax.tree.all(jax.tree.map(lambda one, other: jnp.allclose(one, other, atol=1e-7), again.params, params))


def test_cells_that_haiku_does_not_have_are_refused(key):
    for cell in (rd.cells.make_gru(reset="after"), rd.cells.elman, rd.cells.lru, rd.cells.projected_lstm):
        with pytest.raises(ValueError, match="Haiku"):
            to_haiku(cell, cell.init(key, inputs=2, hidden=3))
