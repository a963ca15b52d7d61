"""A probe is the measurement on the held-out examples; a training is a labelled dataset."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from learning import fit

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.train.objective import draw

TASK, SGD = train.tasks.adding(5), optax.sgd(0.1)
SETTINGS = {"updates": 4, "every": 2, "hidden": 3, "batch": 2, "held_out": 4}


@pytest.fixture
def moment(key):
    """A moment of an LSTM, with the examples that `fit` would hold out."""
    net = train.init_net(rd.cells.lstm, TASK, key=key, hidden=3)
    examples = draw(TASK, jax.random.split(key, 4), jnp.float64)
    return train.Moment(rd.cells.lstm, TASK, net, examples, key, jnp.asarray(0, jnp.int32))


@pytest.mark.slow
def test_probes_are_the_measurements_averaged_over_examples(moment):
    problems = [train.problem(moment, i) for i in range(4)]
    flows = [rd.gradient_flow(*problem).log_norm for problem in problems]
    np.testing.assert_allclose(train.probes.gradient_flow(4).function(moment), np.mean(flows, axis=0), rtol=1e-9)
    first = rd.state_gradients(*problems[0], train.loss_along(moment))
    norms = np.sqrt(sum(np.asarray(leaf**2).sum(axis=1) for leaf in first))
    np.testing.assert_allclose(train.probes.log_state_gradients(1).function(moment), np.log(norms), rtol=1e-9)
    spectra = [
        rd.lyapunov_spectrum(*p, k=2, key=jax.random.fold_in(moment.key, i)).exponents for i, p in enumerate(problems)
    ]
    found = train.probes.lyapunov(2, examples=4).function(moment)
    np.testing.assert_allclose(found["exponents"], np.mean(spectra, axis=0), rtol=1e-8)
    np.testing.assert_allclose(found["stderr"], np.std(spectra, axis=0, ddof=1) / 2, rtol=1e-6)
    assert found["reliable"].shape == (2,)
    radii = [rd.eigen.spectral_radius(part.W) for part in moment.net.params]
    np.testing.assert_allclose(train.probes.spectral_radius().function(moment), radii, rtol=1e-10)


def test_contributions_sum_to_the_gradient(moment):
    found = train.probes.contributions().function(moment)
    assert found.shape == (5, 5)
    assert (np.asarray(found[:-1]) == 0).all()  # the loss counts at the last step alone
    assert (np.asarray(found[-1]) > 0).all()


def test_gates_of_known_parameters(moment):
    def shut(part, bias):
        return part._replace(W=0 * part.W, U=0 * part.U, b=jnp.full(3, bias))

    cell = moment.net.params
    still = cell._replace(input=shut(cell.input, -9.0), forget=shut(cell.forget, 9.0), output=shut(cell.output, 0.0))
    found = train.probes.gates(2).function(moment._replace(net=moment.net._replace(params=still)))
    assert (found["input_shut"], found["input_open"], found["forget_open"], found["output_shut"]) == (1, 0, 1, 0)
    np.testing.assert_allclose(found["forget_mean"], 1 / (1 + np.exp(-9)), rtol=1e-12)
    np.testing.assert_allclose(found["output_mean"], 0.5)
    with pytest.raises(TypeError, match="params: got Affine, which has no gates"):
        rd.cells.gates(cell.forget, jnp.zeros(3), jnp.zeros(2))


def test_what_has_no_candidate_has_no_gates(key):
    params = rd.cells.cornn.init(key, inputs=2, hidden=3)
    with pytest.raises(TypeError, match="params: got CoRNNParams, which has no gates"):
        rd.cells.gates(params, jnp.zeros(3), jnp.zeros(2))
    with pytest.raises(ValueError, match=r"shut: got 2\.0"):
        train.probes.gates(shut=2.0)


def test_a_gradient_that_no_float_can_hold(key):
    """h_t = h_{t-1} / 1000: after 60 steps 1e-180 is left, in float32."""
    with jax.enable_x64(False):
        task = train.tasks.adding(60)
        net = train.init_net(rd.cells.linear, task, key=key, hidden=3)
        net = net._replace(params=net.params._replace(W=1e-3 * jnp.eye(3, dtype=jnp.float32)))
        examples = draw(task, jax.random.split(key, 2), jnp.float32)
        moment = train.Moment(rd.cells.linear, task, net, examples, key, jnp.int32(0))
        found = np.asarray(train.probes.log_state_gradients(2).function(moment))
    np.testing.assert_allclose(found - found[-1], -np.log(1000) * np.arange(59, -1, -1), atol=2e-3)


def test_an_example_that_there_is_not(moment):
    for index in (4, -1):
        with pytest.raises(ValueError, match=f"index: got {index}, expected one of the 4 examples"):
            train.example_of(moment, index)


def test_gates_are_those_of_the_step(key):
    """h' = z h + (1 - z) n: a GRU whose candidate is 0 shrinks its state by the update gate."""
    params = rd.cells.gru.init(key, inputs=2, hidden=3)
    candidate = jax.tree.map(jnp.zeros_like, params.candidate)
    h, x = jnp.linspace(0.1, 0.9, 3), jnp.ones(2)
    after = rd.cells.gru.step(params._replace(candidate=candidate), h, x)
    np.testing.assert_allclose(after / h, rd.cells.gates(params, h, x)["update"], rtol=1e-12)


