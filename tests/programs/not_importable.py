"""Sweep by an executor with functions that a worker cannot import, and print the errors."""

import concurrent.futures

import jax

import rnn_dynamics as rd


def local():
    def measure(key, gain):
        return {"a": gain}

    return measure


for function in (local(), lambda key, gain: {"a": gain}):
    try:
        rd.sweep(function, {"gain": [1.0]}, key=jax.random.key(0), executor=concurrent.futures.ThreadPoolExecutor(1))
    except TypeError as error:
        print(error)
