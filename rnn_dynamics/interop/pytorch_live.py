"""Read and run live PyTorch modules without changing them.

Everything is done with a copy on the CPU: the module's mode, device, gradients and hooks stay as they are, and no
random number is drawn.
"""

import copy
import sys
import warnings
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from .. import argument
from ..cells.contract import State
from .arrays import as_numpy
from .pytorch_layout import PARTS, Net, gates_of


def is_module(source: Any) -> bool:
    """Return whether this is a live module of PyTorch, without importing PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)


def recurrent_module(source: Any, prefix: str | None) -> Any:
    """Return the recurrent module that a module is or contains; there must be one."""
    from torch import nn

    wanted = (nn.RNN, nn.GRU, nn.LSTM, nn.RNNCell, nn.GRUCell, nn.LSTMCell)
    found = {name: module for name, module in source.named_modules() if isinstance(module, wanted)}
    if prefix is not None:
        if prefix.rstrip(".") not in found:
            raise ValueError(f"prefix: got {prefix!r}, expected one of {', '.join(map(repr, found)) or 'none'}")
        return found[prefix.rstrip(".")]
    if not found:
        raise ValueError(
            f"source: {type(source).__name__} contains no nn.RNN, nn.GRU, nn.LSTM or cell of these; of a "
            "TorchScript or other module with PyTorch's names of weights pass the state_dict()"
        )
    if len(found) > 1:
        names = ", ".join(f"{name!r} ({type(module).__name__})" for name, module in found.items())
        raise ValueError(f"source: contains {len(found)} recurrent modules; pass prefix= to choose from {names}")
    return next(iter(found.values()))


def copied(module: Any, dtype: Any = None) -> Any:
    """Return a copy on the CPU in evaluation mode, without hooks and with weights that are up to date."""
    computed = [tensor for part in module.modules() for tensor in vars(part).values() if _is_computed(tensor)]
    try:
        # deepcopy refuses tensors that were computed from others
        memo = {id(tensor): tensor.detach().clone() for tensor in computed}
        module = copy.deepcopy(module, memo).to(device="cpu", dtype=dtype).eval()
    except Exception as error:
        raise ValueError(
            f"source: this {type(module).__name__} cannot be copied ({error}); pass its state_dict()"
        ) from error
    for part in module.modules():
        for hook in _weight_hooks(part):
            hook(part, ())
        for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            getattr(part, hooks).clear()
    return module


def _is_computed(thing: Any) -> bool:
    import torch

    return isinstance(thing, torch.Tensor) and not thing.is_leaf


def _weight_hooks(module: Any) -> list[Any]:
    """Return the hooks that compute weights when a module is called: older weight_norm and spectral_norm, pruning."""
    return [
        hook
        for hook in module._forward_pre_hooks.values()
        if any(base.__module__.startswith("torch.nn.utils.") for base in type(hook).__mro__)
    ]


def readable(module: Any) -> Any:
    """Return the module, or a copy if its weights are computed from others.

    Reading them could change it, as spectral_norm does in training, and older hooks leave them out of date.
    """
    from torch.nn.utils import parametrize

    return copied(module) if parametrize.is_parametrized(module) or _weight_hooks(module) else module


def runnable(module: Any) -> Any:
    """Return a copy in JAX's precision."""
    import torch

    return copied(module, getattr(torch, np.dtype(argument.floating(None)).name))


def layers_of(module: Any) -> dict[tuple[int, bool], dict[str, NDArray]]:
    """Return the weights of each layer and direction, also of those that are computed from others (spectral_norm)."""
    one = not hasattr(module, "num_layers")
    layers = {}
    for number in range(1 if one else module.num_layers):
        for reverse in (False, True)[: 1 + (not one and module.bidirectional)]:
            suffix = "" if one else f"_l{number}{'_reverse' * reverse}"
            parts = {part: getattr(module, part + suffix, None) for part in PARTS}
            layers[number, reverse] = {part: as_numpy(value) for part, value in parts.items() if value is not None}
    return layers


