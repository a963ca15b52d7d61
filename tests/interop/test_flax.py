"""Flax's cells, linen and nnx, against the real package; what is no chain; and the way back."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from originals import assert_equal_to, random_weights, stacked, variants

import rnn_dynamics as rd
from rnn_dynamics.cells import LSTMState
from rnn_dynamics.interop import MismatchError, from_flax, to_flax

X = np.ones((2, 6, 3), np.float32)
LINEN = {
    "LSTMCell": nn.LSTMCell(4),
    "OptimizedLSTMCell": nn.OptimizedLSTMCell(4),
    "GRUCell": nn.GRUCell(4),
    "SimpleCell": nn.SimpleCell(4),
    "SimpleCell, relu": nn.SimpleCell(4, activation_fn=nn.relu),
    "SimpleCell-residual": nn.SimpleCell(4, residual=True),
    "MGUCell": nn.MGUCell(4),
    "MGUCell without reset": nn.MGUCell(4, reset_gate=False),
}
NNX = {
    "LSTMCell": nnx.LSTMCell,
    "OptimizedLSTMCell": nnx.OptimizedLSTMCell,
    "GRUCell": nnx.GRUCell,
    "SimpleCell": nnx.SimpleCell,
}


@pytest.fixture(autouse=True)
def single_precision():
    with jax.enable_x64(False):
        yield


def carried(call):
    """A step of ours from a cell that takes (carry, x), an LSTM's carry being (c, h)."""

    def step(state, x):
        lstm = isinstance(state, LSTMState)
        carry, output = call((state.c, state.h) if lstm else state, x)
        return LSTMState(h=carry[1], c=carry[0]) if lstm else carry, output

    return step


def shapes_of(module, x):
    """The shapes of a linen module's variables; nothing is drawn or compiled."""
    return jax.eval_shape(module.init, jax.random.key(0), x)


def linen_rnn(cell, x=X, seed=3):
    module = nn.RNN(cell)
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        return module, random_weights(shapes_of(module, x), seed)


def linen_step(cell, params):
    return carried(lambda carry, x: cell.apply({"params": params}, carry, x))


def nnx_cell(kind, inputs=3, units=4, seed=3, **options):
    cell = nnx.eval_shape(lambda: kind(inputs, units, rngs=nnx.Rngs(0), **options))
    nnx.update(cell, random_weights(nnx.state(cell, nnx.Param), seed))
    return cell


@pytest.mark.parametrize("name", variants(LINEN, slow=["SimpleCell, relu"]))
def test_linen_cells_equal_ours(name):
    module, variables = linen_rnn(LINEN[name])
    net = from_flax(module, variables)
    assert net.verification.how == "live"
    assert_equal_to(net, stacked(linen_step(LINEN[name], variables["params"]["cell"])))


@pytest.mark.parametrize("name", NNX)
def test_nnx_cells_equal_ours(name):
    cell = nnx_cell(NNX[name])
    net = from_flax(nnx.RNN(cell))
    assert net.verification.how == "live"
    assert_equal_to(net, stacked(carried(cell)))


def test_layers_of_a_sequential_or_a_list_are_a_stack():
    module = nn.Sequential([nn.RNN(nn.LSTMCell(4)), nn.Dropout(0.5, deterministic=True), nn.RNN(nn.GRUCell(5))])
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        params = random_weights(shapes_of(module, X))["params"]
    net = from_flax(module, {"params": params})
    lower, upper = params["layers_0"], params["layers_2"]
    step = stacked(linen_step(nn.LSTMCell(4), lower["cell"]), linen_step(nn.GRUCell(5), upper["cell"]))
    assert_equal_to(net, step)
    assert net.source == "Flax LSTM of 4 units + GRU of 5 units"
    listed = from_flax([nn.LSTMCell(4), nn.RNN(nn.GRUCell(5))], [lower["cell"], upper])
    assert jax.tree.all(jax.tree.map(jnp.array_equal, listed.params, net.params))
    cells = [nnx_cell(nnx.LSTMCell), nnx_cell(nnx.GRUCell, 4, 5)]
    net = from_flax(nnx.Sequential(*map(nnx.RNN, cells)))
    assert net.source == "Flax LSTM of 4 units + GRU of 5 units"
    for layer, cell in zip(net.params, cells, strict=True):
        assert jax.tree.all(jax.tree.map(jnp.array_equal, layer, from_flax(nnx.state(cell, nnx.Param)).params))


