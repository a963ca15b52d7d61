"""Measure how far the gates of a cell are open: σ of every affine map in its parameters except the candidate's."""

from typing import Any

from jaxtyping import Array, Float

from .activations import logistic
from .affine import Affine, affine
from .contract import Params
from .projected_lstm import ProjectedAffine
from .projected_lstm import affine as projected_affine

CANDIDATES = ("candidate", "cell")


def gates(params: Params, shown: Float[Array, " shown"], x: Any) -> dict[str, Float[Array, " hidden"]]:
    """Compute how far each gate of a GRU, LSTM, MGU or JANET cell is open.

        gate = σ(W h + U x + b)

    For a stack, call it with the parameters and the output of one layer.

    Args:
        params: The parameters of a gated cell: `GRUParams`, `LSTMParams`, `ProjectedLSTMParams` or `OneGateParams`.
        shown: h, shape (hidden,): the cell's output, which the gates receive. For an LSTM, `state.h`.
        x: The input, shape (inputs,), or None.

    Returns:
        The values of each gate in (0, 1), shape (hidden,), by the name of its field, such as "forget".

    Cost:
        O(hidden² + hidden inputs).

    Example:
        >>> params = rd.cells.lstm.init(key, inputs=1, hidden=1, gain=0.0)
        >>> values = rd.cells.gates(params, jnp.zeros(1), None)
        >>> {name: round(float(value[0]), 3) for name, value in values.items()}  # σ(0), σ(1), σ(0)
        {'input': 0.5, 'forget': 0.731, 'output': 0.5}
    """
    parts = {name: getattr(params, name) for name in getattr(params, "_fields", ())}
    maps = {name: part for name, part in parts.items() if isinstance(part, Affine | ProjectedAffine)}
    found = {name: part for name, part in maps.items() if name not in CANDIDATES}
    if not found or not parts.keys() & set(CANDIDATES):
        raise TypeError(f"params: got {type(params).__name__}, which has no gates; expected those of a gated cell")
    return {
        name: logistic(affine(part, shown, x) if isinstance(part, Affine) else projected_affine(part, shown, x))
        for name, part in found.items()
    }