def test_a_training_is_a_labelled_dataset(key):
    probes = {
        "flow": train.probes.gradient_flow(2),
        "spectrum": train.probes.lyapunov(2, examples=2),
        "size": lambda moment: jnp.stack([jnp.sum(moment.net.readout.V**2), moment.updates.astype(float)]),
    }
    found = fit(rd.cells.elman, TASK, SGD, key=key, probes=probes, **SETTINGS)
    data = train.dataset(found, probes)
    assert dict(data.sizes) == {"updates": 4, "recorded": 3, "lag": 6, "index": 2, "size_0": 2}
    assert data.flow.units == "nats"
    assert data.spectrum_exponents.dims == ("recorded", "index")
    np.testing.assert_array_equal(data["size"][:, 1], [0, 2, 4])
    np.testing.assert_array_equal(data.recorded, [0, 2, 4])
    np.testing.assert_array_equal(data.updates, [1, 2, 3, 4])
    assert data.attrs == {"updates": 4, "outcome": "ended"}
    np.testing.assert_array_equal(data.loss, found.loss)
    # the last look is at the net that is returned
    np.testing.assert_allclose(data["size"][-1, 0], jnp.sum(found.net.readout.V**2))


def test_variables_of_a_dataset_do_not_replace_each_other(key):
    probes = {"one": train.probes.lyapunov(1, examples=2), "two": train.probes.lyapunov(2, examples=2)}
    found = fit(rd.cells.elman, TASK, SGD, key=key, probes=probes, **SETTINGS)
    data = train.dataset(found, probes)
    assert data.one_exponents.dims == ("recorded", "index")
    assert data.two_exponents.dims == ("recorded", "two_exponents_index")
    for name in ("loss", "updates", "correct"):
        with pytest.raises(ValueError, match=f"probes: got '{name}', whose variable '{name}' already exists"):
            train.dataset(found._replace(probes={name: found.loss}))
    with pytest.raises(ValueError, match="probes: got 'a_b', whose variable 'a_b_c' already exists"):
        train.dataset(found._replace(probes={"a": {"b_c": found.loss}, "a_b": {"c": found.loss}}))
    with pytest.raises(ValueError, match=r"found: got trainings of shape \(2,\), expected one"):
        train.dataset(jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), found))
    with pytest.raises((TypeError, ValueError), match="found"):
        train.dataset(3)


def test_more_examples_than_are_held_out(key):
    probes = {"flow": train.probes.gradient_flow(9)}
    with pytest.raises(ValueError, match=r"examples: got 9, expected at most evaluation\.examples = 4"):
        fit(rd.cells.elman, TASK, SGD, key=key, probes=probes, **SETTINGS)


def test_the_same_probe_again_is_the_same_object():
    assert train.probes.lyapunov(2) is train.probes.lyapunov(k=2)
    assert train.probes.gates() is train.probes.gates(16)
