"""Imports of live PyTorch modules beside PyTorch itself, and the way back."""

import copy
import itertools
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd
from rnn_dynamics.interop import pytorch_live, pytorch_params
from rnn_dynamics.interop.verification import verified

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install 'rnn_dynamics[torch]'")

import torch_nets  # noqa: E402
from recorded_nets import flat_state  # noqa: E402
from torch.nn.utils import prune  # noqa: E402
from torch_mistakes import GATES, mistakes, same_net  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _float32():
    with jax.enable_x64(False), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
        yield


CASES = [
    pytest.param(
        name,
        {"bias": bias, "num_layers": layers, "batch_first": batch_first},
        id=f"{name}-{bias}-{layers}-{batch_first}",
    )
    for name, bias, layers, batch_first in itertools.product(torch_nets.NETS, (True, False), (1, 2, 3), (False, True))
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_forward_and_jacobian_equal_those_of_pytorch(name, options):
    module = torch_nets.make(name, **options)
    net = rd.interop.from_torch(module)
    assert net.verification.how == "live"
    assert net.verification.difference < 1e-6
    xs, state = torch_nets.random_problem(module)
    outputs, _ = torch_nets.run(module, state, xs)
    h0 = flat_state(net, state.numpy())
    states = rd.unroll(net.step, net.params, h0, jnp.asarray(xs.numpy()))
    np.testing.assert_allclose(jax.vmap(net.cell.output)(states), outputs.detach().numpy(), atol=1e-6)
    one = rd.step_jacobian(net.step, net.params, h0, jnp.asarray(xs[0].numpy()))
    np.testing.assert_allclose(one, torch_nets.jacobian(module, state, xs[:1]).numpy(), atol=1e-6)
    product = rd.jacobian_product(net.step, net.params, h0, jnp.asarray(xs.numpy()))
    whole = np.exp(product.log_scale) * np.asarray(product.matrix)
    np.testing.assert_allclose(whole, torch_nets.jacobian(module, state, xs).numpy(), atol=1e-6)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", torch_nets.NETS)
def test_both_directions(name, bias, batch_first):
    module = torch_nets.make(name, bias=bias, batch_first=batch_first, bidirectional=True)
    net = rd.interop.from_torch(module)
    assert {net.verification.how, net.backward.verification.how} == {"live"}
    xs, _ = torch_nets.random_problem(module)
    outputs = module(xs[None] if batch_first else xs[:, None])[0].detach().numpy().reshape(torch_nets.STEPS, -1)
    xs = jnp.asarray(xs.numpy())
    forward, backward = (
        jax.vmap(each.cell.output)(rd.unroll(*each.problem(inputs)))
        for each, inputs in ((net, xs), (net.backward, xs[::-1]))
    )
    np.testing.assert_allclose(np.concatenate([forward, backward[::-1]], axis=1), outputs, atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_cells(kind, bias):
    torch.manual_seed(0)
    cell = getattr(torch.nn, f"{kind}Cell")(3, 5, bias=bias, **({"nonlinearity": "relu"} if kind == "RNN" else {}))
    net = rd.interop.from_torch(cell)
    assert net.verification.how == "live"
    x = torch.randn(1, 3)
    found = cell(x)
    ours = net.cell.step(net.params, net.h0, jnp.asarray(x[0].numpy()))
    np.testing.assert_allclose(
        net.cell.output(ours), (found[0] if kind == "LSTM" else found)[0].detach().numpy(), atol=1e-6
    )


@pytest.mark.parametrize(
    ("kind", "change"),
    [pytest.param(kind, change, id=f"{kind}: {name}") for kind in GATES for name, change in mistakes(kind)],
)
def test_a_mistake_is_caught_by_the_live_module(kind, change):
    module = torch_nets.make(kind, inputs=torch_nets.UNITS)
    arrays = change({name: value.numpy() for name, value in module.state_dict().items()})
    net = rd.interop.from_torch(arrays, nonlinearity="tanh" if kind == "rnn" else None)
    run = pytorch_live.Runner(module, both=False).direction(reverse=False)
    with pytest.raises(rd.interop.MismatchError):
        verified(net.cell, net.params, kind, run, inputs=torch_nets.UNITS)


@pytest.mark.parametrize(
    ("kind", "change"),
    [pytest.param(kind, change, id=f"{kind}: {name}") for kind in GATES for name, change in same_net(kind)],
)
def test_what_is_no_mistake_is_accepted(kind, change):
    module = torch_nets.make(kind, inputs=torch_nets.UNITS)
    arrays = change({name: value.numpy() for name, value in module.state_dict().items()})
    net = rd.interop.from_torch(arrays)
    run = pytorch_live.Runner(module, both=False).direction(reverse=False)
    verified(net.cell, net.params, kind, run, inputs=torch_nets.UNITS)


def test_a_wrong_order_of_gates_in_the_import_is_refused_with_both_outputs(monkeypatch):
    right = pytorch_params._lstm_params
    monkeypatch.setattr(
        pytorch_params,
        "_lstm_params",
        lambda layer: (p := right(layer))._replace(input=p.forget, forget=p.input),
    )
    with pytest.raises(
        rd.interop.MismatchError, match="PyTorch LSTM, 1 layer, 5 units: the imported net differs"
    ) as caught:
        rd.interop.from_torch(torch_nets.make("lstm"))
    assert caught.value.ours.shape == caught.value.original.shape
    assert rd.interop.from_torch(torch_nets.make("lstm"), verify=False).verification.how == "none"


def test_time_and_batch_exchanged_are_caught_by_the_live_module():
    module = torch_nets.make("gru")
    net = rd.interop.from_torch(module)
    module.batch_first = True
    assert rd.interop.from_torch(module).verification.how == "live"
    runner = pytorch_live.Runner(module, both=False)
    wrong = lambda states, xs: runner._of_net([torch.tensor(np.asarray(states))[None]], torch.tensor(xs)).detach()  # noqa: E731
    verified(net.cell, net.params, "right", wrong, inputs=3)
    module.batch_first = False
    with pytest.raises((rd.interop.MismatchError, RuntimeError)):
        verified(net.cell, net.params, "wrong", lambda states, xs: module(torch.tensor(xs))[0].detach(), inputs=3)


class Model(torch.nn.Module):
    def __init__(self, **nets):
        super().__init__()
        self.embedding = torch.nn.Embedding(10, 3)
        self.nets = torch.nn.ModuleDict(nets)
        self.head = torch.nn.Linear(5, 1)


def test_a_model_that_contains_one():
    one = Model(rnn=torch_nets.make("lstm"))
    net = rd.interop.from_torch(one)
    arrays = rd.interop.from_torch(one.state_dict())
    jax.tree.map(np.testing.assert_array_equal, net.params, arrays.params)
    assert (net.verification.how, arrays.verification.how) == ("live", "none")


def test_a_model_that_contains_several_or_none():
    two = Model(encoder=torch_nets.make("lstm"), decoder=torch_nets.make("gru"))
    with pytest.raises(
        ValueError, match=r"contains 2 recurrent modules.*'nets.encoder' \(LSTM\), 'nets.decoder' \(GRU\)"
    ):
        rd.interop.from_torch(two)
    assert "GRU" in rd.interop.from_torch(two, prefix="nets.decoder").source
    assert "GRU" in rd.interop.from_torch(two.state_dict(), prefix="nets.decoder").source
    with pytest.raises(ValueError, match=r"prefix: got 'nets', expected one of 'nets.encoder', 'nets.decoder'"):
        rd.interop.from_torch(two, prefix="nets")
    with pytest.raises(ValueError, match=r"Linear contains no nn\.RNN"):
        rd.interop.from_torch(torch.nn.Linear(2, 2))


def test_layers_of_a_stacked_bidirectional_net():
    module = torch_nets.make("gru", bidirectional=True, num_layers=2)
    for source in (module, module.state_dict()):
        with pytest.raises(
            ValueError, match=r"has no step: layer 1 reads what layer 0 made of the future\. Pass layer=0"
        ):
            rd.interop.from_torch(source)
    for layer in (0, 1):
        net = rd.interop.from_torch(module, layer=layer)
        assert {net.verification.how, net.backward.verification.how} == {"live"}
    assert net.params.candidate.U.shape == (5, 10)


class Hooked:
    """A module of which everything that could be changed by an import is noted before."""

    def __init__(self, module):
        self.module, self.calls = module, []
        module.register_forward_hook(lambda *args: self.calls.append(args))
        module.register_forward_pre_hook(lambda *args: self.calls.append(args))
        for parameter in module.parameters():
            parameter.grad = torch.ones_like(parameter)
        next(module.parameters()).requires_grad_(False)
        self.before = self.facts()

    def facts(self):
        module = self.module
        return {
            "training": module.training,
            "weights": [value.clone() for value in module.parameters()],
            "same": [id(value) for value in module.parameters()],
            "grads": [value.grad.clone() for value in module.parameters()],
            "needs": [value.requires_grad for value in module.parameters()],
            "dtypes": [(value.dtype, value.device) for value in module.parameters()],
            "random": torch.get_rng_state(),
            "hooks": len(module._forward_hooks) + len(module._forward_pre_hooks),
            "calls": len(self.calls),
        }


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_an_import_changes_nothing_of_the_module(training, dtype):
    module = Hooked(torch_nets.make("lstm", num_layers=2, dropout=0.4).to(dtype).train(training))
    net = rd.interop.from_torch(module.module)
    rd.interop.from_torch(module.module, layer=1)
    rd.interop.to_torch(net.cell, net.params)
    after = module.facts()
    for name, before in module.before.items():
        equal = torch.equal if name == "random" else lambda a, b: a == b
        if name in ("weights", "grads"):
            assert all(map(torch.equal, before, after[name])), name
        else:
            assert equal(before, after[name]), name
    assert "without its dropout of 0.4 between layers" in net.source
    assert net.verification.how == "live"


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_precisions(dtype, x64):
    module = torch_nets.make("gru").to(dtype)
    with jax.enable_x64(x64):
        net = rd.interop.from_torch(module)
        ours = jnp.zeros(()).dtype
        assert all(leaf.dtype == ours for leaf in jax.tree.leaves(net.params))
        assert net.verification.difference < (1e-14 if x64 else 1e-6)
        name = str(dtype).removeprefix("torch.")
        said = {"float64": "" if x64 else "float64 weights rounded to float32"}.get(
            name, f"{name} weights held in {ours}"
        )
        assert said in net.source
        exact = module.weight_hh_l0.detach().double().numpy()[:5]
        np.testing.assert_allclose(net.params.reset.W, exact, rtol=0 if dtype != torch.float64 or x64 else 1e-7)


def test_training_goes_on_without_the_import():
    module = torch_nets.make("gru", inputs=64)
    for source in (module, module.state_dict()):
        net = rd.interop.from_torch(source, verify=False)
        before = jax.tree.map(np.array, net.params)
        with torch.no_grad():
            for weight in module.parameters():
                weight += 1
        jax.tree.map(np.testing.assert_array_equal, net.params, before)


def test_surroundings_of_the_user_do_not_matter():
    module = torch_nets.make("lstm")
    with torch.device("meta"):
        assert rd.interop.from_torch(module).verification.how == "live"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert rd.interop.from_torch(module).verification.difference < 1e-6
    with torch.inference_mode():
        assert rd.interop.from_torch(module).verification.how == "live"


def test_a_module_that_cannot_be_copied():
    class Stubborn(torch.nn.GRU):
        def __deepcopy__(self, memo):
            raise RuntimeError("not me")

    with pytest.raises(ValueError, match=r"this Stubborn cannot be copied \(not me\); pass its state_dict\(\)"):
        rd.interop.from_torch(Stubborn(2, 3))
    with pytest.raises(ValueError, match="on the device meta, which holds no numbers"):
        rd.interop.from_torch(torch.nn.GRU(2, 3, device="meta"))


def test_a_forward_of_ones_own_is_run_and_refused():
    class Doubled(torch.nn.GRU):
        def forward(self, x, state=None):
            outputs, state = super().forward(x, state)
            return 2 * outputs, state

    with pytest.raises(rd.interop.MismatchError, match="differs from the original"):
        rd.interop.from_torch(Doubled(2, 3))


def test_parametrised_weights_are_those_that_run():
    module = torch_nets.make("rnn")
    torch.nn.utils.parametrizations.spectral_norm(module, "weight_hh_l0")
    state = copy.deepcopy(module.state_dict())
    net = rd.interop.from_torch(module)
    assert net.verification.how == "live"
    for name, value in module.state_dict().items():
        assert torch.equal(value, state[name])
    with pytest.raises(ValueError, match="pass the live module"):
        rd.interop.from_torch({name.replace("parametrizations.", ""): value for name, value in state.items()})


def pruned(module, name):
    prune.random_unstructured(module, name, 0.5)


@pytest.mark.parametrize("wrap", [torch.nn.utils.weight_norm, torch.nn.utils.spectral_norm, pruned])
@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated")
def test_weights_of_the_older_wrappers_are_those_of_the_next_call(wrap):
    """They are computed when the module is called: until then, training leaves the old ones in it."""
    module, x = torch_nets.make("gru"), torch.ones(6, 2, 3)
    wrap(module, "weight_hh_l0")
    module(x)[0].square().sum().backward()
    torch.optim.SGD(module.parameters(), lr=1.0).step()
    old = module.weight_hh_l0.detach().clone()
    net = rd.interop.from_torch(module)
    assert net.verification.how == "live"
    assert torch.equal(module.weight_hh_l0, old)
    states = rd.unroll(*net.problem(np.ones((6, 3))))
    np.testing.assert_allclose(states, module.eval()(x)[0][:, 0].detach(), atol=1e-6)
    with torch.no_grad():
        assert not torch.allclose(module.weight_hh_l0, old, atol=1e-3)


def test_a_chaotic_net_is_verified():
    module = torch_nets.make("rnn")
    with torch.no_grad():
        module.weight_hh_l0 *= 50
        module.weight_ih_l0 *= 50
    net = rd.interop.from_torch(module)
    assert net.verification.difference < 0.01


def test_weights_that_are_not_finite_are_named():
    module = torch_nets.make("lstm")
    with torch.no_grad():
        module.weight_hh_l0[3, 1] = torch.nan
    with pytest.raises(ValueError, match=r"weight_hh of l0'?: 1 of 100 values are not finite, the first at \(3, 1\)"):
        rd.interop.from_torch(module)


OURS = {
    "lstm": rd.cells.lstm,
    "projected_lstm": rd.cells.projected_lstm,
    "gru keep": rd.cells.make_gru("keep", "after"),
    "gru replace": rd.cells.make_gru("replace", "after"),
    "elman": rd.cells.elman,
    "relu": rd.cells.make_elman(rd.cells.activations.relu),
}


def drawn(cell, key, bias=True, **options):
    """Parameters of a cell with random biases, or with none."""
    params = cell.init(key, inputs=3, **{"hidden": 5, **options})

    def other(path, leaf):
        name = getattr(path[-1], "name", "")
        if name in ("b", "recurrent_bias") and not bias:
            return None
        return leaf + 0.3 * jax.random.normal(jax.random.fold_in(key, leaf.size), leaf.shape)

    return jax.tree_util.tree_map_with_path(other, params)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", OURS)
def test_there_and_back(name, layers, bias, key):
    cell = OURS[name] if layers == 1 else rd.cells.stack(*[OURS[name]] * layers)
    params = drawn(cell, key, bias)
    module = rd.interop.to_torch(cell, params, batch_first=True)
    assert module.batch_first
    assert module.training
    assert module.bias == bias
    assert all(weight.requires_grad for weight in module.parameters())
    xs = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    states = rd.unroll(cell.step, params, cell.initial_state(params), jnp.asarray(xs))
    outputs = module(torch.tensor(xs)[None])[0][0].detach().numpy()
    np.testing.assert_allclose(jax.vmap(cell.output)(states), outputs, atol=1e-6)
    back = rd.interop.from_torch(module)
    if name != "gru replace":
        assert name == "relu" or back.cell == cell
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), back.params, params)


