"""The watch in loops of real frameworks: the examples, and that a model is left as it was."""

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_dynamics as rd

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
XS = np.random.default_rng(0).normal(size=(2, 12, 2)).astype(np.float32)


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checked(watch, verified="verified against the original"):
    """A few records, each measured, of a model that changed from one to the next."""
    found = watch.dataset
    assert found.sizes["step"] == 3
    assert verified in watch.source
    assert not found.failure.values.any()
    assert np.isfinite(found.log_norm).all()
    assert found.sizes["gate"] in (2, 3)
    assert len(np.unique(found.log_norm[:, 0, -1])) == 3
    return found


@pytest.fixture(autouse=True)
def as_users_run():
    with (
        jax.enable_x64(False),
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", rd.GradientWarning)
        yield


@pytest.mark.parametrize("framework", ["flax", "equinox"])
def test_the_example_runs(framework):
    checked(example(f"watch_{framework}").main(updates=5, every=2))


@pytest.mark.slow
def test_the_example_of_keras_runs():
    code = (
        "import sys, warnings; sys.path.insert(0, 'examples'); import rnn_dynamics as rd, numpy as np; "
        "warnings.simplefilter('ignore'); import watch_keras; found = watch_keras.main(updates=5, every=2).dataset; "
        "print(list(found.step.values), len(np.unique(found.log_norm[:, 0, -1])), 'verified ag' in found.source)"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=EXAMPLES.parent, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip().replace("np.int64(", "").replace(")", "") == "[0, 2, 4] 3 True"


@pytest.mark.slow
def test_the_example_of_pytorch_runs():
    pytest.importorskip("torch", reason="PyTorch is an extra")
    checked(example("watch_pytorch").main(updates=5, every=2))


@pytest.mark.slow
def test_a_pytorch_model_is_left_as_it_was():
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.LSTM(2, 5, num_layers=2, dropout=0.5))
    model.train()
    model[0](torch.ones(3, 4, 2))[0].sum().backward()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    grads = {name: value.grad.clone() for name, value in model.named_parameters()}
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - it must stay
    watch = rd.watch(XS, every=1)
    for step in range(2):
        watch(step=step, model=model, norm=torch.ones((), requires_grad=True))
    assert "2 layers" in watch.source
    assert model.training
    assert model[0].training
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(value.grad, grads[name]) for name, value in model.named_parameters())
    assert all(value.requires_grad for value in model.parameters())
    assert torch.equal(states[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(states[1], np.random.get_state()[1])  # noqa: NPY002
    with torch.no_grad():
        model[0].weight_hh_l1[0, 0] = float("nan")
    record = watch(step=2, model=model)
    assert [finding.rule for finding in record.findings] == ["not finite"]
    assert "weight_hh_l1" in record.findings[0].sentence


def test_an_equinox_model_is_verified_once_then_only_read(compilations, key):
    equinox = pytest.importorskip("equinox")
    cell = equinox.nn.LSTMCell(2, 3, key=key)
    before = jax.tree.map(jnp.copy, cell)
    watch = rd.watch(XS, every=1)
    watch(step=0, model=cell)
    assert "verified against the original" in watch.source
    watch(step=1, model=jax.tree.map(lambda leaf: 0.9 * leaf, cell))
    compiled = compilations.count
    assert compiled > 0
    watch(step=2, model=cell)
    assert compilations.count == compiled
    assert equinox.tree_equal(before, cell)
    bad = equinox.tree_at(lambda cell: cell.bias, cell, cell.bias.at[1].set(jnp.inf))
    assert [finding.rule for finding in watch(step=3, model=bad).findings] == ["not finite"]


def test_flax_linen_takes_its_params_beside_the_model(key):
    linen = pytest.importorskip("flax.linen")
    model = linen.RNN(linen.GRUCell(3))
    params = model.init(key, jnp.asarray(XS))
    watch = rd.watch(XS, every=1)
    watch(step=0, model=model, params=params)
    record = watch(step=1, model=model, params=jax.tree.map(lambda leaf: 0.5 * leaf, params))
    assert "Flax GRU, 3 units; verified" in watch.source
    assert np.isfinite(record.log_norm).all()


def test_haiku_comes_through_an_importer(key):
    haiku = pytest.importorskip("haiku")

    def core():
        return haiku.GRU(3)

    net = haiku.without_apply_rng(haiku.transform(lambda x: core()(x, jnp.zeros((1, 3)))))
    watch = rd.watch(XS, every=1, importer=lambda params: rd.interop.from_haiku(params, core))
    record = watch(step=0, model=net.init(key, jnp.ones((1, 2))))
    assert "verified" in watch.source
    assert np.isfinite(record.log_norm).all()
