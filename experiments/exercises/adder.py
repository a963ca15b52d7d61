"""A binary adder of three hard-threshold units and its smooth surrogate, by hand and by the toolkit.

    h_t = H(W h_{t-1} + U x_t + b)      y_t = H(V h_t + b_y)      H(z) = 1 for z > 0, else 0

Unit k is on when the two bits and the carry add up to at least k. So the carry is the second unit, and y_t is the bit
of the sum, least significant first. H′ = 0 wherever it exists, so gradient descent cannot move; the surrogate
σ(β(W h + U x + b)) has a gradient.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd

W, U, B = np.array([[0.0, 1.0, 0.0]] * 3), np.ones((3, 2)), np.array([-0.5, -1.5, -2.5])
V, B_Y = np.array([1.0, -1.0, 1.0]), -0.5


def logistic(z: Any) -> Any:
    """Compute σ(z) in numpy."""
    return 1 / (1 + np.exp(-z))


def all_pairs(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the bits of all pairs of numbers, (pairs, T, 2), and of their sums, (pairs, T), least significant first.

    T = bits + 1: the inputs of the last step are zero, and its output is the last carry.
    """
    places = np.arange(bits + 1)
    numbers = np.stack(np.divmod(np.arange(4**bits), 2**bits))
    x = numbers.T[:, None, :] >> places[:, None] & 1
    right = numbers.sum(axis=0)[:, None] >> places & 1
    return x.astype(float), right.astype(float)


def by_hand(bits: int, phi: Callable[[np.ndarray], np.ndarray], slope: float) -> tuple[np.ndarray, float]:
    """Return the outputs for all pairs, and ‖∂L/∂(W, U, b)‖ for the mean squared error to the flipped bits.

    With flipped bits as targets, L = 1 for a perfect adder, so a zero gradient does not come from a minimum. φ(1 - φ)
    is the derivative of the logistic φ; for φ = H, which is 0 or 1, it is 0, as H′ is.
    """
    x, right = all_pairs(bits)
    pairs, T = right.shape
    h, y = np.zeros((T + 1, pairs, 3)), np.zeros((T + 1, pairs))
    for t in range(1, T + 1):
        h[t] = phi(slope * (h[t - 1] @ W.T + x[:, t - 1] @ U.T + B))
        y[t] = phi(slope * (h[t] @ V + B_Y))
    z_bar, in_W, in_U, in_b = np.zeros((pairs, 3)), np.zeros_like(W), np.zeros_like(U), np.zeros_like(B)
    for t in range(T, 0, -1):
        r_bar = 2 * (y[t] - (1 - right[:, t - 1])) / right.size * slope * y[t] * (1 - y[t])
        h_bar = r_bar[:, None] * V + z_bar @ W
        z_bar = h_bar * slope * h[t] * (1 - h[t])
        in_W += z_bar.T @ h[t - 1]
        in_U += z_bar.T @ x[:, t - 1]
        in_b += z_bar.sum(axis=0)
    return y[1:].T, float(np.sqrt(sum(np.sum(part**2) for part in (in_W, in_U, in_b))))


@partial(jax.jit, static_argnums=(0, 1, 2))
def by_toolkit(bits: int, cell: rd.cells.Cell, phi: Any, slope: Any, b: Any) -> tuple[jax.Array, jax.Array]:
    """Compute the same by unrolling the cell over all pairs at once and by reverse mode; b replaces (-½, -1½, -2½)."""
    x, right = map(jnp.asarray, all_pairs(bits))

    def loss(params: rd.cells.Affine) -> tuple[jax.Array, jax.Array]:
        scaled = jax.tree.map(lambda leaf: slope * leaf, params)
        h = jax.vmap(lambda x: rd.unroll(cell.step, scaled, jnp.zeros(3), x))(x)
        y = phi(slope * (h @ jnp.asarray(V) + B_Y))
        return jnp.mean((y - (1 - right)) ** 2), y

    params = rd.cells.Affine(W=jnp.asarray(W), U=jnp.asarray(U), b=jnp.asarray(b))
    gradient, y = jax.grad(loss, has_aux=True)(params)
    return y, jnp.linalg.norm(jnp.concatenate([leaf.ravel() for leaf in gradient]))


def surrogate(bits: int, slope: float, b: np.ndarray = B) -> tuple[np.ndarray, float]:
    """Return the outputs of the logistic net with that slope, and the norm of its gradient."""
    cell, phi = rd.cells.make_elman("logistic"), rd.cells.activations.logistic
    y, norm = by_toolkit(bits, cell, phi, slope, b)
    return np.asarray(y), float(norm)


def wrong(bits: int, y: Any) -> int:
    """Return how many pairs have a bit on the wrong side of ½."""
    return int(np.any((np.asarray(y) > 0.5) != (all_pairs(bits)[1] > 0.5), axis=1).sum())