def test_mixed_biases_become_zeros(key):
    cell = rd.cells.lstm
    params = drawn(cell, key)
    params = params._replace(output=params.output._replace(b=None))
    module = rd.interop.to_torch(cell, params)
    np.testing.assert_array_equal(module.bias_ih_l0.detach().numpy()[15:], np.zeros(5))


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        (rd.cells.gru, {}, 'no GRU with reset="before"'),
        (rd.cells.make_elman(leak=0.5), {}, "got leak=0.5, which PyTorch does not have; expected leak=1"),
        (rd.cells.make_elman("erf"), {}, "got the activation 'erf', expected tanh or relu"),
        (rd.cells.rate, {}, "got the cell rate, which PyTorch does not have"),
        (rd.cells.make_janet(), {}, "no layer of PyTorch computes it"),
        (rd.cells.stack(rd.cells.lstm, rd.cells.elman), {}, "layers of kind lstm and vanilla"),
        (rd.cells.stack(rd.cells.elman, rd.cells.make_elman("relu")), {}, "layers of kind vanilla"),
        (rd.cells.stack(rd.cells.lstm, rd.cells.lstm), {"hidden": (4, 5)}, r"layers of \[4, 5\] units"),
        (rd.cells.projected_lstm, {"projected": 5}, "a projection of 5 units to 5"),
    ],
)
def test_what_pytorch_cannot_compute_is_refused(cell, options, message, key):
    params = cell.init(key, inputs=3, **{"hidden": 5, **options})
    with pytest.raises(ValueError, match=message):
        rd.interop.to_torch(cell, params)


def test_the_lines_for_a_pt_file_do_what_they_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = torch_nets.make("lstm")
    torch.save({**module.state_dict(), "epoch": 3}, "net.pt")
    with pytest.raises(ValueError, match="To convert it") as caught:
        rd.interop.from_torch("net.pt")
    exec(str(caught.value).split("\n\n", 1)[1].replace("\n    ", "\n").strip(), {})
    net = rd.interop.from_torch("net.safetensors")
    jax.tree.map(np.testing.assert_array_equal, net.params, rd.interop.from_torch(module).params)


def test_an_import_takes_less_than_two_seconds_in_a_fresh_process():
    code = (
        "import time, torch; net = torch.nn.LSTM(8, 128, num_layers=2); start = time.process_time();"
        "import rnn_dynamics as rd; found = rd.interop.from_torch(net); print(time.process_time() - start, repr(found))"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout
    assert "verified against the original" in found
    assert float(found.split()[0]) < 4  # of processor time on all cores, on a machine that may be busy
