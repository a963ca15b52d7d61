"""Recurrent maps as pure functions (`init`, `initial_state`, `step`, `output`), one family per file."""

from . import activations, initializers
from .affine import Affine
from .antisymmetric import antisymmetric, make_antisymmetric
from .contract import Cell, Step, pure
from .cornn import CoRNNParams, CoRNNState, cornn, make_cornn
from .elman import elman, make_elman
from .gates import gates
from .gru import GRUParams, gru, make_gru
from .indrnn import IndRNNParams, indrnn, make_indrnn
from .janet import janet, make_janet
from .linear import linear
from .lru import LRUParams, lru, lru_eigenvalues
from .lstm import LSTMParams, LSTMState, lstm
from .mgu import OneGateParams, mgu
from .orthogonal import OrthogonalParams, as_affine, make_orthogonal, orthogonal
from .projected_lstm import ProjectedAffine, ProjectedLSTMParams, ProjectedLSTMState, projected_lstm
from .rate import make_rate, make_rate_flow, rate
from .stack import stack
from .threshold import threshold

CELLS: dict[str, Cell] = {
    "linear": linear,
    "elman": elman,
    "rate": rate,
    "gru": gru,
    "lstm": lstm,
    "threshold": threshold,
    "mgu": mgu,
    "janet": janet,
    "antisymmetric": antisymmetric,
    "cornn": cornn,
    "indrnn": indrnn,
    "lru": lru,
    "orthogonal": orthogonal,
}

# their steps capture no arrays, so that a measurement traces them once
for _cell in (*CELLS.values(), projected_lstm):
    pure(_cell.step)

__all__ = [
    "CELLS",
    "Affine",
    "Cell",
    "CoRNNParams",
    "CoRNNState",
    "GRUParams",
    "IndRNNParams",
    "LRUParams",
    "LSTMParams",
    "LSTMState",
    "OneGateParams",
    "OrthogonalParams",
    "ProjectedAffine",
    "ProjectedLSTMParams",
    "ProjectedLSTMState",
    "Step",
    "activations",
    "antisymmetric",
    "as_affine",
    "cornn",
    "elman",
    "gates",
    "gru",
    "indrnn",
    "initializers",
    "janet",
    "linear",
    "lru",
    "lru_eigenvalues",
    "lstm",
    "make_antisymmetric",
    "make_cornn",
    "make_elman",
    "make_gru",
    "make_indrnn",
    "make_janet",
    "make_orthogonal",
    "make_rate",
    "make_rate_flow",
    "mgu",
    "orthogonal",
    "projected_lstm",
    "pure",
    "rate",
    "stack",
    "threshold",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
