"""Plots of results as they come from a measurement, single or vmapped."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from learning import fit

import rnn_dynamics as rd
from rnn_dynamics import plot, train

TEN = np.log(10)
DECAY = jnp.array([0.9, 0.8, 0.7])[:, None, None] * jnp.eye(2)[None]


def flow(W, **options):
    return rd.gradient_flow(lambda W, h, x: W @ h, W, jnp.ones(2), None, length=12, **options)


def spectrum(W):
    return rd.lyapunov_spectrum(lambda W, h, x: W @ h, W, jnp.ones(2), None, length=100)


def test_a_flow_is_its_2_norm_over_its_lags(axes, named):
    plot.gradient_flow(axes, flow(DECAY[0], lags=5), label="one")
    expected = [[lag, lag * np.log(0.9) / TEN] for lag in range(6)]
    np.testing.assert_allclose(named("one")[0].get_xydata(), expected, atol=1e-6)
    assert not axes.collections


def test_a_batch_of_flows_is_a_median_with_a_band(axes, named):
    plot.gradient_flow(axes, jax.vmap(flow)(DECAY), label="three")
    np.testing.assert_allclose(named("three")[0].get_ydata(), np.arange(13) * np.log(0.8) / TEN, atol=1e-6)
    assert len(axes.collections) == 1


def test_a_flow_without_2_norms_is_drawn_by_its_frobenius_norms(axes, named):
    plot.gradient_flow(axes, flow(DECAY[0], curves=("frobenius",)), label="one")
    assert named("one")[0].get_ydata()[0] == pytest.approx(np.log(2) / 2 / TEN)
    assert axes.get_ylabel().endswith("_F$")
    with pytest.raises(ValueError, match="log_norms: got a GradientFlow without norms"):
        plot.gradient_flow(axes, flow(DECAY[0], curves=("bound",)))


def test_norms_that_may_be_too_low_are_counted(axes, notes):
    found = jax.vmap(flow)(DECAY)
    plot.gradient_flow(axes, found)
    assert not notes()
    plot.gradient_flow(axes, found._replace(converged=found.converged.at[1, 3:5].set(False)))
    assert notes() == ["may be too low, 2 of 39 2-norms"]


def test_a_batch_of_spectra_is_a_median_with_a_band(axes, named):
    plot.lyapunov_spectrum(axes, jax.vmap(spectrum)(DECAY), label="three")
    np.testing.assert_allclose(named("three")[0].get_xydata(), [[1, np.log(0.8)], [2, np.log(0.8)]], atol=1e-6)
    assert len(axes.collections) == 1


def test_unreliable_exponents_of_a_batch_are_counted(axes, notes):
    found = jax.vmap(spectrum)(DECAY)
    plot.lyapunov_spectrum(axes, found._replace(reliable=found.reliable.at[1, 0].set(False)))
    assert notes() == ["not reliable, 1 of 6 exponents"]


def test_angles_of_covariant_vectors_as_shares(axes, named, notes):
    # the eigenvectors (1, 0) and (1, -1) of this W are 45 degrees apart at all times
    W = jnp.array([[2.0, 1.0], [0.0, 1.0]])
    found = rd.covariant_vectors(lambda W, h, x: W @ h, W, jnp.ones(2), None, length=70, frame_burn_in=30, tail=30)
    assert plot.covariant_vectors(axes, found) is axes
    (line,) = named("1 and 2")
    x, y = line.get_xydata().T
    assert set(np.round(x, 4)) == {0, 45, 90}
    assert (y[x < 44] == 0).all()
    assert y[-1] == 1
    assert not notes()
    with pytest.raises(ValueError, match="vectors: got 1 vector, expected at least two"):
        plot.covariant_vectors(axes, found._replace(angles=found.angles[:, :1, :1]))


def test_samples_without_an_angle_are_noted(axes, notes):
    W = jnp.array([[2.0, 1.0], [0.0, 1.0]])
    found = rd.covariant_vectors(lambda W, h, x: W @ h, W, jnp.ones(2), None, length=70, frame_burn_in=30, tail=30)
    plot.covariant_vectors(axes, found._replace(angles=found.angles.at[0].set(jnp.nan)))
    assert notes() == [f"1 and 2: not finite in 1 of {len(found.times)} samples"]
    plot.covariant_vectors(axes, found._replace(reliable=found.reliable.at[1].set(False)))
    assert notes()[1:] == ["not reliable, 1 of 2 vectors"]


def test_a_training_with_its_batches_and_looks(axes, named, notes, key):
    task = train.tasks.adding(5)
    trained = fit(rd.cells.elman, task, optax.sgd(0.01), key=key, updates=6, every=3, hidden=3, batch=4, held_out=4)
    plot.training(axes, trained, label="net")
    np.testing.assert_allclose(named("net")[0].get_xydata(), np.stack([np.arange(1, 7), trained.loss], axis=1))
    np.testing.assert_allclose(named("_held out")[0].get_xdata(), [0, 3, 6])
    assert axes.get_yscale() == "log"
    assert notes() == ["line: each batch; dots: held-out examples"]
    stopped = trained._replace(outcome=jnp.int32(2), updates=jnp.int32(4))
    plot.training(axes, stopped)
    assert "stopped before an update that was not finite, after 4 updates" in notes()
