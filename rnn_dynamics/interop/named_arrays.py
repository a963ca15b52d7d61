"""Find the recurrent layers in plain arrays by their names.

Names are paths, nested ({"cell": {"hi": {"kernel": ...}}}) or flat ("cell/hi/kernel", "cell.hi.kernel"). What a layer
is called does not matter, only the names of its arrays. Several layers are a chain if their paths differ in numbers
alone.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .arrays import as_numpy
from .imported import Imported
from .layer_blocks import Layer, from_arrays, natural
from .weight_files import MOST_LAYERS, in_words, load, shown

Arrays = dict[str, Any]


class Form(NamedTuple):
    """How the arrays of one kind of layer are called.

    Attributes:
        marks: The names that tell it from all other kinds.
        names: All that it needs.
        read: From the arrays by name to the layer.
        optional: What it may have as well.
        unlike: Names that it does not have.
    """

    marks: Sequence[str]
    names: Sequence[str]
    read: Callable[[Arrays], Layer]
    optional: Sequence[str] = ()
    unlike: Sequence[str] = ()


def are_arrays(thing: Any) -> bool:
    """Return whether this is a dict of arrays, or a path to a file of them, or a list of such."""
    if isinstance(thing, list | tuple):
        return bool(thing) and all(are_arrays(one) for one in thing)
    return isinstance(thing, Mapping | str | os.PathLike)


def named(arrays: Any) -> Arrays:
    """Return the arrays by their paths, joined with "/"; a path to a file is read."""
    if isinstance(arrays, str | os.PathLike):
        arrays = load(arrays)
    found: Arrays = {}
    for path, array in _flat(arrays, ()):
        if path in found:
            raise ValueError(f"arrays: got two arrays called {shown(path)}, expected one of each name")
        found[path] = array
    return found


def _flat(tree: Any, path: tuple[str, ...]) -> Iterable[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        for name, part in tree.items():
            yield from _flat(part, (*path, *(step for one in _tuple(name) for step in _steps(str(one)))))
    elif tree is not None:
        # Flax wraps arrays in boxes
        value = tree.get_value() if hasattr(tree, "get_value") else getattr(tree, "value", tree)
        # the random keys of dropout are no weights
        if not jnp.issubdtype(getattr(value, "dtype", np.float32), jax.dtypes.prng_key):
            yield "/".join(path), as_numpy(value)


def _tuple(name: Any) -> tuple[Any, ...]:
    return name if isinstance(name, tuple) else (name,)


def _steps(name: str) -> list[str]:
    """Split a path; JAX writes those of nnx as ['cell']['kernel'].value, and TensorFlow ends names with ":0"."""
    steps = re.split(r"""[./\[\]'"]+""", name.removesuffix(":0").removesuffix(".value"))
    return [step for step in steps if step]


def layers_in(arrays: Arrays, forms: Iterable[Form]) -> dict[str, Layer]:
    """Return the layers found, by the path that their arrays share."""
    found: dict[str, Layer] = {}
    for form in forms:
        for parent in _parents(arrays, form.marks[0]):
            if not all(parent + mark in arrays for mark in form.marks):
                continue
            if any(parent + name in arrays for name in form.unlike):
                continue
            missing = [parent + name for name in form.names if parent + name not in arrays]
            if missing:
                raise ValueError(f"arrays: {in_words(missing)} missing beside {shown(parent + form.marks[0])}")
            others = _others(arrays, parent, form)
            if others:
                raise ValueError(
                    f"arrays: {in_words(others)} beside {shown(parent + form.marks[0])}, expected nothing but "
                    f"{', '.join((*form.names, *form.optional))}; leave out what the layer does not use"
                )
            own = {name: arrays[parent + name] for name in (*form.names, *form.optional) if parent + name in arrays}
            _check_axes(parent, own)
            if len(found) >= MOST_LAYERS:
                raise ValueError(f"arrays: hold more than {MOST_LAYERS} recurrent layers, expected at most as many")
            try:
                found[parent.rstrip("/")] = form.read(own)
            except (TypeError, ValueError) as error:
                error.add_note(f"in the arrays of {shown(parent.rstrip('/')) if parent else 'the top level'}")
                raise
    return found


def _check_axes(parent: str, arrays: Arrays) -> None:
    """Raise unless every array is a matrix, but for the biases, whose names begin with b."""
    for name, array in arrays.items():
        if not name.split("/")[-1].startswith("b") and np.ndim(array) != 2:
            raise ValueError(f"{shown(parent + name)}: got shape {np.shape(array)}, expected a matrix")


def _others(arrays: Arrays, parent: str, form: Form) -> list[str]:
    """Return what looks like more weights of a layer, such as the biases of another framework."""
    known = {*form.names, *form.optional}
    parts = {name.split("/")[0] for name in known if "/" in name}
    beside = [name.removeprefix(parent) for name in arrays if name.startswith(parent)]
    return [
        parent + name
        for name in beside
        if name not in known
        and (name.split("/")[0] in parts if parts else re.fullmatch(r"(weight|bias|kernel|recurrent)[^/]*", name))
    ]


def _parents(arrays: Arrays, mark: str) -> list[str]:
    return [name[: -len(mark)] for name in arrays if f"/{name}".endswith(f"/{mark}")]


def only_for_arrays(**options: Any) -> None:
    """Raise if an option of arrays was given with a live module, which has its own."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{name}: got {value!r} with a live module, which has its own; leave it out")


def import_arrays(
    framework: str, arrays: Any, forms: Sequence[Form], recorded: Any, *, activation: Any = None, reset: Any = None
) -> Imported:
    """Return the net whose layers have these forms: one, a chain, or the two halves of a bidirectional layer.

    An activation is for vanilla layers and a reset for GRUs: it is an error if one was given and there is none of them.
    """
    if isinstance(arrays, list | tuple):
        layers = [_only_layer(framework, one, forms) for one in arrays]
        _check_options(layers, activation, reset)
        return from_arrays(framework, layers, recorded)
    flat = named(arrays)
    found = layers_in(flat, forms)
    if not found:
        raise ValueError(_none_found(framework, flat, forms))
    _check_options(found.values(), activation, reset)
    halves = _halves(list(found))
    if halves:
        forward, backward = (found[name] for name in halves)
        if recorded is not None:
            raise ValueError(
                "recorded: given for a bidirectional layer, expected the arrays and the recording of one half"
            )
        other = from_arrays(framework, [backward], of="the backward half of a bidirectional layer")
        net = from_arrays(framework, [forward], of="the forward half of a bidirectional layer")
        return net._replace(backward=other)
    names = chain_of(list(found))
    # numbers say in which order layers were made, which need not be that in which they are called
    of = f"in the order {in_words(names)}" if len(names) > 1 else ""
    return from_arrays(framework, [found[name] for name in names], recorded, of)


def _check_options(layers: Iterable[Layer], activation: Any, reset: Any) -> None:
    kinds = {layer.kind for layer in layers}
    for name, value, kind in (("activation", activation, "vanilla RNN"), ("reset", reset, "GRU")):
        if value is not None and kind not in kinds:
            raise ValueError(f"{name}: got {value!r}, but the arrays are those of {' and '.join(sorted(kinds))}")


def chain_of(names: Sequence[str]) -> list[str]:
    """Return the names of layers in the order of their numbers, or raise if they differ in more than numbers."""
    if len({re.sub(r"_?\d+", "", name) for name in names}) > 1:
        raise ValueError(
            f"arrays: found the layers {in_words(sorted(names, key=natural))}, whose names do not say in which order "
            "they follow; expected one layer, a chain whose names differ in a number, or a list of dicts in order"
        )
    return sorted(names, key=natural)


def _halves(names: list[str]) -> tuple[str, str] | None:
    backward = [name for name in names if "backward" in name]
    if len(names) == 2 and len(backward) == 1:
        (forward,) = set(names) - set(backward)
        if forward == backward[0].replace("backward", "forward"):
            return forward, backward[0]
    return None


def _only_layer(framework: str, arrays: Any, forms: Sequence[Form]) -> Layer:
    flat = named(arrays)
    found = layers_in(flat, forms)
    if len(found) != 1:
        raise ValueError(
            _none_found(framework, flat, forms)
            if not found
            else f"arrays: found {in_words(found)} in one dict of the list, expected one layer in each"
        )
    return next(iter(found.values()))


def _none_found(framework: str, arrays: Arrays, forms: Sequence[Form]) -> str:
    names = sorted(arrays)
    known = in_words(f"{name} {np.shape(arrays[name])}" for name in names)
    wanted = " or ".join(dict.fromkeys(" with ".join(form.marks) for form in forms))
    return (
        f"arrays: no recurrent layer of {framework} among {known or 'no arrays'}; expected names that end in {wanted}"
    )
