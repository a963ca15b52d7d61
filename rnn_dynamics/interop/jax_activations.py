"""Which activations of ours the functions of JAX are.

A function is recognised by what it is, not by its values: a straight-through estimator has the values of one function
and the derivative of another.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..cells.activations import ACTIVATIONS

NAMES: dict[Callable[..., Any], str] = {
    jnp.tanh: "tanh",
    jax.nn.tanh: "tanh",
    jax.lax.tanh: "tanh",
    jax.nn.sigmoid: "logistic",
    jax.lax.logistic: "logistic",
    jax.nn.relu: "relu",
    jax.nn.softplus: "softplus",
    jax.nn.identity: "identity",
    jax.lax.erf: "erf",
    **{function: name for name, function in ACTIVATIONS.items()},
}


def activation_of(function: Callable[..., Any]) -> str | Callable[..., Any]:
    """Return the name of our activation, or the function itself, which an Elman cell takes as it is."""
    try:
        return NAMES.get(function, function)
    except TypeError:
        raise TypeError(f"activation_fn: got {function!r}, which cannot be hashed; expected a plain function") from None


def require_gates(gate: Callable[..., Any], candidate: Callable[..., Any]) -> None:
    """Raise unless the gates are logistic and the candidate is tanh, as in all gated cells of ours."""
    for name, function, wanted in (("gate_fn", gate, "logistic"), ("activation_fn", candidate, "tanh")):
        if activation_of(function) != wanted:
            right = "jax.nn.sigmoid" if wanted == "logistic" else "jnp.tanh"
            raise ValueError(
                f"{name}: got {getattr(function, '__name__', function)!r}, expected {right}, since our gated "
                "cells have no other; help(rd.interop) shows how to measure it as it is"
            )
