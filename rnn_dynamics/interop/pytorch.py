"""Recurrent layers of PyTorch as cells of ours."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import argument
from . import pytorch_live as live
from .arrays import flat_arrays
from .imported import Imported, Verification
from .pytorch_layout import ACTIVATIONS, Layer, Net, net_of, nets_in, others_beside
from .pytorch_params import as_cell
from .verification import compared_with_recorded, recorded_arrays, verified
from .weight_files import in_words, shown


def from_torch(
    source: Any,
    *,
    prefix: str | None = None,
    layer: int | None = None,
    nonlinearity: str | None = None,
    recorded: tuple[Any, Any] | None = None,
    verify: bool = True,
) -> Imported:
    """Import an RNN, GRU or LSTM of PyTorch as a cell of ours, and compare the two.

    A live module is run beside the import on random states and inputs, and a difference is an error (`MismatchError`)
    with both outputs. The module itself is only read: a copy of it runs, on the CPU, in evaluation mode and in the
    precision of JAX. Of arrays alone nobody can say whether they are what they seem to be; give `recorded`.

    Weights come in JAX's default precision: float64 is rounded unless x64 is enabled, and 16-bit weights are held and
    run in 32 bits. What is imported is the net in evaluation mode, without dropout between layers.

    Args:
        source: A live `nn.RNN`, `nn.GRU`, `nn.LSTM` or one of their cells; a module that contains one; a state dict, or
            any dict of torch or NumPy arrays with PyTorch's names; or the path of a .safetensors or .npz file of them.
        prefix: Which net to take if there are several, such as "encoder.rnn".
        layer: Import this layer alone, counted from 0 at the input. Default: all layers, as a stack.
        nonlinearity: "tanh" or "relu", of the arrays of an `nn.RNN`, which do not show it. Default: "tanh".
        recorded: Inputs (T, m) and outputs (T, n) of the original from the zero state, or batches (B, T, m) and
            (B, T, n), batch first whatever `batch_first` is. Record on a CPU: GPUs round to TF32 by default.
        verify: Whether to run a live module beside the import. Default: True.

    Returns:
        An `Imported`. `cell` is `rd.cells.lstm`, `make_gru("keep", "after")`, `make_elman(nonlinearity)` or
        `projected_lstm`, or a `stack` of them. A bidirectional layer becomes two nets, the second in `backward`.

    Cost:
        O(size of the weights), and one compilation of the cell for the comparison.

    Example:
        >>> U, W = np.ones((2, 1), np.float32), np.eye(2, dtype=np.float32)
        >>> weights = {"rnn.weight_ih_l0": U, "rnn.weight_hh_l0": W}
        >>> rd.interop.from_torch(weights)
        Imported(PyTorch RNN, 1 layer, 2 units, tanh assumed; not verified: the outputs were compared with nothing)
        >>> recorded = np.ones((3, 1)), [[1, 1], [2, 2], [3, 3]]
        >>> net = rd.interop.from_torch(weights, nonlinearity="relu", recorded=recorded)
        >>> print(net.verification)
        verified against the recorded outputs: largest difference 0.0e+00
        >>> rd.gradient_flow(*net.problem(jnp.ones((5, 1)))).log_norm[-1]
        Array(0., dtype=float32)
    """
    argument.flag("verify", verify)
    if prefix is not None:
        argument.instance("prefix", prefix, str, "a string such as 'encoder.rnn'")
    if layer is not None:
        argument.size("layer", layer, 0)
    if nonlinearity is not None:
        argument.choice("nonlinearity", nonlinearity, ACTIVATIONS)
    if live.is_module(source):
        if nonlinearity is not None:
            raise ValueError(f"nonlinearity: got {nonlinearity!r} with a live module, which has its own; leave it out")
        original = live.recurrent_module(source, prefix)
        module, notes = live.readable(original), live.notes(original)
        net = net_of(live.layers_of(module), layer=layer, activation=live.activation_of(module), notes=notes)
        if verify:
            run = live.Runner(live.runnable(original if layer is None else live.built(net)), bool(net.reverse))
            return _imported(net, recorded, run)
    else:
        net = _from_arrays(source, prefix, layer, nonlinearity)
    return _imported(net, recorded, None)


def _from_arrays(source: Any, prefix: str | None, layer: int | None, nonlinearity: str | None) -> Net:
    arrays = flat_arrays(source)
    nets = nets_in(arrays)
    if not nets:
        parts = source if isinstance(source, Mapping) else {}
        inner = [name for name, part in parts.items() if isinstance(part, Mapping)]
        raise ValueError(
            "source: holds no arrays with PyTorch's names (weight_ih_l0, weight_hh_l0, ...), with or without a prefix"
            + (f"; it holds the dicts {in_words(inner)}: pass the one with the weights" if inner else "")
        )
    if prefix is not None:
        nets = {name: each for name, each in nets.items() if name.rstrip("./") == prefix.rstrip("./")} or nets
        if len(nets) > 1 or next(iter(nets)).rstrip("./") != prefix.rstrip("./"):
            raise ValueError(f"prefix: got {prefix!r}, expected {_choices(nets)}")
    if len(nets) > 1:
        raise ValueError(f"source: holds {len(nets)} recurrent nets; pass prefix={_choices(nets)}")
    ((found, layers),) = nets.items()
    net = net_of(layers, layer=layer, activation=nonlinearity or "tanh", notes=())
    others = others_beside(arrays, found)
    if others:
        raise ValueError(
            f"source: holds {in_words(others)} beside the weights of the net, which no layer of PyTorch has; leave out "
            "what the net does not use"
        )
    if net.kind != "RNN" and nonlinearity is not None:
        raise ValueError(f"nonlinearity: got {nonlinearity!r}, but the arrays are those of a {net.kind}, not of an RNN")
    return net._replace(notes=(*net.notes, "tanh assumed")) if net.kind == "RNN" and nonlinearity is None else net


def _choices(nets: dict[str, Any]) -> str:
    names = [shown(name.rstrip("./")) for name in list(nets)[:10]]
    return " or ".join(names) + (" or one of the others" if len(nets) > len(names) else "")


def _imported(net: Net, recorded: tuple[Any, Any] | None, run: "live.Runner | None") -> Imported:
    """Convert and verify both directions."""
    forward = _one_direction(net, net.forward, recorded, run, reverse=False)
    if not net.reverse:
        return forward
    return forward._replace(backward=_one_direction(net, net.reverse, recorded, run, reverse=True))


def _one_direction(
    net: Net, layers: tuple[Layer, ...], recorded: tuple[Any, Any] | None, run: "live.Runner | None", *, reverse: bool
) -> Imported:
    cell, params = as_cell(net.kind, layers, net.activation)
    source = net.source + (", from the end" if reverse else "")
    imported = Imported(cell, params, source, Verification("none"))
    if recorded is not None:
        recorded = _of_direction(recorded, layers[0].outputs, bool(net.reverse), reverse)
        imported = compared_with_recorded(cell, params, source, recorded, eps=net.eps)
    if run is not None:
        imported = verified(cell, params, source, run.direction(reverse), inputs=layers[0].inputs)
    return imported


def _of_direction(recorded: tuple[Any, Any], units: int, both: bool, reverse: bool) -> tuple[NDArray, NDArray]:
    """Return what one direction read and gave, in the order of its own steps."""
    inputs, outputs = recorded_arrays(recorded)
    if not both:
        return inputs, outputs
    if outputs.shape[-1] != 2 * units:
        raise ValueError(f"recorded: got outputs of {outputs.shape[-1]} numbers, expected {2 * units}, both directions")
    own: Any = np.s_[:, ::-1, units:] if reverse else np.s_[:, :, :units]
    return (inputs[:, ::-1] if reverse else inputs), outputs[own]
