"""How far the gates of a cell are open: σ of every affine map of its parameters but the candidate's."""

from typing import Any

from jaxtyping import Array, Float

from .activations import logistic
from .affine import Affine, affine
from .contract import Params

CANDIDATES = ("candidate", "cell")


def gates(params: Params, shown: Float[Array, " hidden"], x: Any) -> dict[str, Float[Array, " hidden"]]:
    """{name: values in (0, 1)} for GRU, LSTM, MGU and JANET parameters; `shown` is h, which the gates see.

    For a stack call it with the parameters of one layer.
    """
    parts = {name: getattr(params, name) for name in getattr(params, "_fields", ())}
    found = {name: part for name, part in parts.items() if isinstance(part, Affine) and name not in CANDIDATES}
    if not found or not parts.keys() & set(CANDIDATES):
        raise TypeError(f"params: got {type(params).__name__}, which has no gates; expected those of a gated cell")
    return {name: logistic(affine(part, shown, x)) for name, part in found.items()}
