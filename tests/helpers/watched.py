"""A linear net of known gradients, and a watch of it."""

import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd
from rnn_dynamics.cells.affine import Affine

T = 20
XS = np.random.default_rng(0).normal(size=(3, T, 1))


def linear(*diagonal, fault=None):
    """h' = W h + U x with a diagonal W: the Jacobian of every step is W."""
    b = jnp.zeros(len(diagonal)) if fault is None else jnp.full(len(diagonal), fault)
    return Affine(jnp.diag(jnp.array(diagonal)), jnp.ones((len(diagonal), 1)), b)


def healthy():
    return linear(0.99, 0.985, 0.98, 0.97)


def vanishing():
    return linear(0.6, 0.4, 0.3, 0.2)


def exploding():
    return linear(1.5, 1.4, 1.1, 0.2)


def watching(**options):
    return rd.watch(XS, **{"every": 1, "horizon": T, "cell": rd.cells.linear} | options)
