"""Train for a while with checkpoints in a folder ("none": without), and save the result: FOLDER FILE."""

import sys

import jax
import numpy as np
import optax

import rnn_dynamics as rd
from rnn_dynamics import train

folder, file = sys.argv[1:]
found = train.fit(
    rd.cells.gru,
    train.tasks.adding(20),
    optax.adam(1e-2),
    key=jax.random.key(0),
    updates=400,
    hidden=8,
    batch=4,
    evaluation=train.Evaluation(every=5, examples=4),
    execution=train.Execution(directory=None if folder == "none" else folder),
)
np.savez(file, *jax.tree.leaves(found))
