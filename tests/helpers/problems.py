"""Small problems over every registered cell, and the plain references that the fast measurements are judged by."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import rnn_dynamics as rd


class RandomMap(NamedTuple):
    """A smooth map that is no cell: no symmetry, no structure, nothing that a measurement could lean on."""

    name: str = "random map"

    def init(self, key, *, inputs, hidden, gain):
        sizes = (hidden, hidden), (hidden, hidden), (hidden, inputs)
        draw = [jax.random.normal(k, size) for k, size in zip(jax.random.split(key, 3), sizes, strict=True)]
        return {"A": gain * draw[0], "B": draw[1], "C": draw[2]}

    def initial_state(self, params):
        return {"h": jnp.zeros(len(params["A"]))}

    def output(self, state):
        return state["h"]

    def step(self, params, state, x):
        h = state["h"]
        return {"h": params["A"] @ jnp.sin(params["B"] @ h + params["C"] @ x) / 2 + 0.1 * h**2}


# measurements know no cell. A saturating one, one with gates and two parts, a complex one, one without a gradient, and
# what is no cell at all stand for every step; `test_product.py` and the contract in tests/cells see all cells
KINDS = {name: rd.cells.CELLS[name] for name in ("elman", "lstm", "lru", "threshold")} | {"random": RandomMap()}
every_kind = pytest.mark.parametrize("cell", [pytest.param(cell, id=name) for name, cell in KINDS.items()])
every_cell = pytest.mark.parametrize("cell", [pytest.param(cell, id=name) for name, cell in rd.cells.CELLS.items()])


def problem(cell, key, *, hidden=3, inputs=2, T=5, gain=1.4):
    """Parameters, a state off zero, and inputs."""
    key_params, key_xs = jax.random.split(key)
    params = cell.init(key_params, inputs=inputs, hidden=hidden, gain=gain)
    h0 = jax.tree.map(lambda leaf: leaf + 0.3, cell.initial_state(params))
    xs = jax.random.normal(key_xs, (T, inputs)) if inputs else None
    return params, h0, xs


def explicit_products(cell, params, h0, xs, T):
    """∂h_T/∂h_{T-ℓ} for ℓ = 0 .. T as dense matrices, from stacked step Jacobians."""
    Js = np.asarray(rd.step_jacobians(cell.step, params, h0, xs, length=T))
    products = [np.eye(Js.shape[1])]
    for J in Js[::-1]:
        products.append(products[-1] @ J)
    return products, Js


def in_long_arithmetic(Js, digits, what):
    """`what` (a function of mpmath) of the product J_T ··· J_1, formed with this many digits."""
    with mpmath.workdps(digits):
        P = mpmath.eye(Js.shape[1])
        for J in Js:
            P = mpmath.matrix(J.tolist()) * P
        return np.array([float(mpmath.log(abs(value))) for value in what(P)])


def log(x):
    """Natural logarithm with -inf for 0."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def assert_trees_close(left, right, rtol=1e-10, atol=1e-13):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), left, right)
