"""Haiku: `LSTM`, `GRU`, `VanillaRNN` and a `DeepRNN` of them.

    LSTM          one kernel (inputs + units, 4 · units) for the input over h; gates i, g, f, o; 1 is added to f's
                  pre-activation when it runs, and so to our b_f; state (hidden, cell)
    GRU           gates z, r, a; reset before the product; z replaces the old state
    VanillaRNN    ReLU; both layers may have a bias, and ours is their sum

A core lives only inside `hk.transform`, so the live original is a function that makes it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import argument
from ..cells.contract import State
from .imported import Imported
from .layer_blocks import Layer, Original, from_original, gru_layer, lstm_layer, summed, vanilla_layer
from .named_arrays import Arrays, Form, are_arrays, import_arrays, named, only_for_arrays
from .weight_files import in_words

KINDS = ("lstm", "vanilla")


def _lstm(arrays: Arrays) -> Layer:
    kernel, b = np.asarray(arrays["linear/w"]).T, np.array(arrays["linear/b"], np.float64)
    units = len(kernel) // 4
    inputs = kernel.shape[1] - units
    if len(kernel) != 4 * units or inputs < 0 or b.shape != (4 * units,):
        raise ValueError(
            f"linear: got w {kernel.shape[::-1]} and b {b.shape}, expected (inputs + units, 4 units) and (4 units,)"
        )
    b[2 * units : 3 * units] += 1
    return lstm_layer(kernel[:, inputs:], kernel[:, :inputs], b, "igfo")


def _vanilla(arrays: Arrays) -> Layer:
    b = np.asarray(arrays["linear/b"])
    if "linear_1/b" in arrays:
        b = summed(b, arrays["linear_1/b"])
    return vanilla_layer(np.asarray(arrays["linear_1/w"]).T, np.asarray(arrays["linear/w"]).T, b, "relu")


def _gru(arrays: Arrays) -> Layer:
    W, U = np.asarray(arrays["w_h"]).T, np.asarray(arrays["w_i"]).T
    return gru_layer(W, U, arrays["b"], None, "zrn", update="replace", reset="before")


FORMS = {
    "lstm": Form(("linear/w", "linear/b"), ("linear/w", "linear/b"), _lstm, unlike=("linear_1/w",)),
    "vanilla": Form(
        ("linear_1/w", "linear/w"), ("linear/w", "linear/b", "linear_1/w"), _vanilla, optional=("linear_1/b",)
    ),
    "gru": Form(("w_h", "w_i"), ("w_h", "w_i", "b"), _gru),
}


def from_haiku(
    params: Any,
    core: Callable[[], Any] | None = None,
    *,
    kind: str | None = None,
    recorded: tuple[Any, Any] | None = None,
    verify: bool = True,
) -> Imported:
    """Turn Haiku's parameters into a cell of ours, and compare the two.

    Give the function that makes the core: it is run beside ours on random states and inputs, and if the outputs differ,
    that is an error. Without it, the layers are found by the names of their arrays.

    Args:
        params: What `hk.transform(...).init` returned, trained or not, also that of a larger net that contains the
            core; without `core` also a flat dict, a list of dicts in order, or a path to a .safetensors or .npz file.
        core: A function without arguments that makes the core, such as `lambda: hk.LSTM(128)`, a `DeepRNN` included;
            the name of the core must be the one in `params`.
        kind: "lstm" or "vanilla", needed without `core` if the name of the module says neither.
        recorded: Inputs (T, inputs) and the outputs (T, units) that the original gave from the state zero, or batches
            of them. Needed to verify arrays.
        verify: Whether to run a live core beside the import. Default: True.

    Returns:
        An `Imported` with our `cell`, its `params` and the `verification`.

    Cost:
        One compilation of the original and one of ours, for a batch of 7 sequences of 4 steps.

    Example:
        >>> import haiku as hk
        >>> params = {"lstm/linear": {"w": jnp.ones((5, 12)), "b": jnp.zeros(12)}}
        >>> rd.interop.from_haiku(params, core=lambda: hk.LSTM(3)).params.forget.b
        Array([1., 1., 1.], dtype=float32)
    """
    argument.flag("verify", verify)
    if not are_arrays(params):
        raise TypeError(f"params: got {type(params).__name__}, expected Haiku's dict of parameters")
    if core is not None:
        if not callable(core) or isinstance(core, type) or isinstance(params, list | tuple):
            raise TypeError(
                f"core: got {core!r}, expected a function such as lambda: hk.LSTM(128), and params as a dict"
            )
        only_for_arrays(kind=kind)
        original, paths = _original(params, core)
        return from_original("Haiku", original, recorded, of=f"called {', '.join(paths)}", verify=verify)
    forms = [FORMS["gru"]]
    if kind is not None:
        forms.append(FORMS[argument.choice("kind", kind, KINDS)])
    else:
        params, kinds = _by_name(params)
        forms += [FORMS[one] for one in kinds]
    return import_arrays("Haiku", params, forms, recorded)


def _by_name(params: Any) -> tuple[Any, list[str]]:
    """Return the arrays of modules whose names say what they are, and which kinds there are."""
    if isinstance(params, list | tuple):
        parts = [_by_name(one) for one in params]
        return [arrays for arrays, _ in parts], [kind for kind in KINDS if any(kind in kinds for _, kinds in parts)]
    flat = named(params)
    known = {"lstm": "lstm", "vanilla": "vanilla_rnn"}
    kinds = [kind for kind, name in known.items() if any(name in path for path in flat)]
    gru = any(path.endswith("w_h") for path in flat)
    if not kinds and not gru and any(path.endswith("linear/w") for path in flat):
        raise ValueError(
            f"kind: missing, since the names {in_words(sorted(flat))} do not say whether this is an LSTM or a "
            'VanillaRNN; give core=lambda: hk.LSTM(units), or kind="lstm" or "vanilla"'
        )
    # a readout is called linear, too
    names = [known[kind] for kind in kinds]
    kept = {path: array for path, array in flat.items() if "linear" not in path or any(name in path for name in names)}
    return kept, kinds


def _original(params: Any, core: Callable[[], Any]) -> tuple[Original, list[str]]:
    """Return the live core and the paths of its parts in the params."""
    import haiku as hk

    outer: list[Any] = []
    hk.transform(lambda: outer.append(core())).init(jax.random.key(0))
    flat = named(params)
    cores = [(one, _prefix(hk, one, flat)) for one in _cores(hk, outer[0])]
    layers = [_layer(hk, one, prefix + one.module_name, flat) for one, prefix in cores]
    live: dict[str, dict[str, Any]] = {}
    for one, prefix in cores:
        for path in flat:
            if path.startswith(f"{prefix}{one.module_name}/"):
                module, name = path.removeprefix(prefix).rsplit("/", 1)
                live.setdefault(module, {})[name] = flat[path]

    def unroll(xs: Any, state: Any) -> Any:
        outputs, _ = hk.dynamic_unroll(core(), jnp.swapaxes(xs, 0, 1), state)
        return jnp.swapaxes(outputs, 0, 1)

    apply = jax.jit(hk.without_apply_rng(hk.transform(unroll)).apply)

    def run(states: State, xs: Any) -> Any:
        if outer[0] is not cores[0][0]:  # a DeepRNN has a tuple of states, even one of a single core
            states = tuple(map(_state, states if len(cores) > 1 else (states,)))
        else:
            states = _state(states)
        return apply(live, xs, states)

    dtype = max((array.dtype for module in live.values() for array in module.values()), key=lambda d: jnp.finfo(d).eps)
    return Original(layers, run, dtype), [prefix + one.module_name for one, prefix in cores]


def _state(state: State) -> Any:
    import haiku as hk

    return hk.LSTMState(hidden=state.h, cell=state.c) if hasattr(state, "c") else state


def _cores(hk: Any, core: Any) -> list[Any]:
    """Return the core, or those of a DeepRNN in order."""
    if isinstance(core, hk.LSTM | hk.GRU | hk.VanillaRNN):
        return [core]
    layers = getattr(core, "layers", None)
    if isinstance(core, hk.RNNCore) and layers:
        if core.skip_connections:
            raise ValueError("core: got a DeepRNN with skip connections, which is no chain of layers")
        return [one for layer in layers for one in _cores(hk, layer)]
    raise ValueError(
        f"core: got {getattr(core, '__name__', type(core).__name__)}, expected hk.LSTM, hk.GRU, hk.VanillaRNN or a "
        "DeepRNN of nothing else; import the recurrent part alone, or see help(rd.interop) for a step of any core"
    )


def _prefix(hk: Any, core: Any, flat: Arrays) -> str:
    """Return what precedes the core's name in the params of a larger net."""
    first = core.module_name + ("/w_h" if isinstance(core, hk.GRU) else "/linear/w")
    prefixes = [path[: -len(first)] for path in flat if path == first or path.endswith(f"/{first}")]
    if "" in prefixes:
        return ""
    if len(prefixes) != 1:
        found = in_words(sorted(prefix + first for prefix in prefixes) or sorted(flat)) or "nothing"
        raise ValueError(f"params: looked for {first}, found {found}; give the core the name that it has in the params")
    return prefixes[0]


def _layer(hk: Any, core: Any, path: str, flat: Arrays) -> Layer:
    form = FORMS["lstm" if isinstance(core, hk.LSTM) else "gru" if isinstance(core, hk.GRU) else "vanilla"]
    missing = [name for name in form.names if f"{path}/{name}" not in flat]
    if missing:
        raise ValueError(f"params: {', '.join(missing)} missing in {path}")
    own = {name: flat[f"{path}/{name}"] for name in (*form.names, *form.optional) if f"{path}/{name}" in flat}
    layer = form.read(own)
    if layer.units != core.hidden_size:
        raise ValueError(f"core: has {core.hidden_size} units, but {path} in the params has {layer.units}")
    return layer
