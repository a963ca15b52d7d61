"""A task of one's own: a function that draws examples, and a loss."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from learning import fit, plain_loop

import rnn_dynamics as rd
from rnn_dynamics import train


def repeated(key):
    """The input of the step before."""
    xs = jax.random.normal(key, (6, 2))
    return train.Example(xs, jnp.roll(xs, 1, axis=0), jnp.arange(6) > 0)


def test_a_task_of_ones_own_needs_examples_and_a_loss(key):
    task = train.make_task(repeated, train.squared_error)
    assert (task.inputs, task.outputs, task.length) == (2, 2, 6)
    found = fit(rd.cells.elman, task, optax.sgd(0.1), key=key, updates=2, hidden=3, batch=2, held_out=3)
    losses, _ = plain_loop(rd.cells.elman, task, optax.sgd(0.1), key=key, updates=2, batch=2, hidden=3)
    np.testing.assert_allclose(found.loss, losses, rtol=1e-9)
    assert np.isnan(found.correct).all()  # nothing says which answer is correct
    assert "correct" not in repr(found)
    with pytest.raises(ValueError, match="stop_when_solved: got True, expected a task with a level `solved`, not task"):
        fit(rd.cells.elman, task, optax.sgd(0.1), key=key, updates=2, hidden=3, stop_when_solved=True)


def test_a_task_of_classes_needs_their_number(key):
    def signs(key):
        xs = jax.random.normal(key, (6, 1))
        return train.Example(xs, (xs[:, 0] > 0).astype(int), jnp.ones(6, bool))

    with pytest.raises(ValueError, match="outputs: got None, expected the number of outputs"):
        train.make_task(signs, train.cross_entropy)
    task = train.make_task(signs, train.cross_entropy, outputs=2, correct=train.most_likely, solved=0.1, name="signs")
    found = fit(rd.cells.elman, task, optax.sgd(0.1), key=key, updates=2, hidden=3, batch=2, held_out=3)
    assert ((found.correct >= 0) & (found.correct <= 1)).all()


@pytest.mark.parametrize(
    ("sample", "loss", "message"),
    [
        (lambda key: 3, train.squared_error, "expected a function that returns an Example"),
        (lambda key: train.Example(jnp.ones(6), jnp.ones(6), jnp.ones(6, bool)), train.squared_error, "sample: got xs"),
        (lambda key: repeated(key)._replace(mask=jnp.ones(6)), train.squared_error, "mask of dtype float"),
        (lambda key: repeated(key)._replace(mask=jnp.ones(5, bool)), train.squared_error, r"\(5,\), expected \(T, inp"),
        (repeated, lambda answer, target: answer - target, "loss: returned .*expected one floating"),
        (repeated, lambda answer, target: 1, "loss"),
    ],
)
def test_what_is_no_task_is_named(sample, loss, message):
    with pytest.raises((TypeError, ValueError), match=message):
        train.make_task(sample, loss)
