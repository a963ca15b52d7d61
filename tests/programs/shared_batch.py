"""Train on two devices that share each batch, and on one; compare."""

import jax
import numpy as np
import optax

import rnn_dynamics as rd
from rnn_dynamics import train


def fit(**more):
    return train.fit(
        rd.cells.lstm,
        train.tasks.adding(6),
        optax.sgd(0.1),
        key=jax.random.key(0),
        updates=4,
        hidden=8,
        batch=6,
        unrolling=train.Unrolling(clip_each_step=0.01, noise=0.1),
        evaluation=train.Evaluation(every=2, examples=3),
        **more,
    )


shared, alone = fit(), fit(execution=train.Execution(devices=jax.devices()[:1]))
ours, theirs = (found.net.params.cell.W for found in (shared, alone))
assert len(jax.devices()) == len(ours.devices()) == 2
np.testing.assert_allclose(shared.loss, alone.loss, rtol=1e-5)
np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
