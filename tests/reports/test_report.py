"""`rd.report` from a step to its files: what is measured, with which names, and what is refused at the door."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from report_networks import findings, remedies
from report_networks import network as by_hand

import rnn_dynamics as rd
from rnn_dynamics.interop.imported import Imported, Verification
from rnn_dynamics.reports.measured import eigenvalues, spectrum

T = 60


def diagonal(params, h, x):
    return params["a"] * h + x


@pytest.fixture
def measured(monkeypatch):
    """The diagnoses that were asked for, each answered with one made by hand."""
    asked = []

    def diagnose(*given, **options):
        asked.append((given, options))
        return by_hand().diagnosis

    monkeypatch.setattr(sys.modules["rnn_dynamics.reports.report"], "diagnose", diagnose)
    return asked


@pytest.fixture
def linear():
    return diagonal, {"a": jnp.array([0.9, 0.5])}, jnp.zeros(2), jnp.zeros((3, T, 2))


def test_eigenvalues_and_exponents_of_a_known_map(linear):
    step, params, h0, xs = linear
    found = spectrum(step, params, h0, xs[0])
    np.testing.assert_allclose(found.exponents, np.log([0.9, 0.5]), rtol=1e-6)
    blocks = eigenvalues(step, params, h0, xs[0])
    assert list(blocks) == ["∂h'/∂h"]
    np.testing.assert_allclose(np.sort(blocks["∂h'/∂h"]), [0.5, 0.9], rtol=1e-6)


def test_blocks_of_a_stack_are_named_by_layer_and_part(key):
    cell = rd.cells.stack(rd.cells.lstm, rd.cells.elman)
    params = cell.init(key, inputs=1, hidden=2)
    found = eigenvalues(cell.step, params, cell.initial_state(params), jnp.ones((3, 1)))
    assert list(found) == ["∂h'/∂h of layer 1", "∂c'/∂c of layer 1", "∂h'/∂h of layer 2"]
    # c' = f ⊙ c + i ⊙ g, so that these are the values of the forget gate
    assert np.all((found["∂c'/∂c of layer 1"].real > 0) & (found["∂c'/∂c of layer 1"].real < 1))
    assert all(len(values) == 2 for values in found.values())


def test_a_report_is_written_and_names_what_was_measured(tmp_path, measured, undrawn, linear):
    path, folder = tmp_path / "net.html", tmp_path / "net"
    found = rd.report(*linear, path=path, folder=folder, horizon=7)
    assert (found.path, found.folder) == (path, folder)
    assert found.diagnoses[0].findings == findings()
    assert found.diagnoses[0].remedies == remedies()
    ((given, options),) = measured
    assert given[0] is diagonal
    assert options["horizon"] == 7
    held = json.loads((folder / "report.json").read_text())["networks"][0]
    assert held["name"].endswith("test_report.diagonal")
    assert held["verification"] is None
    assert path.read_text().startswith("<!doctype html>")


def test_an_import_is_the_second_network_and_takes_the_same_inputs(tmp_path, measured, undrawn, linear, key):
    params = rd.cells.elman.init(key, inputs=2, hidden=3)
    second = Imported(rd.cells.elman, params, "PyTorch RNN", Verification("none"))
    found = rd.report(*linear, path=None, folder=tmp_path / "both", against=second)
    assert found.path is None
    assert len(found.diagnoses) == len(measured) == 2
    assert measured[1][0][3] is measured[0][0][3]
    names = [each["name"] for each in json.loads((tmp_path / "both" / "report.json").read_text())["networks"]]
    assert names[1] == "PyTorch RNN"


def test_two_networks_of_one_source_are_told_apart(tmp_path, measured, undrawn, linear):
    step, params, h0, xs = linear
    for against in ((step, params, h0), (step, params, h0, xs[:1])):
        rd.report(*linear, path=None, folder=tmp_path / "both", against=against)
        held = json.loads((tmp_path / "both" / "report.json").read_text())["networks"]
        assert [each["name"] for each in held] == ["first", "second"]
    rd.report(*linear, path=None, folder=tmp_path / "both", against=(step, params, h0), names=("a", "b"))
    held = json.loads((tmp_path / "both" / "report.json").read_text())["networks"]
    assert [each["name"] for each in held] == ["a", "b"]


def test_a_diagnosis_at_hand_is_not_measured_again(tmp_path, measured, undrawn, linear):
    mine = by_hand(healthy=True).diagnosis
    found = rd.report(*linear, path=tmp_path / "net.html", diagnosis=mine)
    assert found.diagnoses == (mine,)
    assert measured == []
    assert "No fault found" in (tmp_path / "net.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": None}, "path: got None, and folder None as well"),
        ({"path": "missing/net.html"}, r"path: got .*, expected a file in a folder that exists"),
        ({"against": 3}, "against: got int, expected an Imported"),
        ({"against": (diagonal,)}, "against: got tuple, expected an Imported"),
        ({"names": ("a", "b")}, r"names: got \('a', 'b'\), expected 1 texts"),
        ({"names": "a"}, "names: got 'a', expected 1 texts"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(tmp_path, measured, linear, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        rd.report(*linear, **{"path": tmp_path / "net.html", **options})
    assert measured == []
    assert list(tmp_path.iterdir()) == []


def test_a_net_that_is_not_finite_still_gets_its_page(tmp_path, linear):
    step, params, h0, xs = linear
    rd.report(step, params, h0, xs.at[1, 4].set(jnp.nan), path=tmp_path / "net.html")
    text = (tmp_path / "net.html").read_text()
    assert "step 5" in text
    assert "<svg" not in text


@pytest.mark.slow
def test_an_lstm_from_end_to_end(tmp_path, key):
    cell = rd.cells.lstm
    params = cell.init(key, inputs=1, hidden=4)
    net = (cell.step, params, cell.initial_state(params))
    xs = jax.random.normal(key, (2, 40, 1))
    found = rd.report(
        *net,
        xs,
        path=tmp_path / "net.html",
        folder=tmp_path / "net",
        horizon=30,
        loss=lambda states: jnp.sum(states.h[-1] ** 2),
        against=(cell.step, cell.init(key, inputs=1, hidden=4, forget_bias=5.0), net[2]),
        names=("bias 1", "bias 5"),
    )
    held = json.loads((tmp_path / "net" / "report.json").read_text())["networks"]
    for network, diagnosis in zip(held, found.diagnoses, strict=True):
        evidence = diagnosis.evidence
        np.testing.assert_allclose(network["diagnosis"]["evidence"]["log_norm"], evidence.log_norm, rtol=1e-5)
        measured = {"gradient_flow", "paths", "state_gradients", "spectrum", "gates", "eigenvalues"}
        assert measured | {"fixed_points", "fixed_point_eigenvalues"} == {*network["figures"]}
    assert "gradient vanishes" in {finding.rule for finding in found.diagnoses[0].findings}
    text = (tmp_path / "net.html").read_text()
    assert "chrono" in text
    assert "Clipping" in text
