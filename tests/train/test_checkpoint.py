"""A training that was cut is the uninterrupted one, bit for bit; another one is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from learning import fit
from programs import PROGRAMS

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.train import program

TASK, SGD = train.tasks.adding(5), optax.sgd(0.1, momentum=0.9)
PROBES = {"radius": train.probes.spectral_radius(), "exponents": train.probes.lyapunov(1, examples=2)}
SETTINGS = {"every": 3, "hidden": 3, "batch": 2, "held_out": 3, "probes": PROBES, "noise": 0.01}


def assert_same_bits(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


@pytest.mark.parametrize("raw", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_cut_and_resumed_is_uninterrupted(tmp_path, raw, key):
    key = jax.random.key_data(key) if raw else key
    whole = fit(rd.cells.elman, TASK, SGD, key=key, updates=12, **SETTINGS)
    fit(rd.cells.elman, TASK, SGD, key=key, updates=6, directory=tmp_path, **SETTINGS)
    resumed = fit(rd.cells.elman, TASK, SGD, key=key, updates=12, directory=tmp_path, **SETTINGS)
    assert_same_bits(resumed, whole)
    # a training that is done is read, not computed
    assert_same_bits(fit(rd.cells.elman, TASK, SGD, key=key, updates=12, directory=tmp_path, **SETTINGS), whole)


@pytest.mark.slow
def test_another_training_is_refused(tmp_path, key):
    fit(rd.cells.elman, TASK, SGD, key=key, updates=3, directory=tmp_path, **SETTINGS)
    others = [
        {"key": jax.random.key(1)},
        {"optimizer": optax.sgd(0.2, momentum=0.9)},
        {"task": train.tasks.adding(6)},
        {"noise": 0.02},
        {"net": train.init_net(rd.cells.elman, TASK, key=key, hidden=3), "hidden": None},
        {"probes": {}},
    ]
    given = {"cell": rd.cells.elman, "task": TASK, "optimizer": SGD, "key": key, **SETTINGS}
    for change in others:
        with pytest.raises(ValueError, match=r"directory: .* holds another training"):
            fit(**(given | change), updates=3, directory=tmp_path)
    with pytest.raises(
        ValueError, match=r"holds another training: batch = 2, not 3, unrolling.truncate = None, not 4; expected"
    ):
        fit(**(given | {"batch": 3, "truncate": 4}), updates=3, directory=tmp_path)
    with pytest.raises(ValueError, match=r"another training: unrolling.noise = 0.01, not 0.02; expected"):
        fit(**(given | {"noise": 0.02}), updates=3, directory=tmp_path)
    fit(**given, updates=6, directory=tmp_path)
    with pytest.raises(ValueError, match=r"updates: got 3, expected at least the 6 updates"):
        fit(**given, updates=3, directory=tmp_path)


def test_an_array_that_is_captured_belongs_to_the_training(tmp_path, key):
    """The program is the same for both learning rates, which are arguments of it."""

    def trained(rate):
        settings = {"updates": 1, "hidden": 2, "batch": 1, "held_out": 1, "directory": tmp_path}
        return fit(rd.cells.elman, TASK, optax.sgd(jnp.asarray(rate)), key=key, **settings)

    assert_same_bits(trained(0.1), trained(0.1))
    with pytest.raises(ValueError, match=r"directory: .* holds another training: with another cell, task, optimizer"):
        trained(0.2)


def test_what_was_written_before_an_interruption_is_kept(tmp_path, key, monkeypatch):
    whole = fit(rd.cells.elman, TASK, SGD, key=key, updates=9, **SETTINGS)
    plain, calls = program.Compiled.__call__, []

    def interrupted(compiled, *arguments):
        if len(arguments) == 2:  # a stretch, which is given the noise as well
            calls.append(arguments)
            if len(calls) == 3:
                raise KeyboardInterrupt
        return plain(compiled, *arguments)

    monkeypatch.setattr(program.Compiled, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(rd.cells.elman, TASK, SGD, key=key, updates=9, directory=tmp_path, **SETTINGS)
    assert sorted(checkpoints(tmp_path)) == [1, 2]
    assert_same_bits(fit(rd.cells.elman, TASK, SGD, key=key, updates=9, directory=tmp_path, **SETTINGS), whole)
    assert len(calls) == 4


def test_under_a_transformation_there_are_none(tmp_path, key):
    def learn(key):
        return fit(rd.cells.elman, TASK, SGD, key=key, updates=3, directory=tmp_path, **SETTINGS)

    with pytest.raises(ValueError, match="directory: got"):
        jax.jit(learn)(key)


@pytest.mark.slow
def test_killed_and_resumed_is_uninterrupted(tmp_path):
    environment = os.environ | {"XLA_FLAGS": "--xla_backend_optimization_level=0"}

    def start(directory, result):
        return subprocess.Popen(
            [sys.executable, str(PROGRAMS / "long_training.py"), str(directory), str(result)], env=environment
        )

    assert start("none", tmp_path / "whole.npz").wait(timeout=240) == 0
    for _ in range(3):
        process = start(tmp_path / "kept", tmp_path / "resumed.npz")
        wait_for_another_checkpoint(tmp_path / "kept", process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = checkpoints(tmp_path / "kept")
    assert done
    assert max(done) < 80, "killed too late to show anything"
    assert start(tmp_path / "kept", tmp_path / "resumed.npz").wait(timeout=240) == 0
    whole, resumed = np.load(tmp_path / "whole.npz"), np.load(tmp_path / "resumed.npz")
    for name in whole:
        np.testing.assert_array_equal(whole[name], resumed[name])


def checkpoints(directory: Path) -> list[int]:
    return [int(path.name) for path in directory.glob("*") if path.name.isdigit()]


def wait_for_another_checkpoint(directory, process):
    before = max(checkpoints(directory), default=0)
    for _ in range(6000):
        if max(checkpoints(directory), default=0) > before:
            return
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.02)
    raise AssertionError("no checkpoint was written")
