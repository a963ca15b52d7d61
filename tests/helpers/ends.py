"""Ends of a search as a test wants them, described without searching."""

import jax
import jax.numpy as jnp
import numpy as np

from rnn_dynamics.fixed_points.points.describe import described
from rnn_dynamics.fixed_points.points.search import Search
from rnn_dynamics.fixed_points.problem import opened


def described_ends(step, params, ends, ending=2, candidates=None, xs=None, inputs=None, more=None):
    """What is said of ends of the search from `candidates`, by default from the ends themselves."""
    ends = np.asarray(ends)
    candidates = jax.tree.map(jnp.asarray, ends if candidates is None else candidates)
    more = ends[:0] if more is None else np.asarray(more)
    parts = {
        "vectors": ends,
        "ending": np.broadcast_to(ending, len(ends)),
        "input": np.zeros(len(ends), int) if inputs is None else np.asarray(inputs),
        "xs": xs,
        "more": more,
        "more_input": np.zeros(len(more), int),
    }
    # what else a search tells is not used in the description
    search = Search(**{name: parts.get(name, 0.0) for name in Search._fields})
    return described(opened(step, params, candidates, None if xs is None else xs[0]), search)