@pytest.mark.parametrize("api", ["linen", "nnx"])
def test_a_bidirectional_layer_becomes_two_nets(api):
    if api == "linen":
        module = nn.Bidirectional(nn.RNN(nn.LSTMCell(4)), nn.RNN(nn.GRUCell(3)))
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            variables = random_weights(shapes_of(module, X))
            outputs = module.apply(variables, X)
        net = from_flax(module, variables)
    else:
        module = nnx.Bidirectional(nnx.RNN(nnx_cell(nnx.LSTMCell)), nnx.RNN(nnx_cell(nnx.GRUCell, 3, 3)))
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            outputs = module(X)
        net = from_flax(module)
    forward = rd.unroll(*net.problem(X[0])).h
    backward = rd.unroll(*net.backward.problem(X[0, ::-1]))[::-1]
    np.testing.assert_allclose(outputs[0], jnp.concatenate([forward, backward], axis=1), atol=1e-6)


class Net(nn.Module):
    """A linen module with one recurrent layer, or with two."""

    layers: int = 1

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(3)(x)
        for _ in range(self.layers):
            x = nn.RNN(nn.LSTMCell(4))(x)
        return nn.Dense(2)(x)


class NNXNet(nnx.Module):
    """The same in nnx."""

    def __init__(self, layers=1):
        self.first = nnx.Linear(3, 3, rngs=nnx.Rngs(0))
        self.rnns = nnx.List([nnx.RNN(nnx_cell(nnx.LSTMCell, units=3)) for _ in range(layers)])


def test_one_recurrent_layer_is_found_in_a_module_and_several_are_named():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        params = [random_weights(shapes_of(Net(layers), X)) for layers in (1, 2)]
        net = from_flax(Net(), params[0], example=X)
        assert_equal_to(net, stacked(linen_step(nn.LSTMCell(4), params[0]["params"]["LSTMCell_0"])))
        with pytest.raises(ValueError, match=r"Net with the recurrent layers LSTMCell_0, LSTMCell_1; expected one"):
            from_flax(Net(2), params[1], example=X)
    with pytest.raises(ValueError, match=r"example: missing for Net.*params\['LSTMCell_0'\] \(LSTM, 4 units\)"):
        from_flax(Net(), params[0])
    assert from_flax(NNXNet()).source == "Flax LSTM, 3 units"
    with pytest.raises(ValueError, match=r"NNXNet with the recurrent layers rnns\.0, rnns\.1; expected one"):
        from_flax(NNXNet(2))


def test_arrays_are_found_by_their_names_and_verified_if_recorded():
    module, variables = linen_rnn(nn.LSTMCell(4))
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        outputs = module.apply(variables, X)
    live = from_flax(module, variables)
    flat = {
        "net." + jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables)
    }
    for arrays in (variables, variables["params"]["cell"], flat):
        net = from_flax(arrays, recorded=(X, outputs))
        assert net.verification.how == "recorded"
        assert jax.tree.all(jax.tree.map(jnp.array_equal, net.params, live.params))
    assert from_flax(flat).verification.how == "none"
    with pytest.raises(MismatchError, match="differs from the original"):
        from_flax(flat, recorded=(X, outputs + 0.01))
    missing = {name: array for name, array in flat.items() if not name.endswith("hf.bias")}
    with pytest.raises(ValueError, match="'net/params/cell/hf/bias' missing beside 'net/params/cell/hi/kernel'"):
        from_flax(missing)
    state = nnx.state(nnx_cell(nnx.GRUCell), nnx.Param)
    assert from_flax(state).params.recurrent_bias is None


def test_arrays_of_several_layers_are_a_chain_if_their_names_count():
    arrays = {f"LSTMCell_{i}": linen_rnn(nn.LSTMCell(3), seed=i)[1]["params"]["cell"] for i in (10, 9, 0)}
    net = from_flax(arrays)
    assert net.source == "Flax LSTM, 3 layers, 3 units, in the order 'LSTMCell_0', 'LSTMCell_9', 'LSTMCell_10'"
    for place, number in enumerate((0, 9, 10)):
        np.testing.assert_array_equal(net.params[place].input.W, arrays[f"LSTMCell_{number}"]["hi"]["kernel"].T)
    with pytest.raises(ValueError, match="layers 'decoder', 'encoder', whose names do not say"):
        from_flax({"encoder": arrays["LSTMCell_0"], "decoder": arrays["LSTMCell_9"]})
    both = {f"{way}_rnn": {"cell": arrays["LSTMCell_0"]} for way in ("forward", "backward")}
    assert "backward half" in from_flax(both).backward.source


