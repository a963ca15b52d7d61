"""Every mistake that can be made between PyTorch's arrays and ours, as a change of the arrays."""

import itertools

import numpy as np

GATES = {"lstm": "ifgo", "gru": "rzn", "rnn": ""}
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def blocks_swapped(array, gates, first, second):
    blocks = np.split(array, gates)
    blocks[first], blocks[second] = blocks[second], blocks[first]
    return np.concatenate(blocks)


def changed(arrays, change, *parts):
    """The arrays with `change(array)` in place of those whose names contain one of the parts."""
    return {
        name: np.ascontiguousarray(change(array)) if any(part in name for part in parts or PARTS) else array
        for name, array in arrays.items()
    }


def exchanged(arrays, first, second):
    """The arrays with two words of their names exchanged."""

    def other(name):
        return name.replace(first, "\0").replace(second, first).replace("\0", second)

    return {other(name): array for name, array in arrays.items()}


def blocks_transposed(array, gates):
    return np.concatenate([block.T for block in np.split(array, gates)])


def without(arrays, *parts):
    return {name: 0 * array if any(part in name for part in parts) else array for name, array in arrays.items()}


def bias_hh_added_to_bias_ih(arrays):
    """What is right for an RNN and an LSTM, and wrong for a GRU."""
    summed = {
        name: array + arrays[name.replace("bias_ih", "bias_hh")] if "bias_ih" in name else array
        for name, array in arrays.items()
    }
    return without(summed, "bias_hh")


def mistakes(kind):
    """The mistakes of nets of this kind that keep every shape, by name; W and U must be square and of equal size."""
    gates = max(len(GATES[kind]), 1)
    for (i, a), (j, b) in itertools.combinations(enumerate(GATES[kind]), 2):
        for part in ("", *PARTS):
            where = [part] if part else []
            yield (
                f"gates {a} and {b} swapped in {part or 'all'}",
                lambda arrays, i=i, j=j, where=where: changed(
                    arrays, lambda array: blocks_swapped(array, gates, i, j), *where
                ),
            )
    if gates > 1:
        yield (
            "gates in reverse order",
            lambda arrays: changed(arrays, lambda array: np.concatenate(np.split(array, gates)[::-1])),
        )
    yield "W for U", lambda arrays: exchanged(arrays, "weight_hh", "weight_ih")
    for part in ("weight_hh", "weight_ih"):
        yield (
            f"{part} transposed",
            lambda arrays, part=part: changed(arrays, lambda array: blocks_transposed(array, gates), part),
        )
        if gates > 1:
            yield (
                f"{part} read by columns",
                lambda arrays, part=part: changed(
                    arrays, lambda array: array.ravel().reshape(array.shape, order="F"), part
                ),
            )
    yield "no bias_ih", lambda arrays: without(arrays, "bias_ih")
    yield "no bias_hh", lambda arrays: without(arrays, "bias_hh")
    yield "no biases", lambda arrays: {name: array for name, array in arrays.items() if "bias" not in name}
    yield "a bias counted twice", lambda arrays: changed(arrays, lambda array: 2 * array, "bias_ih")
    if kind == "gru":
        yield "the two biases added", bias_hh_added_to_bias_ih
        yield "bias_ih for bias_hh", lambda arrays: exchanged(arrays, "bias_hh", "bias_ih")
        yield (
            "update gate of the other convention",
            lambda arrays: changed(
                arrays,
                lambda array: array * np.repeat([1, -1, 1], len(array) // 3).reshape(-1, *[1] * (array.ndim - 1)),
            ),
        )


def same_net(kind):
    """Changes that are no mistakes: the net stays what it was."""
    yield "nothing", dict
    if kind != "gru":
        yield "the two biases added", bias_hh_added_to_bias_ih
        yield "bias_ih for bias_hh", lambda arrays: exchanged(arrays, "bias_hh", "bias_ih")
