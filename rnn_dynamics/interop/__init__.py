"""Networks of other frameworks as cells of ours, verified against the original.

    net = rd.interop.from_torch(module)                       # a cell of rd.cells and its parameters
    rd.gradient_flow(*net.problem(xs))

A live cell of a JAX framework needs no conversion to be measured: one line makes it a step.

    step = lambda cell, h, x: cell(x, h)                      # Equinox; params: the cell itself
    step = lambda p, h, x: cell.apply(p, h, x)[0]             # Flax linen; params: cell.init(key, h, x)
    step = lambda p, h, x: nnx.merge(graph, p)(h, x)[0]       # Flax nnx; graph, params = nnx.split(cell)
    step = lambda p, h, x: core.apply(p, x, h)[1]             # Haiku; params: core.init(key, x, h), where
    core = hk.without_apply_rng(hk.transform(lambda x, h: hk.GRU(64)(x, h)))

    def step(_, states, x):                                   # Keras; params: None, states: a list of its states
        return [state[0] for state in cell(x[None], [state[None] for state in states])[1]]

The state is what the framework's cell has: (h, c) of an LSTM in Equinox, Haiku and Keras, (c, h) in Flax. Weights that
a step captures, as the last one does (and `lambda _, h, x: cell(h, x)[0]` with an nnx cell), are read anew by each
measurement, so that it sees what training has made of them.
"""

from collections.abc import Callable

from .equinox_cells import from_equinox, to_equinox
from .flax_cells import from_flax
from .flax_export import to_flax
from .haiku_cores import from_haiku
from .haiku_export import to_haiku
from .imported import Imported, MismatchError, Verification
from .keras_export import to_keras
from .keras_layers import from_keras
from .pytorch import from_torch
from .pytorch_export import to_torch
from .weight_files import load

# the importers that take a flat dict of arrays or the path of a file of them, by the name of their framework
LAYOUTS: dict[str, Callable[..., Imported]] = {
    "torch": from_torch,
    "flax": from_flax,
    "equinox": from_equinox,
    "haiku": from_haiku,
    "keras": from_keras,
}

__all__ = [
    "LAYOUTS",
    "Imported",
    "MismatchError",
    "Verification",
    "from_equinox",
    "from_flax",
    "from_haiku",
    "from_keras",
    "from_torch",
    "load",
    "to_equinox",
    "to_flax",
    "to_haiku",
    "to_keras",
    "to_torch",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
