"""Flax, linen and nnx: cells, `RNN`, `Bidirectional`, `Sequential`, and modules that contain one recurrent layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .. import argument
from ..cells.contract import State
from . import flax_arrays
from .imported import Imported
from .jax_activations import activation_of, require_gates
from .layer_blocks import Layer, Original, belongs_to, chain, from_original, over_time
from .named_arrays import are_arrays, import_arrays, layers_in, named, only_for_arrays
from .weight_files import in_words

Pair = tuple[Any, Any]  # a linen module with its parameters; an nnx module with None


def from_flax(
    module: Any,
    params: Any = None,
    *,
    example: Any = None,
    activation: flax_arrays.Activation = None,
    recorded: tuple[Any, Any] | None = None,
    verify: bool = True,
) -> Imported:
    """Turn Flax cells, linen or nnx, into a cell of ours, and compare the two.

    Each cell is run beside ours on random states and inputs; if the outputs differ, that is an error. The module is not
    changed.

    Args:
        module: A cell (`LSTMCell`, `OptimizedLSTMCell`, `GRUCell`, `SimpleCell`, linen's `MGUCell`), an `RNN`, a
            `Bidirectional`, a `Sequential` or list of RNNs, or a module of your own that contains one of these; or a
            dict of arrays, nested or flat, or a path to a .safetensors or .npz file of them.
        params: For linen: the parameters, `variables` or `variables["params"]`; a list of them for a list of modules.
        example: For a linen module of your own: an input that it takes, since its layers exist only while it runs.
        activation: For the arrays of a `SimpleCell`, which do not say it: one that `rd.cells.make_elman` takes.
            Default: "tanh".
        recorded: Inputs (T, inputs) and the outputs (T, units) that the original gave from the state zero, or batches
            of them. Needed to verify arrays.
        verify: Whether to run a live module beside the import. Default: True.

    Returns:
        An `Imported` with our `cell`, its `params` and the `verification`. Of a `Bidirectional` it is the forward net,
        and its field `backward` is the other one.

    Cost:
        One compilation of the original and one of ours, for a batch of 7 sequences of 4 steps.

    Example:
        >>> import flax.linen as nn
        >>> module = nn.RNN(nn.LSTMCell(3))
        >>> net = rd.interop.from_flax(module, module.init(key, jnp.ones((1, 5, 2))))
        >>> net.source, net.verification.how
        ('Flax LSTM, 3 units', 'live')
    """
    argument.flag("verify", verify)
    if are_arrays(module) and params is None:
        return import_arrays("Flax", module, flax_arrays.forms(activation), recorded, activation=activation)
    only_for_arrays(activation=activation)
    if isinstance(module, Sequence):  # nnx.List too
        own = [None] * len(module) if params is None else params
        if not isinstance(own, list | tuple) or len(own) != len(module):
            raise ValueError(f"params: got {type(params).__name__}, expected a list of {len(module)}, one per module")
        pairs = [pair for one, of_one in zip(module, own, strict=True) for pair in _pairs(one, of_one, example)]
    else:
        pairs = _pairs(module, params, example)
    if len(pairs) == 1 and _is(pairs[0][0], "Bidirectional"):
        return _bidirectional(*pairs[0], recorded, verify)
    if any(_is(one, "Bidirectional") for one, _ in pairs):
        raise ValueError(
            f"module: got {_names(pairs)}; a Bidirectional feeds both its nets to the next, so no net is a chain"
        )
    return from_original("Flax", chain([_original(*pair) for pair in pairs]), recorded, verify=verify)


def _pairs(module: Any, params: Any, example: Any) -> list[Pair]:
    """Return the recurrent modules in the order in which the inputs pass them."""
    if not belongs_to("flax", module):
        raise TypeError(f"module: got {type(module).__name__}, expected a Flax module, a list of them or arrays")
    if not _is_linen(module):
        return _nnx_modules(module)
    if module.scope is not None and params is None:
        module, params = module.unbind()
    if not isinstance(params, Mapping):
        raise TypeError(
            f"params: got {type(params).__name__}, expected the dict that module.init returned, trained or not"
        )
    params = params.get("params", params)
    if _is(module, "RNN", "RNNCellBase", "Bidirectional"):
        return [(module, params)]
    if _is(module, "Sequential"):
        return _in_sequence([(layer, params.get(f"layers_{i}")) for i, layer in enumerate(module.layers)])
    return _linen_modules(module, params, example)


def _is_linen(module: Any) -> bool:
    return any(base.__module__ == "flax.linen.module" for base in type(module).__mro__)


def _is(module: Any, *names: str) -> bool:
    """Return whether the module is an instance of one of these classes of linen or nnx."""
    bases = {base.__name__ for base in type(module).__mro__ if base.__module__.startswith("flax.")}
    return bool(bases & set(names))


def _is_recurrent(module: Any) -> bool:
    return _is(module, "RNN", "RNNCellBase", "Bidirectional")


def _in_sequence(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the recurrent layers of a `Sequential`; only Dropout, which inference leaves out, may be between them."""
    places = [place for place, (layer, _) in enumerate(pairs) if _is_recurrent(layer)]
    if not places:
        raise ValueError(f"module: got a Sequential of {_names(pairs)}, which has no recurrent layer")
    between = [
        pair for pair in pairs[places[0] : places[-1]] if not _is_recurrent(pair[0]) and not _is(pair[0], "Dropout")
    ]
    if between:
        raise ValueError(
            f"module: {_names(between)} between the recurrent layers of {_names(pairs)}; import them one by one"
        )
    return [pairs[place] for place in places]


def _names(pairs: Sequence[Pair]) -> str:
    return ", ".join(getattr(module, "__name__", type(module).__name__) for module, _ in pairs)


def _linen_modules(module: Any, params: Any, example: Any) -> list[Pair]:
    """Run a module of the user's own abstractly and return the recurrent one that it contains."""
    from flax import linen

    if example is None:
        found = layers_in(named(params), flax_arrays.forms())
        known = ", ".join(f"params[{path!r}] ({layer.kind}, {layer.units} units)" for path, layer in found.items())
        raise ValueError(
            f"example: missing for {type(module).__name__}, whose layers exist only while it runs; give an input that "
            f"it takes, or the cell and its own part of the params, which contain {known or 'no recurrent layer'}"
        )
    seen: dict[tuple[str, ...], Any] = {}

    def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        inner = context.module
        if context.method_name == "__call__" and _is(inner, "RNNCellBase"):
            seen.setdefault(inner.path, inner.clone(parent=None, name=None))
        return call(*args, **kwargs)

    with linen.intercept_methods(look):
        jax.eval_shape(lambda params, x: module.apply({"params": params}, x), params, example)
    if len(seen) != 1:
        raise ValueError(_several(module, ["/".join(path) for path in seen]))
    ((path, cell),) = seen.items()
    for name in path:
        params = params[name]
    return [(cell, params)]


def _nnx_modules(module: Any) -> list[Pair]:
    from flax import nnx

    if _is_recurrent(module):
        return [(module, None)]
    if _is(module, "Sequential"):
        return _in_sequence([(layer, None) for layer in module.layers])
    found = {path: inner for path, inner in nnx.iter_modules(module) if _is_recurrent(inner)}
    outer = {
        path: inner for path, inner in found.items() if not any(path[:length] in found for length in range(len(path)))
    }
    if len(outer) != 1:
        raise ValueError(_several(module, [".".join(map(str, path)) for path in outer]))
    return [(inner, None) for inner in outer.values()]


def _several(module: Any, paths: list[str]) -> str:
    found = f"the recurrent layers {', '.join(paths)}" if paths else "no recurrent layer of Flax"
    wanted = "; expected one, or a list of them in order" if paths else ""
    return f"module: got {type(module).__name__} with {found}{wanted}"


def _bidirectional(module: Any, params: Any, recorded: Any, verify: bool) -> Imported:
    if recorded is not None:
        raise ValueError("recorded: given for a bidirectional layer, expected the recording of one of its RNNs")
    halves = [
        from_original(
            "Flax",
            _original(half, None if params is None else params[name]),
            of=f"the {direction} half of a bidirectional layer",
            verify=verify,
        )
        for half, name, direction in (
            (module.forward_rnn, "forward_rnn", "forward"),
            (module.backward_rnn, "backward_rnn", "backward"),
        )
    ]
    return halves[0]._replace(backward=halves[1])


def _original(module: Any, params: Any) -> Original:
    is_rnn = _is(module, "RNN")
    if is_rnn and module.reverse:
        raise ValueError(
            "module: got an RNN with reverse=True; import its cell instead and give our net the inputs in reverse order"
        )
    cell = module.cell if is_rnn else module
    if not _is(cell, "LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell", "MGUCell"):
        raise ValueError(
            f"module: got {type(cell).__name__}, expected LSTMCell, OptimizedLSTMCell, GRUCell, SimpleCell, MGUCell, "
            "or an RNN, Bidirectional or Sequential of them; help(rd.interop) shows how to measure any other cell"
        )
    if params is None:
        params = nnx_params(cell)
        return Original([_layer(cell, params)], _nnx_run(module), _dtype(cell, params))
    if is_rnn and "cell" not in params:  # the parameters of an RNN's cell that a larger module owns
        module, is_rnn = cell, False
    own = params["cell"] if is_rnn else params
    return Original([_layer(cell, own)], _linen_run(module, params), _dtype(cell, own))


def _layer(cell: Any, params: Any) -> Layer:
    """Return the layer of a cell from its parameters, with its activations."""
    arrays = named(params)
    found = layers_in(arrays, flax_arrays.forms())
    layer = found.get("")
    if layer is None or layer.kind not in _kinds(cell):
        inner = [path for path in found if path]
        raise ValueError(
            f"params: got {in_words(sorted(arrays)) or 'none'}, expected those of {type(cell).__name__}"
            + (f"; those of a layer are in {in_words(inner)}" if inner else "")
        )
    units = cell.features if _is_linen(cell) else cell.hidden_features
    if units != layer.units:
        raise ValueError(f"params: those of {layer.units} units, expected {units}, as {type(cell).__name__} has them")
    if _is(cell, "SimpleCell"):
        read = flax_arrays.dense if "dense_h/kernel" in arrays else flax_arrays.simple
        return read(arrays, activation_of(cell.activation_fn), cell.residual)
    require_gates(cell.gate_fn, cell.activation_fn)
    return layer


def _kinds(cell: Any) -> tuple[str, ...]:
    if _is(cell, "SimpleCell"):
        return ("vanilla RNN",)
    return ("LSTM",) if _is(cell, "LSTMCell", "OptimizedLSTMCell") else ("GRU", "MGU")


def nnx_params(cell: Any) -> Any:
    """Return the parameters of an nnx module as a nested dict."""
    from flax import nnx

    return nnx.to_pure_dict(nnx.state(cell, nnx.Param))


def _dtype(cell: Any, params: Any) -> Any:
    """Return the coarser of the dtypes that the cell computes in and that its parameters have."""
    dtypes = [jnp.asarray(array).dtype for array in named(params).values()]
    return max([*dtypes, *([] if cell.dtype is None else [cell.dtype])], key=lambda dtype: jnp.finfo(dtype).eps)


def _carry(state: State) -> Any:
    return (state.c, state.h) if hasattr(state, "c") else state


def _linen_run(module: Any, params: Any) -> Any:
    @jax.jit
    def outputs(params: Any, carry: Any, xs: Any) -> Any:
        if _is(module, "RNN"):
            options = {"time_major": False, "return_carry": False}
            return module.apply({"params": params}, xs, initial_carry=carry, **options)
        return over_time(lambda carry, x: module.apply({"params": params}, carry, x), carry, xs)

    return lambda states, xs: outputs(params, _carry(states), xs)


def _nnx_run(module: Any) -> Any:
    from flax import nnx

    # a merged copy, so that the user's module stays as it is
    graph, values = nnx.split(module)

    @jax.jit
    def outputs(values: Any, carry: Any, xs: Any) -> Any:
        copy = nnx.merge(graph, values)
        if _is(copy, "RNN"):
            return copy(xs, initial_carry=carry, time_major=False, return_carry=False)
        return over_time(copy, carry, xs)

    return lambda states, xs: outputs(values, _carry(states), xs)
