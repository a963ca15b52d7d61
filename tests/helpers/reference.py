"""The cells once more in plain numpy, from the papers' equations, as an independent judge.

Arrays may be complex, so that a derivative by a complex step, Im f(a + ih)/h with h = 1e-30, has no cancellation and
is exact to rounding: gradients without any automatic differentiation.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Tree = dict[str, Any]


def sigma(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def net(p: Tree, h: np.ndarray, x: np.ndarray) -> np.ndarray:
    return p["W"] @ h + p["U"] @ x + p["b"]


def linear(p, h, x):
    return net(p, h, x)


def elman(p, h, x):
    return np.tanh(net(p, h, x))


def leaky_logistic(p, h, x):
    return 0.7 * h + 0.3 * sigma(net(p, h, x))


def rate(p, h, x):
    return p["W"] @ np.tanh(h) + p["U"] @ x + p["b"]


def rate_flow(p, h, x):
    def velocity(h):
        return -h + p["W"] @ np.tanh(h) + p["U"] @ x + p["b"]

    dt = 0.1
    k1 = velocity(h)
    k2 = velocity(h + dt * k1 / 2)
    k3 = velocity(h + dt * k2 / 2)
    k4 = velocity(h + dt * k3)
    return h + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6


def make_gru(update: str, reset: str) -> Callable:
    def step(p, h, x):
        z = sigma(net(p["update"], h, x))
        r = sigma(net(p["reset"], h, x))
        c = p["candidate"]
        if reset == "before":
            n = np.tanh(c["W"] @ (r * h) + c["U"] @ x + c["b"])
        else:
            n = np.tanh(r * (c["W"] @ h + p["recurrent_bias"]) + c["U"] @ x + c["b"])
        return z * h + (1 - z) * n if update == "keep" else (1 - z) * h + z * n

    return step


def lstm(p, state, x):
    h, c = state["h"], state["c"]
    i, f, o = (sigma(net(p[gate], h, x)) for gate in ("input", "forget", "output"))
    c = f * c + i * np.tanh(net(p["cell"], h, x))
    return {"h": o * np.tanh(c), "c": c}


def projected_lstm(p, state, x):
    h, c = state["h"], state["c"]
    i, f, o = (sigma(net(p[gate], h, x)) for gate in ("input", "forget", "output"))
    c = f * c + i * np.tanh(net(p["cell"], h, x))
    return {"h": p["P"] @ (o * np.tanh(c)), "c": c}


def mgu(p, h, x):
    f = sigma(net(p["forget"], h, x))
    return (1 - f) * h + f * np.tanh(net(p["candidate"], f * h, x))


def janet(p, h, x):
    s = net(p["forget"], h, x)
    return sigma(s) * h + (1 - sigma(s - 1)) * np.tanh(net(p["candidate"], h, x))


def antisymmetric(p, h, x):
    skewed = p["W"] - p["W"].T - 0.01 * np.eye(len(h))
    return h + 0.01 * np.tanh(skewed @ h + p["U"] @ x + p["b"])


def cornn(p, state, x):
    y, z, dt = state["y"], state["z"], 0.042
    force = np.tanh(net(p["position"], y, x) + p["V"] @ z) - 2.7 * y - 4.7 * z
    z = z + dt * force
    return {"y": y + dt * z, "z": z}


def complex_step_gradient(function: Callable[[Tree], complex], p: Tree) -> Tree:
    """∂function/∂p for every number in the tree of arrays `p`."""

    def perturbed(path: tuple[str, ...], index: tuple[int, ...], tree: Tree) -> Tree:
        head, *rest = path
        if rest:
            return tree | {head: perturbed(tuple(rest), index, tree[head])}
        shifted = tree[head].astype(complex)
        shifted[index] += 1e-30j
        return tree | {head: shifted}

    def gradient(path: tuple[str, ...], leaf: Any) -> Any:
        if isinstance(leaf, dict):
            return {name: gradient((*path, name), child) for name, child in leaf.items()}
        result = np.zeros(leaf.shape)
        for index in np.ndindex(leaf.shape):
            result[index] = np.imag(function(perturbed(path, index, p))) / 1e-30
        return result

    return gradient((), p)