def test_what_the_arrays_of_a_simple_cell_do_not_show_is_said_or_given():
    relu = nn.SimpleCell(4, activation_fn=jax.nn.relu)
    _, variables = linen_rnn(relu)
    assert from_flax(variables).source == "Flax vanilla RNN, 4 units, tanh and residual=False assumed"
    net = from_flax(variables, activation="relu")
    assert (net.source, net.cell) == (
        "Flax vanilla RNN, 4 units, residual=False assumed",
        rd.cells.make_elman("relu"),
    )
    assert from_flax(relu, variables["params"]["cell"]).source == "Flax vanilla RNN, 4 units"
    joint = nnx.state(nnx_cell(nnx.SimpleCell), nnx.Param)
    assert "tanh and residual=False assumed" in from_flax(joint).source
    assert from_flax(joint, activation="relu").cell is rd.cells.make_elman("relu")
    with pytest.raises(ValueError, match="activation: got 'relu' with a live module, which has its own"):
        from_flax(relu, variables, activation="relu")
    with pytest.raises(ValueError, match="activation: got 'relu', but the arrays are those of LSTM"):
        from_flax(linen_rnn(nn.LSTMCell(4))[1], activation="relu")


def test_arrays_are_found_however_their_paths_are_written():
    _, variables = linen_rnn(nn.GRUCell(4))
    paths = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(variables)}
    assert "['params']['cell']['hn']['bias']" in paths
    assert jax.tree.all(jax.tree.map(jnp.array_equal, from_flax(paths).params, from_flax(variables).params))
    tuples = {("params", "cell", path[1].key, path[2].key): leaf for path, leaf in _leaves(variables["params"])}
    assert jax.tree.all(jax.tree.map(jnp.array_equal, from_flax(tuples).params, from_flax(variables).params))
    state = nnx.state(nnx_cell(nnx.GRUCell), nnx.Param)
    paths_of_nnx = {jax.tree_util.keystr(path): leaf for path, leaf in _leaves(state)}
    assert "['dense_h']['kernel'].value" in paths_of_nnx
    assert from_flax(paths_of_nnx).cell is from_flax(state).cell
    with pytest.raises(ValueError, match="two arrays called 'params/cell/hn/bias'"):
        from_flax({**paths, "params.cell.hn.bias": np.zeros(4)})


def _leaves(tree):
    return jax.tree_util.tree_leaves_with_path(tree)


def test_more_arrays_than_a_layer_has_are_refused():
    _, variables = linen_rnn(nn.LSTMCell(4))
    variables["params"]["cell"]["ii"]["bias"] = np.ones(4, np.float32)
    with pytest.raises(ValueError, match=r"'params/cell/ii/bias' beside 'params/cell/hi/kernel', expected nothing but"):
        from_flax(variables)


def test_a_state_with_random_keys_and_a_list_of_nnx():
    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.drop = nnx.Dropout(0.5, rngs=rngs)
            self.rnns = nnx.List([nnx.RNN(nnx_cell(nnx.GRUCell)), nnx.RNN(nnx.GRUCell(4, 4, rngs=rngs))])

    net = Net()
    arrays, live = from_flax(nnx.state(net)), from_flax(net.rnns)
    assert live.verification.how == "live"
    assert jax.tree.all(jax.tree.map(jnp.array_equal, arrays.params, live.params))


def test_what_our_cells_do_not_have_is_refused_with_the_reason():
    _, variables = linen_rnn(nn.LSTMCell(4))
    with pytest.raises(ValueError, match=r"gate_fn: got 'hard_sigmoid', expected jax\.nn\.sigmoid"):
        from_flax(nn.RNN(nn.LSTMCell(4, gate_fn=nn.hard_sigmoid)), variables)
    with pytest.raises(ValueError, match=r"activation_fn: got 'relu', expected jnp\.tanh"):
        from_flax(nnx_cell(nnx.GRUCell, activation_fn=jax.nn.relu))
    with pytest.raises(ValueError, match="reverse=True; import its cell instead"):
        from_flax(nn.RNN(nn.LSTMCell(4), reverse=True), variables)
    with pytest.raises(ValueError, match="Dense between the recurrent layers of RNN, Dense, RNN"):
        from_flax(nn.Sequential([nn.RNN(nn.LSTMCell(4)), nn.Dense(3), nn.RNN(nn.LSTMCell(4))]), variables)
    both = nnx.Bidirectional(nnx.RNN(nnx_cell(nnx.LSTMCell)), nnx.RNN(nnx_cell(nnx.LSTMCell)))
    with pytest.raises(ValueError, match="got Bidirectional, RNN; a Bidirectional feeds both its nets to the next"):
        from_flax([both, nnx.RNN(nnx_cell(nnx.LSTMCell, 8))])
    with pytest.raises(ValueError, match="got ConvLSTMCell, expected LSTMCell"):
        from_flax(nn.ConvLSTMCell(4, (2, 2)), variables)
    with pytest.raises(TypeError, match="module: got int, expected a Flax module"):
        from_flax(3)
    with pytest.raises(TypeError, match="params: got NoneType, expected the dict"):
        from_flax(nn.LSTMCell(4))
    with pytest.raises(ValueError, match="layer 1, counted from 0, takes 3 inputs, but layer 0 has 4 units"):
        from_flax([nnx_cell(nnx.LSTMCell), nnx_cell(nnx.LSTMCell)])
    with pytest.raises(ValueError, match="expected those of GRUCell; those of a layer are in 'cell'"):
        from_flax(nn.GRUCell(4), variables)
    for cell in (nn.GRUCell(4), nn.SimpleCell(4)):
        with pytest.raises(ValueError, match=rf"params: got 'hf/bias', .*, expected those of {type(cell).__name__}$"):
            from_flax(cell, variables["params"]["cell"])
    with pytest.raises(ValueError, match="params: those of 4 units, expected 5, as LSTMCell has them"):
        from_flax(nn.RNN(nn.LSTMCell(5)), variables)


