"""A report as data that JSON can hold: every number of the page, and the arrays behind the figures.

NaN becomes null, an infinite number the text "inf" or "-inf", a complex array one of real and one of imaginary parts.
"""

from collections.abc import Sequence
from typing import Any

from ..diagnosis.as_json import plain
from . import figures
from .network import Network


def data(networks: Sequence[Network], version: str) -> dict[str, Any]:
    """Return all that a report shows: the fields of each network, and the sentence of each of its figures."""
    return {"rnn_dynamics": version, "networks": [_data(network) for network in networks]}


def _data(network: Network) -> dict[str, Any]:
    # a changed network is a program and its parameters, and no number of the report
    remedies = tuple(remedy._replace(step=None, params=None) for remedy in network.diagnosis.remedies)
    fields = plain(network._replace(diagnosis=network.diagnosis._replace(remedies=remedies), eigenvalues={}))
    for remedy in fields["diagnosis"]["remedies"]:
        del remedy["step"], remedy["params"]
    blocks = {name: plain({"real": values.real, "imag": values.imag}) for name, values in network.eigenvalues.items()}
    sentences = {each.name: each.sentence(network) for each in figures.possible([network])}
    return {**fields, "eigenvalues": blocks, "figures": sentences}
