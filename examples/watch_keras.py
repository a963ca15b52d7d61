"""Watch the gradients of a Keras LSTM while `fit` teaches it to add two marked numbers.

KERAS_BACKEND=jax python examples/watch_keras.py
"""

from typing import Any

import keras
import numpy as np

import rnn_dynamics as rd

STEPS, BATCH, UNITS = 30, 32, 32


def examples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw sequences of values and marks, and the sum of the two marked values."""
    random, row = np.random.default_rng(seed), np.arange(count)
    values, marks = random.random((count, STEPS)), np.zeros((count, STEPS))
    marks[row, random.integers(0, STEPS // 2, count)] = 1
    marks[row, random.integers(STEPS // 2, STEPS, count)] = 1
    return np.stack([values, marks], axis=2).astype(np.float32), (values * marks).sum(axis=1).astype(np.float32)


def main(updates: int = 600, every: int = 100, to: Any = ()) -> Any:
    keras.utils.set_random_seed(0)
    lstm = keras.layers.LSTM(UNITS)
    model = keras.Sequential([keras.Input((STEPS, 2)), lstm, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1e-2, clipnorm=1.0), "mse")
    held_out, _ = examples(4, seed=1)
    watch = rd.watch(held_out, every=every, horizon=STEPS, to=to)
    inputs, targets = examples(BATCH * updates, seed=2)
    model.fit(inputs, targets, BATCH, verbose=0, callbacks=[watch.keras_callback(lstm)])
    return watch


if __name__ == "__main__":
    dataset = main().dataset
    print(dataset[["log_norm", "gate_mean", "finding"]])
    print(dataset.log_norm.isel(lag=-1).median("sequence").values)