def test_an_import_leaves_the_module_as_it_was():
    cell = nnx.RNN(nnx_cell(nnx.LSTMCell))
    before = [np.asarray(leaf).copy() for leaf in jax.tree.leaves(jax.tree.map(_plain, nnx.state(cell)))]
    from_flax(cell)
    after = [np.asarray(leaf) for leaf in jax.tree.leaves(jax.tree.map(_plain, nnx.state(cell)))]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def _plain(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def test_a_net_keeps_the_default_precision_of_jax():
    module, variables = linen_rnn(nn.GRUCell(4))
    assert from_flax(module, variables).params.update.W.dtype == jnp.float32
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), variables)
    assert from_flax(nn.RNN(nn.GRUCell(4, dtype=jnp.bfloat16)), half).params.update.W.dtype == jnp.float32
    with jax.enable_x64(True):
        assert from_flax(module, variables).params.update.W.dtype == jnp.float64


BACK = {
    "lstm": rd.cells.lstm,
    "gru, keep": rd.cells.make_gru(reset="after"),
    "gru, replace": rd.cells.make_gru("replace", "after"),
    "elman": rd.cells.elman,
    "relu": rd.cells.make_elman("relu"),
    "linear": rd.cells.linear,
    "janet": rd.cells.make_janet(beta=0.0),
    "stack": rd.cells.stack(rd.cells.lstm, rd.cells.elman),
}


@pytest.mark.parametrize("api", ["linen", "nnx"])
@pytest.mark.parametrize("name", variants(BACK, slow=["gru, keep", "relu", "linear", "stack"]))
def test_there_and_back(name, api, key):
    cell = BACK[name]
    params = random_weights(cell.init(key, inputs=2, hidden=3))
    if api == "nnx":
        if name == "janet":
            with pytest.raises(ValueError, match="nnx has only LSTM, GRU and vanilla cells"):
                to_flax(cell, params, api=api)
            return
        if name.startswith("gru"):
            with pytest.raises(ValueError, match="nnx has no recurrent_bias"):
                to_flax(cell, params, api=api)
            params = params._replace(recurrent_bias=None)
    exported = to_flax(cell, params, api=api)
    if name == "stack":
        again = from_flax(*exported) if api == "linen" else from_flax(exported)
    else:  # the export was compared with the original, so this need not be
        again = from_flax(exported[1] if api == "linen" else nnx.state(exported, nnx.Param))
    if name == "gru, replace":  # the sign of the gate
        np.testing.assert_array_equal(again.params.update.W, -params.update.W)
    else:
        assert jax.tree.all(jax.tree.map(jnp.array_equal, again.params, params))


def test_cells_that_flax_does_not_have_are_refused(key):
    for cell, reason in (
        (rd.cells.gru, 'Flax has only the GRU with reset="after"'),
        (rd.cells.janet, "has only the one with beta=0"),
        (rd.cells.lru, "got the cell lru, which Flax does not have"),
        (rd.cells.make_gru(reset="after"), "got a net without inputs"),
        (rd.cells.projected_lstm, "Flax has no LSTM with projection"),
        (rd.cells.make_elman(leak=0.5), r"leak=0\.5, which Flax does not have"),
    ):
        with pytest.raises(ValueError, match=reason):
            to_flax(cell, cell.init(key, inputs=0 if "inputs" in reason else 2, hidden=3))
    with pytest.raises(TypeError, match="cell"):
        to_flax(3, None)
    params = rd.cells.elman.init(key, inputs=2, hidden=3)
    with pytest.raises(ValueError, match="'params': 9 of 9 values are not finite"):
        to_flax(rd.cells.elman, params._replace(W=params.W * jnp.nan))
