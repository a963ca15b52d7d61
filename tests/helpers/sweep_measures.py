"""Measures that workers can import, and problems around them."""

import os
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_dynamics.sweeps import Variable, described


@described(
    norm=Variable("1", "Frobenius norm of a random matrix"),
    path=Variable("nats", "logarithms along a trajectory", dims=("time",)),
    gain=Variable("1", "scale of the matrix"),
)
def matrix(key: jax.Array, *, gain: jax.Array, n: int = 3) -> dict[str, jax.Array]:
    W = gain * jax.random.normal(key, (n, n)) / n**0.5
    h, path = jax.lax.scan(lambda h, _: ((h := jnp.tanh(W @ h)), jnp.log(jnp.linalg.norm(h))), jnp.ones(n), length=5)
    return {"norm": jnp.linalg.norm(W) + 0 * h.sum(), "path": path}


def ragged(key: jax.Array, *, n: int, gain: jax.Array) -> dict[str, jax.Array]:
    values = gain * jnp.arange(1.0, n + 1)
    return {"values": values, "positive": values > 0, "rank": jnp.arange(n), "draw": jax.random.normal(key)}


def counted(key: jax.Array, *, gain: jax.Array, big: bool = False) -> dict[str, jax.Array]:
    """Each computation of a point leaves a byte in the file COUNTED; a point takes PAUSE seconds."""

    def note(value: np.ndarray) -> np.ndarray:
        with open(os.environ["COUNTED"], "ab") as file:
            file.write(b".")
        time.sleep(float(os.environ.get("PAUSE", "0")))
        return np.asarray(value)

    seen = jax.pure_callback(note, jax.ShapeDtypeStruct((), gain.dtype), gain, vmap_method="sequential")
    # quickly compiled where little is enough; no two alike, and nothing that can be compressed
    noise = jax.random.bits(key, (20_000,), "uint32") if big else jax.random.key_data(key)
    return {"sum": jnp.sin(seen), "noise": noise}


def failing(key: jax.Array, *, gain: jax.Array, kind: str = "good") -> dict[str, jax.Array]:
    """Raises while traced for kind "bad"; is NaN at gain 2; raises while computed at gain 3."""
    if kind == "bad":
        raise ValueError("this kind is bad")

    def check(value: np.ndarray) -> np.ndarray:
        if value == 3:
            raise ArithmeticError("gain three will not do")
        return np.asarray(value)

    seen = jax.pure_callback(check, jax.ShapeDtypeStruct((), gain.dtype), gain, vmap_method="sequential")
    return {"value": jnp.where(seen == 2, jnp.nan, seen), "count": jnp.asarray(7)}


def twice(x: jax.Array) -> jax.Array:
    return 2 * x


def thrice(x: jax.Array) -> jax.Array:
    return 3 * x


def applied(key: jax.Array, *, function: Any, gain: jax.Array) -> dict[str, jax.Array]:
    return {"value": function(gain)}


@described(exponents=Variable("nats per step", "", ("index",)), largest=Variable("nats per step"))
def quick_lyapunov(
    key: jax.Array, *, cell: str, hidden: int, length: int, gain: jax.Array, drive: jax.Array
) -> dict[str, jax.Array]:
    """What the command line sweeps, in place of what takes its time to compile."""
    exponents = jnp.sort(gain * jax.random.normal(key, (hidden,)) + drive * length)[::-1]
    return {"exponents": exponents, "largest": exponents[0]}
