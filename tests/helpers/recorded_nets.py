"""The nets that PyTorch recorded in tests/interop/torch_nets.safetensors (tests/programs/make_torch_nets.py)."""

from pathlib import Path

import rnn_dynamics as rd

FILE = Path(__file__).parent.parent / "interop" / "torch_nets.safetensors"
NETS: dict[str, dict] = {}
for _name, _array in rd.interop.load(FILE).items():
    _case, _key = _name.split("/")
    NETS.setdefault(_case, {})[_key] = _array
ONE_WAY = [case for case in NETS if not case.endswith("_both_directions")]


def weights(case):
    """The state dict, with a prefix as in a model."""
    return {name: array for name, array in NETS[case].items() if name.startswith("rnn.")}


def recorded(case):
    return NETS[case]["inputs"], NETS[case]["outputs"]


def nonlinearity(case):
    return ("relu" if "relu" in case else "tanh") if case.startswith("rnn") else None


def imported(case, arrays=None, **options):
    """The import of a case, or of other arrays in its place, compared with what was recorded."""
    options = {"recorded": recorded(case), "nonlinearity": nonlinearity(case), **options}
    return rd.interop.from_torch(weights(case) if arrays is None else arrays, **options)


def flat_state(net, numbers):
    """Our state from its numbers in order: h and c of layer 0, then of layer 1, ..."""
    import jax
    import jax.numpy as jnp
    from jax.flatten_util import ravel_pytree

    zeros = net.h0
    assert jax.tree.leaves(zeros)
    return ravel_pytree(zeros)[1](jnp.asarray(numbers, jax.tree.leaves(zeros)[0].dtype))
