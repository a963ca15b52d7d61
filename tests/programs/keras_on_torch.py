"""Import a Keras layer whose backend is PyTorch, and turn a cell into one; print how the import was verified."""

import os

os.environ["KERAS_BACKEND"] = "torch"
import jax
import keras

import rnn_dynamics as rd

layer = keras.layers.GRU(4)
layer.build((None, None, 3))
print(rd.interop.from_keras(layer).verification.how)
cell = rd.cells.lstm
exported = rd.interop.to_keras(cell, cell.init(jax.random.key(0), inputs=3, hidden=4))
print(exported.units, keras.backend.backend())
