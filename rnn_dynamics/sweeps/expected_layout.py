"""Compare the arrays of a store with what its grid implies, before anything is read or allocated.

Zarr does not write values that equal the fill value, so a store of a few kilobytes may claim any number of points.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import grid_windows
from .digest import is_text
from .errors import StoreError
from .grid_windows import Shape
from .status import fill

# limits: points, since fold_in takes 32 bits; chunks, since each is several files; numbers in a coordinate
MOST_POINTS, MOST_CHUNKS, MOST_NUMBERS = 2**32 - 1, 10**6 - 1, 2**27
# the most bytes of the texts in one chunk: for each text, which is an error message of at most 8 kB, or in all
MOST_TEXT, MOST_TEXTS = 2**14, 2**27


def describe(name: str, array: Any, leading: int = 0) -> str:
    """Describe an array in words: its dtype, and the dimensions that follow the `leading` ones."""
    shape, dims = array.shape, array.metadata.dimension_names or (None,) * len(array.shape)
    sides = ", ".join(f"{dim}={length}" for dim, length in zip(dims[leading:], shape[leading:], strict=True))
    text = array.dtype.kind in "OT"  # not "U": texts of a fixed length could claim gigabytes for each entry
    return f"{name}: {'text' if text else array.dtype.name}[{sides}]"


def filled_by(dtype: np.dtype) -> Any:
    """Return the fill value of an array of this dtype, which marks points that have not been computed."""
    return "" if is_text(dtype) else fill(dtype)


def check_size(shape: Shape, window: Shape, chunk: Shape) -> None:
    """Raise if there are too many points or chunks, or if chunks are not whole windows or reach far beyond the grid."""
    for length, width, side in zip(shape, window, chunk, strict=True):
        if not 1 <= width <= length or side % width or not width <= side < length + width:
            raise StoreError(f"store: has windows {window} in chunks {chunk}, which do not fit its grid {shape}")
    if math.prod(shape) > MOST_POINTS:
        raise StoreError(f"grid: has {math.prod(shape)} points; expected at most {MOST_POINTS}")
    many = math.prod(grid_windows.counts(shape, chunk))
    if many > MOST_CHUNKS:
        raise StoreError(
            f"chunk: the grid is cut into {many} chunks of {math.prod(chunk)} points; expected at most {MOST_CHUNKS}, "
            "each of which is several files"
        )


def check_layout(group: Any, attributes: dict[str, Any]) -> None:
    """Raise if the arrays of a store do not match its grid, chunks and outputs."""
    shape, window, chunk = (tuple(attributes[f"{what}_shape"]) for what in ("grid", "window", "chunk"))
    dims = tuple(attributes["grid_dims"])
    check_size(shape, window, chunk)
    outputs = ["status: int8[]", "error: text[]", *attributes["outputs"]]
    for text in outputs:
        name = text.split(":")[0]
        array = group[name]
        own = array.shape[len(shape) :]
        _same(f"{name}: its shape over the grid", array.shape[: len(shape)], shape)
        _same(f"{name}: its dimensions over the grid", tuple(array.metadata.dimension_names or ())[: len(shape)], dims)
        _same(f"{name}: its chunks", array.chunks, (*chunk, *(max(1, length) for length in own)))
        _same("the output", describe(name, array, len(shape)), text)
        _same(f"{name}: its fill value", str(array.fill_value), str(filled_by(array.dtype)))
    lengths = dict(zip(dims, shape, strict=True))
    for text in attributes["coordinate_arrays"]:
        _check_coordinate(group, text.rpartition(" ")[0], lengths)
    _check_texts(group, "progress/record", math.prod(grid_windows.counts(shape, chunk)))
    _check_texts(group, "progress/coordinates", len(attributes["coordinate_arrays"]))


def most_unpacked(group: Any, attributes: dict[str, Any]) -> dict[str, int]:
    """Return how many bytes a chunk of each array of the sweep can hold, and raise if one is packed in another way."""
    described = [text.split(":")[0] for text in (*attributes["outputs"], *attributes["coordinate_arrays"])]
    limits = {}
    for name in ("status", "error", "progress/record", "progress/coordinates", *described):
        array = group[name]
        numbers, of_texts = math.prod(array.chunks), array.dtype.kind in "OT"
        packed = [codec.to_dict()["name"] for codec in array.metadata.codecs]
        _same(f"{name}: the list of its codecs", packed, ["vlen-utf8" if of_texts else "bytes", "zstd"])
        places = array.metadata.chunk_key_encoding.to_dict()
        _same(f"{name}: the naming of its chunks", places, {"name": "default", "configuration": {"separator": "/"}})
        limits[name] = max(numbers * MOST_TEXT, MOST_TEXTS) if of_texts else numbers * array.dtype.itemsize
    return limits


def _check_texts(group: Any, name: str, many: int) -> None:
    array = group[name]
    _same("the array", f"{describe(name, array)} in chunks {array.chunks}", f"{name}: text[None={many}] in chunks (1,)")


def _check_coordinate(group: Any, text: str, lengths: dict[str, int]) -> None:
    name = text.split(":")[0]
    array = group[name]
    _same("the coordinate", describe(name, array), text)
    for dim, length in zip(array.metadata.dimension_names, array.shape, strict=True):
        _same(f"{name}: its length along {dim}", length, lengths.get(dim, length))
    _same(f"{name}: its chunks", array.chunks, one_chunk(array.shape))
    check_numbers(name, array.shape)


def one_chunk(shape: Sequence[int]) -> Shape:
    """Return the shape of a chunk that holds the whole array."""
    return tuple(max(1, length) for length in shape)


def check_numbers(name: str, shape: Sequence[int]) -> None:
    """Raise if a coordinate is too large to be read whole."""
    if math.prod(shape) > MOST_NUMBERS:
        raise StoreError(
            f"{name}: has {math.prod(shape)} numbers; expected at most {MOST_NUMBERS}. Let measure_point draw larger "
            "arrays from its key"
        )


def _same(what: str, there: Any, expected: Any) -> None:
    if there != expected:
        raise StoreError(f"store: {what} is {there!r}; expected {expected!r}, given the grid")
