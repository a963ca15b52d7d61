"""A report as data that JSON can hold: every number of the page, and the arrays behind the figures.

NaN becomes null, an infinite number the text "inf" or "-inf", a complex array one of real and one of imaginary parts.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from ..diagnosis.as_json import plain
from ..fixed_points import FixedPoints
from ..machinery.state_vector import blocks, rows
from . import figures
from .network import Network, Rest

# fields of FixedPoints with n² numbers for each point, or without their place here
MATRICES = ("right", "left", "jacobians", "eigenvalues")


def data(networks: Sequence[Network], version: str) -> dict[str, Any]:
    """Return all that a report shows: the fields of each network, and the sentence of each of its figures."""
    return {"rnn_dynamics": version, "networks": [_data(network) for network in networks]}


def _data(network: Network) -> dict[str, Any]:
    # a changed network is a program and its parameters, and no number of the report
    remedies = tuple(remedy._replace(step=None, params=None) for remedy in network.diagnosis.remedies)
    kept = network._replace(diagnosis=network.diagnosis._replace(remedies=remedies), eigenvalues={}, rest=None)
    fields = plain(kept)
    for remedy in fields["diagnosis"]["remedies"]:
        del remedy["step"], remedy["params"]
    eigenvalues = {name: _complex(values) for name, values in network.eigenvalues.items()}
    sentences = {each.name: each.sentence(network) for each in figures.possible([network])}
    return {**fields, "eigenvalues": eigenvalues, "rest": _rest(network.rest), "figures": sentences}


def _rest(rest: Rest | None) -> Any:
    """Return the points and what is known of each, without the matrices and vectors of n² numbers."""
    if rest is None or rest.found is None:
        return None if rest is None else {"why_not": rest.why_not}
    found = rest.found
    kept = {name: plain(value) for name, value in found._asdict().items() if name not in (*MATRICES, "points")}
    points = {name: plain(rows(found.points)[:, at]) for name, at in _blocks(found).items()}
    return {"held": rest.held, **kept, "points": points, "eigenvalues": _complex(found.eigenvalues)}


def _blocks(found: FixedPoints) -> dict[str, slice]:
    return blocks(jax.tree.map(lambda leaf: np.asarray(leaf)[0], found.points)) if len(found.fixed) else {}


def _complex(values: Any) -> Any:
    values = np.asarray(values)
    return plain({"real": values.real, "imag": values.imag})