def activation_of(module: Any) -> str:
    """Return "relu" for an RNN of such units, else "tanh"."""
    return getattr(module, "nonlinearity", "tanh")


def notes(module: Any) -> list[str]:
    """Return what is left out."""
    dropout = getattr(module, "dropout", 0) if getattr(module, "num_layers", 1) > 1 else 0
    return [f"without its dropout of {dropout:g} between layers"] if dropout else []


def built(net: Net) -> Any:
    """Return a new module of PyTorch with these weights; no random number is drawn."""
    import torch

    first = net.forward[0]
    options: dict[str, Any] = {"nonlinearity": net.activation} if net.kind == "RNN" else {}
    if first.weight_hr is not None:
        options["proj_size"] = first.outputs
    dtype = first.weight_hh.dtype if first.weight_hh.dtype in (np.float32, np.float64) else np.dtype(np.float32)
    # weights on the device "meta" have no numbers, so that none are drawn
    module = getattr(torch.nn, net.kind)(
        first.inputs,
        first.weight_hh.shape[0] // gates_of(first),
        num_layers=len(net.forward),
        bias=first.bias_ih is not None,
        bidirectional=bool(net.reverse),
        device="meta",
        dtype=getattr(torch, dtype.name),
        **options,
    ).to_empty(device="cpu")
    with torch.no_grad():
        for suffix, layers in (("", net.forward), ("_reverse", net.reverse)):
            for number, layer in enumerate(layers):
                for part, array in layer._asdict().items():
                    if array is not None:
                        getattr(module, f"{part}_l{number}{suffix}").copy_(torch.tensor(np.asarray(array, dtype)))
    return module


class Runner:
    """Runs a module on batches of our states and inputs."""

    def __init__(self, module: Any, both: bool) -> None:
        self.module, self.both = module, both

    def direction(self, reverse: bool) -> Any:
        """Return the function of one direction, which reads its inputs in the order of its own steps."""
        return lambda states, xs: self._run(states, xs, reverse)

    def _run(self, states: State, xs: NDArray, reverse: bool) -> NDArray:
        import torch

        parts = [np.stack(leaves) for leaves in zip(*map(jax.tree.leaves, _layers(states)), strict=True)]
        if self.both:
            parts = [np.concatenate([0 * part, part] if reverse else [part, 0 * part]) for part in parts]
        # PyTorch warns that projections run without oneDNN, which is no fault
        with torch.no_grad(), torch.autocast("cpu", enabled=False), warnings.catch_warnings(action="ignore"):
            tensors = [torch.tensor(part, device="cpu") for part in parts]
            x = torch.tensor(np.ascontiguousarray(xs[:, ::-1] if reverse else xs), device="cpu")
            outputs = self._of_cell(tensors, x) if not hasattr(self.module, "num_layers") else self._of_net(tensors, x)
        outputs = outputs.numpy()
        if not self.both:
            return outputs
        half = outputs.shape[-1] // 2
        return outputs[:, ::-1, half:] if reverse else outputs[:, :, :half]

    def _of_net(self, states: list[Any], x: Any) -> Any:
        initial = states[0] if len(states) == 1 else tuple(states)
        batch_first = self.module.batch_first
        found = self.module(x if batch_first else x.transpose(0, 1), initial)[0]
        return found if batch_first else found.transpose(0, 1)

    def _of_cell(self, states: list[Any], x: Any) -> Any:
        import torch

        state = states[0][0] if len(states) == 1 else tuple(part[0] for part in states)
        outputs = []
        for step in range(x.shape[1]):
            state = self.module(x[:, step], state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs, dim=1)


def _layers(states: State) -> list[State]:
    """Return the states of the layers: those of a stack are in a plain tuple, those of an LSTM in a named one."""
    return list(states) if type(states) is tuple else [states]
