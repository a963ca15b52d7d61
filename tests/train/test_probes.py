"""A probe is the measurement on the held-out examples; a training is a labelled dataset."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_dynamics as rd
from rnn_dynamics import train
from rnn_dynamics.train.objective import draw

TASK, SGD = train.tasks.adding(5), optax.sgd(0.1)
SETTINGS = {"steps": 4, "every": 2, "hidden": 3, "batch": 2, "held_out": 4}


@pytest.fixture
def moment(key):
    """A moment of an LSTM, with the examples that `fit` would hold out."""
    net = train.init_net(rd.cells.lstm, TASK, key=key, hidden=3)
    examples = draw(TASK, jax.random.split(key, 4))
    return train.Moment(rd.cells.lstm, TASK, net, examples, key, jnp.asarray(0, jnp.int32))


def test_probes_are_the_measurements_averaged_over_examples(moment):
    problems = [train.problem(moment, i) for i in range(4)]
    flows = [rd.gradient_flow(*problem).log_norm for problem in problems]
    np.testing.assert_allclose(train.probes.gradient_flow(4).measure(moment), np.mean(flows, axis=0), rtol=1e-9)
    first = rd.state_gradients(*problems[0], train.loss_along(moment))
    norms = np.sqrt(sum(np.asarray(leaf**2).sum(axis=1) for leaf in first))
    np.testing.assert_allclose(train.probes.state_gradients(1).measure(moment), np.log(norms), rtol=1e-9)
    spectra = [
        rd.lyapunov_spectrum(*p, k=2, key=jax.random.fold_in(moment.key, i)).exponents for i, p in enumerate(problems)
    ]
    found = train.probes.lyapunov(2, examples=4).measure(moment)
    np.testing.assert_allclose(found["exponents"], np.mean(spectra, axis=0), rtol=1e-8)
    np.testing.assert_allclose(found["stderr"], np.std(spectra, axis=0, ddof=1) / 2, rtol=1e-6)
    assert found["reliable"].shape == (2,)
    radii = [rd.eigen.spectral_radius(part.W) for part in moment.net.cell]
    np.testing.assert_allclose(train.probes.spectral_radius().measure(moment), radii, rtol=1e-10)


def test_contributions_sum_to_the_gradient(moment):
    found = train.probes.contributions().measure(moment)
    assert found.shape == (5, 5)
    assert (np.asarray(found[:-1]) == 0).all()  # the loss counts at the last step alone
    assert (np.asarray(found[-1]) > 0).all()


def test_gates_of_known_parameters(moment):
    def shut(part, bias):
        return part._replace(W=0 * part.W, U=0 * part.U, b=jnp.full(3, bias))

    cell = moment.net.cell
    still = cell._replace(input=shut(cell.input, -9.0), forget=shut(cell.forget, 9.0), output=shut(cell.output, 0.0))
    found = train.probes.gates(2).measure(moment._replace(net=moment.net._replace(cell=still)))
    assert (found["input_shut"], found["input_open"], found["forget_open"], found["output_shut"]) == (1, 0, 1, 0)
    np.testing.assert_allclose(found["forget_mean"], 1 / (1 + np.exp(-9)), rtol=1e-12)
    np.testing.assert_allclose(found["output_mean"], 0.5)
    with pytest.raises(TypeError, match="params: got Affine, which has no gates"):
        rd.cells.gates(cell.forget, jnp.zeros(3), jnp.zeros(2))


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
        "size": lambda moment: jnp.stack([jnp.sum(moment.net.readout.V**2), moment.step.astype(float)]),
    }
    found = train.fit(rd.cells.elman, TASK, SGD, key=key, probes=probes, **SETTINGS)
    data = train.dataset(found, probes)
    assert dict(data.sizes) == {"step": 4, "recorded": 3, "lag": 6, "index": 2, "size_0": 2}
    assert data.flow.units == "nats"
    assert data.spectrum_exponents.dims == ("recorded", "index")
    np.testing.assert_array_equal(data["size"][:, 1], [0, 2, 4])
    np.testing.assert_array_equal(data.recorded, [0, 2, 4])
    np.testing.assert_array_equal(data.step, [1, 2, 3, 4])
    assert data.attrs == {"updates": 4, "outcome": "ended"}
    np.testing.assert_array_equal(data.loss, found.loss)
    # the last look is at the net that is returned
    np.testing.assert_allclose(data["size"][-1, 0], jnp.sum(found.net.readout.V**2))


def test_more_examples_than_are_held_out(key):
    probes = {"flow": train.probes.gradient_flow(9)}
    with pytest.raises(ValueError, match="examples: got 9, but the net is looked at with held_out = 4"):
        train.fit(rd.cells.elman, TASK, SGD, key=key, probes=probes, **SETTINGS)


def test_the_same_probe_again_is_the_same_object():
    assert train.probes.lyapunov(2) is train.probes.lyapunov(k=2)
    assert train.probes.gates() is train.probes.gates(16)
